package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/signature"
)

// document loads the OpenAPI document of a server.
func (h *harness) document() *openapi3.T {
	h.t.Helper()
	r := h.do(http.MethodGet, pathOpenAPI, "", nil)
	document, err := openapi3.NewLoader().LoadFromData(r.body)
	if err != nil {
		h.t.Fatalf("%v\n%s", err, r.body)
	}
	if err := document.Validate(h.t.Context()); err != nil {
		h.t.Fatalf("%v\n%s", err, r.body)
	}
	return document
}

// operation is a request for an operation of the OpenAPI document.
type operation struct {
	id string
	// path is that of the operation with its parameters filled in, if it has any.
	path, contentType string
	body              []byte
	accept            string
	status            int
}

// The document is what the server does: every operation of it is asked for, and
// what is sent and what comes back are as the document says. Afterwards each is
// asked for without a token, which only what is closed refuses.
func TestOperations(t *testing.T) {
	h := startCommands(t)
	document := h.document()
	module := signedBy(t, h.key, "addParam(\"x\", x)\naddResult(x)")
	key, err := signature.EncodePublic(newKey(t).Public(), signature.OpenSSH, "ci")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := json.Marshal(api.Signer{Name: "ci", PublicKey: string(key), Prefixes: []string{"ci_"}, Capabilities: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	signs, err := json.Marshal(api.NewKey{Name: "signs", Kind: api.SignatureKey, Scopes: []string{"check"}, PublicKey: string(key)})
	if err != nil {
		t.Fatal(err)
	}
	text := func(body string) []byte { return []byte(body) }
	const asJSON = "application/json"
	ended := h.execute(`{"script":"x = 1"}`).Header.Get(api.HeaderExecution)
	steps := []operation{
		{"POST /api/v1/execute", "", asJSON, text(`{"script":"x = 1"}`), "", 200},
		{"POST /api/v1/execute", "", asJSON, text(`{"script":"x = ("}`), "", 400},
		{"POST /api/v1/check", "", asJSON, text(`{"script":"x = ("}`), "", 200},
		{"POST /api/v1/execute/batch", "", asJSON, text(`[{"script":"x = 1"},{"script":"x = ("}]`), "", 200},
		{"POST /api/v1/execute/batch", "", asJSON, text(`{"items":[{"command":"none"}],"parallelism":1}`), "application/x-ndjson", 200},
		{"GET /api/v1/executions", "/api/v1/executions?limit=1", "", nil, "", 200},
		{"GET /api/v1/executions/{id}", "/api/v1/executions/" + ended, "", nil, "", 200},
		{"DELETE /api/v1/executions/{id}", "/api/v1/executions/" + ended, "", nil, "", 409},
		{"GET /api/v1/audit", "/api/v1/audit?kind=execution&limit=1&outcome=ok", "", nil, "", 200},
		{"GET /api/v1/audit", "/api/v1/audit?kind=executions", "", nil, "", 400},
		{"GET /api/v1/openapi.json", "", "", nil, "", 200},
		{"GET /openapi.json", "", "", nil, "", 200},
		{"GET /api/v1/docs", "", "", nil, "", 200},
		{"GET /livez", "", "", nil, "", 200},
		{"GET /readyz", "/readyz?verbose", "", nil, "", 200},
		{"GET /startupz", "", "", nil, "", 200},
		{"GET /api/v1/metrics", "", "", nil, "", 200},
		{"GET /api/v1/metrics", "", "", nil, "application/openmetrics-text", 200},
		{"PUT /api/v1/apps/{name}", "/api/v1/apps/shop", asJSON, text(`{"script":"function f(){\n}\nregisterEndpoint(\"/f\", \"GET\", [], \"\", f, out)"}`), "", 201},
		{"PUT /api/v1/apps/{name}", "/api/v1/apps/shop", "text/plain", text("function f(){\n}\nregisterEndpoint(\"/f\", \"GET\", [], \"\", f, out)"), "", 200},
		{"GET /api/v1/apps", "", "", nil, "", 200},
		{"GET /api/v1/apps/{name}", "/api/v1/apps/shop", "", nil, "", 200},
		{"DELETE /api/v1/apps/{name}", "/api/v1/apps/shop", "", nil, "", 204},

		{"PUT /api/v1/commands/{name}", "/api/v1/commands/one?activate=true&note=n", api.WASM, module, "", 201},
		{"PUT /api/v1/commands/{name}", "/api/v1/commands/one", api.WASM, module, "", 200},
		{"PUT /api/v1/commands/{name}", "/api/v1/commands/one?activate=true", "text/plain", text("x = 2"), "", 201},
		{"PUT /api/v1/commands/{name}", "/api/v1/commands/two", asJSON, text(`{"script":"x = 2"}`), "", 201},
		{"GET /api/v1/commands", "/api/v1/commands?limit=1&active=true&disabled=false&prefix=o", "", nil, "", 200},
		{"GET /api/v1/commands", "/api/v1/commands?after=zzz", "", nil, "", 200},
		{"GET /api/v1/commands/{name}", "/api/v1/commands/one", "", nil, "", 200},
		{"GET /api/v1/commands/{name}", "/api/v1/commands/one", "", nil, api.WASM, 200},
		{"GET /api/v1/commands/{name}", "/api/v1/commands/none", "", nil, "", 404},
		{"GET /api/v1/commands/{name}/versions", "/api/v1/commands/one/versions", "", nil, "", 200},
		{"GET /api/v1/commands/{name}/versions/{version}", "/api/v1/commands/one/versions/1", "", nil, "", 200},
		{"GET /api/v1/commands/{name}/versions/{version}", "/api/v1/commands/one/versions/1", "", nil, api.WASM, 200},
		{"POST /api/v1/commands/{name}/activate", "/api/v1/commands/one/activate", asJSON, text(`{"version":1}`), "", 200},
		{"POST /api/v1/commands/{name}/rollback", "/api/v1/commands/one/rollback", "", nil, "", 200},
		{"POST /api/v1/commands/{name}/disable", "/api/v1/commands/one/disable", "", nil, "", 200},
		{"POST /api/v1/commands/{name}/execute", "/api/v1/commands/one/execute", asJSON, text(`{}`), "", 409},
		{"POST /api/v1/commands/{name}/enable", "/api/v1/commands/one/enable", "", nil, "", 200},
		{"POST /api/v1/commands/{name}/execute", "/api/v1/commands/one/execute", asJSON, text(`{"variables":{},"x":1}`), "", 200},
		{"POST /api/v1/commands/{name}@{version}/execute", "/api/v1/commands/one@1/execute", asJSON, text(`{"limits":{"fuel":1000}}`), "", 200},
		{"DELETE /api/v1/commands/{name}", "/api/v1/commands/two", "", nil, "", 204},
		{"POST /api/v1/compile", "", asJSON, text(`{"command_name":"three","script":"x = 3"}`), "", 200},

		{"PUT /api/v1/signers/{name}", "/api/v1/signers/ci", asJSON, signer, "", 200},
		{"GET /api/v1/signers", "", "", nil, "", 200},
		{"GET /api/v1/signers/{name}", "/api/v1/signers/ci", "", nil, "", 200},
		{"DELETE /api/v1/signers/{name}", "/api/v1/signers/ci", "", nil, "", 200},
		{"POST /api/v1/keys", "", asJSON, text(`{"name":"ci","scopes":["execute"],"prefixes":["one"],"expires":"2100-01-01T00:00:00Z"}`), "", 201},
		{"POST /api/v1/keys", "", asJSON, signs, "", 201},
		{"GET /api/v1/keys", "", "", nil, "", 200},
		{"GET /api/v1/keys/{name}", "/api/v1/keys/signs", "", nil, "", 200},
		{"POST /api/v1/keys/{name}/rotate", "/api/v1/keys/ci/rotate", asJSON, text(`{"grace_s":60}`), "", 200},
		{"DELETE /api/v1/keys/{name}", "/api/v1/keys/ci", "", nil, "", 204},
		{"POST /api/v1/revocations", "", asJSON, text(`{"kind":"key","value":"00112233445566778899aabb","reason":"lost"}`), "", 200},
		{"GET /api/v1/revocations", "", "", nil, "", 200},
	}
	asked := map[string]bool{}
	for _, o := range steps {
		h.operate(document, &o)
		asked[o.id] = true
	}
	for path, item := range document.Paths.Map() {
		for method, described := range item.Operations() {
			if id := method + " " + path; !asked[id] {
				t.Errorf("%s is described and was not asked for", id)
			}
			if described.Summary == "" {
				t.Errorf("%s %s has no summary", method, path)
			}
		}
	}
	for _, o := range steps {
		method, path, _ := strings.Cut(o.id, " ")
		closed := isClosed(document.Paths.Find(path).GetOperation(method))
		r := h.do(method, o.target(), o.contentType, strings.NewReader(string(o.body)))
		if method == http.MethodGet {
			head := h.do(http.MethodHead, o.target(), "", nil)
			if head.StatusCode != r.StatusCode || len(head.body) > 0 || head.Header.Get("Content-Type") != r.Header.Get("Content-Type") {
				t.Errorf("HEAD %s: %d %v", o.target(), head.StatusCode, head.Header)
			}
		}
		if refused := r.StatusCode == http.StatusUnauthorized; refused != closed {
			t.Errorf("%s without a token: %d %s", o.id, r.StatusCode, r.body)
		}
	}
}

// isClosed tells whether an operation is not for everybody.
func isClosed(o *openapi3.Operation) bool {
	return o.Security != nil && !slices.ContainsFunc(*o.Security, func(r openapi3.SecurityRequirement) bool { return len(r) == 0 })
}

func (o *operation) target() string {
	if o.path != "" {
		return o.path
	}
	_, path, _ := strings.Cut(o.id, " ")
	return path
}

// operate asks for an operation and holds both sides to the document.
func (h *commandHarness) operate(document *openapi3.T, o *operation) {
	h.t.Helper()
	method, path, _ := strings.Cut(o.id, " ")
	item := document.Paths.Find(path)
	if item == nil || item.GetOperation(method) == nil {
		h.t.Errorf("%s is not described", o.id)
		return
	}
	described := item.GetOperation(method)
	if described.RequestBody != nil && o.body != nil {
		if err := checkMedia(document, described.RequestBody.Value.Content, o.contentType, o.body); err != nil && o.status < 400 {
			h.t.Errorf("%s: the request: %v", o.id, err)
		}
	}
	target, ok := strings.CutPrefix(o.target(), "/api/v1")
	var r reply
	if ok {
		r = h.ask(method, target, o.contentType, o.body, "Accept", o.accept)
	} else {
		r = h.do(method, o.target(), "", nil)
	}
	if r.StatusCode != o.status {
		h.t.Errorf("%s: status %d, want %d: %s", o.id, r.StatusCode, o.status, r.body)
		return
	}
	answer := described.Responses.Value(strconv.Itoa(r.StatusCode))
	if answer == nil {
		if r.StatusCode < 400 {
			h.t.Errorf("%s: status %d is not described", o.id, r.StatusCode)
		}
		answer = described.Responses.Default()
	}
	if len(r.body) == 0 && len(answer.Value.Content) == 0 {
		return
	}
	if err := checkMedia(document, answer.Value.Content, r.Header.Get("Content-Type"), r.body); err != nil {
		h.t.Errorf("%s: the answer: %v: %s", o.id, err, r.body)
	}
}

// checkMedia holds a body to the schema for its type.
func checkMedia(document *openapi3.T, content openapi3.Content, contentType string, body []byte) error {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return err
	}
	described := content[media]
	if described == nil {
		return fmt.Errorf("the content type %s is not described", media)
	}
	if !strings.HasSuffix(media, "json") || media == ndjson && bytes.Count(body, []byte("\n")) != 1 {
		return nil
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return err
	}
	return document.ValidateSchemaJSON(described.Schema.Value, value)
}
