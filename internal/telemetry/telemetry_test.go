package telemetry

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/avapd/avapd/internal/admission"
	"github.com/avapd/avapd/internal/audit"
	"github.com/avapd/avapd/internal/cache"
	"github.com/avapd/avapd/internal/datasource"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/registry"
	"github.com/avapd/avapd/internal/store"
	"github.com/avapd/avapd/internal/tracing/otlp"
)

var update = flag.Bool("update", false, "write the table of docs/operations.md")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// full are metrics in which there is a value for everything.
func full() *Metrics {
	m := New("1.2.3")
	m.Connections(func() int { return 3 })
	m.Admission(func() admission.Stats { return admission.Stats{Places: 1} })
	m.Engine(func() engine.Stats {
		return engine.Stats{Running: 4, Shadow: engine.ShadowStats{Runs: 5, Mismatches: 2}}
	})
	m.Audit(func() audit.Stats { return audit.Stats{Records: map[audit.Kind]int64{audit.Execution: 1}} })
	m.Registry(func() registry.Health {
		return registry.Health{Primary: true, Revision: 17, Refreshed: time.UnixMilli(1500), RefreshErrors: 6, Removed: registry.Removed{Artifacts: 2, Bytes: 300, Tombstones: 4}}
	})
	m.Artifacts(func() []cache.TierStats {
		return []cache.TierStats{{Name: "Offline copy", Hits: 7, LookupTime: 3 * time.Second, Open: true}}
	})
	m.Pools(
		func() (datasource.PoolStats, bool) { return datasource.PoolStats{Idle: 2, Limit: 8}, true },
		func() store.PoolStats { return store.PoolStats{InUse: 1, AcquireTime: 250 * time.Millisecond} },
		func() store.PoolStats { return store.PoolStats{Idle: 3, Limit: 9, AcquireTime: time.Second} })
	m.AdmissionWaited(20 * time.Millisecond)
	m.Spans(func() otlp.Stats { return otlp.Stats{Recorded: 9, Exported: 8} })
	m.RequestBegan()
	m.RequestEnded(Request{Route: "/a/{b}", Method: "GET", Status: 404}, diag.NoSuchApp, 3*time.Millisecond, Names{Request: "id-1"})
	m.Execution("", diag.Usage{FuelUsed: 150, MemoryPages: 8, RunTime: 2 * time.Millisecond}, Names{Request: "id-2"})
	m.Compiled(true, time.Millisecond)
	return m
}

func scrape(t *testing.T, m *Metrics, accept string) (text, contentType string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	b, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), w.Header().Get("Content-Type")
}

func TestValues(t *testing.T) {
	text, contentType := scrape(t, full(), "")
	if !strings.HasPrefix(contentType, "text/plain") {
		t.Errorf("content type %s", contentType)
	}
	for _, want := range []string{
		`avap_http_requests_total{method="GET",route="/a/{b}",status="4xx"} 1`,
		`avap_http_requests_running 0`,
		`avap_http_request_duration_seconds_bucket{method="GET",route="/a/{b}",le="0.005"} 1`,
		`avap_http_request_duration_seconds_bucket{method="GET",route="/a/{b}",le="0.0025"} 0`,
		`avap_http_connections_open 3`,
		`avap_problems_total{code="AVAP5017"} 1`,
		`avap_executions_total{outcome="ok"} 1`,
		`avap_executions_total{outcome="internal"} 0`,
		`avap_execution_fuel_units_sum 150`,
		`avap_execution_memory_peak_bytes_sum 524288`,
		`avap_execution_run_seconds_sum 0.002`,
		`avap_compile_seconds_count{tier="trial"} 1`,
		`avap_executions_running 4`,
		`avap_shadow_runs_total{result="compared"} 5`,
		`avap_shadow_mismatches_total 2`,
		`avap_artifact_lookups_total{result="hit",tier="offline_copy"} 7`,
		`avap_artifact_breaker_open{tier="offline_copy"} 1`,
		`avap_registry_revision 17`,
		`avap_registry_refresh_timestamp_seconds 1.5`,
		`avap_registry_refresh_errors_total 6`,
		`avap_registry_removed_artifacts_total{store="primary"} 2`,
		`avap_registry_removed_bytes_total{store="primary"} 300`,
		`avap_registry_removed_tombstones_total{store="copy"} 0`,
		`avap_pool_connections{pool="scripts",state="idle"} 2`,
		`avap_pool_connections{pool="sqlite",state="idle"} 3`,
		`avap_pool_connections_limit{pool="sqlite"} 9`,
		`avap_admission_wait_seconds_bucket{le="0.025"} 1`,
		`avap_pool_acquire_seconds_total{pool="store"} 0.25`,
		`avap_build_info{go_version=`,
		`go_goroutines `,
		`process_start_time_seconds `,
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("there is no %s", want)
		}
	}
}

