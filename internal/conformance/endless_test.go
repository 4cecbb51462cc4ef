package conformance

import (
	"context"
	"encoding/json"
	"runtime/metrics"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/engine"
)

const (
	endless     = "n = 0\nwhile(True)\nn = (n + 1) % 1000\nend()"
	endlessCall = "function f(n){ return (n * 7 + 1) % 1000 }\nn = 0\nwhile(True)\nn = f(n)\nend()"
	oneLiner    = "a = 1 + 2\naddResult(a)"

	// Generous: the promise is milliseconds on a machine of one's own, and tests share theirs.
	promptMedian = 50 * time.Millisecond
	pauseP99     = 0.010 // seconds
)

// TestEndlessScriptsLeaveOthersPrompt runs two endless scripts and measures, meanwhile, what a one-liner takes.
func TestEndlessScriptsLeaveOthersPrompt(t *testing.T) {
	server := startServer(t, "--limits-time-ms", "3000", "--limits-fuel", "1000000000000")
	took := besidesEndless(t, func(ctx context.Context, script string) (string, error) {
		body, err := json.Marshal(map[string]any{"script": script})
		if err != nil {
			return "", err
		}
		got, err := server.Execute(ctx, "", body)
		return string(got.Body), err
	})
	report(t, took)
}

// TestEndlessScriptsLeaveTheCollectorAlone does the same in process, where the pauses of the garbage collector can be
// seen: guest code that could not be interrupted would hold up the whole process.
func TestEndlessScriptsLeaveTheCollectorAlone(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector distorts times")
	}
	e := newEngine(t, engine.Config{Limits: engine.Limits{Duration: 3 * time.Second, Fuel: 1e12}})
	before := pauses()
	took := besidesEndless(t, func(ctx context.Context, script string) (string, error) {
		got, err := e.Run(ctx, &engine.Request{Source: script})
		if err != nil {
			return "", err
		}
		return string(got.JSON), nil
	})
	report(t, took)
	if p99 := quantileBetween(before, pauses(), 0.99); p99 > pauseP99 {
		t.Errorf("the collector waited %.1f ms for the world to stop (p99)", p99*1000)
	} else {
		t.Logf("p99 of stopping for the collector: %.3f ms", p99*1000)
	}
}

// besidesEndless times one-liners while two endless scripts run. An endless script's error is its limit.
func besidesEndless(t *testing.T, execute func(ctx context.Context, script string) (string, error)) []time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var group sync.WaitGroup
	ended := make(chan struct{}, 2)
	for _, script := range []string{endless, endlessCall} {
		group.Go(func() {
			_, _ = execute(ctx, script)
			ended <- struct{}{}
		})
	}
	time.Sleep(200 * time.Millisecond) // until they run
	var took []time.Duration
	for len(ended) == 0 && len(took) < 500 {
		began := time.Now()
		if _, err := execute(ctx, oneLiner); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	group.Wait()
	return took
}

func report(t *testing.T, took []time.Duration) {
	t.Helper()
	if len(took) == 0 {
		t.Fatal("no one-liner was answered while the endless scripts ran")
	}
	slices.Sort(took)
	median, p99 := took[len(took)/2], took[len(took)*99/100]
	t.Logf("%d one-liners: median %v, p99 %v", len(took), median, p99)
	if median > promptMedian {
		t.Errorf("a one-liner took %v (median of %d) beside two endless scripts", median, len(took))
	}
}

func pauses() *metrics.Float64Histogram {
	sample := []metrics.Sample{{Name: "/sched/pauses/stopping/gc:seconds"}}
	metrics.Read(sample)
	return sample[0].Value.Float64Histogram()
}

// quantileBetween is the upper bound of the bucket that holds the quantile of what was counted in between.
func quantileBetween(before, after *metrics.Float64Histogram, q float64) float64 {
	var total, sum uint64
	for i := range after.Counts {
		total += after.Counts[i] - before.Counts[i]
	}
	for i := range after.Counts {
		sum += after.Counts[i] - before.Counts[i]
		if total > 0 && float64(sum) >= q*float64(total) {
			return after.Buckets[i+1]
		}
	}
	return 0
}
