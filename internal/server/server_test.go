package server

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/spf13/pflag"
	"go.uber.org/goleak"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
)

func TestMain(m *testing.M) {
	// fasthttp keeps one clock for the process, and its workers for 10 s.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

// patience bounds every wait of these tests; nothing waits that long unless it
// is broken.
const patience = 20 * time.Second

// fakeEngine does what the script's text says, so that these tests are about
// the server alone.
type fakeEngine struct {
	mu   sync.Mutex
	last *engine.Request
	// started receives a value when a script "wait" runs; ended receives why it
	// was cancelled; release lets it end by itself.
	started chan struct{}
	ended   chan error
	release chan struct{}
}

// longAnswer is more than sockets hold for a client that does not read.
func longAnswer() []byte {
	return []byte(`{"success":true,"result":{"x":"` + strings.Repeat("x", 48<<20) + `"}}`)
}

func newFakeEngine() *fakeEngine {
	return &fakeEngine{started: make(chan struct{}, 8), ended: make(chan error, 8), release: make(chan struct{})}
}

func (e *fakeEngine) Run(ctx context.Context, r *engine.Request) (*engine.Answer, error) {
	kept := *r
	kept.Variables, kept.Body = bytes.Clone(r.Variables), bytes.Clone(r.Body)
	e.mu.Lock()
	e.last = &kept
	e.mu.Unlock()
	word, rest, _ := strings.Cut(r.Source, " ")
	switch word {
	case "status":
		var status int
		_, _ = fmt.Sscan(rest, &status)
		return &engine.Answer{Status: status, JSON: []byte(`{"success":true}`)}, nil
	case "long":
		return &engine.Answer{Status: http.StatusOK, JSON: longAnswer()}, nil
	case "wait":
		e.started <- struct{}{}
		select {
		case <-ctx.Done():
			e.ended <- ctx.Err()
			f := diag.NewFailure(diag.Cancelled, "cancelled: %v", ctx.Err())
			f.Usage.RunTime = time.Millisecond
			return nil, f
		case <-e.release:
		}
	case "refuse": // nothing of it is run
		return nil, diag.NewFailure(diag.Code(rest), "no room")
	case "fail":
		f := diag.NewFailure(diag.Code(rest), "it failed")
		f.Span.Start = diag.Position{Line: 3, Column: 7}
		f.Stack = []diag.Frame{{Function: "f", Position: diag.Position{Line: 3, Column: 7}}}
		f.Usage = diag.Usage{FuelUsed: 42, MemoryPages: 2, RunTime: time.Millisecond}
		f.Suggestion = "do not"
		return nil, f
	case "broken":
		return nil, diag.List{diag.New(diag.SyntaxError, diag.Span{Start: diag.Position{Line: 1, Column: 2}}, "no script")}
	case "panic":
		panic("boom")
	case "unusable":
		return nil, &engine.ArtifactError{Err: errors.New("version 9 of the contract\nis unknown")}
	case "defect":
		return nil, errors.New("secret detail")
	}
	return &engine.Answer{Status: http.StatusOK, JSON: []byte(`{"success":true,"result":{}}`), Script: "digest"}, nil
}

func (e *fakeEngine) Check(_ context.Context, _ string, source *engine.Source) (diag.List, error) {
	if source.Text == "queued" {
		return nil, diag.NewFailure(diag.NoCapacity, "no capacity")
	}
	if source.Text == "broken" {
		return diag.List{diag.New(diag.SyntaxError, diag.Span{Start: diag.Position{Line: 1, Column: 2}}, "no script")}, nil
	}
	return nil, nil
}

func (e *fakeEngine) request() *engine.Request {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.last
}

// harness is a server on a port of its own.
type harness struct {
	*Server
	t      *testing.T
	engine *fakeEngine
	addr   string
	client *http.Client
	logs   *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func start(t *testing.T, args ...string) *harness {
	t.Helper()
	return startWith(t, func(*Options) {}, args...)
}

// startWith lets the caller say what the server is made of.
func startWith(t *testing.T, prepare func(*Options), args ...string) *harness {
	t.Helper()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	config.AddFlags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(flags, nil)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &harness{t: t, engine: newFakeEngine(), addr: listener.Addr().String(), logs: new(lockedBuffer)}
	options := Options{Config: c, Engine: h.engine, Log: slog.New(slog.NewJSONHandler(h.logs, nil))}
	prepare(&options)
	h.Server = New(options)
	h.client = &http.Client{Transport: &http.Transport{}, Timeout: patience}
	served := make(chan error, 1)
	go func() { served <- h.Serve(listener) }()
	t.Cleanup(func() {
		h.client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := h.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return h
}

type reply struct {
	*http.Response
	body []byte
}

func (h *harness) do(method, path, contentType string, body io.Reader, headers ...string) reply {
	h.t.Helper()
	scheme := "http://"
	if h.tls.Load() != nil {
		scheme = "https://"
	}
	request, err := http.NewRequestWithContext(h.t.Context(), method, scheme+h.addr+path, body)
	if err != nil {
		h.t.Fatal(err)
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	return h.send(request, headers...)
}

// send sends a request with further headers.
func (h *harness) send(request *http.Request, headers ...string) reply {
	h.t.Helper()
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := h.client.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return reply{response, content}
}

func (h *harness) execute(body string, headers ...string) reply {
	h.t.Helper()
	return h.do(http.MethodPost, "/api/v1/execute", "application/json", strings.NewReader(body), headers...)
}

// problemReply is a problem document as a client sees it.
type problemReply struct {
	document
	Diagnostics []map[string]any `json:"diagnostics"`
}

// wantProblem checks that the reply is a complete problem document.
func (r reply) wantProblem(t *testing.T, status int, code diag.Code) problemReply {
	t.Helper()
	var d problemReply
	if err := json.Unmarshal(r.body, &d); err != nil {
		t.Fatalf("status %d, body %q: %v", r.StatusCode, r.body, err)
	}
	if r.StatusCode != status || d.Status != status || d.Code != code {
		t.Errorf("status %d, body %s; want %d and %s", r.StatusCode, r.body, status, code)
	}
	if got := r.Header.Get("Content-Type"); got != problemType {
		t.Errorf("content type is %q", got)
	}
	if d.Title == "" || d.Detail == "" || d.Error == "" || d.NextStep == "" || d.Success || d.Type != "urn:avap:problem:"+string(code) {
		t.Errorf("a member is missing or wrong in %s", r.body)
	}
	if d.Instance == "" || d.Instance != r.Header.Get("X-Request-Id") {
		t.Errorf("instance %q, X-Request-Id %q", d.Instance, r.Header.Get("X-Request-Id"))
	}
	return d
}

func pairs(texts ...string) []engine.Pair {
	var list []engine.Pair
	for i := 0; i < len(texts); i += 2 {
		list = append(list, engine.Pair{Name: texts[i], Value: texts[i+1]})
	}
	return list
}

func TestExecute(t *testing.T) {
	h := start(t)
	r := h.do(http.MethodPost, "/api/v1/execute?a=1&b=x%20y&a=2&empty", "application/json; charset=utf-8",
		strings.NewReader(`{"x":[1,{"y":2}],"script":"a\n\u00e9","variables":{"n":1e400},"limits":{"fuel":5,"time_ms":6.0,"memory_bytes":7e5},"logs":true,"echo_variables":false}`))
	if r.StatusCode != http.StatusOK || string(r.body) != `{"success":true,"result":{}}` || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("got %d %s %q", r.StatusCode, r.body, r.Header)
	}
	got := h.engine.request()
	want := &engine.Request{
		Client: "\x7f\x00\x00\x01",
		Source: "a\né", Variables: []byte(`{"n":1e400}`), Body: got.Body,
		Query:  pairs("a", "1", "b", "x y", "a", "2", "empty", ""),
		Limits: engine.Limits{Fuel: 5, Duration: 6 * time.Millisecond, MemoryPages: 10, CallDepth: 1000, OutputBytes: 8 << 20},
		Logs:   true,
	}
	want.MaxLimits = EngineLimits(config.Default().LimitsMax)
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(engine.Request{}), cmpopts.IgnoreFields(engine.Request{}, "Into", "Capabilities")); diff != "" {
		t.Error(diff)
	}
	if !json.Valid(got.Body) {
		t.Errorf("body is %q", got.Body)
	}
}

func TestForms(t *testing.T) {
	h := start(t)
	var multi bytes.Buffer
	w := multipart.NewWriter(&multi)
	for _, f := range [][2]string{{"script", "s"}, {"name", "Ana"}, {"variables", `{"a":1}`}, {"name", "Bo"}} {
		if err := w.WriteField(f[0], f[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, contentType, body string }{
		{"urlencoded", "application/x-www-form-urlencoded", `script=s&name=Ana&variables=%7B%22a%22%3A1%7D&name=Bo`},
		{"multipart", w.FormDataContentType(), multi.String()},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := h.do(http.MethodPost, "/api/v1/execute", test.contentType, strings.NewReader(test.body))
			if r.StatusCode != http.StatusOK {
				t.Fatalf("got %d %s", r.StatusCode, r.body)
			}
			got := h.engine.request()
			if got.Source != "s" || string(got.Variables) != `{"a":1}` || got.Body != nil {
				t.Errorf("got %+v", got)
			}
			if diff := cmp.Diff(pairs("name", "Ana", "name", "Bo"), got.Form); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, body := range []string{`script=s&variables={}}`, `script=s&limits={"fuel":5} 5`, `script=s&logs=true,`, `script=s&logs=`} {
		h.do(http.MethodPost, "/api/v1/execute", "application/x-www-form-urlencoded", strings.NewReader(body)).wantProblem(t, 400, diag.BadJSON)
	}
	// What curl -d sends when its user names no content type.
	if r := h.do(http.MethodPost, "/api/v1/execute", "application/x-www-form-urlencoded", strings.NewReader(` {"script":"s"}`)); r.StatusCode != http.StatusOK {
		t.Errorf("got %d %s", r.StatusCode, r.body)
	}
}

func TestStatusWithoutBody(t *testing.T) {
	h := start(t)
	for _, status := range []int{204, 304} {
		r := h.execute(fmt.Sprintf(`{"script":"status %d"}`, status))
		if r.StatusCode != status || len(r.body) != 0 || r.Header.Get("Content-Type") != "" {
			t.Errorf("got %d %q %v", r.StatusCode, r.body, r.Header)
		}
	}
	if r := h.execute(`{"script":"status 599"}`); r.StatusCode != 599 || string(r.body) != `{"success":true}` {
		t.Errorf("got %d %s", r.StatusCode, r.body)
	}
}

func TestRunProblems(t *testing.T) {
	h := start(t)
	tests := []struct {
		code   diag.Code
		status int
	}{
		{diag.Raised, 400},
		{diag.OutOfMemory, 400},
		{diag.RecursionLimit, 400},
		{diag.OutputLimit, 400},
		{diag.OutOfFuel, 504},
		{diag.DeadlineReached, 504},
		{diag.NoCapacity, 503},
		{diag.SourceTooLarge, 413},
	}
	for _, test := range tests {
		d := h.execute(fmt.Sprintf(`{"script":"fail %s"}`, test.code)).wantProblem(t, test.status, test.code)
		if d.Line != 3 || d.Column != 7 || d.Suggestion != "do not" || d.Usage == nil || len(d.Stack) != 1 {
			t.Errorf("got %+v", d)
		}
		if diff := cmp.Diff(&api.Usage{Fuel: 42, TimeMS: 1, MemoryBytes: 131072}, d.Usage); diff != "" {
			t.Error(diff)
		}
		if wantText := test.status == 504; strings.Contains(d.Error, messageTimeout) != wantText {
			t.Errorf("%s: error is %q", test.code, d.Error)
		}
	}
	if r := h.execute(`{"script":"fail AVAP5005"}`); r.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	unusable := h.execute(`{"script":"unusable"}`).wantProblem(t, 422, diag.ModuleUnusable)
	if unusable.Error != "the module cannot be run: version 9 of the contract?is unknown" {
		t.Errorf("got %q", unusable.Error)
	}
	d := h.execute(`{"script":"broken"}`).wantProblem(t, 400, diag.SyntaxError)
	if len(d.Diagnostics) != 1 || d.Line != 1 || d.Column != 2 {
		t.Errorf("got %+v", d)
	}
}

func TestDefectsStayInside(t *testing.T) {
	h := start(t)
	for _, script := range []string{"panic", "defect"} {
		r := h.execute(`{"script":"` + script + `"}`)
		r.wantProblem(t, 500, diag.Internal)
		if bytes.Contains(r.body, []byte("secret")) || bytes.Contains(r.body, []byte("boom")) {
			t.Errorf("the cause got out: %s", r.body)
		}
	}
	if logs := h.logs.String(); !strings.Contains(logs, "secret detail") || !strings.Contains(logs, "boom") {
		t.Errorf("the log does not have the causes: %s", logs)
	}
	if r := h.execute(`{"script":"s"}`); r.StatusCode != http.StatusOK {
		t.Errorf("after a panic: %d", r.StatusCode)
	}
	if h.watcher.any() {
		t.Error("an execution that panicked is still watched")
	}
}

func TestCheck(t *testing.T) {
	h := start(t)
	tests := []struct{ body, want string }{
		{`{"script":"fine"}`, `{"success":true,"diagnostics":[]}`},
		{`{"script":"broken"}`, `{"success":false,"diagnostics":[{"code":"AVAP1001","severity":"error","line":1,"column":2,"message":"no script"}]}`},
	}
	for _, test := range tests {
		r := h.do(http.MethodPost, "/api/v1/check", "application/json", strings.NewReader(test.body))
		if diff := cmp.Diff(test.want, string(r.body)); r.StatusCode != http.StatusOK || diff != "" {
			t.Errorf("%d %s", r.StatusCode, diff)
		}
	}
	h.do(http.MethodPost, "/api/v1/check", "application/json", strings.NewReader("{")).wantProblem(t, 400, diag.BadJSON)
	h.do(http.MethodPost, "/api/v1/check", "application/json", strings.NewReader(`{"script":"queued"}`)).wantProblem(t, 503, diag.NoCapacity)
}

func TestRoutes(t *testing.T) {
	h := start(t)
	tests := []struct {
		method, path string
		status       int
		code         diag.Code
		has          string
	}{
		{"GET", "/", 404, diag.NoSuchRoute, ""},
		{"POST", "/api/v1/exceute", 404, diag.NoSuchRoute, "did you mean /api/v1/execute?"},
		{"POST", "/api/v1/execute/", 404, diag.NoSuchRoute, ""},
		{"GET", "/<script>alert(1)</script>\u00e9", 404, diag.NoSuchRoute, ""},
		{"GET", "/api/v1/execute", 405, diag.WrongMethod, "allowed: POST"},
		{"DELETE", "/livez", 405, diag.WrongMethod, "allowed: GET"},
		{"BREW", "/livez", 405, diag.WrongMethod, "BREW"},
	}
	for _, test := range tests {
		r := h.do(test.method, test.path, "", nil)
		r.wantProblem(t, test.status, test.code)
		if !bytes.Contains(r.body, []byte(test.has)) {
			t.Errorf("%s %s: %s does not say %q", test.method, test.path, r.body, test.has)
		}
	}
	for path, want := range map[string]string{"/livez": `{"status":"alive"}`, "/readyz": `{"status":"ready"}`} {
		if r := h.do(http.MethodGet, path, "", nil); r.StatusCode != 200 || string(r.body) != want {
			t.Errorf("%s: %d %s", path, r.StatusCode, r.body)
		}
	}
}

func TestGarbage(t *testing.T) {
	h := start(t, "--http-body-limit-bytes=2000000", "--limits-source-bytes=1000000")
	brackets := strings.Repeat("[", 10000)
	tests := []struct {
		name, body string
		status     int
		code       diag.Code
		says       string
	}{
		{"empty", "", 400, diag.MissingScript, "Script cannot be empty"},
		{"blanks", " \n", 400, diag.MissingScript, "Script cannot be empty"},
		{"no script", "{}", 400, diag.MissingScript, "Script cannot be empty"},
		{"empty script", `{"script":""}`, 400, diag.EmptyScript, "Script cannot be empty"},
		{"null script", `{"script":null}`, 400, diag.MissingScript, "Script cannot be empty"},
		{"array", `[1]`, 400, diag.BadJSON, "must be a JSON object, not an array"},
		{"text", `"script"`, 400, diag.BadJSON, "must be a JSON object, not text"},
		{"truncated", `{"script":"a`, 400, diag.BadJSON, "ends too early"},
		{"truncated after a member", `{"script":"a"`, 400, diag.BadJSON, "ends too early"},
		{"trailing text", `{"script":"a"} x`, 400, diag.BadJSON, "after the JSON object"},
		{"two objects", `{"script":"a"}{}`, 400, diag.BadJSON, "after the JSON object"},
		{"single quotes", `{'script':'a'}`, 400, diag.BadJSON, "at byte 1"},
		{"no JSON", `hello`, 400, diag.BadJSON, "at byte 0"},
		{"not UTF-8", "{\"script\":\"\xff\xfe\"}", 400, diag.BadJSON, "UTF-8"},
		{"not UTF-8 elsewhere", "{\"script\":\"a\",\"x\":\"\xff\"}", 400, diag.BadJSON, "UTF-8"},
		{"half a surrogate", `{"script":"\ud800"}`, 400, diag.BadJSON, "surrogate"},
		{"an array", "[[]]", 400, diag.BadJSON, "not an array"},
		{"brackets", brackets, 413, diag.BodyComplex, "1000 levels"},
		{"brackets inside", `{"script":"a","x":` + brackets, 413, diag.BodyComplex, "1000 levels"},
		{"nested and closed", `{"script":"a","x":` + strings.Repeat("[", 100000) + strings.Repeat("]", 100000) + "}", 413, diag.BodyComplex, "http.json_depth"},
		{"long line", `{"script":"` + strings.Repeat("a", 1000001) + `"}`, 413, diag.SourceTooLarge, "the limit is 1000000"},
		{"long body", `{"script":"` + strings.Repeat("a", 2000001) + `"}`, 413, diag.RequestTooLarge, "2000000 bytes"},
		{"script a number", `{"script":1}`, 400, diag.BadFieldType, "script must be text, not a number; at byte 10"},
		{"script a list", `{"script":["a"]}`, 400, diag.BadFieldType, "script must be text, not an array"},
		{"variables a list", `{"script":"a","variables":[]}`, 400, diag.BadFieldType, "variables must be an object, not an array"},
		{"variables null", `{"script":"a","variables":null}`, 400, diag.BadFieldType, "variables must be an object, not null"},
		{"variables broken", `{"script":"a","variables":{"a"}}`, 400, diag.BadJSON, "not valid JSON"},
		{"limits a number", `{"script":"a","limits":5}`, 400, diag.BadFieldType, "limits must be an object, not a number"},
		{"limit text", `{"script":"a","limits":{"fuel":"5"}}`, 400, diag.BadFieldType, "limits.fuel must be a whole number, not text; at byte"},
		{"limit zero", `{"script":"a","limits":{"fuel":0}}`, 400, diag.BadFieldValue, "limits.fuel must be a whole number from 1 to 1000000000"},
		{"limit fraction", `{"script":"a","limits":{"time_ms":1.5}}`, 400, diag.BadFieldValue, "limits.time_ms must be a whole number from 1 to 5000"},
		{"limit huge", `{"script":"a","limits":{"fuel":1e300}}`, 400, diag.BadFieldValue, "limits.fuel"},
		{"limit too much", `{"script":"a","limits":{"fuel":1000000001}}`, 400, diag.BadFieldValue, "this server's limit"},
		{"limit unknown", `{"script":"a","limits":{"feul":1}}`, 400, diag.BadFieldValue, "did you mean fuel?"},
		{"logs text", `{"script":"a","logs":"yes"}`, 400, diag.BadFieldType, "logs must be true or false, not text"},
		{"echo null", `{"script":"a","echo_variables":null}`, 400, diag.BadFieldType, "echo_variables must be true or false, not null"},
		{"echo broken", `{"script":"a","echo_variables":tru}`, 400, diag.BadJSON, "not valid JSON"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := h.execute(test.body)
			r.wantProblem(t, test.status, test.code)
			if !bytes.Contains(r.body, []byte(test.says)) {
				t.Errorf("%s does not say %q", r.body, test.says)
			}
			if len(r.body) > 4096 {
				t.Errorf("the problem document has %d bytes", len(r.body))
			}
		})
	}
}

func TestContentTypes(t *testing.T) {
	h := start(t)
	tests := []struct {
		contentType, body string
		status            int
		code              diag.Code
	}{
		{"image/png", `{"script":"a"}`, 415, diag.BadBodyType},
		{"nonsense;;", `{"script":"a"}`, 415, diag.BadBodyType},
		{"application/json; charset=latin1", `{"script":"a"}`, 415, diag.BadCharset},
		{"application/x-www-form-urlencoded", "script=%zz", 400, diag.BadRequest},
		{"application/x-www-form-urlencoded", "script=a&limits=5", 400, diag.BadFieldType},
		{"application/x-www-form-urlencoded", "script=a&" + strings.Repeat("x&", maxPairs), 413, diag.RequestTooLarge},
		{"multipart/form-data", "x", 400, diag.BadRequest},
		{"multipart/form-data; boundary=x", "--x\r\n\r\n", 400, diag.BadRequest},
		{"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"script\"; filename=\"f\"\r\n\r\na\r\n--x--\r\n", 415, diag.BadBodyType},
	}
	for _, test := range tests {
		h.do(http.MethodPost, "/api/v1/execute", test.contentType, strings.NewReader(test.body)).wantProblem(t, test.status, test.code)
	}
	for _, contentType := range []string{"", "text/plain", "application/vnd.avap+json", "application/octet-stream"} {
		if r := h.do(http.MethodPost, "/api/v1/execute", contentType, strings.NewReader(`{"script":"a"}`)); r.StatusCode != 200 {
			t.Errorf("%q: %d %s", contentType, r.StatusCode, r.body)
		}
	}
}

func TestContentEncodings(t *testing.T) {
	h := start(t, "--http-body-limit-bytes=10000", "--limits-source-bytes=10000")
	squeeze := func(text string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = io.WriteString(w, text)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if r := h.execute(squeeze(`{"script":"a"}`), "Content-Encoding", "gzip"); r.StatusCode != http.StatusOK {
		t.Errorf("got %d %s", r.StatusCode, r.body)
	}
	bomb := squeeze(`{"script":"` + strings.Repeat("a", 1<<20) + `"}`)
	h.execute(bomb, "Content-Encoding", "GZIP").wantProblem(t, 413, diag.RequestTooLarge)
	h.execute(`{"script":"a"}`, "Content-Encoding", "gzip").wantProblem(t, 400, diag.BadRequest)
	h.execute(squeeze(`{"script":"a"}`)[:20], "Content-Encoding", "gzip").wantProblem(t, 400, diag.BadRequest)
	for _, encoding := range []string{"br", "deflate", "zstd", "gzip, gzip", "x"} {
		r := h.execute(`{"script":"a"}`, "Content-Encoding", encoding)
		r.wantProblem(t, 415, diag.BadBodyType)
		if r.Header.Get("Accept-Encoding") != "gzip" {
			t.Error("no Accept-Encoding")
		}
	}
}

func TestRequestID(t *testing.T) {
	h := start(t)
	if got := h.execute(`{"script":"a"}`, "X-Request-Id", "abc-1.2").Header.Get("X-Request-Id"); got != "abc-1.2" {
		t.Errorf("got %q", got)
	}
	for _, bad := range []string{"a b", "{}", "\u00e9", strings.Repeat("a", 129)} {
		if got := h.execute(`{"script":"a"}`, "X-Request-Id", bad).Header.Get("X-Request-Id"); len(got) != 32 {
			t.Errorf("for %q got %q", bad, got)
		}
	}
}

func TestLogLine(t *testing.T) {
	h := start(t)
	h.execute(`{"script":"a"}`, "X-Request-Id", "one")
	h.do(http.MethodGet, "/secret-path", "", nil, "X-Request-Id", "two")
	h.do(http.MethodGet, "/livez", "", nil)
	h.execute(`{"script":"fail AVAP3001"}`, "X-Request-Id", "three")
	h.execute(`{"script":"status 500"}`, "X-Request-Id", "four")
	h.execute(`{"script":"defect"}`, "X-Request-Id", "five")
	var lines []map[string]any
	scanner := bufio.NewScanner(strings.NewReader(h.logs.String()))
	for scanner.Scan() {
		line := map[string]any{}
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		if ms, ok := line["duration_ms"].(float64); !ok || ms < 0 {
			t.Errorf("duration is %v", line["duration_ms"])
		}
		delete(line, "time")
		delete(line, "duration_ms")
		if id, executes := line["execution_id"].(string); executes != (line["method"] == http.MethodPost) || executes && len(id) != executionIDText {
			t.Errorf("the identifier of the execution is %q in %v", id, line)
		}
		delete(line, "execution_id")
		if line["principal"] != "anonymous" {
			t.Errorf("the principal is %v", line["principal"])
		}
		delete(line, "principal")
		lines = append(lines, line)
	}
	want := []map[string]any{
		{"level": "INFO", "msg": "request", "request_id": "one", "method": "POST", "route": "/api/v1/execute", "status": 200.0, "script": "digest", "fuel": 0.0},
		{
			"level": "INFO", "msg": "request", "request_id": "two", "method": "GET", "route": "none", "status": 404.0, "code": "AVAP5007",
			"error": "there is no /secret-path",
		},
		{
			"level": "INFO", "msg": "request", "request_id": "three", "method": "POST", "route": "/api/v1/execute", "status": 400.0,
			"code": "AVAP3001", "error": "it failed", "fuel": 42.0,
		},
		{"level": "INFO", "msg": "request", "request_id": "four", "method": "POST", "route": "/api/v1/execute", "status": 500.0},
		{
			"level": "ERROR", "msg": "request", "request_id": "five", "method": "POST", "route": "/api/v1/execute", "status": 500.0,
			"code": "AVAP9001", "error": "internal error", "cause": "secret detail",
		},
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
}

func TestCrossSite(t *testing.T) {
	h := start(t)
	refused := [][]string{
		{"Origin", "http://evil.example"}, {"Origin", "null"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"},
	}
	for _, headers := range refused {
		h.execute(`{"script":"a"}`, headers...).wantProblem(t, 403, diag.CrossSite)
	}
	if r := h.execute(`{"script":"a"}`, "Origin", "http://"+h.addr, "Sec-Fetch-Site", "same-origin"); r.StatusCode != 200 {
		t.Errorf("got %d %s", r.StatusCode, r.body)
	}
}

func TestToken(t *testing.T) {
	remove := func(h *harness, headers ...string) reply {
		return h.do(http.MethodDelete, "/api/v1/apps/none", "", nil, headers...)
	}
	h := startApps(t, testToken)
	r := remove(h)
	r.wantProblem(t, 401, diag.Unauthorized)
	if r.Header.Get("WWW-Authenticate") == "" {
		t.Error("no WWW-Authenticate")
	}
	for _, bad := range []string{"Bearer 0123456789abcde", "Bearer 0123456789abcdef0", "Basic 0123456789abcdef", "0123456789abcdef", "Bearer "} {
		remove(h, "Authorization", bad).wantProblem(t, 401, diag.Unauthorized)
	}
	remove(h, "Authorization", "bearer "+testToken).wantProblem(t, 404, diag.NoSuchApp)
	remove(startApps(t, ""), "Authorization", "Bearer ").wantProblem(t, 403, diag.Forbidden)
}
