package wasmhost

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// ErrQueueFull says that as many executions wait for a compute slot as may.
var ErrQueueFull = errors.New("the queue for a compute slot is full")

// Gate lets a fixed number of executions compute at once. The others wait in
// one queue, first come, first served; an execution whose slice is over joins
// the end of it when anyone waits. So a short script waits for as many slices
// as there are waiters before it, however long their scripts run.
type Gate struct {
	maxQueued int
	// waiting mirrors the length of the queue, for a look without the lock.
	waiting atomic.Int32

	mu          sync.Mutex
	free        int
	queued      int // waiters that have never computed
	first, last *waiter
}

// waiter is one place in the queue. A waiter is used by one goroutine and can
// be used again once it was granted.
type waiter struct {
	next    *waiter
	granted chan struct{} // capacity 1
	fresh   bool          // counts as queued
}

func newWaiter() *waiter { return &waiter{granted: make(chan struct{}, 1)} }

// NewGate makes a gate with a number of compute slots and a bound on how many
// executions may wait for their first one.
func NewGate(slots, maxQueued int) *Gate {
	return &Gate{free: max(1, slots), maxQueued: max(0, maxQueued)}
}

// Enter waits for a slot. It fails with ErrQueueFull, or with the context's
// cause when that ends first.
func (g *Gate) Enter(ctx context.Context) error {
	g.mu.Lock()
	if g.free > 0 {
		g.free--
		g.mu.Unlock()
		return nil
	}
	if g.queued >= g.maxQueued {
		g.mu.Unlock()
		return ErrQueueFull
	}
	w := newWaiter()
	w.fresh = true
	g.queued++
	g.push(w)
	g.mu.Unlock()

	select {
	case <-w.granted:
		return nil
	case <-ctx.Done():
		if !g.remove(w) {
			// The grant came first: pass it on.
			<-w.granted
			g.Leave()
		}
		return context.Cause(ctx)
	}
}

// Leave gives the slot to the first in the queue, or back.
func (g *Gate) Leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if w := g.pop(); w != nil {
		w.granted <- struct{}{}
		return
	}
	g.free++
}

// Yield hands the slot to the first in the queue and waits for it to come
// round again; when nobody waits it does nothing. It reports whether the slot
// changed hands.
func (g *Gate) Yield(w *waiter) bool {
	if g.waiting.Load() == 0 {
		return false
	}
	g.mu.Lock()
	next := g.pop()
	if next == nil {
		g.mu.Unlock()
		return false
	}
	g.push(w)
	next.granted <- struct{}{}
	g.mu.Unlock()
	<-w.granted
	return true
}

// Rejoin waits for a slot after Leave, at the end of the queue like one that
// yields.
func (g *Gate) Rejoin(w *waiter) {
	g.mu.Lock()
	if g.free > 0 {
		g.free--
		g.mu.Unlock()
		return
	}
	g.push(w)
	g.mu.Unlock()
	<-w.granted
}

// Waiting is the number of executions in the queue.
func (g *Gate) Waiting() int { return int(g.waiting.Load()) }

func (g *Gate) push(w *waiter) {
	w.next = nil
	if g.last == nil {
		g.first = w
	} else {
		g.last.next = w
	}
	g.last = w
	g.waiting.Add(1)
}

func (g *Gate) pop() *waiter {
	w := g.first
	if w == nil {
		return nil
	}
	g.unlink(nil, w)
	return w
}

// unlink takes w, which stands behind prev, out of the queue.
func (g *Gate) unlink(prev, w *waiter) {
	if prev == nil {
		g.first = w.next
	} else {
		prev.next = w.next
	}
	if g.last == w {
		g.last = prev
	}
	w.next = nil
	g.waiting.Add(-1)
	if w.fresh {
		w.fresh = false
		g.queued--
	}
}

// remove takes w out of the queue and reports whether it was still in it.
func (g *Gate) remove(w *waiter) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	var prev *waiter
	for v := g.first; v != nil; prev, v = v, v.next {
		if v == w {
			g.unlink(prev, v)
			return true
		}
	}
	return false
}
