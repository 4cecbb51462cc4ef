package engine

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/runtime/abi"
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

// The first request gets a trial, the second begins the machine code, and what
// comes later runs that. The source is compiled once.
func TestTrial(t *testing.T) {
	c := &fakeCompiler{}
	e := newEngine(t, c, withTrials)
	r := &Request{Source: "count 7", Variables: []byte(`{"a":"x"}`), EchoVariables: true}
	for i, want := range []struct{ trials, codes int }{{1, 0}, {0, 1}, {0, 1}} {
		a := mustAnswer(t, e, r)
		e.cache.running.Wait()
		if trials, codes := forms(e); trials != want.trials || codes != want.codes {
			t.Errorf("after request %d: %d trials, %d modules of machine code", i+1, trials, codes)
		}
		if string(a.Variables) != `{"a":"x"}` || a.Usage.FuelUsed != 7 || a.CacheHit != (i > 0) || a.CompileTime <= 0 {
			t.Errorf("request %d: %+v", i+1, a)
		}
	}
	if n := c.compiles.Load(); n != 1 {
		t.Errorf("%d compiles", n)
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
