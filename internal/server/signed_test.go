package server

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/auth"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/signature"
)

// startSigned starts a server that knows somebody who signs, and gives what makes
// a signed request.
func startSigned(t *testing.T, args ...string) (h *commandHarness, request func(origin, target, body string) *http.Request) {
	t.Helper()
	h = startCommands(t, args...)
	key := newKey(t)
	text, err := signature.EncodePublic(key.Public(), signature.OpenSSH, "till")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := encodeJSON(api.NewKey{Name: "till", Kind: api.SignatureKey, Scopes: []string{"execute"}, PublicKey: string(text)})
	if r := h.ask(http.MethodPost, "/keys", "application/json", body); r.StatusCode != 201 {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	return h, func(origin, target, body string) *http.Request {
		made, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+h.addr+target, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if origin == "" {
			origin = "http://" + h.addr
		}
		m := &auth.Message{Method: made.Method, Path: made.URL.EscapedPath(), Query: made.URL.RawQuery, Body: []byte(body)}
		m.Scheme, m.Authority, _ = strings.Cut(origin, "://")
		headers, err := m.Signature("till", key.SignMessage, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range headers {
			made.Header.Set(name, value)
		}
		return made
	}
}

const signedBody = `{"script":"x = 1"}`

// A signed request is good for one time, at whichever server.
func TestReplay(t *testing.T) {
	h, request := startSigned(t)
	r := h.send(request("", pathExecute+"?a=%20b&c", signedBody))
	if r.StatusCode != 200 || !strings.Contains(h.logs.String(), `"principal":"signature:till"`) {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	once := request("", pathExecute, signedBody)
	again := once.Clone(t.Context())
	again.Body, _ = once.GetBody()
	if r := h.send(once); r.StatusCode != 200 {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	p := h.send(again).wantProblem(t, 401, diag.Unauthorized)
	if !strings.Contains(p.Error, "used before") {
		t.Error(p.Error)
	}
	other := request("", pathExecute, signedBody)
	other.URL.Path = pathCheck
	h.send(other).wantProblem(t, 401, diag.Unauthorized)
	changed := request("", pathExecute, signedBody)
	changed.Body = http.NoBody
	changed.ContentLength = 0
	h.send(changed).wantProblem(t, 401, diag.Unauthorized)
	unknown := request("", pathExecute, signedBody)
	unknown.Header.Set("Signature-Input", strings.Replace(unknown.Header.Get("Signature-Input"), `"till"`, `"tilt"`, 1))
	if p := h.send(unknown).wantProblem(t, 401, diag.Unauthorized); p.Error != "the signature is not valid" {
		t.Error(p.Error)
	}
}

// What others remember counts, and what cannot be asked for is left to this
// server's own memory.
func TestReplayElsewhere(t *testing.T) {
	h, request := startSigned(t)
	known, away := map[string]bool{}, false
	h.once = func(_ context.Context, name string, until time.Duration) (bool, error) {
		if away {
			return false, errors.New("away")
		}
		first := !known[name] && until > 0
		known[name] = true
		return first, nil
	}
	elsewhere := request("", pathExecute, signedBody)
	input := elsewhere.Header.Get("Signature-Input")
	_, nonce, _ := strings.Cut(input, `nonce="`)
	nonce, _, _ = strings.Cut(nonce, `"`)
	known["till "+nonce] = true
	h.send(elsewhere).wantProblem(t, 401, diag.Unauthorized)
	if r := h.send(request("", pathExecute, signedBody)); r.StatusCode != 200 {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	away = true
	for range 2 {
		if r := h.send(request("", pathExecute, signedBody)); r.StatusCode != 200 {
			t.Errorf("%d %s", r.StatusCode, r.body)
		}
	}
	if n := strings.Count(h.logs.String(), `"shared":false`); n != 1 {
		t.Errorf("said %d times", n)
	}
}

func TestSignedLimits(t *testing.T) {
	h, request := startSigned(t, "--auth-signature-nonces", "1", "--auth-public-url", "https://avap.example.com/")
	h.send(request("", pathExecute, signedBody)).wantProblem(t, 401, diag.Unauthorized)
	if r := h.send(request("https://avap.example.com", pathExecute, signedBody)); r.StatusCode != 200 {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	// The one before has moved on once; there is room for one more, and then none.
	refused := 0
	for range 3 {
		if r := h.send(request("https://avap.example.com", pathExecute, signedBody)); r.StatusCode == 503 {
			refused++
		}
	}
	if refused == 0 {
		t.Error("more nonces are remembered than there is room for")
	}
}

// A signature over the header is verified before a module is read.
func TestSignedUpload(t *testing.T) {
	h := startCommands(t)
	key := newKey(t)
	text, err := signature.EncodePublic(key.Public(), signature.OpenSSH, "builds")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := encodeJSON(api.NewKey{Name: "builds", Kind: api.SignatureKey, Scopes: []string{"commands:write"}, PublicKey: string(text)})
	if r := h.ask(http.MethodPost, "/keys", "application/json", body); r.StatusCode != 201 {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	module := string(signedBy(t, h.key, "x = \""+strings.Repeat("x", 2*strangersBytes)+"\""))
	m := &auth.Message{Method: http.MethodPut, Scheme: "http", Authority: h.addr, Path: pathCommands + "/one", Query: "activate=true", Body: []byte(module)}
	headers, err := m.Signature("builds", key.SignMessage, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for target, status := range map[string]int{"/one?activate=true": 201, "/two?activate=true": 401} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+h.addr+pathCommands+target, strings.NewReader(module))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", api.WASM)
		for name, value := range headers {
			request.Header.Set(name, value)
		}
		if r := h.send(request); r.StatusCode != status {
			t.Errorf("%s: %d %s", target, r.StatusCode, r.body)
		}
	}
}
