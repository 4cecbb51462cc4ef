package config

import (
	"net/http"
	"strings"
	"testing"

	"github.com/avapd/avapd/internal/testservices"
)

// Secrets come from Vault by whichever layer refers to them, with their checks and
// what they make possible, and are shown nowhere.
func TestVault(t *testing.T) {
	v := testservices.NewVault(t, "confidential-token", "")
	v.Server.Start()
	v.Put("secret/data/avap", true, map[string]string{
		"token": "confidential-0123456789\n", "short": "confidential", "lines": "a\nb", "headers": "authorization=confidential",
	})
	environ := []string{"AVAP_VAULT_TOKEN=confidential-token", "AVAP_VAULT_ADDRESS=" + v.Server.URL, "AVAP_ADMIN_TOKEN=vault:secret/data/avap#token"}
	c, err := load(t, []string{"--listen=0.0.0.0:80", "--tracing-headers=vault:secret/data/avap#headers"}, environ)
	if err != nil {
		t.Fatal(err)
	}
	if c.Admin.Token != "confidential-0123456789" || c.TracingHeaders()["authorization"] != "confidential" {
		t.Errorf("%+v, %v", c.Admin, c.TracingHeaders())
	}
	if got := v.Asked(); len(got) != 1 {
		t.Errorf("Vault was asked for %q", got)
	}
	for reference, want := range map[string]string{
		"short":   "admin.token (from environment variable AVAP_ADMIN_TOKEN): the token has 12 characters",
		"lines":   "what is there is not one line (vault:secret/data/avap#lines)",
		"missing": "there is no such field (vault:secret/data/avap#missing)",
	} {
		environ[2] = "AVAP_ADMIN_TOKEN=vault:secret/data/avap#" + reference
		// That the address needs a token is no fault of its own.
		if _, err := load(t, []string{"--listen=0.0.0.0:80"}, environ); err == nil || !strings.HasPrefix(err.Error(), "admin.token (") ||
			!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "confidential") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", reference, err)
		}
	}
	v.Answer(http.StatusServiceUnavailable)
	if _, err := load(t, nil, environ); err == nil || !strings.Contains(err.Error(), "sealed") {
		t.Error(err)
	}
}
