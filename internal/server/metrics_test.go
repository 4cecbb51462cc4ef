package server

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/avapd/avapd/internal/apps"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/telemetry"
)

// metricsText asks for the metrics.
func (h *harness) metricsText() string {
	h.t.Helper()
	r := h.do(http.MethodGet, pathMetrics, "", nil)
	if r.StatusCode != http.StatusOK || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/plain; version=0.0.4") {
		h.t.Fatalf("status %d, %s: %s", r.StatusCode, r.Header.Get("Content-Type"), r.body)
	}
	return string(r.body)
}

// samples are the values of our metrics by name and labels.
func samples(t *testing.T, text string) map[string]float64 {
	t.Helper()
	values := map[string]float64{}
	for line := range strings.Lines(text) {
		if name, number, ok := strings.Cut(strings.TrimSpace(line), " "); ok && strings.HasPrefix(name, "avap_") {
			value, err := strconv.ParseFloat(number, 64)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			values[name] = value
		}
	}
	return values
}

// startMeasured is a server with an engine and metrics of both.
func startMeasured(t *testing.T, interpreter bool, args ...string) *harness {
	t.Helper()
	return startWith(t, func(o *Options) {
		o.Metrics = telemetry.New("test")
		settings := EngineConfig(o.Config)
		settings.Interpreter, settings.Compiled = interpreter, o.Metrics.Compiled
		scripts, err := engine.New(settings)
		if err != nil {
			t.Fatal(err)
		}
		o.Metrics.Engine(scripts.Stats)
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

// loggedFuel adds up the fuel of all lines of the log.
func (h *harness) loggedFuel() (total float64) {
	h.t.Helper()
	for line := range strings.Lines(h.logs.String()) {
		var entry struct{ Fuel float64 }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			h.t.Fatal(err)
		}
		total += entry.Fuel
	}
	return total
}

// What the metrics say is what was asked for, to the last request, on both
// engines.
func TestMetricsAddUp(t *testing.T) {
	for _, interpreter := range []bool{false, true} {
		t.Run(fmt.Sprintf("interpreter=%v", interpreter), func(t *testing.T) {
			h := startMeasured(t, interpreter, "--admin-token-file", tokenFile(t), "--limits-output-bytes", "1024")
			for _, body := range []string{
				`{"script":"x = 1\naddResult(x)"}`,
				`{"script":"x = 1\naddResult(x)"}`,
				`{"script":"raise(\"no\")"}`,
				`{"script":"x = ("}`,
				`{"script":"startLoop(i, 0, 100000)\nx = i\nendLoop()","limits":{"fuel":1000}}`,
				`{"script":"function f(n){\nreturn(f(n + 1))\n}\nx = f(1)","limits":{"call_depth":10}}`,
				`{"script":"x = \"0123456789\" * 1000\naddResult(x)"}`,
				`{"script":"x = ["}`,
				`{"script"`,
				`{"script":"x = [0]\nstartLoop(i, 0, 30)\nx = x + x\nendLoop()","limits":{"memory_bytes":1048576}}`,
			} {
				h.execute(body)
			}
			h.batch(`[{"script":"x = 1\naddResult(x)"},{"script":"raise(\"no\")"},{"command":"none"}]`)
			if r := h.put("shop", "function f(){\n    addResult(id)\n}\nregisterEndpoint(\"/items/{id}\", \"GET\", [], \"\", f, id)"); r.StatusCode != http.StatusCreated {
				t.Fatalf("%s", r.body)
			}
			for _, path := range []string{"/items/1", "/items/2", "/nothing", "/livez"} {
				h.do(http.MethodGet, path, "", nil)
			}
			got := samples(t, h.metricsText())
			for name, want := range map[string]float64{
				`avap_executions_total{outcome="ok"}`:            5,
				`avap_executions_total{outcome="script_error"}`:  2,
				`avap_executions_total{outcome="compile_error"}`: 2,
				`avap_executions_total{outcome="limit_fuel"}`:    1,
				`avap_executions_total{outcome="limit_depth"}`:   1,
				`avap_executions_total{outcome="limit_output"}`:  1,
				`avap_executions_total{outcome="limit_memory"}`:  1,
				`avap_executions_total{outcome="internal"}`:      0,
				`avap_execution_fuel_units_count`:                11,
				`avap_execution_fuel_units_sum`:                  h.loggedFuel(),
				`avap_limits_hit_total{limit="fuel"}`:            1,
				`avap_problems_total{code="AVAP5001"}`:           1,
				`avap_executions_running`:                        0,
				`avap_compute_queue_length`:                      0,
				`avap_http_requests_running`:                     1,
				`avap_http_connections_open`:                     1,

				`avap_http_requests_total{method="POST",route="/api/v1/execute",status="2xx"}`:       2,
				`avap_http_requests_total{method="POST",route="/api/v1/execute/batch",status="2xx"}`: 1,
				`avap_http_requests_total{method="GET",route="/items/{id}",status="2xx"}`:            2,
				`avap_http_requests_total{method="GET",route="none",status="4xx"}`:                   1,
				`avap_http_requests_total{method="GET",route="/livez",status="2xx"}`:                 1,
				`avap_http_requests_total{method="PUT",route="/api/v1/apps/{name}",status="2xx"}`:    1,
				`avap_http_request_duration_seconds_count{method="POST",route="/api/v1/execute"}`:    10,
				`avap_http_request_duration_seconds_count{method="GET",route="/api/v1/metrics"}`:     0,
				`avap_http_request_duration_seconds_count{method="GET",route="/api/v1/unknown/x"}`:   0,
			} {
				if got[name] != want {
					t.Errorf("%s is %v, want %v", name, got[name], want)
				}
			}
			if trials := got[`avap_trials_total{result="enough"}`]; (trials > 0) == interpreter {
				t.Errorf("%v trials", trials)
			}
			if made := got[`avap_compile_seconds_count{tier="code"}`]; made == 0 {
				t.Error("nothing was compiled")
			}
			if h.metricsText(); samples(t, h.metricsText())[`avap_http_request_duration_seconds_count{method="GET",route="/api/v1/metrics"}`] != 2 {
				t.Error("reading the metrics is not counted")
			}
		})
	}
}

// Whatever clients send, it makes no new series.
func TestHostileRequestsMakeNoSeries(t *testing.T) {
	h := startMeasured(t, false, "--admin-token-file", tokenFile(t))
	if r := h.put("shop", "function f(){\n}\nregisterEndpoint(\"/items/{id}\", \"GET\", [], \"\", f, id)"); r.StatusCode != http.StatusCreated {
		t.Fatalf("%s", r.body)
	}
	attack := func(i int) {
		for _, r := range []struct{ method, path, body string }{
			{"GET", fmt.Sprintf("/none/%d", i), ""},
			{"GET", fmt.Sprintf("/items/%d", i), ""},
			{"GET", fmt.Sprintf("/api/v1/apps/a%d", i), ""},
			{"DELETE", fmt.Sprintf("/api/v1/execute/%d?route=%d", i, i), ""},
			{fmt.Sprintf("M%d", i), "/livez", ""},
			{"POST", "/api/v1/execute", fmt.Sprintf(`{"script":"x%d = 1\nraise(\"e%d\")"}`, i, i)},
			{"POST", "/api/v1/execute", fmt.Sprintf(`{"script":"addVar(_status, %d)"}`, 200+i)},
			{"PATCH", fmt.Sprintf("/api/v1/execute;%d", i), "x"},
		} {
			h.do(r.method, r.path, "application/json", strings.NewReader(r.body), "X-Request-Id", fmt.Sprintf("id-%d", i), "User-Agent", strconv.Itoa(i))
		}
		conn, err := net.Dial("tcp", h.addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GARBAGE%d %d\r\n\r\n", i, i)
		_, _ = io.Copy(io.Discard, conn)
		conn.Close()
	}
	attack(0)
	h.metricsText()
	before := samples(t, h.metricsText())
	for i := range 40 {
		attack(i)
	}
	after := samples(t, h.metricsText())
	for name := range after {
		if _, known := before[name]; !known {
			t.Errorf("new: %s", name)
		}
	}
	if got := after[`avap_http_requests_total{method="other",route="none",status="4xx"}`]; got < 41 {
		t.Errorf("%v unknown methods counted", got)
	}
}

// The listener for operators has connections of its own, answers only what is
// for it, and says when clients are answered.
func TestAdminListener(t *testing.T) {
	admin, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := startWith(t, func(*Options) {}, "--admin-listen", "127.0.0.1:0", "--http-connections", "1")
	served := make(chan error, 1)
	go func() { served <- h.ServeAdmin(admin) }()
	// A client that has the only connection, with a request that goes on.
	hold, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer hold.Close()
	fmt.Fprint(hold, string(post(pathExecute, `{"script":"wait"}`)))
	<-h.engine.started
	refused, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer refused.Close()
	if line, err := bufio.NewReader(refused).ReadString('\n'); err != nil || !strings.Contains(line, "503") {
		t.Fatalf("a second client got %q, %v", line, err)
	}

	ask := func(path string) (int, string) {
		response, err := h.client.Get("http://" + admin.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		b, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(b)
	}
	for path, want := range map[string]string{
		"/livez": `{"status":"alive"}`, "/readyz": `{"status":"ready"}`, "/startupz": `{"status":"started"}`,
	} {
		if status, body := ask(path); status != http.StatusOK || strings.TrimSpace(body) != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if status, body := ask(pathMetrics); status != http.StatusOK || samples(t, body)["avap_http_requests_running"] != 2 {
		t.Errorf("%d %s", status, body)
	}
	for _, path := range []string{pathExecute, pathOpenAPI, pathApps, "/"} {
		if status, body := ask(path); status != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	// Operators are told of their own routes alone.
	for _, path := range []string{"/live", "/api/v1/metric", pathExecute + "s"} {
		if _, body := ask(path); strings.Contains(body, pathExecute+"?") || strings.Contains(body, pathOpenAPI) || !strings.Contains(body, `"next_step":"Ask for one of`) {
			t.Errorf("%s: %s", path, body)
		}
	}
	close(h.engine.release)
	h.client.CloseIdleConnections()
	if err := h.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// Before clients are answered, startupz says so.
func TestStartup(t *testing.T) {
	h := start(t)
	h.do(http.MethodGet, pathLive, "", nil) // it serves
	h.serving.Store(false)
	if r := h.do(http.MethodGet, pathStartup, "", nil); r.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(r.body), "starting") {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}
