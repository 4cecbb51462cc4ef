package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/runtime/abi"
	"github.com/avapd/avapd/wasmhost"
)

const trialFuel = 500

func withTrials(c *Config) { c.TrialFuel = trialFuel }

// forms tells what the cache has of a source: a trial, machine code.
func forms(e *Engine) (trials, codes int) {
	e.cache.mu.Lock()
	defer e.cache.mu.Unlock()
	for _, entry := range e.cache.entries {
		switch {
		case entry.module == nil:
		case entry.module.IsTrial():
			trials++
		default:
			codes++
		}
	}
	return trials, codes
}

// The first requests get trials; when those have cost as much as the machine code
// will, that is made, in a turn of computing, and what comes later runs it. The
// source is compiled once.
func TestTrial(t *testing.T) {
	c := &fakeCompiler{}
	e := newEngine(t, c, withTrials)
	r := &Request{Source: "count 7", Variables: []byte(`{"a":"x"}`), EchoVariables: true}
	for i := range codeTrials + 1 {
		a := mustAnswer(t, e, r)
		e.cache.running.Wait()
		wantTrials, wantCodes := 1, 0
		if i+1 >= codeTrials {
			wantTrials, wantCodes = 0, 1
		}
		if trials, codes := forms(e); trials != wantTrials || codes != wantCodes {
			t.Errorf("after request %d: %d trials, %d modules of machine code", i+1, trials, codes)
		}
		if string(a.Variables) != `{"a":"x"}` || a.Usage.FuelUsed != 7 || a.CacheHit != (i > 0) || a.CompileTime <= 0 {
			t.Errorf("request %d: %+v", i+1, a)
		}
	}
	if n := c.compiles.Load(); n != 1 || e.cache.threads.started != 0 {
		t.Errorf("%d compiles, %d threads", n, e.cache.threads.started)
	}
}

// A text that needs more fuel is made machine code sooner, and one that fails as
// soon as one that does not.
func TestTrialsThatCostMore(t *testing.T) {
	for _, c := range []struct {
		source string
		fuel   int64 // of trials
		most   int   // trials
	}{
		{"x = 1", 100_000, codeTrials},
		{"x = 1\ny = x / 0", 100_000, codeTrials},
		{"x = 0\nwhile(x < 1200)\n    x = x + 1\nend()", 100_000, 2},
	} {
		e := newEngine(t, nil, func(config *Config) { config.TrialFuel = c.fuel })
		for i := range c.most {
			if _, codes := forms(e); codes != 0 {
				t.Errorf("%q: machine code after %d trials", c.source, i)
			}
			_, _ = e.Run(t.Context(), &Request{Source: c.source})
			e.cache.running.Wait()
		}
		if trials, codes := forms(e); trials != 0 || codes != 1 || e.Stats().Trials.Begun != 0 {
			t.Errorf("%q: %d trials, %d modules of machine code, %+v", c.source, trials, codes, e.Stats().Trials)
		}
	}
}

// Who sends each text a few times has no machine code made.
func TestTextsSentFewTimes(t *testing.T) {
	e := newEngine(t, &fakeCompiler{}, withTrials)
	const texts = 10
	for i := range texts {
		for range codeTrials - 1 {
			mustAnswer(t, e, &Request{Source: fmt.Sprint("ok ", i)})
		}
	}
	e.cache.running.Wait()
	if trials, codes := forms(e); trials != texts || codes != 0 {
		t.Errorf("%d trials, %d modules of machine code", trials, codes)
	}
}

