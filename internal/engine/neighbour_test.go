package engine

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/avapd/avapd/internal/diag"
)

// aggressor is a client that has many requests under way.
type aggressor struct {
	cancel context.CancelFunc
	group  sync.WaitGroup
}

// attack sends requests of client a.
func attack(t *testing.T, e *Engine, n int, request func(i int) Request) *aggressor {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	a := &aggressor{cancel: cancel}
	for i := range n {
		a.group.Go(func() {
			r := request(i)
			r.Client = "a"
			_, err := e.Run(ctx, &r)
			if code := codeOf(err); err != nil && code != diag.Cancelled {
				t.Errorf("request %d: %v", i, err)
			}
		})
	}
	return a
}

func (a *aggressor) end() {
	a.cancel()
	a.group.Wait()
}

// A client with endless scripts fills its part of the queue; what others send
// is let in and comes through.
func TestComputeBesideManyOfOneClient(t *testing.T) {
	const queued = 10
	e := newEngine(t, &fakeCompiler{}, func(c *Config) {
		endlessLimits(c)
		c.ComputeSlots, c.QueueLength, c.ClientQueueLength = 1, 2*queued, queued
	})
	mustAnswer(t, e, &Request{Client: "v", Source: "count 1"})
	mustEnd(t, e, &Request{Client: "a", Source: "endless", Limits: Limits{Fuel: 1}}, diag.OutOfFuel)
	if err := e.gate.Enter(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	a := attack(t, e, queued, func(int) Request { return Request{Source: "endless"} })
	defer a.end()
	for e.gate.Waiting() < queued {
		runtime.Gosched()
	}
	if _, err := e.Run(t.Context(), &Request{Client: "a", Source: "count 1"}); codeOf(err) != diag.TooManyRequests {
		t.Errorf("one more of the client: %v", err)
	}
	e.gate.Leave("a")
	for range 20 {
		mustAnswer(t, e, &Request{Client: "v", Source: "count 1000000"})
	}
}

// So many executions wait to compute, half of them of one client if nothing else
// was said; who comes then is refused.
func TestComputeQueueIsBounded(t *testing.T) {
	e := newEngine(t, &fakeCompiler{}, func(c *Config) { c.ComputeSlots, c.QueueLength, c.ClientQueueLength = 1, 4, 0 })
	mustAnswer(t, e, &Request{Source: "ok"})
	if err := e.gate.Enter(t.Context(), "other"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	wait := func(client string, n int) {
		go func() {
			_, err := e.Run(context.Background(), &Request{Client: client, Source: "ok"})
			ended <- err
		}()
		for e.gate.Waiting() < n {
			runtime.Gosched()
		}
	}
	wait("a", 1)
	wait("a", 2)
	if _, err := e.Run(t.Context(), &Request{Client: "a", Source: "ok"}); codeOf(err) != diag.TooManyRequests {
		t.Errorf("a third of a client: %v", err)
	}
	wait("b", 3)
	wait("c", 4)
	if _, err := e.Run(t.Context(), &Request{Client: "d", Source: "ok"}); codeOf(err) != diag.NoCapacity {
		t.Errorf("a fifth of all: %v", err)
	}
	e.gate.Leave("other")
	for range 4 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// There are as many slots to compute as were asked for, or one per CPU.
func TestComputeSlots(t *testing.T) {
	for slots, want := range map[int]int{0: runtime.GOMAXPROCS(0), 3: 3} {
		e := newEngine(t, &fakeCompiler{}, func(c *Config) { c.ComputeSlots = slots })
		if free := e.gate.Free(); free != want {
			t.Errorf("%d slots where %d were asked for", free, slots)
		}
	}
}

// The next script to be compiled is another client's, however many of one
// client wait, and not all workers are one client's.
func TestCompilesGoRoundTheClients(t *testing.T) {
	const waiting = 20
	c := &fakeCompiler{gate: make(chan struct{}), begun: make(chan struct{})}
	e := newEngine(t, c, func(c *Config) { c.CompileWorkers, c.QueueLength = 2, 2*waiting })
	a := attack(t, e, waiting, func(i int) Request { return Request{Source: fmt.Sprint("ok ", i)} })
	<-c.begun
	for e.Stats().Cache.Pending < waiting {
		runtime.Gosched()
	}
	var victims sync.WaitGroup
	for i := range 2 {
		victims.Go(func() { mustAnswer(t, e, &Request{Client: "v", Source: fmt.Sprint("count ", 1+i)}) })
	}
	<-c.begun // the worker that a cannot have
	c.mu.Lock()
	begun := slices.Clone(c.texts)
	c.mu.Unlock()
	if len(begun) != 2 || begun[1][:5] != "count" {
		t.Errorf("compiles began with %q", begun)
	}
	close(c.gate)
	go func() {
		for range c.begun {
		}
	}()
	victims.Wait()
	a.end()
	for e.Stats().Cache.Pending > 0 {
		runtime.Gosched()
	}
	close(c.begun)
}

func TestCompilesOfOneClientAreBounded(t *testing.T) {
	c := &fakeCompiler{gate: make(chan struct{}), begun: make(chan struct{}, 100)}
	e := newEngine(t, c, func(c *Config) { c.CompileWorkers, c.QueueLength, c.ClientQueueLength = 1, 8, 4 })
	a := attack(t, e, 5, func(i int) Request { return Request{Source: fmt.Sprint("ok ", i)} })
	for e.Stats().Cache.Pending < 5 {
		runtime.Gosched()
	}
	if _, err := e.Run(t.Context(), &Request{Client: "a", Source: "ok more"}); codeOf(err) != diag.TooManyRequests {
		t.Errorf("one more of the client: %v", err)
	}
	b := make(chan error)
	go func() {
		_, err := e.Run(t.Context(), &Request{Client: "b", Source: "ok other"})
		b <- err
	}()
	for e.Stats().Cache.Pending < 6 {
		runtime.Gosched()
	}
	close(c.gate)
	if err := <-b; err != nil {
		t.Error(err)
	}
	a.group.Wait()
	mustAnswer(t, e, &Request{Client: "a", Source: "ok more"})
	if len(e.cache.byClient) != 0 {
		t.Errorf("still counted: %v", e.cache.byClient)
	}
}

// A never-seen text is compiled in a turn of computing: as many at once as there
// are slots, and turns go round the clients.
func TestTrialsAreMadeInTurns(t *testing.T) {
	const flood = 12
	c := &fakeCompiler{}
	e := newEngine(t, c, func(config *Config) {
		withTrials(config)
		config.ComputeSlots, config.CompileWorkers = 1, 4
	})
	if err := e.gate.Enter(t.Context(), "other"); err != nil {
		t.Fatal(err)
	}
	a := attack(t, e, flood, func(i int) Request { return Request{Source: fmt.Sprint("ok ", i)} })
	awaitWaiting(e, flood)
	var victim sync.WaitGroup
	victim.Go(func() { mustAnswer(t, e, &Request{Client: "v", Source: "count 1"}) })
	awaitWaiting(e, flood+1)
	if n := c.compiles.Load(); n != 0 {
		t.Errorf("%d compiles without a slot", n)
	}
	e.gate.Leave("other")
	victim.Wait()
	a.group.Wait()
	if i := slices.Index(c.texts, "count 1"); i > 1 {
		t.Errorf("the other client's compile was number %d of %q", i+1, c.texts)
	}
}

func awaitWaiting(e *Engine, n int) {
	for e.gate.Waiting() < n {
		runtime.Gosched()
	}
}

// Who waits for a trial that another request was to make gets it also when that
// is gone; when all are gone, nothing is made.
func TestTrialWhoseTurnDoesNotCome(t *testing.T) {
	for _, followers := range []int{0, 1, 3} {
		c := &fakeCompiler{}
		e := newEngine(t, c, func(config *Config) {
			withTrials(config)
			config.ComputeSlots = 1
		})
		if err := e.gate.Enter(t.Context(), "other"); err != nil {
			t.Fatal(err)
		}
		a := attack(t, e, 1, func(int) Request { return Request{Source: "count 1"} })
		awaitWaiting(e, 1)
		var others sync.WaitGroup
		for range followers {
			others.Go(func() { mustAnswer(t, e, &Request{Client: "v", Source: "count 1"}) })
		}
		for wantedOf(e) < 1+followers {
			runtime.Gosched()
		}
		a.end()
		e.gate.Leave("other")
		others.Wait()
		if n := int(c.compiles.Load()); n != min(1, followers) || e.Stats().Cache.Pending != 0 {
			t.Errorf("%d compiles for %d who wait, %d pending", n, followers, e.Stats().Cache.Pending)
		}
	}
}

// wantedOf is how many wait for what is being made.
func wantedOf(e *Engine) (n int) {
	e.cache.mu.Lock()
	defer e.cache.mu.Unlock()
	for _, entry := range e.cache.entries {
		if !entry.kept {
			n += entry.wanted
		}
	}
	return n
}

// The queue is as long for trials as for executions.
func TestTrialsOfOneClientAreBounded(t *testing.T) {
	e := newEngine(t, &fakeCompiler{}, func(config *Config) {
		withTrials(config)
		config.ComputeSlots, config.CompileWorkers, config.QueueLength, config.ClientQueueLength = 1, 8, 8, 4
	})
	if err := e.gate.Enter(t.Context(), "other"); err != nil {
		t.Fatal(err)
	}
	a := attack(t, e, 4, func(i int) Request { return Request{Source: fmt.Sprint("ok ", i)} })
	awaitWaiting(e, 4)
	_, err := e.Run(t.Context(), &Request{Client: "a", Source: "ok more"})
	if codeOf(err) != diag.TooManyRequests {
		t.Errorf("one more of the client: %v", err)
	}
	e.gate.Leave("other")
	a.group.Wait()
	mustAnswer(t, e, &Request{Client: "a", Source: "ok more"})
}
