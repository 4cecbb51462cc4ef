package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/avapd/avapd/compiler"
	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/apps"
	"github.com/avapd/avapd/internal/audit"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/registry"
	"github.com/avapd/avapd/internal/signature"
	"github.com/avapd/avapd/internal/store"
)

// switchedStore is a store whose commits, or looks at what changed, can be made
// to fail as if it were away.
type switchedStore struct {
	store.Store

	away, deaf atomic.Bool
	// unsure is a store whose changes happen, and that does not tell.
	unsure atomic.Bool
}

func (s *switchedStore) Changes(ctx context.Context, after int64, limit int) (store.Page, error) {
	if s.deaf.Load() {
		return store.Page{}, store.ErrUnavailable
	}
	return s.Store.Changes(ctx, after, limit)
}

func (s *switchedStore) Commit(ctx context.Context, b store.Batch) (int64, error) {
	if s.away.Load() {
		return 0, store.ErrUnavailable
	}
	revision, err := s.Store.Commit(ctx, b)
	if s.unsure.Load() {
		return 0, store.ErrUncertain
	}
	return revision, err
}

// commandHarness is a server with commands and apps, and a key that it trusts
// with everything.
type commandHarness struct {
	*harness

	key   signature.PrivateKey
	store *switchedStore
}

func startCommands(t *testing.T, args ...string) *commandHarness {
	t.Helper()
	return startCommandsWith(t, func(*registry.Config) {}, args...)
}

func startCommandsWith(t *testing.T, prepare func(*registry.Config), args ...string) *commandHarness {
	t.Helper()
	return startCommandsOn(t, newAudit(t), prepare, args...)
}

// startCommandsOn has what happens written down in a log.
func startCommandsOn(t *testing.T, log *audit.Log, prepare func(*registry.Config), args ...string) *commandHarness {
	t.Helper()
	h := &commandHarness{key: newKey(t), store: new(switchedStore)}
	args = append(args, "--admin-token-file", tokenFile(t))
	h.harness = startWith(t, func(o *Options) {
		config := EngineConfig(o.Config)
		config.Registered = func() engine.Resolver { return h.commands.Resolver() }
		scripts, err := engine.New(config)
		if err != nil {
			t.Fatal(err)
		}
		sqlite, err := store.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "avapd.db"), store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		h.store.Store = sqlite
		builder := newKey(t)
		settings := registry.Config{
			Primary: h.store, Engine: scripts, Signer: &builder, ArtifactBytes: int(o.Config.Registry.ArtifactLimitBytes),
			Trust: []registry.Signer{{Name: "team", Key: h.key.Public().Key, Prefixes: []string{"*"}, Capabilities: []string{"*"}, TrustedCompiler: true}},
		}
		prepare(&settings)
		commands, err := registry.New(t.Context(), settings)
		if err != nil {
			t.Fatal(err)
		}
		o.Audit = log
		if o.TLS, err = LoadTLS(o.Config); err != nil {
			t.Fatal(err)
		}
		o.Engine, o.Commands = scripts, commands
		o.Apps = apps.New(apps.Config{Engine: scripts, Dir: t.TempDir(), Reserved: ReservedSegments()})
		t.Cleanup(func() {
			o.Apps.Close()
			commands.Stop()
			if err := scripts.Close(context.Background()); err != nil {
				t.Error(err)
			}
			if err := sqlite.Close(); err != nil {
				t.Error(err)
			}
		})
	}, args...)
	return h
}

