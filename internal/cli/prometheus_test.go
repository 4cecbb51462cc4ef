//go:build unix

package cli

import (
	"net/http"
	"strings"
	"testing"

	"github.com/avapd/avapd/internal/testservices"
)

// A Prometheus takes the metrics of a server with exemplars that name requests and
// traces, and promtool has nothing to say about them.
func TestPrometheus(t *testing.T) {
	collector := testservices.StartCollector(t)
	s := startServe(t, "--tracing-endpoint", collector.URL())
	p := testservices.StartPrometheus(t, strings.TrimPrefix(s.url, "http://"), "/api/v1/metrics")
	trace := strings.Repeat("5e", 16)
	s.ask(http.MethodPost, "/api/v1/execute", trace, `{"script":"x = 1"}`, "X-Request-Id", "named")
	s.ask(http.MethodPost, "/api/v1/execute", "", `{"script":"x = 1"}`)
	p.Await(t, `up{job="avapd"}`, "1")
	p.Await(t, `avap_executions_total{outcome="ok"}`, "2")
	p.Await(t, `count(avap_build_info{version="`+Version+`"})`, "1")
	p.Await(t, `count(go_goroutines)`, "1")
	p.AwaitExemplar(t, "avap_http_request_duration_seconds_bucket", "trace_id", trace)
	p.AwaitExemplar(t, "avap_execution_run_seconds_bucket", "request_id", "named")
	testservices.CheckMetrics(t, s.ask(http.MethodGet, "/api/v1/metrics", "", ""))
	s.stop()
}
