package wasmhost

import (
	"context"
	"testing"

	"github.com/avapd/avapd/runtime/abi"
)

func newFamily(fuel int64) *family {
	f := &family{}
	f.found(context.Background(), &Limits{Fuel: fuel, MemoryPages: 10})
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
	if f.enter(&f.allowance) != nil {
		t.Fatal("no place for the first child")
	}
	f.join(&f.allowance)
	if n := f.take(&f.allowance, 100, 1); n != 100 {
		t.Fatalf("took %d", n)
	}
	w, granted := f.starve(&f.allowance, 30)
	if w == nil || granted || verdict(w) != -1 {
		t.Fatal("does not wait for what the other one holds")
	}
	f.give(&f.allowance, 20)
	if verdict(w) != -1 {
		t.Fatal("woken too early")
	}
	f.give(&f.allowance, 20)
	if verdict(w) != 1 || f.left(&f.allowance) != 10 || f.running != 2 {
		t.Errorf("left %d, running %d", f.left(&f.allowance), f.running)
	}
}

// The last one that starts to wait finds out that there is nothing to wait for.
func TestFamilyOutOfFuel(t *testing.T) {
	f := newFamily(10)
	f.enter(&f.allowance)
	f.join(&f.allowance)
	first, _ := f.starve(&f.allowance, 30)
	second, _ := f.starve(&f.allowance, 20)
	if got := [2]int{verdict(first), verdict(second)}; got != [2]int{0, -1} {
		t.Errorf("told %v", got)
	}
	f = newFamily(10)
	if w, granted := f.starve(&f.allowance, 30); w != nil || granted {
		t.Error("an only member waits")
	}
}

func TestFamilyPlaces(t *testing.T) {
	f := newFamily(10)
	for range maxChildren {
		if f.enter(&f.allowance) != nil {
			t.Fatal("too few places")
		}
		f.join(&f.allowance)
	}
	w := f.enter(&f.allowance)
	if w == nil || verdict(w) != -1 {
		t.Fatal("no wait for a place")
	}
	f.exit(&f.allowance, &task{})
	if verdict(w) != 1 || f.live != maxChildren || f.running != maxChildren {
		t.Errorf("%d live, %d running", f.live, f.running)
	}
	f.join(&f.allowance)
	w = f.enter(&f.allowance)
	f.unpark(w)
	if verdict(w) != 0 || f.live != maxChildren || f.running != maxChildren+1 {
		t.Errorf("%d live, %d running", f.live, f.running)
	}
	w = f.enter(&f.allowance)
	f.exit(&f.allowance, &task{})
	f.unpark(w) // the place was granted meanwhile
	if f.live != maxChildren-1 || f.running != maxChildren {
		t.Errorf("%d live, %d running", f.live, f.running)
	}
}

// When everybody waits, one that wants a place is refused it.
func TestFamilyRefusesAPlace(t *testing.T) {
	f := newFamily(10)
	for range maxChildren {
		f.enter(&f.allowance)
		f.join(&f.allowance)
	}
	tasks := &task{}
	var waiting []*parked
	for range maxChildren {
		waiting = append(waiting, f.enter(&f.allowance))
	}
	f.await(&f.allowance, tasks) // the parent waits for a child
	if verdict(waiting[0]) != 0 || verdict(waiting[1]) != -1 || f.running != 1 {
		t.Errorf("running %d", f.running)
	}
	f.exit(&f.allowance, tasks) // the child ends; its place goes to the next, and its parent goes on
	if verdict(waiting[1]) != 1 || tasks.awaited || f.running != 2 {
		t.Errorf("running %d", f.running)
	}
	f.resume(&f.allowance, tasks)
	if f.running != 2 {
		t.Errorf("running %d", f.running)
	}
}

// A member that waits for fuel with a place in hand waits like all others.
func TestFamilyStarvesWithAPlace(t *testing.T) {
	f := newFamily(10)
	f.enter(&f.allowance)
	w, _ := f.starve(&f.allowance, 30)
	if verdict(w) != 0 {
		t.Error("waits for a child that never ran")
	}
	f.abandon(&f.allowance)
	if f.live != 0 || f.running != 1 {
		t.Errorf("%d live, %d running", f.live, f.running)
	}
}

// What a command of its own uses counts above it, and it gets no more than either
// has.
func TestAllowance(t *testing.T) {
	f := newFamily(100)
	own := &allowance{}
	own.begin(&Limits{Fuel: 60, MemoryPages: 2}, &f.allowance)
	if n := f.take(own, 80, 1); n != 60 || f.fuel != 40 || f.take(own, 1, 1) != -1 {
		t.Errorf("took %d, %d are left", n, f.fuel)
	}
	f.give(own, 50)
	f.take(&f.allowance, 70, 1)
	if own.room() != 20 {
		t.Errorf("%d are left", own.room())
	}
	if f.drain(own); own.fuel != 30 || f.fuel != 0 {
		t.Errorf("%d and %d are left", own.fuel, f.fuel)
	}
	if !own.budget.reserve(2*abi.PageBytes) || own.budget.reserve(1) || !f.budget.reserve(8*abi.PageBytes) {
		t.Error("reserves the wrong amounts")
	}
	own.budget.release(abi.PageBytes)
	if own.budget.reserve(2*abi.PageBytes) || f.budget.used.Load() != 9*abi.PageBytes || own.budget.used.Load() != abi.PageBytes {
		t.Errorf("used %d and %d", own.budget.used.Load(), f.budget.used.Load())
	}
}

// Members of a command who wait for its own fuel are told when all of them wait,
// whatever others do.
func TestAllowanceStarves(t *testing.T) {
	f := newFamily(1000)
	f.enter(&f.allowance)
	f.join(&f.allowance) // another child, which goes on
	own := &allowance{}
	own.begin(&Limits{Fuel: 60}, &f.allowance)
	if w, granted := f.starve(own, 70); w != nil || granted {
		t.Fatal("waits for what nobody else has")
	}
	f.enter(own)
	f.join(own)
	f.take(own, 60, 60)
	first, _ := f.starve(own, 10)
	if verdict(first) != -1 || own.running != 1 || f.running != 2 {
		t.Fatalf("running %d and %d", own.running, f.running)
	}
	second, _ := f.starve(own, 20)
	if got := [2]int{verdict(first), verdict(second)}; got != [2]int{0, -1} || own.running != 1 {
		t.Errorf("told %v, running %d", got, own.running)
	}
	f.give(own, 20)
	if verdict(second) != 1 || own.fuel != 0 || f.fuel != 940 {
		t.Errorf("%d and %d are left", own.fuel, f.fuel)
	}
	f.exit(own, &task{})
	if own.live != 0 || f.live != 1 || own.running != 1 || f.running != 2 {
		t.Errorf("live %d and %d, running %d and %d", own.live, f.live, own.running, f.running)
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

// A family has room for 64 children; the next one waits for the end of another.
func TestPlacesOfAFamily(t *testing.T) {
	f := newFamily(100)
	for i := range 64 {
		if f.enter(&f.allowance) != nil {
			t.Fatalf("no place for child %d", i+1)
		}
		f.join(&f.allowance)
	}
	w := f.enter(&f.allowance)
	if w == nil || verdict(w) != -1 {
		t.Fatal("there is a place for one more")
	}
	f.exit(&f.allowance, &task{})
	if verdict(w) != 1 || f.live != 64 {
		t.Errorf("after the end of one there are %d", f.live)
	}
}