// Machine code that nobody waits for is made in the client's turn: while another
// has the slot nothing is made, and when the turn does not come, a later request
// tries again.
func TestCodeWaitsForATurn(t *testing.T) {
	e := newEngine(t, &fakeCompiler{}, func(config *Config) {
		withTrials(config)
		config.ComputeSlots = 1
	})
	r := &Request{Client: "a", Source: "ok"}
	f, err := e.fromSource(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	defer f.module.Release()
	if err := e.gate.Enter(t.Context(), "other"); err != nil {
		t.Fatal(err)
	}
	e.cache.queueTime = time.Nanosecond
	e.cache.begin("a", f.trialOf, e.codeWork(&f))
	e.cache.running.Wait()
	if _, codes := forms(e); codes != 0 || e.Stats().Cache.Pending != 0 {
		t.Errorf("without a turn: %d modules of machine code, %d pending", codes, e.Stats().Cache.Pending)
	}
	e.cache.queueTime = queueTime
	e.cache.begin("a", f.trialOf, e.codeWork(&f))
	awaitWaiting(e, 1)
	e.gate.Leave("other")
	e.cache.running.Wait()
	if trials, codes := forms(e); trials != 0 || codes != 1 || e.cache.threads.started != 0 {
		t.Errorf("%d trials, %d modules of machine code, %d threads", trials, codes, e.cache.threads.started)
	}
}

// Machine code that could not be made is tried again when that is no longer
// remembered, and not before.
func TestCodeIsTriedAgain(t *testing.T) {
	e := newEngine(t, &fakeCompiler{}, withTrials)
	now := time.Now()
	e.cache.now = func() time.Time { return now }
	f, err := e.fromSource(t.Context(), &Request{Source: "ok"})
	if err != nil {
		t.Fatal(err)
	}
	defer f.module.Release()
	failures := 0
	failing := func() work {
		return work{compile: func(func()) (*wasmhost.Module, diag.List, error) {
			failures++
			return nil, nil, errors.New("no memory")
		}}
	}
	for range 2 {
		e.cache.begin("a", f.trialOf, failing)
		e.cache.running.Wait()
	}
	if failures != 1 {
		t.Errorf("tried %d times while the failure is remembered", failures)
	}
	now = now.Add(failureLifetime)
	e.cache.begin("a", f.trialOf, e.codeWork(&f))
	e.cache.running.Wait()
	if trials, codes := forms(e); trials != 0 || codes != 1 {
		t.Errorf("%d trials, %d modules of machine code", trials, codes)
	}
}

// What a trial cannot decide begins anew in machine code, and costs what it
// would have cost at once.
func TestTrialIsNotEnough(t *testing.T) {
	c := &fakeCompiler{}
	e := newEngine(t, c, withTrials)
	const turns = 1_000_000
	a := mustAnswer(t, e, &Request{Source: fmt.Sprint("count ", turns)})
	if trials, codes := forms(e); trials != 0 || codes != 1 {
		t.Errorf("%d trials, %d modules of machine code", trials, codes)
	}
	if a.Usage.FuelUsed != turns || a.CacheHit || c.compiles.Load() != 1 {
		t.Errorf("%+v, %d compiles", a, c.compiles.Load())
	}
	// The script's own limit may be above what trials have, or below.
	for _, fuel := range []int64{turns - 1, 100} {
		_, err := e.Run(context.Background(), &Request{Source: fmt.Sprint("count ", turns), File: fmt.Sprint(fuel), Limits: Limits{Fuel: fuel}})
		if failure, ok := err.(*diag.Failure); !ok || failure.Code != diag.OutOfFuel || failure.Usage.FuelUsed != fuel {
			t.Errorf("with %d units: %v", fuel, err)
		}
	}
}

// A script that fails by itself fails in its trial.
func TestTrialFails(t *testing.T) {
	e := newEngine(t, nil, withTrials)
	_, err := e.Run(context.Background(), &Request{Source: "x = 1\ny = x / 0", File: "a.avap"})
	failure, ok := err.(*diag.Failure)
	if !ok || failure.Code != diag.DivisionByZero || failure.Span.Start.Line != 2 {
		t.Fatalf("got %v", err)
	}
	if trials, codes := forms(e); trials != 1 || codes != 0 {
		t.Errorf("%d trials, %d modules of machine code", trials, codes)
	}
}

// Nothing that reaches beyond the sandbox may happen twice.
func TestMayTry(t *testing.T) {
	for _, test := range []struct {
		manifest abi.Manifest
		want     bool
	}{
		{abi.Manifest{}, true},
		{abi.Manifest{Imports: []string{abi.RefuelField, abi.ClockField}}, true},
		{abi.Manifest{Imports: []string{abi.RefuelField, "request_get"}}, false},
		{abi.Manifest{Tasks: []abi.Task{{}}}, false},
	} {
		if got := mayTry(&test.manifest); got != test.want {
			t.Errorf("%+v: %v", test.manifest, got)
		}
	}
	e := newEngine(t, nil, withTrials)
	mustAnswer(t, e, &Request{Source: "getDateTime(\"\", 0, \"UTC\", x)"})
	if trials, codes := forms(e); trials != 0 || codes != 1 {
		t.Errorf("of a script that asks for the time: %d trials, %d modules of machine code", trials, codes)
	}
}

// A source that takes long to compile is left to a thread of low priority.
func TestTrialOfLongSource(t *testing.T) {
	e := newEngine(t, &fakeCompiler{}, withTrials)
	mustAnswer(t, e, &Request{Source: fmt.Sprintf("ok %*s", quickBytes, "")})
	if e.cache.threads.started != 1 {
		t.Error("no thread was used")
	}
	if trials, _ := forms(e); trials != 1 {
		t.Error("there is no trial")
	}
}

func TestTrialsAtOnce(t *testing.T) {
	c := &fakeCompiler{}
	e := newEngine(t, c, withTrials)
	const sources = 5
	var requests sync.WaitGroup
	for i := range 8 {
		requests.Go(func() {
			for j := range 40 {
				turns := int64(1 + (i+j)%sources*300) // some are enough
				a, err := e.Run(context.Background(), &Request{Client: fmt.Sprint(i), Source: fmt.Sprint("count ", turns)})
				if err != nil || a.Usage.FuelUsed != turns {
					t.Errorf("%d turns: %+v, %v", turns, a, err)
				}
			}
		})
	}
	requests.Wait()
	e.cache.running.Wait()
	if trials, codes := forms(e); trials != 0 || codes != sources || e.Stats().Cache.Pending != 0 {
		t.Errorf("%d trials, %d modules of machine code, %d pending", trials, codes, e.Stats().Cache.Pending)
	}
}
