package wasmhost

import (
	"context"
	"testing"
)

func newFamily(fuel int64) *family {
	f := &family{}
	f.begin(context.Background(), &Limits{Fuel: fuel, MemoryPages: 10})
	return f
}

// verdict is what a parked member was told, or -1 while it waits.
func verdict(w *parked) int {
	select {
	case granted := <-w.wake:
		if granted {
			return 1
		}
		return 0
	default:
		return -1
	}
}

func TestFamilyFeedsTheStarving(t *testing.T) {
	f := newFamily(100)
	if f.enter() != nil {
		t.Fatal("no place for the first child")
	}
	f.join()
	if n := f.take(100, 1); n != 100 {
		t.Fatalf("took %d", n)
	}
	w, granted := f.starve(30)
	if w == nil || granted || verdict(w) != -1 {
		t.Fatal("does not wait for what the other one holds")
	}
	f.give(20)
	if verdict(w) != -1 {
		t.Fatal("woken too early")
	}
	f.give(20)
	if verdict(w) != 1 || f.left() != 10 || f.running != 2 {
		t.Errorf("left %d, running %d", f.left(), f.running)
	}
}

// The last one that starts to wait finds out that there is nothing to wait for.
func TestFamilyOutOfFuel(t *testing.T) {
	f := newFamily(10)
	f.enter()
	f.join()
	first, _ := f.starve(30)
	second, _ := f.starve(20)
	if got := [2]int{verdict(first), verdict(second)}; got != [2]int{0, -1} {
		t.Errorf("told %v", got)
	}
	if w, granted := newFamily(10).starve(30); w != nil || granted {
		t.Error("an only member waits")
	}
}

func TestFamilyPlaces(t *testing.T) {
	f := newFamily(10)
	for range maxChildren {
		if f.enter() != nil {
			t.Fatal("too few places")
		}
		f.join()
	}
	w := f.enter()
	if w == nil || verdict(w) != -1 {
		t.Fatal("no wait for a place")
	}
	f.exit(&task{})
	if verdict(w) != 1 || f.live != maxChildren || f.running != maxChildren {
		t.Errorf("%d live, %d running", f.live, f.running)
	}
	f.join()
	w = f.enter()
	f.unpark(w)
	if verdict(w) != 0 || f.live != maxChildren || f.running != maxChildren+1 {
		t.Errorf("%d live, %d running", f.live, f.running)
	}
	w = f.enter()
	f.exit(&task{})
	f.unpark(w) // the place was granted meanwhile
	if f.live != maxChildren-1 || f.running != maxChildren {
		t.Errorf("%d live, %d running", f.live, f.running)
	}
}

// When everybody waits, one that wants a place is refused it.
func TestFamilyRefusesAPlace(t *testing.T) {
	f := newFamily(10)
	for range maxChildren {
		f.enter()
		f.join()
	}
	tasks := &task{}
	var waiting []*parked
	for range maxChildren {
		waiting = append(waiting, f.enter())
	}
	f.await(tasks) // the parent waits for a child
	if verdict(waiting[0]) != 0 || verdict(waiting[1]) != -1 || f.running != 1 {
		t.Errorf("running %d", f.running)
	}
	f.exit(tasks) // the child ends; its place goes to the next, and its parent goes on
	if verdict(waiting[1]) != 1 || tasks.awaited || f.running != 2 {
		t.Errorf("running %d", f.running)
	}
	f.resume(tasks)
	if f.running != 2 {
		t.Errorf("running %d", f.running)
	}
}

// A member that waits for fuel with a place in hand waits like all others.
func TestFamilyStarvesWithAPlace(t *testing.T) {
	f := newFamily(10)
	f.enter()
	w, _ := f.starve(30)
	if verdict(w) != 0 {
		t.Error("waits for a child that never ran")
	}
	f.abandon()
	if f.live != 0 || f.running != 1 {
		t.Errorf("%d live, %d running", f.live, f.running)
	}
}

func TestBudget(t *testing.T) {
	var b budget
	b.limit = 100
	if !b.reserve(60) || b.reserve(50) || !b.reserve(40) {
		t.Error("reserves the wrong amounts")
	}
	b.release(60)
	if !b.reserve(50) || b.most.Load() != 100 || b.used.Load() != 90 {
		t.Errorf("used %d, most %d", b.used.Load(), b.most.Load())
	}
}