// What is in the table is in the answer, and what is in the answer is in the
// table or the libraries' own.
func TestTableIsComplete(t *testing.T) {
	families, err := full().registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, family := range families {
		if strings.HasPrefix(family.GetName(), "avap_") {
			names = append(names, family.GetName())
		}
	}
	for _, d := range table {
		i := slices.Index(names, d.name)
		if i < 0 {
			t.Errorf("%s has no value", d.name)
			continue
		}
		names = slices.Delete(names, i, i+1)
	}
	if len(names) > 0 {
		t.Errorf("not in the table: %v", names)
	}
}

// The linter is that of promtool.
func TestLint(t *testing.T) {
	problems, err := testutil.GatherAndLint(full().registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

const (
	begin = "<!-- metrics: made by `go test ./internal/telemetry -update` -->\n"
	end   = "<!-- end of metrics -->\n"
)

func TestDocument(t *testing.T) {
	const file = "../../docs/operations.md"
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(content), begin)
	have, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table of metrics", file)
	}
	if have == markdown() {
		return
	}
	if !*update {
		t.Fatalf("the metrics in %s are not those of the program; run with -update", file)
	}
	if err := os.WriteFile(file, []byte(before+begin+markdown()+end+after), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Every code has an outcome that somebody chose; only defects are internal.
func TestOutcomes(t *testing.T) {
	for _, entry := range diag.Entries() {
		o := OutcomeOf(entry.Code)
		if !slices.Contains(outcomes, o) || o == OK {
			t.Errorf("%s is %s", entry.Code, o)
		}
		if (o == Internal) != (entry.Code == diag.Internal) {
			t.Errorf("%s is %s", entry.Code, o)
		}
		if strings.HasPrefix(string(entry.Code), "AVAP4") && outcomesByCode[entry.Code] == "" {
			t.Errorf("%s, which is about a limit, has no outcome of its own", entry.Code)
		}
	}
	for code, want := range map[diag.Code]Outcome{
		"": OK, diag.SyntaxError: CompileError, diag.UnknownComparator: CompileError, diag.Raised: ScriptError,
		diag.OutOfFuel: LimitFuel, diag.NoCapacity: Refused, diag.NotSigned: Refused, diag.Cancelled: Cancelled, "AVAP0000": Internal,
	} {
		if got := OutcomeOf(code); got != want {
			t.Errorf("%s is %s, want %s", code, got, want)
		}
	}
}

// Exemplars name requests where OpenMetrics is asked for, once in a period for
// each bucket, and never with more text than is allowed.
func TestExemplars(t *testing.T) {
	m := New("")
	request := Request{Route: "/", Method: "GET", Status: 200}
	for _, step := range []struct {
		took  time.Duration
		names Names
	}{
		{time.Millisecond, Names{Request: "first"}},
		{time.Millisecond, Names{Request: "second"}},
		{time.Second, Names{Request: strings.Repeat("x", maxExemplar)}},
		{time.Hour, Names{Request: "slow"}},
		{2 * time.Second, Names{Request: "traced", Trace: "0af7651916cd43dd8448eb211c80319c"}},
		{4 * time.Second, Names{Request: strings.Repeat("y", 80), Trace: "b9c7c989f97918e1c1ab2d3e4f506172"}},
	} {
		step.names.At = time.Now()
		m.RequestBegan()
		m.RequestEnded(request, "", step.took, step.names)
	}
	text, contentType := scrape(t, m, "application/openmetrics-text; version=1.0.0")
	if !strings.HasPrefix(contentType, "application/openmetrics-text") || !strings.HasSuffix(text, "# EOF\n") {
		t.Errorf("no OpenMetrics: %s", contentType)
	}
	for name, want := range map[string]bool{
		`# {request_id="first"}`: true, `request_id="second`: false, `# {request_id="slow"}`: true, `request_id="xxx`: false,
		`request_id="traced"`: true, `trace_id="0af7651916cd43dd8448eb211c80319c"`: true,
		`# {trace_id="b9c7c989f97918e1c1ab2d3e4f506172"}`: true, `request_id="yyy`: false,
	} {
		if got := strings.Contains(text, name); got != want {
			t.Errorf("exemplar %s: %v", name, got)
		}
	}
	if plain, _ := scrape(t, m, ""); strings.Contains(plain, "request_id") {
		t.Error("the plain form has exemplars")
	}
}

// series is how many lines with a value there are.
func series(t *testing.T, m *Metrics) int {
	text, _ := scrape(t, m, "")
	n := 0
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "avap_") {
			n++
		}
	}
	return n
}

