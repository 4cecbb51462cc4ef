package wasmhost

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/avapd/avapd/internal/diag"
)

// family is what an execution shares with the children it starts, and they
// with theirs: fuel, memory, and the end. The first member is the execution of
// the request.
//
// Members wait for each other: for a child's value, for fuel that others hold
// unused, for one of the places for children. The family counts those that do
// not. When the last of them starts to wait, nobody would ever go on; so one
// that waits for a place, or else for fuel, is told that there is none.
type family struct {
	// allowance is that of all. A command with limits of its own has another
	// below it, for what it starts and calls as well.
	allowance

	mu      sync.Mutex
	parked  []*parked
	failure *diag.Failure
	// outer is the context of all, and cancel ends it; nil while there was no
	// child.
	outer  context.Context
	cancel context.CancelFunc
	// registered runs commands for all.
	registered Registered
	// failed mirrors failure for a look without the lock.
	failed atomic.Bool
}

const (
	// maxChildren bounds the children of an execution, theirs included, that
	// exist at the same time; a further one waits for its place.
	maxChildren = 64
	// maxTaskDepth bounds how deep children start children.
	maxTaskDepth = 16
	// minSliceFuel is the least a member is given at a time.
	minSliceFuel = 2_000
)

// parked is a member that waits for fuel, or for a place for a child.
type parked struct {
	by   *allowance
	fuel int64 // 0: a place
	wake chan bool
}

// begin makes the family of a new execution.
func (f *family) found(outer context.Context, limits *Limits) {
	f.outer = outer
	f.begin(limits, nil)
}

// end forgets everything. There are no children any more.
func (f *family) end() {
	if f.cancel != nil {
		f.cancel()
	}
	f.cancel, f.failure, f.parked, f.outer, f.registered = nil, nil, nil, nil, nil
	f.failed.Store(false)
	f.forget()
}

// take gives fuel from the rest of an allowance: at least need, or nothing, and up
// to want, if that is a fair share.
func (f *family) take(by *allowance, want, need int64) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	room := by.room()
	if room < need {
		return -1
	}
	n := max(min(want, room), need)
	for a := by; a != nil; a = a.above {
		if a.live > 0 {
			n = min(n, max(minSliceFuel, a.fuel/int64(4*(a.live+1))))
		}
	}
	n = max(n, need)
	by.add(-n)
	return n
}

// drain takes the whole rest: somebody wanted more than there is.
func (f *family) drain(by *allowance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	by.add(-max(0, by.room()))
}

// give takes fuel back, which may be a debt.
func (f *family) give(by *allowance, n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	by.add(n)
	f.feed()
}

// feed wakes who waits for fuel that is there now, first come, first served.
func (f *family) feed() {
	for i := 0; i < len(f.parked); i++ {
		if w := f.parked[i]; w.fuel > 0 && w.fuel <= w.by.room() {
			w.by.add(-w.fuel)
			f.wake(i, true)
			i--
		}
	}
}

// left is what an allowance has that no member was given.
func (f *family) left(by *allowance) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return by.room()
}

func (f *family) wake(i int, granted bool) {
	w := f.parked[i]
	f.parked = append(f.parked[:i], f.parked[i+1:]...)
	w.by.count(1)
	w.wake <- granted
}

// pause counts a member out that waits for another. Those who wait for fuel of an
// allowance whose members all wait would wait for themselves.
func (f *family) pause(by *allowance) {
	by.count(-1)
	for a := by; a != nil; a = a.above {
		for a.running == 0 {
			i := slices.IndexFunc(f.parked, func(w *parked) bool { return w.fuel > 0 && w.lacks(a) })
			if i < 0 {
				break
			}
			f.wake(i, false)
		}
	}
	for f.running == 0 && len(f.parked) > 0 {
		f.wake(max(0, slices.IndexFunc(f.parked, func(w *parked) bool { return w.fuel == 0 })), false)
	}
}

// lacks tells whether an allowance, or one below it, has not the fuel.
func (w *parked) lacks(within *allowance) bool {
	short := false
	for a := w.by; a != nil; a = a.above {
		short = short || a.fuel < w.fuel
		if a == within {
			return short && a.above != nil
		}
	}
	return false
}

// enter takes a place for a child. If there is none it gives what to wait for.
func (f *family) enter(by *allowance) *parked {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.live < maxChildren {
		by.countChildren(1)
		return nil
	}
	return f.park(by, 0)
}

// join counts a child in that is ready to run.
func (f *family) join(by *allowance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	by.count(1)
}

// starve waits for fuel, unless that has come back meanwhile or nobody else
// could have any.
func (f *family) starve(by *allowance, need int64) (w *parked, granted bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if by.room() >= need {
		by.add(-need)
		return nil, true
	}
	for a := by; a != nil; a = a.above {
		if a.fuel < need && a.live == 0 {
			return nil, false
		}
	}
	return f.park(by, need), false
}

func (f *family) park(by *allowance, fuel int64) *parked {
	w := &parked{by: by, fuel: fuel, wake: make(chan bool, 1)}
	f.parked = append(f.parked, w)
	f.pause(by)
	return w
}

// unpark ends a wait from outside; what was granted already goes back.
func (f *family) unpark(w *parked) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.parked {
		if f.parked[i] == w {
			f.wake(i, false)
			return
		}
	}
	switch granted := <-w.wake; {
	case granted && w.fuel > 0:
		w.by.add(w.fuel)
		f.feed()
	case granted:
		f.vacate(w.by)
	}
}

// vacate gives a child's place to the first that waits for one, or back.
func (f *family) vacate(by *allowance) {
	by.countChildren(-1)
	for i, w := range f.parked {
		if w.fuel == 0 {
			w.by.countChildren(1)
			f.wake(i, true)
			return
		}
	}
}

// abandon gives back the place of a child that never ran.
func (f *family) abandon(by *allowance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.vacate(by)
}

// exit counts a child out. A member that waits for it goes on.
func (f *family) exit(by *allowance, t *task) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t.ended = true
	if t.awaited {
		t.awaited = false
		by.count(1)
	}
	f.vacate(by)
	f.pause(by)
}

// await counts out a member that waits for its child, and resume in again.
func (f *family) await(by *allowance, t *task) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !t.ended {
		t.awaited = true
		f.pause(by)
	}
}

func (f *family) resume(by *allowance, t *task) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if t.awaited {
		t.awaited = false
		by.count(1)
	}
}

// fail ends all members with the first failure that no script can catch.
func (f *family) fail(failure *diag.Failure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failure == nil {
		f.failure = failure
		f.failed.Store(true)
		f.cancel()
	}
}

// ended is the failure that ended all members, or nil.
func (f *family) ended() *diag.Failure {
	if !f.failed.Load() {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failure
}
