//go:build unix

package cli

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/avapd/avapd/internal/signature"
	"github.com/avapd/avapd/internal/testservices"
)

// ask sends a request as a part of a trace and gives the body of the answer.
func (s *instance) ask(method, path, trace, body string, headers ...string) string {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	if trace != "" {
		request.Header.Set("Traceparent", "00-"+trace+"-"+callerSpan+"-01")
		request.Header.Set("Tracestate", "vendor=mark")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		s.t.Fatalf("%s %s: %s %s", method, path, response.Status, answer)
	}
	return string(answer)
}

const (
	callerSpan  = "b7ad6b7169203331"
	tokenOfTest = "a-token-that-is-long-enough"
	// secretWord must not get into any span.
	secretWord = "hunter2secret"
)

// connected fails the test unless the spans are one tree below the caller's, and
// gives them by name.
func connected(t *testing.T, spans []testservices.Span) map[string]testservices.Span {
	t.Helper()
	ids := map[string]bool{callerSpan: true}
	byName := map[string]testservices.Span{}
	for _, s := range spans {
		ids[s.ID] = true
		byName[s.Name] = s
	}
	for _, s := range spans {
		if !ids[s.Parent] {
			t.Errorf("%s has a parent %q that is nowhere", s.Name, s.Parent)
		}
		for key, value := range s.Attributes {
			if strings.Contains(value, secretWord) || len(value) > 256 {
				t.Errorf("%s has %s=%s", s.Name, key, value)
			}
		}
	}
	return byName
}

// parents are the names from a span up to the caller.
func parents(spans map[string]testservices.Span, name string) (path []string) {
	byID := map[string]testservices.Span{}
	for _, s := range spans {
		byID[s.ID] = s
	}
	for s, ok := spans[name]; ok; s, ok = byID[s.Parent] {
		path = append(path, s.Name)
	}
	return path
}

func hasAll(names ...string) func([]testservices.Span) bool {
	return func(spans []testservices.Span) bool {
		return !slices.ContainsFunc(names, func(name string) bool {
			return !slices.ContainsFunc(spans, func(s testservices.Span) bool { return s.Name == name })
		})
	}
}

