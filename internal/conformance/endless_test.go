package conformance

import (
	"context"
	"encoding/json"
	"math"
	"runtime"
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

	// Generous: the promises are milliseconds, and pauses below ten of them, on a machine of one's own. Tests share theirs;
	// what they catch is guest code that holds others up until its limit.
	promptMedian = 50 * time.Millisecond
	pauseP99     = 0.100 // seconds

	pauseAttempts = 3

	// warmUp is what the endless scripts need to be compiled; what is timed before counts for nothing.
	warmUp = 200 * time.Millisecond
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
// seen: guest code that could not be interrupted would hold up the whole process. Other load on the machine can delay a
// pause as well: the best of some attempts counts, and what plain Go loops bring about at the same time is allowed.
func TestEndlessScriptsLeaveTheCollectorAlone(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector distorts times")
	}
	e := newEngine(t, engine.Config{Limits: engine.Limits{Duration: 3 * time.Second, Fuel: 1e12}})
	excess := math.Inf(1)
	for range pauseAttempts {
		plain := pausesOfPlainLoops()
		before := pauses()
		stop := collect()
		took := besidesEndless(t, func(ctx context.Context, script string) (string, error) {
			got, err := e.Run(ctx, &engine.Request{Source: script})
			if err != nil {
				return "", err
			}
			return string(got.JSON), nil
		})
		stop()
		report(t, took)
		p99 := quantileBetween(before, pauses(), 0.99)
		t.Logf("p99 of stopping for the collector: %.3f ms, beside plain Go loops %.3f ms", p99*1000, plain*1000)
		if excess = min(excess, p99-plain); excess <= pauseP99 {
			return
		}
	}
	t.Errorf("the collector waited %.1f ms longer for the world to stop (p99) than beside plain Go loops", excess*1000)
}

// pausesOfPlainLoops is what the machine makes of pauses at the moment, without any guest code.
func pausesOfPlainLoops() float64 {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	before := pauses()
	stop := collect()
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			for ctx.Err() == nil {
			}
		})
	}
	group.Wait()
	stop()
	return quantileBetween(before, pauses(), 0.99)
}

// collect keeps the garbage collector busy until stop is called, so that there are enough pauses for a percentile.
func collect() (stop func()) {
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		for {
			select {
			case <-done:
				return
			case <-time.After(10 * time.Millisecond):
				runtime.GC()
			}
		}
	}()
	return func() { close(done); <-gone }
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
	running := time.Now().Add(warmUp)
	var took []time.Duration
	for len(ended) == 0 && len(took) < 500 {
		began := time.Now()
		if _, err := execute(ctx, oneLiner); err != nil {
			t.Fatal(err)
		}
		if began.After(running) {
			took = append(took, time.Since(began))
		}
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
