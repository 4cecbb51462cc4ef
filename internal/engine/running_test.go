package engine

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/wasmhost/commands"
)

// The end comes when nobody is inside any more, and after it nobody comes in.
func TestRunningEndsWhenNobodyRuns(t *testing.T) {
	for range 500 {
		r := running{none: make(chan struct{})}
		var inside atomic.Int64
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for r.enter() {
					inside.Add(1)
					inside.Add(-1)
					r.leave()
				}
			})
		}
		all.Go(func() {
			if !r.close() || r.close() {
				t.Error("it closes once")
			}
		})
		<-r.none
		if n := inside.Load(); n != 0 || r.count() > 4 || !r.closing() {
			t.Errorf("%d are inside, %d counted", n, r.count())
		}
		all.Wait()
		if r.enter() || r.count() != 0 {
			t.Error("somebody came in after the end")
		}
	}
}

// An engine that closes while executions come ends after the last of them.
func TestCloseAmongExecutions(t *testing.T) {
	for range 3 {
		e := newEngine(t, &fakeCompiler{}, nil)
		const clients = 4
		warm := make(chan struct{}, clients)
		var all sync.WaitGroup
		for range clients {
			all.Go(func() {
				for i := 0; ; i++ {
					if _, err := e.Run(t.Context(), &Request{Source: "ok"}); err != nil {
						if codeOf(err) != diag.NoCapacity {
							t.Error(err)
						}
						return
					}
					if i == 10 {
						warm <- struct{}{}
					}
				}
			})
		}
		for range clients {
			<-warm
		}
		if err := e.Close(t.Context()); err != nil {
			t.Error(err)
		}
		all.Wait()
		if n := e.Stats().Running; n != 0 {
			t.Errorf("%d run", n)
		}
	}
}

// Executions and an engine that is adjusted all the time: each has a reach whose
// connections are open, and in the end all former ones are closed.
func TestReachIsHeldWhileReplaced(t *testing.T) {
	e := newEngine(t, &fakeCompiler{}, nil)
	var all sync.WaitGroup
	var stop atomic.Bool
	for range 4 {
		all.Go(func() {
			for !stop.Load() {
				held := e.enter()
				if !held.users.TryRetain() {
					t.Error("what is held has no users")
				}
				e.dropReach(held)
				e.leave(held)
			}
		})
	}
	var former []*reach
	for range 200 {
		former = append(former, e.reach.Load())
		if err := e.Adjust(Adjustment{Commands: new(commands.Config)}); err != nil {
			t.Error(err)
		}
	}
	stop.Store(true)
	all.Wait()
	for _, r := range former {
		if r.users.TryRetain() {
			t.Error("a former reach has users")
		}
	}
}
