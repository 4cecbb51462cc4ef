//go:build unix

package cli

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/client"
)

func (s *instance) top(args ...string) (code int, stdout, stderr string) {
	var out, problems bytes.Buffer
	code = Main(s.t.Context(), Process{
		Args: append([]string{"top", "--server", s.url, "--once", "--interval-ms", "50"}, args...), Stdin: strings.NewReader(""), Stdout: &out, Stderr: &problems,
	})
	return code, out.String(), problems.String()
}

// avap top tells what a server does, with or without a key for the executions.
func TestTop(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(tokenOfTest), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startServe(t, "--admin-token-file", file, "--limits-time-ms", "60000", "--limits-fuel", "1000000000000")
	for range 3 {
		await(t, "an answer", s.execute("x = 1"))
	}
	await(t, "an answer", s.execute("raise('no')"))
	endless := s.execute("startLoop(i, 0, 1000000000000)\\nx = i\\nendLoop()")
	s.awaitRunning(1)

	code, out, problems := s.top("--output", "json", "--token-file", file)
	var a activity
	if err := json.Unmarshal([]byte(out), &a); code != exitOK || err != nil {
		t.Fatalf("%d %v %s %s", code, err, out, problems)
	}
	if a.ExecutionsTotal["ok"] != 3 || a.ExecutionsTotal["script_error"] != 1 || a.ExecutionsRunning != 1 || a.Queue.Slots < 1 || a.Memory.Limit <= 0 || a.Version != Version || a.IntervalMS < 50 {
		t.Errorf("%+v", a)
	}
	if len(a.Slowest) != 1 || a.Slowest[0].State != api.Running || a.RequestsPerSecond <= 0 {
		t.Errorf("%+v", a)
	}
	code, out, problems = s.top("--token-file", file)
	for _, want := range []string{"requests ", "latency ", "/s ok", "/s script_error", "1 running", "queue ", "memory ", "EXECUTION", a.Slowest[0].ID, "script "} {
		if code != exitOK || !strings.Contains(out, want) || strings.Contains(out, "\x1b") {
			t.Errorf("there is no %q: %d %s %s", want, code, out, problems)
		}
	}
	if code, out, problems = s.top(); code != exitOK || !strings.Contains(out, "--token-file") || strings.Contains(out, a.Slowest[0].ID) {
		t.Errorf("without a token: %d %s %s", code, out, problems)
	}
	for _, args := range [][]string{{"--interval-ms", "1"}, {"--output", "xml"}, {"more"}} {
		if code, _, problems := s.top(args...); code != exitUsage || problems == "" {
			t.Errorf("%q: %d %s", args, code, problems)
		}
	}
	if status, answer := s.call("DELETE", "/api/v1/executions/"+a.Slowest[0].ID, tokenOfTest, ""); status >= 300 {
		t.Errorf("%d %s", status, answer)
	}
	await(t, "the end of the execution", endless)
	s.stop()
	if code, _, problems := s.top(); code != exitUnavailable || !strings.Contains(problems, "next step") && !strings.Contains(problems, "no answer") {
		t.Errorf("without a server: %d %s", code, problems)
	}
}

// Quantiles are those that Prometheus would estimate.
func TestQuantile(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct {
		counts map[float64]float64
		q      float64
		want   float64 // in ms; negative: none
	}{
		{nil, 0.5, -1},
		{map[float64]float64{0.1: 0, inf: 0}, 0.5, -1},
		{map[float64]float64{0.1: 10, 0.2: 10, inf: 10}, 0.5, 50},
		{map[float64]float64{0.1: 0, 0.2: 10, inf: 10}, 0.9, 190},
		{map[float64]float64{0.1: 5, 0.2: 5, inf: 10}, 0.99, 200},
	} {
		got := quantile(c.counts, c.q)
		if c.want < 0 != (got == nil) || got != nil && math.Abs(*got-c.want) > 1e-6 {
			t.Errorf("%v of %v is %v, want %v", c.q, c.counts, got, c.want)
		}
	}
}

// A frame fits the terminal, whatever a server says.
func TestFrame(t *testing.T) {
	at := time.Unix(0, 0)
	m := client.Metrics{`avap_executions_total{outcome="ok"}`: 5, `avap_artifact_lookups_total{tier="redis",result="hit"}`: 1}
	executions := make([]api.ExecutionState, 30)
	for i := range executions {
		executions[i] = api.ExecutionState{ID: strings.Repeat("ñ", 60), ElapsedMS: float64(i), App: "shop", Route: "/x"}
	}
	a := activityOf("http://x", &look{at: at, metrics: client.Metrics{}}, &look{at: at.Add(time.Second), metrics: m, executions: executions})
	if a.ExecutionsPerSecond["ok"] != 5 || a.Slowest[0].ElapsedMS != 29 || *a.ArtifactsHitShare["redis"] != 1 {
		t.Errorf("%+v", a)
	}
	lines := strings.Split(strings.TrimSuffix(frame(a, 20, 10, "\n"), "\n"), "\n")
	if len(lines) != 9 {
		t.Errorf("%d lines", len(lines))
	}
	for _, line := range lines {
		if len([]rune(line)) > 20 {
			t.Errorf("%q", line)
		}
	}
}