func newKey(t testing.TB) signature.PrivateKey {
	t.Helper()
	key, err := signature.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func signedBy(t *testing.T, key signature.PrivateKey, source string) []byte {
	t.Helper()
	artifact, findings := compiler.Compile(compiler.Source{Name: "test.avap", Text: source}, compiler.Options{})
	if artifact == nil {
		t.Fatal(findings)
	}
	module, err := signature.Sign(artifact.Wasm, key)
	if err != nil {
		t.Fatal(err)
	}
	return module
}

// ask makes a request with the token.
func (h *commandHarness) ask(method, path, contentType string, body []byte, headers ...string) reply {
	h.t.Helper()
	return h.do(method, "/api/v1"+path, contentType, bytes.NewReader(body), append(headers, "Authorization", "Bearer "+testToken)...)
}

func (h *commandHarness) upload(path, source string) reply {
	h.t.Helper()
	return h.ask(http.MethodPut, path, api.WASM, signedBy(h.t, h.key, source))
}

// decode reads a document of an answer that must have the status.
func decode[T any](t *testing.T, r reply, status int) (document T) {
	t.Helper()
	if r.StatusCode != status {
		t.Fatalf("status %d, want %d: %s", r.StatusCode, status, r.body)
	}
	if err := json.Unmarshal(r.body, &document); err != nil {
		t.Fatalf("%v: %s", err, r.body)
	}
	return document
}

const priced = "addParam(\"quantity\", quantity)\ntotal = quantity * %d\naddResult(total)"

func TestCommandLifecycle(t *testing.T) {
	h := startCommands(t)
	if r := h.ask(http.MethodGet, "/commands", "", nil); string(r.body) != `{"commands":[]}` {
		t.Errorf("got %s", r.body)
	}

	first := h.upload("/commands/price?activate=true&note=VAT%20of%202026", fmt.Sprintf(priced, 2))
	v := decode[api.Version](t, first, http.StatusCreated)
	digest := v.Digest
	if v.Version != 1 || !v.Active || v.Note != "VAT of 2026" || v.By != "admin" || v.SizeBytes == 0 || len(v.Digest) != 64 ||
		len(v.Signers) != 1 || v.Signers[0] != h.key.Public().String() || first.Header.Get("Location") != "/api/v1/commands/price/versions/1" {
		t.Errorf("got %+v", v)
	}
	// The same again is the same version; another one is the next, and does not
	// run yet.
	if v := decode[api.Version](t, h.upload("/commands/price", fmt.Sprintf(priced, 2)), http.StatusOK); v.Version != 1 {
		t.Errorf("got %+v", v)
	}
	if v := decode[api.Version](t, h.upload("/commands/price", fmt.Sprintf(priced, 3)), http.StatusCreated); v.Version != 2 || v.Active {
		t.Errorf("got %+v", v)
	}
	execute := func(path, want string) {
		t.Helper()
		r := h.do(http.MethodPost, "/api/v1/commands/"+path+"/execute", "application/json", strings.NewReader(`{"quantity":5,"echo_variables":false}`))
		if r.StatusCode != http.StatusOK || string(r.body) != `{"success":true,"result":{"total":`+want+`},"logs":[]}` {
			t.Errorf("%s: %d %s", path, r.StatusCode, r.body)
		}
	}
	execute("price", "10")
	execute("price@2", "15")
	if c := decode[api.Command](t, h.ask(http.MethodPost, "/commands/price/activate", "application/json", []byte(`{"version":2}`)), 200); c.Active != 2 {
		t.Errorf("got %+v", c)
	}
	execute("price", "15")
	if c := decode[api.Command](t, h.ask(http.MethodPost, "/commands/price/rollback", "", nil), 200); c.Active != 1 || c.Latest != 2 || c.Versions != 2 || c.Digest != digest {
		t.Errorf("got %+v", c)
	}
	execute("price", "10")

	if c := decode[api.Command](t, h.ask(http.MethodPost, "/commands/price/disable", "", nil), 200); !c.Disabled {
		t.Errorf("got %+v", c)
	}
	p := h.ask(http.MethodPost, "/commands/price/execute", "", nil).wantProblem(t, 409, diag.CommandUnusable)
	if p.Current == nil || !p.Current.Disabled {
		t.Errorf("the current state is %+v", p.Current)
	}
	decode[api.Command](t, h.ask(http.MethodPost, "/commands/price/enable", "", nil), 200)
	execute("price@1", "10")

	versions := decode[api.Versions](t, h.ask(http.MethodGet, "/commands/price/versions", "", nil), 200).Versions
	if len(versions) != 2 || versions[0].Version != 2 || !versions[1].Active {
		t.Errorf("got %+v", versions)
	}
	if r := h.ask(http.MethodDelete, "/commands/price", "", nil); r.StatusCode != http.StatusNoContent || len(r.body) != 0 {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	h.ask(http.MethodGet, "/commands/price", "", nil).wantProblem(t, 404, diag.NoSuchCommand)
	h.ask(http.MethodPost, "/commands/price/execute", "", nil).wantProblem(t, 404, diag.NoSuchCommand)
	if logs := h.logs.String(); !strings.Contains(logs, `"command":"price","version":2`) {
		t.Error("the log does not name the command")
	}
}

// Lists have pages and filters.
func TestListCommands(t *testing.T) {
	h := startCommands(t)
	for _, name := range []string{"a1", "a2", "b1", "b2", "b3"} {
		activate := "?activate=" + fmt.Sprint(name != "b2")
		decode[api.Version](t, h.upload("/commands/"+name+activate, "x = \""+name+"\""), 201)
	}
	decode[api.Command](t, h.ask(http.MethodPost, "/commands/b3/disable", "", nil), 200)
	list := func(query string) (string, string) {
		t.Helper()
		page := decode[api.Commands](t, h.ask(http.MethodGet, "/commands"+query, "", nil), 200)
		var names []string
		for _, c := range page.Commands {
			names = append(names, c.Name)
		}
		return strings.Join(names, " "), page.Next
	}
	for _, test := range []struct{ query, names, next string }{
		{"", "a1 a2 b1 b2 b3", ""},
		{"?limit=2", "a1 a2", "a2"},
		{"?limit=2&after=a2", "b1 b2", "b2"},
		{"?limit=2&after=b2", "b3", ""},
		{"?prefix=b", "b1 b2 b3", ""},
		{"?prefix=b&limit=1", "b1", "b1"},
		{"?active=true", "a1 a2 b1", ""},
		{"?active=false", "b2 b3", ""},
		{"?disabled=true", "b3", ""},
		{"?disabled=false&prefix=b", "b1 b2", ""},
		{"?prefix=c", "", ""},
	} {
		if names, next := list(test.query); names != test.names || next != test.next {
			t.Errorf("%s: %s, next %q; want %s, next %q", test.query, names, next, test.names, test.next)
		}
	}
	for _, query := range []string{"limit=0", "limit=1001", "limit=x", "active=yes", "disabled=1"} {
		h.ask(http.MethodGet, "/commands?"+query, "", nil).wantProblem(t, 400, diag.BadFieldValue)
	}
	p := h.ask(http.MethodGet, "/commands?activ=true", "", nil).wantProblem(t, 400, diag.BadFieldValue)
	if p.Suggestion != "did you mean active?" {
		t.Errorf("suggestion %q", p.Suggestion)
	}
}

// Modules are named by their digest, and not sent to who has them.
func TestModules(t *testing.T) {
	h := startCommands(t)
	module := signedBy(t, h.key, "x = 1")
	sum := sha256.Sum256(module)
	tag := `"` + hex.EncodeToString(sum[:]) + `"`
	decode[api.Version](t, h.ask(http.MethodPut, "/commands/one?activate=true", api.WASM, module), 201)
	for _, path := range []string{"/commands/one", "/commands/one/versions/1"} {
		for _, accept := range []string{"application/wasm", "text/html, application/WASM;q=0.9"} {
			r := h.ask(http.MethodGet, path, "", nil, "Accept", accept)
			if r.StatusCode != 200 || !bytes.Equal(r.body, module) || r.Header.Get("Content-Type") != "application/wasm" || r.Header.Get("ETag") != tag ||
				r.Header.Get(api.HeaderVersion) != "1" || `"`+r.Header.Get(api.HeaderDigest)+`"` != tag || r.Header.Get("Vary") != "Accept" {
				t.Errorf("%s: %d %v", path, r.StatusCode, r.Header)
			}
		}
		for _, match := range []string{tag, "W/" + tag, `"x", ` + tag, "*"} {
			r := h.ask(http.MethodGet, path, "", nil, "Accept", "application/wasm", "If-None-Match", match)
			if r.StatusCode != 304 || len(r.body) != 0 || r.Header.Get("ETag") != tag || r.Header.Get(api.HeaderVersion) != "1" {
				t.Errorf("%s, If-None-Match %s: %d %v", path, match, r.StatusCode, r.Header)
			}
		}
		if r := h.ask(http.MethodGet, path, "", nil, "Accept", "application/wasm", "If-None-Match", `"x"`); r.StatusCode != 200 {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
		if r := h.ask(http.MethodGet, path, "", nil); r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %s", path, r.Header.Get("Content-Type"))
		}
	}
	h.ask(http.MethodGet, "/commands/one/versions/2", "", nil).wantProblem(t, 404, diag.NoSuchCommand)
	h.ask(http.MethodGet, "/commands/one/versions/x", "", nil).wantProblem(t, 400, diag.BadFieldValue)
	decode[api.Version](t, h.upload("/commands/idle", "x = 2"), 201)
	h.ask(http.MethodGet, "/commands/idle", "", nil, "Accept", "application/wasm").wantProblem(t, 409, diag.CommandUnusable)
}

// What a command answers is what the script answers.
func TestExecuteCommand(t *testing.T) {
	h := startCommands(t, "--limits-fuel", "100000")
	source := "addParam(\"id\", id)\naddResult(id)\naddResult(v)\nif(id, \"gone\", \"=\")\n_status = 404\nend()\nif(id, \"loop\", \"=\")\nwhile(true)\nend()\nend()"
	decode[api.Version](t, h.upload("/commands/show?activate=true", source), 201)
	script, err := json.Marshal(source)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ query, body string }{
		{"", `{"variables":{"v":[1,2]},"id":7}`},
		{"?id=8", `{"variables":{"v":1},"logs":true}`},
		{"", `{"id":"gone","variables":{"v":null},"echo_variables":false}`},
		{"", `{"id":"loop","variables":{"v":1}}`},
		{"", `{"id":1,"variables":{"v":1},"limits":{"fuel":1}}`},
		{"", `{"id":1,"variables":{"v":1},"limits":{"fuel":1000000}}`},
		{"", `{"variables":7}`},
		{"", `{"id":`},
	} {
		command := h.do(http.MethodPost, "/api/v1/commands/show/execute"+test.query, "application/json", strings.NewReader(test.body), "X-Request-Id", "x")
		plain := h.do(http.MethodPost, "/api/v1/execute"+test.query, "application/json", strings.NewReader(strings.Replace(test.body, "{", `{"script":`+string(script)+",", 1)), "X-Request-Id", "x")
		if command.StatusCode != plain.StatusCode || !sameDocument(command.body, plain.body) {
			t.Errorf("%s: %d %s\nthe script: %d %s", test.body, command.StatusCode, command.body, plain.StatusCode, plain.body)
		}
	}
	for _, test := range []struct{ contentType, body, want string }{
		{"", "", `{"id":null,"v":null}`},
		{"application/json", " ", `{"id":null,"v":null}`},
		{"application/x-www-form-urlencoded", "id=9", `{"id":9,"v":null}`},
	} {
		r := h.do(http.MethodPost, "/api/v1/commands/show@1/execute", test.contentType, strings.NewReader(test.body))
		if r.StatusCode != 200 || !strings.Contains(string(r.body), test.want) || r.Header.Get(api.HeaderVersion) != "1" || len(r.Header.Get(api.HeaderDigest)) != 64 {
			t.Errorf("%+v: %d %s %v", test, r.StatusCode, r.body, r.Header)
		}
	}
	for path, code := range map[string]diag.Code{"show@2": diag.NoSuchCommand, "shwo": diag.NoSuchCommand, "show@x": diag.BadFieldValue, "show@": diag.BadFieldValue, "show@-1": diag.BadFieldValue} {
		status := 404
		if code == diag.BadFieldValue {
			status = 400
		}
		p := h.do(http.MethodPost, "/api/v1/commands/"+path+"/execute", "", nil).wantProblem(t, status, code)
		if want := "did you mean show?"; path == "shwo" && p.Suggestion != want {
			t.Errorf("suggestion %q, want %q", p.Suggestion, want)
		}
	}
}

// A version may have limits of its own.
func TestLimitsOfVersions(t *testing.T) {
	h := startCommands(t)
	v := decode[api.Version](t, h.upload("/commands/loop?activate=true&fuel=5000&time_ms=900", "while(true)\nend()"), 201)
	if v.Limits != (api.Limits{Fuel: 5000, TimeMS: 900}) {
		t.Errorf("got %+v", v.Limits)
	}
	// More than any execution here may have is refused, as an execution's limits are.
	p := h.upload("/commands/loop?fuel=999999999999999", "x = 1").wantProblem(t, 400, diag.BadFieldValue)
	if !strings.Contains(p.Error, "this server's limit") {
		t.Error(p.Error)
	}
	p = h.do(http.MethodPost, "/api/v1/commands/loop/execute", "", nil).wantProblem(t, 504, diag.OutOfFuel)
	if p.Usage == nil || p.Usage.Fuel > 5000 {
		t.Errorf("used %+v", p.Usage)
	}
}

// Garbage gets a 4xx with a helpful document from every route.
func TestCommandGarbage(t *testing.T) {
	h := startCommands(t)
	decode[api.Version](t, h.upload("/commands/one?activate=true", "x = 1"), 201)
	names := []string{"%00", "%FF%FE", "..", "%2E%2E", "a%2Fb", "one@1@2", "@1", "one@", "ünï", strings.Repeat("a", 3000), "one@99999999999999999999"}
	bodies := []string{"", "{", "[]", "null", "7", "\x00asm", "\x00asm\x01\x00\x00\x00", `{"version":"x"}`, `{"version":-1}`, `{"kind":7}`, "\xff\xfe", strings.Repeat("[", 10000), `{"public_key":{}}`, "x=1&y=2"}
	for _, r := range slices.Concat(commandRoutes(), policyRoutes(), keyRoutes()) {
		if r.action == "" && r.method == http.MethodGet && len(pathParameters(r.path)) == 0 {
			continue // a list
		}
		for i := range max(len(names), len(bodies)) {
			name, body := names[i%len(names)], bodies[i%len(bodies)]
			path := strings.NewReplacer("{name}", name, "{version}", strconv.Itoa(i-1)).Replace(strings.TrimPrefix(r.path, "/api/v1"))
			for media := range r.body {
				h.wantRefusal(r.method, path, media, body)
			}
			h.wantRefusal(r.method, path, "", body)
		}
	}
}

func (h *commandHarness) wantRefusal(method, path, media, body string) {
	h.t.Helper()
	r := h.ask(method, path, media, []byte(body))
	var d problemReply
	if r.StatusCode < 400 || r.StatusCode > 499 || json.Unmarshal(r.body, &d) != nil || d.NextStep == "" || len(r.body) > 64<<10 {
		h.t.Errorf("%s %.60s with %.20q (%s): %d %.300s", method, path, body, media, r.StatusCode, r.body)
	}
}

// sameDocument compares documents without what differs between any two
// executions: times, and the file's name in positions.
func sameDocument(a, b []byte) bool {
	var x, y map[string]any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	for _, d := range []map[string]any{x, y} {
		if usage, ok := d["usage"].(map[string]any); ok {
			delete(usage, "time_ms")
		}
		delete(d, "detail")
		delete(d, "error") // it names the byte where a body is wrong
		delete(d, "logs")
	}
	return cmp.Equal(x, y)
}

// Commands are called by the scripts of other requests.
func TestScriptsCallCommands(t *testing.T) {
	h := startCommands(t)
	decode[api.Version](t, h.upload("/commands/twice?activate=true", "addParam(\"n\", n)\nreturn(n * 2)"), 201)
	if r := h.execute(`{"script":"x = twice(21)\naddResult(x)","echo_variables":false}`); string(r.body) != `{"success":true,"result":{"x":42},"logs":[]}` {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}

func TestUploadRefusals(t *testing.T) {
	h := startCommands(t, "--registry-artifact-limit-bytes", "65536", "--http-body-limit-bytes", "2000", "--limits-source-bytes", "1000")
	module := signedBy(t, h.key, "x = 1")
	unsigned, findings := compiler.Compile(compiler.Source{Text: "x = 1"}, compiler.Options{})
	if unsigned == nil {
		t.Fatal(findings)
	}
	secret, err := signature.EncodePrivate(h.key, signature.OpenSSH, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/api/v1/execute", "/api/v1/check"} {
		body, err := json.Marshal(map[string]string{"script": string(secret)})
		if err != nil {
			t.Fatal(err)
		}
		r := h.do(http.MethodPost, path, "application/json", bytes.NewReader(body))
		if r.wantProblem(t, 400, diag.BadFieldValue); bytes.Contains(r.body, []byte("BEGIN")) {
			t.Errorf("%s shows the key: %s", path, r.body)
		}
	}
	flipped := bytes.Clone(module)
	flipped[len(flipped)-1] ^= 1
	for _, test := range []struct {
		name, path, contentType string
		body                    []byte
		status                  int
		code                    diag.Code
	}{
		{"unsigned", "/commands/a", api.WASM, unsigned.Wasm, 422, diag.NotSigned},
		{"by somebody else", "/commands/a", api.WASM, signedBy(t, newKey(t), "x = 1"), 422, diag.SignerUnknown},
		{"flipped bit", "/commands/a", api.WASM, flipped, 422, diag.SignatureInvalid},
		{"no module", "/commands/a", api.WASM, []byte("x = 1"), 422, diag.ModuleMalformed},
		{"nothing", "/commands/a", api.WASM, nil, 422, diag.ModuleMalformed},
		{"a keyword", "/commands/if", api.WASM, module, 400, diag.BadFieldValue},
		{"a built-in command", "/commands/addVar", api.WASM, module, 400, diag.BadFieldValue},
		{"a name with a path in it", "/commands/a%2Fb", api.WASM, module, 400, diag.BadFieldValue},
		{"too large", "/commands/a", api.WASM, make([]byte, 65537), 413, diag.RequestTooLarge},
		{"another type", "/commands/a", "image/png", []byte("x"), 415, diag.BadBodyType},
		{"a module of another type", "/commands/a", "text/plain", module, 415, diag.BadBodyType},
		{"a script that does not compile", "/commands/a", "text/plain", []byte("x = ("), 400, diag.UnclosedBracket},
		{"an empty script", "/commands/a", "text/plain", nil, 400, diag.EmptyScript},
		{"a private key", "/commands/a", "text/plain", secret, 400, diag.BadFieldValue},
		{"a private key of no type", "/commands/a", "", secret, 400, diag.BadFieldValue},
		{"a limit that is none", "/commands/a?fuel=x", api.WASM, module, 400, diag.BadFieldValue},
		{"no fuel", "/commands/a?fuel=0", api.WASM, module, 400, diag.BadFieldValue},
		{"a limit that is not there", "/commands/a?fule=5", api.WASM, module, 400, diag.BadFieldValue},
		{"text after the interface", "/commands/a?interface=%5B%5D%5D", api.WASM, module, 400, diag.BadFieldValue},
		{"activate what", "/commands/a?activate=yes", api.WASM, module, 400, diag.BadFieldValue},
	} {
		t.Run(test.name, func(t *testing.T) {
			h.ask(http.MethodPut, test.path, test.contentType, test.body).wantProblem(t, test.status, test.code)
		})
	}
	if list := h.ask(http.MethodGet, "/commands", "", nil); string(list.body) != `{"commands":[]}` {
		t.Errorf("something was stored: %s", list.body)
	}
	// The module is larger than other bodies may be.
	if len(module) < 2000 {
		module = signedBy(t, h.key, "x = \""+strings.Repeat("x", 2000)+"\"")
	}
	for _, contentType := range []string{api.WASM, "", "application/octet-stream", "application/x-www-form-urlencoded"} {
		if r := h.ask(http.MethodPut, "/commands/a", contentType, module); r.StatusCode != 200 && r.StatusCode != 201 {
			t.Errorf("%q: %d %s", contentType, r.StatusCode, r.body)
		}
	}
}

// Signers may sign what they are trusted with, and revocations end that.
func TestPolicy(t *testing.T) {
	h := startCommands(t)
	key := newKey(t)
	text, err := signature.EncodePublic(key.Public(), signature.OpenSSH, "ci")
	if err != nil {
		t.Fatal(err)
	}
	put := func(name string, s api.Signer) reply {
		t.Helper()
		body, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return h.ask(http.MethodPut, "/signers/"+name, "application/json", body)
	}
	s := decode[api.Signer](t, put("ci", api.Signer{PublicKey: string(text), Prefixes: []string{"ci_"}, TrustedCompiler: true}), 200)
	if s.Name != "ci" || s.KeyID != key.Public().String() || s.PublicKey != string(text) || !s.TrustedCompiler {
		t.Errorf("got %+v", s)
	}
	s.Change = nil
	if got := decode[api.Signer](t, h.ask(http.MethodGet, "/signers/ci", "", nil), 200); !cmp.Equal(got, s) {
		t.Error(cmp.Diff(s, got))
	}
	h.ask(http.MethodPut, "/commands/other", api.WASM, signedBy(t, key, "x = 1")).wantProblem(t, 422, diag.PolicyRefused)
	v := decode[api.Version](t, h.ask(http.MethodPut, "/commands/ci_one?activate=true", api.WASM, signedBy(t, key, "x = 1")), 201)
	if r := h.do(http.MethodPost, "/api/v1/commands/ci_one/execute", "", nil); r.StatusCode != 200 {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}

	body := fmt.Sprintf(`{"kind":"digest","value":%q,"reason":"wrong VAT"}`, strings.ToUpper(v.Digest))
	r := decode[api.Revocation](t, h.ask(http.MethodPost, "/revocations", "application/json", []byte(body)), 200)
	if r.Kind != api.RevokedDigest || r.Value != v.Digest || r.Reason != "wrong VAT" || r.At.IsZero() {
		t.Errorf("got %+v", r)
	}
	p := h.do(http.MethodPost, "/api/v1/commands/ci_one/execute", "", nil).wantProblem(t, 422, diag.Revoked)
	if !strings.Contains(p.Error, "wrong VAT") {
		t.Errorf("got %q", p.Error)
	}
	body = fmt.Sprintf(`{"kind":"key","value":%q,"reason":"lost"}`, s.KeyID)
	decode[api.Revocation](t, h.ask(http.MethodPost, "/revocations", "application/json", []byte(body)), 200)
	h.ask(http.MethodPut, "/commands/ci_two", api.WASM, signedBy(t, key, "x = 2")).wantProblem(t, 422, diag.SignerUnknown)
	// The key, and the module as it is and without its signatures.
	if list := decode[api.Revocations](t, h.ask(http.MethodGet, "/revocations", "", nil), 200); len(list.Revocations) != 3 {
		t.Errorf("got %+v", list)
	}
	if list := decode[api.Signers](t, h.ask(http.MethodGet, "/signers", "", nil), 200); len(list.Signers) != 2 || !list.Signers[0].Revoked || list.Signers[1].Revoked || !list.Signers[1].Fixed {
		t.Errorf("got %+v", list)
	}

	put("ci", api.Signer{PublicKey: "nonsense", Prefixes: []string{"a"}}).wantProblem(t, 422, diag.KeyUnusable)
	put("x", api.Signer{Name: "y", PublicKey: string(text), Prefixes: []string{"a"}}).wantProblem(t, 400, diag.BadFieldValue)
	put("x", api.Signer{PublicKey: string(text)}).wantProblem(t, 400, diag.BadFieldValue)
	put("team", api.Signer{PublicKey: string(text), Prefixes: []string{"a"}}).wantProblem(t, 409, diag.Conflict)
	h.ask(http.MethodPut, "/signers/x", "application/json", []byte(`{"prefixs":[]}`)).wantProblem(t, 400, diag.BadFieldValue)
	h.ask(http.MethodPost, "/revocations", "application/json", []byte(`{"kind":"name","value":"00","reason":""}`)).wantProblem(t, 400, diag.BadFieldValue)
	h.ask(http.MethodPost, "/revocations", "application/json", []byte(`{"kind":"digest","value":"xyz","reason":""}`)).wantProblem(t, 400, diag.BadFieldValue)
	if p := h.ask(http.MethodDelete, "/signers/c", "", nil).wantProblem(t, 404, diag.NoSuchSigner); p.Suggestion != "" {
		t.Errorf("suggestion %q", p.Suggestion)
	}
	if p := h.ask(http.MethodGet, "/signers/teem", "", nil).wantProblem(t, 404, diag.NoSuchSigner); p.Suggestion != "did you mean team?" {
		t.Errorf("suggestion %q", p.Suggestion)
	}
	if c := decode[api.TrustChange](t, h.ask(http.MethodDelete, "/signers/ci", "", nil), 200); c.LostCount != 0 {
		t.Errorf("got %+v", c)
	}
}

// Conflicts tell what is there now.
func TestConflicts(t *testing.T) {
	h := startCommands(t)
	decode[api.Version](t, h.upload("/commands/one?activate=true", "x = 1"), 201)
	p := h.ask(http.MethodPost, "/commands/one/rollback", "", nil).wantProblem(t, 409, diag.Conflict)
	if p.Current == nil || p.Current.Active != 1 || p.Current.Name != "one" {
		t.Errorf("the current state is %+v", p.Current)
	}
	h.ask(http.MethodPost, "/commands/one/activate", "application/json", []byte(`{"version":2}`)).wantProblem(t, 404, diag.NoSuchCommand)
	h.ask(http.MethodPost, "/commands/one/activate", "application/json", []byte(`{"number":1}`)).wantProblem(t, 400, diag.BadFieldValue)
	h.ask(http.MethodPost, "/commands/one/activate", "application/x-www-form-urlencoded", []byte(`version=1`)).wantProblem(t, 415, diag.BadBodyType)
	if p := h.ask(http.MethodPost, "/commands/oen/rollback", "", nil).wantProblem(t, 404, diag.NoSuchCommand); p.Suggestion != "did you mean one?" {
		t.Errorf("suggestion %q", p.Suggestion)
	}
}

// While the primary store is away changes are refused at once, and everything
// else goes on.
func TestPrimaryAway(t *testing.T) {
	h := startCommands(t)
	decode[api.Version](t, h.upload("/commands/one?activate=true", "x = 1"), 201)
	h.store.away.Store(true)
	for _, r := range []reply{
		h.upload("/commands/one", "x = 2"),
		h.ask(http.MethodPost, "/commands/one/disable", "", nil),
		h.ask(http.MethodDelete, "/commands/one", "", nil),
		h.ask(http.MethodPost, "/revocations", "application/json", []byte(`{"kind":"key","value":"00112233445566778899aabb","reason":""}`)),
	} {
		r.wantProblem(t, 503, diag.StoreUnavailable)
		if r.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	if r := h.do(http.MethodPost, "/api/v1/commands/one/execute", "", nil); r.StatusCode != 200 {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	h.store.away.Store(false)
	decode[api.Command](t, h.ask(http.MethodPost, "/commands/one/disable", "", nil), 200)
}

// POST /api/v1/compile is that of the vendor's server, with the source in the
// request.
func TestCompile(t *testing.T) {
	h := startCommands(t)
	post := func(body string) reply {
		t.Helper()
		return h.ask(http.MethodPost, "/compile", "application/json", []byte(body))
	}
	made := decode[compiled](t, post(`{"command_name":"greet","script":"addVar(x, 1)\naddResult(x)"}`), 200)
	if !made.Success || made.Command != "greet" || made.Size == 0 || made.Version != 1 {
		t.Errorf("got %+v", made)
	}
	if again := decode[compiled](t, post(`{"command_name":"greet"}`), 200); again != made {
		t.Errorf("got %+v, want %+v", again, made)
	}
	if r := h.do(http.MethodPost, "/api/v1/commands/greet/execute", "", nil); r.StatusCode != 200 {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	if p := post(`{}`).wantProblem(t, 400, diag.BadFieldValue); p.Error != "command_name is required" {
		t.Errorf("got %q", p.Error)
	}
	if p := post(`{"command_name":"gret"}`).wantProblem(t, 404, diag.NoSuchCommand); p.Suggestion != "did you mean greet?" {
		t.Errorf("suggestion %q", p.Suggestion)
	}
	post(`{"command_name":"greet","script":"x = ("}`).wantProblem(t, 400, diag.UnclosedBracket)
	post(`{"command_name":"greet","script":""}`).wantProblem(t, 400, diag.EmptyScript)
	post(`{`).wantProblem(t, 400, diag.BadJSON)
}

func TestReadyTellsOfRegistry(t *testing.T) {
	h := startCommands(t)
	decode[api.Version](t, h.upload("/commands/one", "x = 1"), 201)
	if r := h.do(http.MethodGet, "/readyz", "", nil); string(r.body) != `{"status":"ready"}` {
		t.Errorf("got %s", r.body)
	}
	d := decode[state](t, h.do(http.MethodGet, "/readyz?verbose", "", nil), 200)
	if d.Registry == nil || !d.Registry.Primary || d.Registry.Origin != "primary" || d.Registry.Commands != 1 || d.Registry.Revision == 0 || d.Registry.Epoch == "" {
		t.Errorf("got %+v", d.Registry)
	}
}

// A server that has nothing yet, and has not asked the primary store, would call
// every command unknown.
func TestReadyWhenCommandsAreKnown(t *testing.T) {
	for _, deaf := range []bool{false, true} {
		h := startCommandsWith(t, func(c *registry.Config) {
			sqlite, err := store.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "copy.db"), store.Options{Copy: true})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { sqlite.Close() })
			c.Copy = sqlite
		})
		h.store.deaf.Store(deaf)
		if r := h.do(http.MethodGet, "/readyz", "", nil); r.StatusCode != 503 || string(r.body) != `{"status":"starting"}` {
			t.Errorf("%d %s", r.StatusCode, r.body)
		}
		if err := h.commands.Refresh(t.Context()); (err != nil) != deaf {
			t.Error(err)
		}
		ready, missing := 200, diag.NoSuchCommand
		if deaf {
			ready, missing = 503, diag.StoreUnavailable
		}
		if r := h.do(http.MethodGet, "/readyz", "", nil); r.StatusCode != ready {
			t.Errorf("%d %s", r.StatusCode, r.body)
		}
		status := map[diag.Code]int{diag.NoSuchCommand: 404, diag.StoreUnavailable: 503}[missing]
		h.do(http.MethodPost, "/api/v1/commands/price/execute", "", nil).wantProblem(t, status, missing)
	}
}

// What is stored is acknowledged, also when it cannot be read back at once.
func TestStoredAndNotSeen(t *testing.T) {
	h := startCommands(t)
	h.store.deaf.Store(true)
	if v := decode[api.Version](t, h.upload("/commands/one?activate=true", "x = 1"), 201); v.Version != 1 {
		t.Errorf("got %+v", v)
	}
	h.store.deaf.Store(false)
	if err := h.commands.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := h.do(http.MethodPost, "/api/v1/commands/one/execute", "", nil); r.StatusCode != 200 {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}
