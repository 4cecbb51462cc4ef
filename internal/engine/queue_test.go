package engine

import (
	"context"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/diag"
)

// heldEngine has one worker, which compiles a script until the gate is closed.
func heldEngine(t *testing.T) (*Engine, *fakeCompiler, <-chan error) {
	t.Helper()
	c := &fakeCompiler{gate: make(chan struct{}), begun: make(chan struct{}, 8)}
	e := newEngine(t, c, func(c *Config) { c.CompileWorkers = 1 })
	first := make(chan error, 1)
	go func() {
		_, err := e.Run(context.Background(), &Request{Source: "ok"})
		first <- err
	}()
	<-c.begun
	return e, c, first
}

// A script that waits for its compile and whose clients are all gone is not
// compiled; whoever asks for it later gets it.
func TestAbandonedInTheQueue(t *testing.T) {
	e, c, first := heldEngine(t)
	ctx, cancel := context.WithCancel(context.Background())
	gone := make(chan error, 1)
	go func() {
		_, err := e.Run(ctx, &Request{Source: "ok abandoned"})
		gone <- err
	}()
	for e.Stats().Cache.Pending < 2 {
		runtime.Gosched()
	}
	cancel()
	if err := <-gone; codeOf(err) != diag.Cancelled {
		t.Errorf("got %v", err)
	}
	close(c.gate)
	if err := <-first; err != nil {
		t.Error(err)
	}
	e.cache.running.Wait()
	if n := e.Stats().Cache.Pending; n != 0 || slices.Contains(c.texts, "ok abandoned") {
		t.Errorf("%d pending, compiled %q", n, c.texts)
	}
	mustAnswer(t, e, &Request{Source: "ok abandoned"})
}

// What waits too long for its compile is told so, and forgotten.
func TestWaitsTooLongForCompile(t *testing.T) {
	e, c, first := heldEngine(t)
	e.cache.queueTime = time.Millisecond
	if _, err := e.Run(context.Background(), &Request{Source: "ok late"}); codeOf(err) != diag.NoCapacity {
		t.Errorf("run: %v", err)
	}
	if _, err := e.Check(context.Background(), "", &Source{Text: "ok"}); codeOf(err) != diag.NoCapacity {
		t.Errorf("check: %v", err)
	}
	imports := func(string) ([]byte, error) { return nil, nil }
	if _, err := e.Run(context.Background(), &Request{Source: "ok imports", Load: imports}); codeOf(err) != diag.NoCapacity {
		t.Errorf("run with imports: %v", err)
	}
	if _, _, err := e.Prepare(t.Context(), "", &Source{Text: "ok kept"}); codeOf(err) != diag.NoCapacity {
		t.Errorf("prepare: %v", err)
	}
	close(c.gate)
	if err := <-first; err != nil {
		t.Error(err)
	}
	e.cache.queueTime = queueTime
	mustAnswer(t, e, &Request{Source: "ok late"})
}