// One trace leads from the client through the server, compile, run and the calls
// of a script to its SQL, over both protocols and to both databases.
func TestTraceOfAnExecution(t *testing.T) {
	postgres, _ := services(t)
	collector := testservices.StartCollector(t)
	for _, c := range []struct {
		name, system, kind string
		flags              []string
	}{
		{"grpc", "postgresql", "client", []string{"--tracing-endpoint", collector.URL(), "--data-url", postgres.Schema(t)}},
		{"http", "sqlite", "internal", []string{"--tracing-endpoint", collector.HTTP(), "--tracing-protocol", "http"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			came := make(chan http.Header, 4)
			upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				came <- r.Header
				if r.URL.Path == "/moved" {
					http.Redirect(w, r, "/there?key="+secretWord, http.StatusFound)
				}
			}))
			defer upstream.Close()
			trace := strings.Repeat(map[string]string{"grpc": "1a", "http": "2b"}[c.name], 16)
			s := startServe(t, append(c.flags, "--egress-allow", "127.0.0.0/8", "--tracing-headers", "authorization=Bearer "+secretWord)...)
			script := `RequestGet("` + upstream.URL + `/moved?key=` + secretWord + `", , , page)
ormDirect("SELECT 1 AS ` + secretWord + `", rows)
addResult(rows)`
			body, err := json.Marshal(map[string]string{"script": script})
			if err != nil {
				t.Fatal(err)
			}
			s.ask(http.MethodPost, "/api/v1/execute", trace, string(body), "Baggage", "user="+secretWord)
			s.stop()
			spans := connected(t, collector.Trace(t, trace, hasAll("POST /api/v1/execute", "SELECT")))
			run := []string{"avap.run", "POST /api/v1/execute"}
			for name, want := range map[string][]string{
				"SELECT": append([]string{"SELECT"}, run...), "GET": append([]string{"GET"}, run...),
				"avap.instantiate": append([]string{"avap.instantiate"}, run...), "avap.compile": {"avap.compile", "POST /api/v1/execute"},
			} {
				if got := parents(spans, name); !slices.Equal(got, want) {
					t.Errorf("%s is below %q, want %q", name, got, want)
				}
			}
			for name, want := range map[string]map[string]string{
				"POST /api/v1/execute": {"http.request.method": "POST", "http.route": "/api/v1/execute", "http.response.status_code": "200", "url.scheme": "http"},
				"SELECT":               {"db.system.name": c.system, "db.operation.name": "SELECT"},
				"GET":                  {"http.request.method": "GET", "server.address": "127.0.0.1", "http.response.status_code": "200", "http.request.resend_count": "1"},
			} {
				for key, value := range want {
					if got := spans[name].Attributes[key]; got != value {
						t.Errorf("%s of %s is %q, want %q", key, name, got, value)
					}
				}
			}
			if got := spans["SELECT"].Kind; got != c.kind {
				t.Errorf("the kind of the statement is %s", got)
			}
			if got := spans["GET"].Resource["service.name"]; got != "avapd" {
				t.Errorf("the service is %q", got)
			}
			for range 2 { // the redirect, and where it leads
				h := <-came
				if parent := h.Get("Traceparent"); !strings.HasPrefix(parent, "00-"+trace+"-") || !strings.HasSuffix(parent, "-01") || strings.Contains(parent, callerSpan) {
					t.Errorf("the request of the script has %q", parent)
				}
				if h.Get("Tracestate") != "vendor=mark" || h.Get("Baggage") != "" {
					t.Errorf("it says %q and %q", h.Get("Tracestate"), h.Get("Baggage"))
				}
			}
			if !strings.Contains(s.stderr.String(), `"trace_id":"`+trace+`"`) {
				t.Errorf("the log does not know the trace: %s", s.stderr)
			}
		})
	}
	for _, h := range collector.Headers() {
		if got := h.Get("Authorization"); got != "Bearer "+secretWord {
			t.Errorf("spans came with %q", got)
		}
	}
}

// A batch that is answered in lines is under way for longer than its request, and
// still in one trace with all of its items, between which nothing may be under way.
func TestTraceOfABatch(t *testing.T) {
	collector := testservices.StartCollector(t)
	trace := strings.Repeat("5e", 16)
	s := startServe(t, "--tracing-endpoint", collector.URL(), "--batch-parallelism", "1")
	s.ask(http.MethodPost, "/api/v1/execute/batch", trace, `[{"script":"a = 1"},{"script":"a = 2"},{"script":"a = 3"}]`, "Accept", "application/x-ndjson")
	s.stop()
	const item = "avap.batch.item"
	spans := collector.Trace(t, trace, func(spans []testservices.Span) bool {
		items := 0
		for _, span := range spans {
			if span.Name == item {
				items++
			}
		}
		return items == 3
	})
	if got, want := parents(connected(t, spans), item), []string{item, "avap.batch", "POST /api/v1/execute/batch"}; !slices.Equal(got, want) {
		t.Errorf("the items are below %q, want %q", got, want)
	}
}

