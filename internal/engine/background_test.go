package engine

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func nobodyWaits() bool { return false }

func TestBackgroundHasSoManyThreads(t *testing.T) {
	b := newBackground(2, nobodyWaits)
	begun, end := make(chan int), make(chan struct{})
	var jobs sync.WaitGroup
	for i := range 3 {
		jobs.Go(func() {
			b.run(func(func()) {
				begun <- i
				<-end
			})
		})
	}
	<-begun
	<-begun
	select {
	case i := <-begun:
		t.Errorf("job %d began on a third thread", i)
	default:
	}
	end <- struct{}{}
	<-begun
	close(end)
	jobs.Wait()
	if b.started != 2 {
		t.Errorf("%d threads for three jobs", b.started)
	}
	b.close()
	ran := false
	b.run(func(func()) { ran = true })
	if !ran {
		t.Error("a job after the end was lost")
	}
}

// A thread that has worked while others have all the slots rests for longer after
// each piece of work, or until the end.
func TestBackgroundRests(t *testing.T) {
	for _, crowded := range []bool{true, false} {
		b := newBackground(1, func() bool { return crowded })
		var ended time.Time
		const piece = time.Millisecond
		work := func() {
			began := time.Now()
			for time.Since(began) < piece {
			}
			ended = time.Now()
		}
		rested := func(where string) {
			if rested := time.Since(ended); crowded && rested < restFactor*piece {
				t.Errorf("rested %v %s", rested, where)
			}
		}
		b.run(func(giveWay func()) {
			work()
			giveWay()
			rested("between two pieces")
			work()
		})
		b.run(func(func()) { rested("between two jobs") })
		b.close() // does not wait for a rest
	}
}

// The compiler is asked to give way where it is in the background, and only there.
func TestCompilesInPieces(t *testing.T) {
	var ways []bool
	c := &seenCompiler{seen: func(s *Source) { ways = append(ways, s.giveWay != nil) }}
	e := newEngine(t, &c.fakeCompiler, func(config *Config) { config.Compiler, config.TrialFuel = c, trialFuel })
	for _, source := range []string{"ok short", "ok long" + strings.Repeat(" ", quickBytes)} {
		if _, err := e.Run(t.Context(), &Request{Source: source}); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(ways, []bool{false, true}) {
		t.Errorf("in the background: %v", ways)
	}
}

func TestBackgroundPassesPanicsOn(t *testing.T) {
	b := newBackground(1, nobodyWaits)
	defer b.close()
	func() {
		defer func() {
			if r := recover(); r != "oops" {
				t.Errorf("panic with %v", r)
			}
		}()
		b.run(func(func()) { panic("oops") })
	}()
	b.run(func(func()) {})
}

// A piece of work rests for other threads of the process that wanted the CPU, and not
// for other processes, which use what it leaves.
func TestContended(t *testing.T) {
	const ms = time.Millisecond
	before := cpuTime{thread: 5 * ms, process: 20 * ms}
	for _, c := range []struct {
		what        string
		own, others time.Duration
		want        bool
	}{
		{"had the CPU to itself", 10 * ms, 0, false},
		{"ran beside others, on a CPU of its own", 10 * ms, 10 * ms, false},
		{"shared the CPU with others", 5 * ms, 5 * ms, true},
		{"waited for another process", 5 * ms, 0, false},
	} {
		after := cpuTime{thread: before.thread + c.own, process: before.process + c.own + c.others}
		if got := contended(10*ms, before, after); got != c.want {
			t.Errorf("%s: contended is %t", c.what, got)
		}
	}
	if contended(10*ms, cpuTime{}, cpuTime{}) {
		t.Error("contended without knowing")
	}
}
