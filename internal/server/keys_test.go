package server

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/auth"
	"github.com/avapd/avapd/internal/diag"
)

// newKey makes a key and gives its secret.
func (h *commandHarness) newKey(k api.NewKey) string {
	h.t.Helper()
	body, err := encodeJSON(k)
	if err != nil {
		h.t.Fatal(err)
	}
	made := decode[api.Key](h.t, h.ask(http.MethodPost, "/keys", "application/json", body), 201)
	if !auth.IsSecret(made.Secret) {
		h.t.Errorf("the secret is %q", made.Secret)
	}
	return made.Secret
}

// with makes a request with a secret.
func (h *commandHarness) with(secret, method, path, body string) reply {
	h.t.Helper()
	return h.do(method, "/api/v1"+path, "application/json", strings.NewReader(body), "Authorization", "Bearer "+secret)
}

// A key is good for what it was made for, until it is turned, expires or is
// taken away.
func TestKeys(t *testing.T) {
	h := startCommands(t)
	secret := h.newKey(api.NewKey{Name: "ci", Scopes: []string{"execute", "keys:read"}})
	run := func(secret string) reply { return h.with(secret, http.MethodPost, "/execute", `{"script":"x = 1"}`) }
	if r := run(secret); r.StatusCode != 200 {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	p := h.with(secret, http.MethodPost, "/check", `{"script":"x = 1"}`).wantProblem(t, 403, diag.ScopeMissing)
	if !strings.Contains(p.Error, "key:ci does not have the scope check") {
		t.Error(p.Error)
	}
	h.with(secret, http.MethodDelete, "/keys/ci", "").wantProblem(t, 403, diag.ScopeMissing)

	next := decode[api.Key](t, h.ask(http.MethodPost, "/keys/ci/rotate", "application/json", []byte(`{"grace_s":3600}`)), 200)
	if r := run(secret); r.StatusCode != 200 {
		t.Errorf("within the grace: %d", r.StatusCode)
	}
	last := decode[api.Key](t, h.ask(http.MethodPost, "/keys/ci/rotate", "application/json", []byte(`{}`)), 200)
	for _, old := range []string{secret, next.Secret} {
		run(old).wantProblem(t, 401, diag.Unauthorized)
	}
	shown := decode[api.Keys](t, h.with(last.Secret, http.MethodGet, "/keys", ""), 200)
	if len(shown.Keys) != 1 || shown.Keys[0].Secret != "" || shown.Keys[0].By != "admin" || shown.Keys[0].LastUsed.IsZero() || len(shown.Keys[0].Proofs) != 1 {
		t.Errorf("%+v", shown.Keys)
	}
	if diff := cmp.Diff([]string{"execute", "keys:read"}, shown.Keys[0].Scopes); diff != "" {
		t.Error(diff)
	}
	if r := h.ask(http.MethodDelete, "/keys/ci", "", nil); r.StatusCode != 204 {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	run(last.Secret).wantProblem(t, 401, diag.Unauthorized)

	short := h.newKey(api.NewKey{Name: "short", Scopes: []string{"execute"}, Expires: time.Now().Add(3 * time.Second)})
	for deadline := time.Now().Add(patience); run(short).StatusCode != 401; {
		if time.Now().After(deadline) {
			t.Fatal("the key does not expire")
		}
	}
	if logs := h.logs.String(); strings.Contains(logs, last.Secret) || strings.Contains(logs, secret) || !strings.Contains(logs, `"principal":"key:ci"`) {
		t.Errorf("logged: %s", logs)
	}
}

// A refusal is the same whether there is such a key or not.
func TestRefusalDoesNotTellKeys(t *testing.T) {
	h := startCommands(t)
	secret := h.newKey(api.NewKey{Name: "ci", Scopes: []string{"execute"}})
	h.newKey(api.NewKey{Name: "gone", Scopes: []string{"execute"}})
	h.ask(http.MethodDelete, "/keys/gone", "", nil)
	var first string
	for i, wrong := range []string{auth.NewSecret("ci"), auth.NewSecret("none"), auth.NewSecret("gone"), secret[:len(secret)-1], "x", ""} {
		r := h.do(http.MethodPost, pathExecute, "application/json", strings.NewReader(`{"script":"x = 1"}`), "Authorization", "Bearer "+wrong, "X-Request-Id", "same")
		r.wantProblem(t, 401, diag.Unauthorized)
		text := fmt.Sprint(string(r.body), r.Header.Get("Www-Authenticate"))
		if i == 0 {
			first = text
		}
		if text != first || r.Header.Get("Www-Authenticate") == "" {
			t.Errorf("%q: %s, and before %s", wrong, text, first)
		}
	}
}

// A key with prefixes is for commands of those names on every route that runs or
// changes something.
func TestKeyPrefixes(t *testing.T) {
	h := startCommands(t)
	for _, name := range []string{"price_net", "other"} {
		decode[api.Version](t, h.upload("/commands/"+name+"?activate=true", "r = 1\naddResult(r)"), 201)
	}
	app := h.ask(http.MethodPut, "/apps/shop", "text/plain", []byte("function f(){\n}\nregisterEndpoint(\"/f\", \"GET\", [], \"\", f, out)"))
	if app.StatusCode != 201 {
		t.Fatalf("%d %s", app.StatusCode, app.body)
	}
	secret := h.newKey(api.NewKey{Name: "price", Scopes: []string{"execute", "commands:write"}, Prefixes: []string{"price_"}})
	if r := h.with(secret, http.MethodPost, "/commands/price_net@1/execute", `{}`); r.StatusCode != 200 {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	if r := h.with(secret, http.MethodPost, "/commands/price_net/disable", ``); r.StatusCode != 200 {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	for _, r := range routes() {
		if r.scope&(auth.Execute|auth.WriteCommands) == 0 || r.path == pathBatch {
			continue
		}
		path := strings.NewReplacer("{name}", "other", "{version}", "1").Replace(strings.TrimPrefix(r.path, "/api/v1"))
		body := `{"version":1}`
		if r.path == pathCompile {
			body = `{"command_name":"other"}`
		}
		h.with(secret, r.method, path, body).wantProblem(t, 403, diag.ScopeMissing)
	}
	h.do(http.MethodGet, "/f", "", nil, "Authorization", "Bearer "+secret).wantProblem(t, 403, diag.ScopeMissing)
	batch := h.with(secret, http.MethodPost, "/execute/batch", `[{"command":"other"},{"script":"x = 1"},{"command":"price_net"}]`)
	if n := strings.Count(string(batch.body), string(diag.ScopeMissing)+`","next_step`); n != 2 {
		t.Errorf("%d items are refused: %s", n, batch.body)
	}
}

func TestBadKeys(t *testing.T) {
	h := startCommands(t)
	h.newKey(api.NewKey{Name: "there", Scopes: []string{"execute"}})
	for body, want := range map[string]diag.Code{
		`{"name":"A","scopes":["execute"]}`:                                       diag.BadFieldValue,
		`{"name":"a","scopes":[]}`:                                                diag.BadFieldValue,
		`{"name":"a","scopes":["everything"]}`:                                    diag.BadFieldValue,
		`{"name":"a","scopes":["execute"],"expires":"2001-01-01T00:00:00Z"}`:      diag.BadFieldValue,
		`{"name":"a","scopes":["execute"],"kind":"other"}`:                        diag.BadFieldValue,
		`{"name":"a","scopes":["execute"],"public_key":"x"}`:                      diag.BadFieldValue,
		`{"name":"a","scopes":["execute"],"expires":"9999-12-31T23:59:59-01:00"}`: diag.BadFieldValue,
		`{"name":"a","scopes":["execute"],"kind":"signature"}`:                    diag.BadFieldValue,
		`{"name":"a","scopes":["execute"],"kind":"signature","public_key":"x"}`:   diag.KeyUnusable,
		`{"name":"a","scopes":["keys:write"],"prefixes":["a"]}`:                   diag.BadFieldValue,
		`{"name":"a","scopes":["execute"],"secret":"mine"}`:                       diag.BadFieldValue,
		`{"name":"there","scopes":["execute"]}`:                                   diag.Conflict,
	} {
		status := map[diag.Code]int{diag.Conflict: 409, diag.KeyUnusable: 400}[want]
		if status == 0 {
			status = 400
		}
		h.ask(http.MethodPost, "/keys", "application/json", []byte(body)).wantProblem(t, status, want)
	}
	h.ask(http.MethodPost, "/keys/there/rotate", "application/json", []byte(`{"grace_s":-1}`)).wantProblem(t, 400, diag.BadFieldValue)
	p := h.ask(http.MethodGet, "/keys/theres", "", nil).wantProblem(t, 404, diag.NoSuchKey)
	if p.Suggestion == "" {
		t.Error("no suggestion")
	}
	h.store.away.Store(true)
	h.ask(http.MethodPost, "/keys", "application/json", []byte(`{"name":"late","scopes":["execute"]}`)).wantProblem(t, 503, diag.StoreUnavailable)
}
