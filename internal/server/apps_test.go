package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"github.com/avapd/avapd/internal/apps"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
)

const testToken = "0123456789abcdef"

// tokenFile holds testToken.
func tokenFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(testToken), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// startApps is a server with apps, and with a token unless token is empty.
func startApps(t *testing.T, token string, args ...string) *harness {
	t.Helper()
	if token != "" {
		args = append(args, "--admin-token-file", tokenFile(t))
	}
	return startWith(t, func(o *Options) {
		scripts, err := engine.New(EngineConfig(o.Config))
		if err != nil {
			t.Fatal(err)
		}
		o.Engine = scripts
		o.Apps = apps.New(apps.Config{Engine: scripts, Dir: t.TempDir(), Reserved: ReservedSegments()})
		t.Cleanup(func() {
			o.Apps.Close()
			if err := scripts.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}, args...)
}

func (h *harness) put(name, source string) reply {
	h.t.Helper()
	return h.do(http.MethodPut, "/api/v1/apps/"+name, "text/plain", strings.NewReader(source), "Authorization", "Bearer "+testToken)
}

const shop = `
stock = {"1": 5}
function authorise(){
    addParam(token, token)
    if(token, "secret", "!=")
        _status = 401
        addVar(error, "token missing or wrong")
        addResult(error)
    end()
}
function show(){
    addParam(id, id)
    addParam(color, color)
    addResult(id)
    addResult(color)
    getQueryParamList(query)
    addResult(query)
}
function create(){
    addParam(name, name)
    addVar(made, {"name": name})
    _status = 201
}
function remove(){
    _status = 204
}
function broken(){
    x = stock.nope
}
function endless(){
    while(true)
    end()
}
registerEndpoint("/orders/{id}", "GET", [authorise], "One order", show, shown)
registerEndpoint("/orders", "POST", [], "A new order", create, made)
registerEndpoint("/orders/{id}", "DELETE", [], "Removes an order", remove, out)
registerEndpoint("/broken", "GET", [], "", broken, out)
registerEndpoint("/endless", "GET", [], "", endless, out)
registerEndpoint("/", "GET", [], "Home", remove, out)
`

func TestAppLifecycle(t *testing.T) {
	h := startApps(t, testToken)
	if r := h.do(http.MethodGet, "/api/v1/apps", "", nil); string(r.body) != `{"apps":[]}` {
		t.Errorf("got %s", r.body)
	}
	for _, method := range []string{http.MethodPut, http.MethodDelete} {
		h.do(method, "/api/v1/apps/shop", "text/plain", strings.NewReader(shop)).wantProblem(t, 401, diag.Unauthorized)
	}
	h.do(http.MethodGet, "/orders/7", "", nil).wantProblem(t, 404, diag.NoSuchRoute)

	small := "function f(){\n    addVar(answer, 42)\n    addResult(answer)\n}\nregisterEndpoint(\"/answer\", \"GET\", [], \"The answer\", f, out)\n"
	const described = `{"name":"small","digest":"%s","stored":true,"routes":[{"method":"GET","path":"/answer","description":"The answer"}]}`
	r := h.put("small", small)
	var d appDocument
	if err := json.Unmarshal(r.body, &d); err != nil || r.StatusCode != http.StatusCreated || string(r.body) != fmt.Sprintf(described, d.Digest) || len(d.Digest) != 64 {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	if r := h.do(http.MethodGet, "/answer", "", nil); r.StatusCode != 200 || string(r.body) != `{"answer":42}` || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	for _, body := range []string{small, `{"script":` + strconv.Quote(small) + `}`} {
		for _, contentType := range []string{"", "application/x-www-form-urlencoded", "application/octet-stream"} {
			r := h.do(http.MethodPut, "/api/v1/apps/small", contentType, strings.NewReader(body), "Authorization", "Bearer "+testToken)
			if r.StatusCode != 200 || string(r.body) != fmt.Sprintf(described, d.Digest) {
				t.Errorf("%q: %d %s", contentType, r.StatusCode, r.body)
			}
		}
	}
	if r := h.do(http.MethodGet, "/api/v1/apps/small", "", nil); string(r.body) != fmt.Sprintf(described, d.Digest) {
		t.Errorf("got %s", r.body)
	}
	if r := h.do(http.MethodGet, "/api/v1/apps", "", nil); string(r.body) != `{"apps":[`+fmt.Sprintf(described, d.Digest)+`]}` {
		t.Errorf("got %s", r.body)
	}
	p := h.do(http.MethodGet, "/api/v1/apps/smal", "", nil).wantProblem(t, 404, diag.NoSuchApp)
	if p.Suggestion != "did you mean small?" {
		t.Errorf("suggestion %q", p.Suggestion)
	}
	remove := func(name string) reply {
		return h.do(http.MethodDelete, "/api/v1/apps/"+name, "", nil, "Authorization", "Bearer "+testToken)
	}
	if r := remove("small"); r.StatusCode != http.StatusNoContent || len(r.body) > 0 {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	remove("small").wantProblem(t, 404, diag.NoSuchApp)
	h.do(http.MethodGet, "/answer", "", nil).wantProblem(t, 404, diag.NoSuchRoute)
}

// Without a token nothing is stored, from this machine or another.
func TestAppsNeedToken(t *testing.T) {
	h := startApps(t, "")
	h.put("shop", shop).wantProblem(t, 403, diag.Forbidden)
	h.do(http.MethodDelete, "/api/v1/apps/shop", "", nil).wantProblem(t, 403, diag.Forbidden)
	h.do(http.MethodPut, "/api/v1/apps/shop", "", nil, "Sec-Fetch-Site", "cross-site").wantProblem(t, 403, diag.CrossSite)
}

func TestAppRefusals(t *testing.T) {
	h := startApps(t, testToken)
	if r := h.put("shop", shop); r.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	conflict := h.put("other", "function f(){\n}\nregisterEndpoint(\"/orders/{number}\", \"DELETE\", [], \"\", f, out)").wantProblem(t, 409, diag.Conflict)
	if !strings.Contains(conflict.Error, "the app shop") {
		t.Errorf("error %q", conflict.Error)
	}
	compile := h.put("other", "x = 1\nregisterEndpoint(\"/x\", \"GET\", [], \"\", nope, out)").wantProblem(t, 400, diag.BadEndpoint)
	if compile.Line != 2 || len(compile.Diagnostics) != 1 {
		t.Errorf("%+v", compile)
	}
	reserved := h.put("other", "function f(){\n}\nregisterEndpoint(\"/readyz\", \"GET\", [], \"\", f, out)").wantProblem(t, 400, diag.BadEndpoint)
	if reserved.Line != 3 {
		t.Errorf("%+v", reserved)
	}
	h.put("other", "").wantProblem(t, 400, diag.EmptyScript)
	h.put("other", strings.Repeat(" ", 1<<20+1)).wantProblem(t, 413, diag.SourceTooLarge)
	h.put("Other", shop).wantProblem(t, 400, diag.BadFieldValue)
	authorised := []string{"Authorization", "Bearer " + testToken}
	h.do(http.MethodPut, "/api/v1/apps/other", "image/png", strings.NewReader("x"), authorised...).wantProblem(t, 415, diag.BadBodyType)
	h.do(http.MethodPut, "/api/v1/apps/other", "text/plain; charset=latin1", strings.NewReader("x"), authorised...).wantProblem(t, 415, diag.BadCharset)
	h.do(http.MethodPut, "/api/v1/apps/other", "application/json", strings.NewReader("{}"), authorised...).wantProblem(t, 400, diag.MissingScript)
	h.do(http.MethodPost, "/api/v1/apps/other", "", nil, authorised...).wantProblem(t, 405, diag.WrongMethod)
	if r := h.do(http.MethodGet, "/api/v1/apps", "", nil); strings.Contains(string(r.body), "other") {
		t.Errorf("got %s", r.body)
	}
}

func TestEndpoints(t *testing.T) {
	h := startApps(t, testToken)
	if r := h.put("shop", shop); r.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	for _, test := range []struct {
		method, path, contentType, body string
		status                          int
		want                            string
	}{
		{"GET", "/orders/7?token=secret", "", "", 200, `{"id":7,"color":null,"query":[{"token":"secret"}]}`},
		{"GET", "/orders/a%2Fb%20c?token=secret&id=8&color=red", "", "", 200, `{"id":"a/b c","color":"red","query":[{"token":"secret"},{"id":"8"},{"color":"red"}]}`},
		{"GET", "/orders/7?color=red", "application/json", `{"token":"secret","color":"blue","id":9}`, 200, `{"id":7,"color":"red","query":[{"color":"red"}]}`},
		{"GET", "/orders/7", "", "", 401, `{"error":"token missing or wrong"}`},
		{"POST", "/orders", "application/json", `{"name":"tea"}`, 201, `{"name":"tea"}`},
		{"POST", "/orders", "", `{"name":"tea"}`, 201, `{"name":"tea"}`},
		{"POST", "/orders", "application/x-www-form-urlencoded", `name=green+tea`, 201, `{"name":"green tea"}`},
		{"POST", "/orders?name=query", "", ``, 201, `{"name":"query"}`},
		{"DELETE", "/orders/7", "", "", 204, ""},
		{"GET", "/", "", "", 204, ""},
		{"HEAD", "/orders/7?token=secret", "", "", 200, ""},
	} {
		r := h.do(test.method, test.path, test.contentType, strings.NewReader(test.body))
		if r.StatusCode != test.status || string(r.body) != test.want {
			t.Errorf("%s %s: %d %s, want %d %s", test.method, test.path, r.StatusCode, r.body, test.status, test.want)
		}
	}
	wrong := h.do(http.MethodPatch, "/orders/7", "", nil)
	wrong.wantProblem(t, 405, diag.WrongMethod)
	if allow := wrong.Header.Get("Allow"); allow != "DELETE, GET, HEAD" {
		t.Errorf("Allow: %s", allow)
	}
	h.do(http.MethodGet, "/orders/7/items", "", nil).wantProblem(t, 404, diag.NoSuchRoute)
	h.do(http.MethodGet, "/api/v1/exceute", "", nil).wantProblem(t, 404, diag.NoSuchRoute)
	h.do(http.MethodGet, "/api/v1/execute", "", nil).wantProblem(t, 405, diag.WrongMethod)
	h.do(http.MethodPost, "/orders", "application/json", strings.NewReader("[1]")).wantProblem(t, 400, diag.BadFieldType)
	h.do(http.MethodPost, "/orders", "application/json", strings.NewReader("{")).wantProblem(t, 400, diag.BadJSON)
	h.do(http.MethodPost, "/orders", "image/png", strings.NewReader("x")).wantProblem(t, 415, diag.BadBodyType)
	h.do(http.MethodPost, "/orders", "", strings.NewReader("{}"), "Origin", "http://evil.example").wantProblem(t, 403, diag.CrossSite)
	failed := h.do(http.MethodGet, "/broken", "", nil).wantProblem(t, 400, diag.KeyMissing)
	if len(failed.Stack) != 2 || failed.Stack[0].Function != "broken" || failed.Line == 0 {
		t.Errorf("%+v", failed)
	}
	if logs := h.logs.String(); !strings.Contains(logs, `"route":"/orders/{id}","status":200,`) || !strings.Contains(logs, `"app":"shop"`) {
		t.Error("the log does not name the routes of apps")
	}
}

// The endpoint's execution is bounded as every other is.
func TestEndpointEnds(t *testing.T) {
	h := startApps(t, testToken, "--limits-fuel", "1000000")
	h.put("shop", shop)
	h.do(http.MethodGet, "/endless", "", nil).wantProblem(t, 504, diag.OutOfFuel)
}

// While an app is replaced again and again, every request is answered, by one
// version or the other, and by no older one than its predecessor.
func TestReplaceUnderLoad(t *testing.T) {
	h := startApps(t, testToken)
	version := func(n int) string {
		return fmt.Sprintf("version = %d\nfunction work(){\n    startLoop(i, 1, 2000)\n    endLoop()\n}\nfunction f(){\n    addResult(version)\n}\nregisterEndpoint(\"/v\", \"GET\", [work], \"\", f, out)", n)
	}
	if r := h.put("v", version(0)); r.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	const clients, versions = 8, 25
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}, Timeout: patience}
	defer client.CloseIdleConnections()
	var load sync.WaitGroup
	var stop atomic.Bool
	var answered atomic.Int64
	for range clients {
		load.Go(func() {
			for last := 0; !stop.Load(); answered.Add(1) {
				response, err := client.Get("http://" + h.addr + "/v")
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(response.Body)
				response.Body.Close()
				var got struct{ Version int }
				if err != nil || response.StatusCode != http.StatusOK || json.Unmarshal(body, &got) != nil || got.Version < last {
					t.Errorf("after version %d: %d %s %v", last, response.StatusCode, body, err)
					return
				}
				last = got.Version
			}
		})
	}
	for n := 1; n <= versions; n++ {
		if r := h.put("v", version(n)); r.StatusCode != http.StatusOK {
			t.Errorf("%d %s", r.StatusCode, r.body)
		}
	}
	stop.Store(true)
	load.Wait()
	if r := h.do(http.MethodGet, "/v", "", nil); string(r.body) != fmt.Sprintf(`{"version":%d}`, versions) {
		t.Errorf("got %s", r.body)
	}
	t.Logf("%d requests beside %d replacements", answered.Load(), versions)
}

func TestOpenAPI(t *testing.T) {
	h := startApps(t, testToken)
	load := func() *openapi3.T {
		t.Helper()
		r := h.do(http.MethodGet, "/api/v1/openapi.json", "", nil)
		document, err := openapi3.NewLoader().LoadFromData(r.body)
		if err != nil {
			t.Fatalf("%v\n%s", err, r.body)
		}
		if err := document.Validate(t.Context()); err != nil {
			t.Fatalf("%v\n%s", err, r.body)
		}
		return document
	}
	own := load()
	if !own.IsOpenAPI31OrLater() {
		t.Errorf("version %s", own.OpenAPI)
	}
	// The server's own routes are all there: those that Fiber has, but for the
	// answers to HEAD it adds to GET.
	var missing []string
	for _, route := range h.app.GetRoutes(true) {
		path := strings.NewReplacer(":name", "{name}", ":id", "{id}").Replace(route.Path)
		if item := own.Paths.Find(path); route.Method != http.MethodHead && (item == nil || item.GetOperation(route.Method) == nil) {
			missing = append(missing, route.Method+" "+route.Path)
		}
	}
	if missing != nil {
		t.Errorf("not described: %v", missing)
	}

	h.put("shop", shop)
	r := h.put("other", "function f(){\n}\nregisterEndpoint(\"/orders/{number}\", \"PUT\", [], \"Changes \\\"it\\\" <all>\", f, out)\nregisterEndpoint(\"/ä/{é}\", \"GET\", [], \"\", f, out)")
	if r.StatusCode != http.StatusCreated {
		t.Fatalf("%s", r.body)
	}
	document := load()
	got := map[string]string{}
	for path, item := range document.Paths.Map() {
		for method, call := range item.Operations() {
			if strings.HasPrefix(path, "/api") || call.Tags[0] == tagServer {
				continue
			}
			parameters := ""
			for _, p := range call.Parameters {
				parameters += " " + p.Value.Name
			}
			got[method+" "+path] = call.Tags[0] + ":" + call.Summary + ":" + parameters
		}
	}
	want := map[string]string{
		"PUT /orders/{number}":    `app other:Changes "it" <all>: number Idempotency-Key`,
		"GET /ä/{é}":              "app other:: é",
		"GET /orders/{number}":    "app shop:One order: number",
		"DELETE /orders/{number}": "app shop:Removes an order: number Idempotency-Key",
		"POST /orders":            "app shop:A new order: Idempotency-Key",
		"GET /broken":             "app shop::",
		"GET /endless":            "app shop::",
		"GET /":                   "app shop:Home:",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