// A change is traced to the statements of the store, and the first execution on
// another node to Redis.
func TestTraceOfACommand(t *testing.T) {
	postgres, redis := services(t)
	collector := testservices.StartCollector(t)
	dir := t.TempDir()
	key, err := signature.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	private, err := signature.EncodePrivate(key, signature.PEM, nil)
	if err != nil {
		t.Fatal(err)
	}
	for file, content := range map[string][]byte{"key": private, "token": []byte(tokenOfTest)} {
		if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	flags := []string{
		"--tracing-endpoint", collector.URL(), "--postgres-url", postgres.Schema(t), "--redis-url", redis.URL(redis.Address()),
		"--registry-signing-key-file", filepath.Join(dir, "key"), "--admin-token-file", filepath.Join(dir, "token"),
	}
	const put, execute = "PUT /api/v1/commands/{name}", "POST /api/v1/commands/{name}/execute"
	s := startServe(t, flags...)
	stored, executed := strings.Repeat("3c", 16), strings.Repeat("4d", 16)
	s.ask(http.MethodPut, "/api/v1/commands/greet?activate=true", stored, `{"script":"addVar(x, 1)\naddResult(x)"}`, "Authorization", "Bearer "+tokenOfTest)
	s.stop()
	spans := connected(t, collector.Trace(t, stored, hasAll(put, "BATCH")))
	if got := parents(spans, "BATCH"); got[len(got)-1] != put {
		t.Errorf("the statements are below %q", got)
	}
	if got := spans["BATCH"].Attributes["db.system.name"]; got != "postgresql" {
		t.Errorf("its system is %q", got)
	}

	s = startServe(t, append(flags, "--registry-compile-ahead-percent", "0")...) // or the call may come too late
	s.ask(http.MethodPost, "/api/v1/commands/greet/execute", executed, `{}`)
	s.stop()
	spans = connected(t, collector.Trace(t, executed, hasAll(execute, "GETRANGE")))
	if got, want := parents(spans, "GETRANGE"), []string{"GETRANGE", "avap.fetch", execute}; !slices.Equal(got, want) {
		t.Errorf("the look-up in Redis is below %q, want %q", got, want)
	}
	if got := spans[execute].Attributes["avap.command.name"]; got != "greet" {
		t.Errorf("the command is %q", got)
	}
}

// Where spans go, and which, changes while the server runs: what ended before goes
// where it was to go, what comes then elsewhere, and no span is lost between.
func TestReloadTracing(t *testing.T) {
	first, second := testservices.StartCollector(t), testservices.StartCollector(t)
	file := filepath.Join(t.TempDir(), "avap.yaml")
	const root = "POST /api/v1/execute"
	execute := func(s *instance, digit string) (trace string) {
		trace = strings.Repeat(digit, 32)
		s.ask(http.MethodPost, "/api/v1/execute", trace, `{"script":"addVar(x, 1)"}`)
		return trace
	}
	reload := func(s *instance, count int, tracing string) {
		put(t, file+".new", "tracing: {"+tracing+"}\n")
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
		s.awaitLog(`"msg":"configuration reloaded"`, count)
	}
	put(t, file, "tracing: {}\n")
	s := startServe(t, "--config", file)
	untraced := execute(s, "1")
	reload(s, 1, "endpoint: \""+first.URL()+"\", headers: \"x-key=confidential-first\"")
	early := execute(s, "2")
	reload(s, 2, "endpoint: \""+second.HTTP()+"\", protocol: http, headers: \"x-key=confidential-second\"")
	late := execute(s, "3")
	first.Trace(t, early, hasAll(root, "avap.run"))
	second.Trace(t, late, hasAll(root, "avap.run"))
	reload(s, 3, "endpoint: \""+second.HTTP()+"\", protocol: http, requests_per_million: 0, parent_based: false")
	unchosen := execute(s, "4")
	reload(s, 4, "endpoint: \""+second.HTTP()+"\", protocol: http")
	last := execute(s, "5")
	s.stop()
	second.Trace(t, last, hasAll(root, "avap.run"))
	for _, c := range []struct {
		collector *testservices.Collector
		want      []string
		key       string
	}{{first, []string{early}, "confidential-first"}, {second, []string{late, last}, "confidential-second"}} {
		for _, span := range c.collector.Spans() {
			if !slices.Contains(c.want, span.Trace) || span.Trace == untraced || span.Trace == unchosen {
				t.Errorf("%s of %s came", span.Name, span.Trace)
			}
		}
		if got := c.collector.Headers()[0].Get("X-Key"); got != c.key {
			t.Errorf("the header is %q", got)
		}
	}
	if strings.Contains(s.stderr.String(), "confidential") {
		t.Errorf("a secret is in the log: %s", s.stderr)
	}
}
