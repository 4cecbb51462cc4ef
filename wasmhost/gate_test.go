package wasmhost

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
)

// awaitWaiting waits until n stand in the queue.
func awaitWaiting(g *Gate, n int) {
	for g.Waiting() != n {
		runtime.Gosched()
	}
}

func TestGateIsFirstComeFirstServed(t *testing.T) {
	g := NewGate(1, 10)
	ctx := context.Background()
	if err := g.Enter(ctx); err != nil {
		t.Fatal(err)
	}
	order := make(chan int, 10)
	for i := range 5 {
		go func() {
			if err := g.Enter(ctx); err != nil {
				t.Error(err)
			}
			order <- i
			g.Leave()
		}()
		awaitWaiting(g, i+1)
	}
	// Whoever yields goes to the end.
	if !g.Yield(newWaiter()) {
		t.Error("nobody took the slot")
	}
	for i := range 5 {
		if got := <-order; got != i {
			t.Errorf("turn %d went to %d", i, got)
		}
	}
	if g.Yield(newWaiter()) {
		t.Error("the slot went to nobody")
	}
	g.Leave()
}

func TestGateBoundsItsQueue(t *testing.T) {
	g := NewGate(1, 1)
	ctx, cancel := context.WithCancel(context.Background())
	if err := g.Enter(ctx); err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error)
	go func() { waiting <- g.Enter(ctx) }()
	awaitWaiting(g, 1)
	if err := g.Enter(ctx); !errors.Is(err, ErrQueueFull) {
		t.Errorf("got %v", err)
	}
	cancel()
	if err := <-waiting; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled in the queue: %v", err)
	}
	if g.Waiting() != 0 {
		t.Error("the cancelled one is still in the queue")
	}
	g.Leave()
	if err := g.Enter(context.Background()); err != nil {
		t.Error(err)
	}
	g.Leave()
}

// Slots are neither lost nor made by cancellations that race with grants.
func TestGateKeepsCount(t *testing.T) {
	const slots = 2
	g := NewGate(slots, 100)
	var wg sync.WaitGroup
	var mu sync.Mutex
	inside := 0
	count := func(d int) {
		mu.Lock()
		defer mu.Unlock()
		if inside += d; inside > slots {
			t.Errorf("%d compute at once", inside)
		}
	}
	for range 16 {
		wg.Go(func() {
			w := newWaiter()
			for range 200 {
				ctx, cancel := context.WithCancel(context.Background())
				go cancel()
				if g.Enter(ctx) != nil {
					continue
				}
				count(1)
				count(-1)
				g.Yield(w)
				count(1)
				runtime.Gosched()
				count(-1)
				g.Leave()
			}
		})
	}
	wg.Wait()
	if g.free != slots || g.Waiting() != 0 || g.queued != 0 {
		t.Errorf("%d free, %d waiting, %d queued", g.free, g.Waiting(), g.queued)
	}
}