// Routes of apps, methods and status are bounded, whatever comes.
func TestSeriesAreBounded(t *testing.T) {
	m := New("")
	ask := func(r Request) {
		m.RequestBegan()
		m.RequestEnded(r, diag.Code(r.Route), time.Millisecond, Names{})
	}
	for i := range maxAppRoutes + 1 {
		ask(Request{Route: fmt.Sprintf("/app/%d", i), Method: "GET", App: true, Status: 200})
	}
	most := series(t, m)
	for i := range 2000 {
		ask(Request{Route: fmt.Sprintf("/more/%d", i), Method: "GET", App: true, Status: i})
	}
	if got := series(t, m); got != most {
		t.Errorf("%d series, and %d after more routes", most, got)
	}
	ask(Request{Route: "/app/1", Method: "FIRST", App: true})
	most = series(t, m)
	for i := range 2000 {
		ask(Request{Route: "/app/1", Method: fmt.Sprintf("M%d", i), App: true, Status: -i})
	}
	if got := series(t, m); got != most {
		t.Errorf("%d series, and %d after more methods", most, got)
	}
	text, _ := scrape(t, m, "")
	if !strings.Contains(text, `{method="GET",route="other",status="2xx"} 101`) || !strings.Contains(text, `{method="other",route="/app/1",status="5xx"} 2001`) {
		t.Error("what is beyond the bounds is not counted")
	}
}

// Counting and reading go on at the same time, and nothing is lost.
func TestConcurrentUse(t *testing.T) {
	m := New("")
	var running sync.WaitGroup
	for g := range 4 {
		running.Go(func() {
			for i := range 500 {
				m.RequestBegan()
				m.RequestEnded(Request{Route: fmt.Sprintf("/%d", i%50), Method: methods[g], Status: 200}, diag.OutOfFuel, time.Duration(i), Names{Request: "id"})
				m.Execution(diag.OutOfFuel, diag.Usage{FuelUsed: 1}, Names{Request: "id"})
			}
		})
	}
	for range 10 {
		series(t, m)
	}
	running.Wait()
	text, _ := scrape(t, m, "")
	for _, want := range []string{
		`avap_executions_total{outcome="limit_fuel"} 2000`, `avap_execution_fuel_units_count 2000`, `avap_limits_hit_total{limit="fuel"} 2000`,
		`avap_http_requests_total{method="GET",route="/7",status="2xx"} 10`, `avap_http_requests_running 0`,
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("there is no %s", want)
		}
	}
}

// Counting allocates nothing, but for an exemplar from time to time.
func TestAllocations(t *testing.T) {
	m := New("")
	request := Request{Route: "/api", Method: "POST", Status: 200}
	used := diag.Usage{FuelUsed: 100, MemoryPages: 8, RunTime: time.Millisecond}
	count := func() {
		m.RequestBegan()
		m.RequestEnded(request, diag.OutOfFuel, time.Millisecond, Names{Request: "id"})
		m.Execution(diag.OutOfFuel, used, Names{Request: "id"})
	}
	if got := testing.AllocsPerRun(1000, count); got != 0 {
		t.Errorf("%v allocations for a request", got)
	}
}

func BenchmarkRequest(b *testing.B) {
	m := New("")
	request := Request{Route: "/api", Method: "POST", Status: 200}
	used := diag.Usage{FuelUsed: 100, MemoryPages: 8, RunTime: time.Millisecond}
	b.ReportAllocs()
	for b.Loop() {
		m.RequestBegan()
		m.RequestEnded(request, "", time.Millisecond, Names{Request: "id"})
		m.Execution("", used, Names{Request: "id"})
	}
}

func BenchmarkScrape(b *testing.B) {
	m := full()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		m.Handler().ServeHTTP(httptest.NewRecorder(), r)
	}
}
