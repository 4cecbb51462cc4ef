package vault

import (
	"context"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/avapd/avapd/internal/testservices"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "confidential-token"

func started(t *testing.T, namespace string) *testservices.Vault {
	t.Helper()
	v := testservices.NewVault(t, token, namespace)
	v.Server.Start()
	v.Put("secret/data/team a/avap", true, map[string]any{"token": "confidential-2", "other": "x", "number": 7, "nested": map[string]any{"a": "b"}})
	v.Put("kv/avap", false, map[string]any{"token": "confidential-1", "data": "confidential-of-a-field"})
	v.Put("secret/data/gone", true, nil)
	return v
}

func text(t *testing.T, o Options, reference string) (string, error) {
	t.Helper()
	c, err := Open(o)
	if err != nil {
		return "", err
	}
	defer c.Close()
	r, err := ParseReference(reference)
	if err != nil {
		return "", err
	}
	return c.Text(t.Context(), r)
}

// Secrets are read of both versions of KV, by each way to log in.
func TestRead(t *testing.T) {
	v := started(t, "team")
	v.Admit("approle", map[string]string{"role_id": "role", "secret_id": "confidential-id"})
	v.Admit("k8s/east", map[string]string{"role": "avap", "jwt": "confidential-jwt"})
	for name, o := range map[string]Options{
		"token":      {Method: Token, Secret: token},
		"approle":    {Method: AppRole, Role: "role", Secret: "confidential-id"},
		"kubernetes": {Method: Kubernetes, Mount: "k8s/east", Role: "avap", Secret: "confidential-jwt"},
	} {
		o.Address, o.Namespace = v.Server.URL+"/", "team"
		for reference, want := range map[string]string{
			"vault:secret/data/team a/avap#token": "confidential-2",
			"vault:kv/avap#token":                 "confidential-1",
			"vault:kv/avap#data":                  "confidential-of-a-field",
		} {
			if got, err := text(t, o, reference); got != want || err != nil {
				t.Errorf("%s: %s is %q, %v", name, reference, got, err)
			}
		}
	}
}

// One path is asked for once, and one login is enough.
func TestAsksOnce(t *testing.T) {
	v := started(t, "")
	v.Admit("approle", map[string]string{"role_id": "role", "secret_id": "id"})
	c, err := Open(Options{Address: v.Server.URL, Method: AppRole, Role: "role", Secret: "id"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, field := range []string{"token", "other", "missing"} {
		_, err := c.Text(t.Context(), Reference{"secret/data/team a/avap", field})
		if (err != nil) != (field == "missing") {
			t.Errorf("%s: %v", field, err)
		}
	}
	if got := strings.Join(v.Asked(), " "); got != "auth/approle/login secret/data/team a/avap" {
		t.Errorf("asked for %s", got)
	}
}

// What is wrong is told by what it is, without a secret.
func TestFaults(t *testing.T) {
	v := started(t, "")
	wrong := func(method, secret string) Options {
		return Options{Address: v.Server.URL, Method: method, Secret: secret}
	}
	right := wrong(Token, token)
	for _, c := range []struct {
		options         Options
		reference, want string
		status          int
	}{
		{wrong(Token, "confidential-other"), "vault:kv/avap#token", "does not allow it, 403", 0},
		{wrong(AppRole, "confidential-other"), "vault:kv/avap#token", "login at auth/approle: the server does not accept", 0},
		{right, "vault:secret/team a/avap#token", "nothing at this path, 404", 0},
		{right, "vault:secret/data/gone#token", "nothing at this path, 404", 0},
		{right, "vault:kv/avap#tokn", "there is no such field", 0},
		{right, "vault:secret/data/team a/avap#number", "holds no text", 0},
		{right, "vault:secret/data/team a/avap#nested", "holds no text", 0},
		{right, "vault:kv/avap#token", "sealed", http.StatusServiceUnavailable},
		{right, "vault:kv/avap#token", "points elsewhere, 307", http.StatusTemporaryRedirect},
		{right, "vault:kv/avap#token", "answers 500", http.StatusInternalServerError},
		{Options{Address: "http://127.0.0.1:1", Method: Token, Secret: token}, "vault:kv/avap#token", "cannot be reached: dial", 0},
		{Options{Address: "http://10.0.0.1:8200", Method: Token, Secret: token}, "vault:kv/avap#token", "use https", 0},
		{Options{Address: "https://user:confidential@host", Method: Token}, "vault:kv/avap#token", "https URL of host and port", 0},
		{Options{Address: v.Server.URL, CAFile: "missing.pem"}, "vault:kv/avap#token", "no such file", 0},
		{right, "vault:confidential", "takes the form", 0},
		{right, "vault:kv/../confidential#token", "takes the form", 0},
		{right, "vault:kv/avap#", "takes the form", 0},
	} {
		v.Answer(c.status)
		got, err := text(t, c.options, c.reference)
		if err == nil || got != "" || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "confidential") {
			t.Errorf("%s: %q, %v; want %s", c.reference, got, err, c.want)
		}
	}
}

// The certificate of the server is checked, and those that vouch for it can be
// named.
func TestTLS(t *testing.T) {
	v := testservices.NewVault(t, token, "")
	v.Put("kv/avap", false, map[string]string{"token": "secret"})
	v.Server.Config.ErrorLog = nil
	v.Server.StartTLS()
	dir := t.TempDir()
	ca, empty := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "empty.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: v.Server.Certificate().Raw})
	for file, content := range map[string][]byte{ca: block, empty: []byte("none")} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := Options{Address: v.Server.URL, Method: Token, Secret: token}
	if _, err := text(t, o, "vault:kv/avap#token"); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a server that nobody vouches for: %v", err)
	}
	o.CAFile = empty
	if _, err := text(t, o, "vault:kv/avap#token"); err == nil || !strings.Contains(err.Error(), "none as PEM") {
		t.Errorf("no certificates: %v", err)
	}
	o.CAFile = ca
	if got, err := text(t, o, "vault:kv/avap#token"); got != "secret" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// Neither an answer without an end nor one that does not come holds up a start.
func TestBounds(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/silent") {
			<-release
			return
		}
		piece := []byte(`{"data":{"token":"` + strings.Repeat("x", 64<<10))
		for range 1000 {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	defer close(release)
	c, err := Open(Options{Address: server.URL, Method: Token, Secret: token})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Text(t.Context(), Reference{"kv/endless", "token"}); err == nil || !strings.Contains(err.Error(), "more than 1048576 bytes") {
		t.Errorf("endless: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Text(ctx, Reference{"kv/silent", "token"}); err == nil || !strings.Contains(err.Error(), "in time") {
		t.Errorf("silent: %v", err)
	}
}

// Whatever is written, a reference is one that leads below the API, or refused
// without quoting it.
func FuzzReference(f *testing.F) {
	for _, seed := range []string{"vault:secret/data/avap#token", "vault:#", "vault:a//b#c", "vault:a/./b#c", "vault:a#b#c", "vault:ä ö#ü"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, input string) {
		r, err := ParseReference("vault:" + strings.TrimPrefix(input, "vault:"))
		if err != nil {
			return
		}
		if again, err := ParseReference(r.String()); again != r || err != nil {
			t.Errorf("%q is read as %v, %v", r, again, err)
		}
		if escaped := escape(r.Path); strings.Count(escaped, "/") != strings.Count(r.Path, "/") || strings.ContainsAny(escaped, "?#") {
			t.Errorf("%q becomes %q", r.Path, escaped)
		}
	})
}
