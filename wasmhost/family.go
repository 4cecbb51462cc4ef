package wasmhost

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/runtime/abi"
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
	budget budget

	mu sync.Mutex
	// limit is the fuel of all, fuel what no member was given.
	limit, fuel int64
	// running counts members that do not wait for others, live the children
	// that have not ended.
	running, live int
	parked        []*parked
	failure       *diag.Failure
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
	fuel int64 // 0: a place
	wake chan bool
}

// begin makes the family of a new execution.
func (f *family) begin(outer context.Context, limits *Limits) {
	f.outer = outer
	f.limit, f.fuel, f.running = limits.Fuel, limits.Fuel, 1
	f.budget.limit = int64(limits.MemoryPages) * abi.PageBytes
}

// end forgets everything. There are no children any more.
func (f *family) end() {
	if f.cancel != nil {
		f.cancel()
	}
	f.cancel, f.failure, f.parked, f.outer, f.registered = nil, nil, nil, nil, nil
	f.limit, f.fuel, f.running, f.live = 0, 0, 0, 0
	f.failed.Store(false)
	f.budget.reset()
}

// take gives fuel from the common rest: at least need, or nothing, and up to
// want, if that is a fair share.
func (f *family) take(want, need int64) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fuel < need {
		return -1
	}
	n := max(min(want, f.fuel), need)
	if f.live > 0 {
		n = max(min(n, max(minSliceFuel, f.fuel/int64(4*(f.live+1)))), need)
		n = min(n, f.fuel)
	}
	f.fuel -= n
	return n
}

// drain takes the whole rest: somebody wanted more than there is.
func (f *family) drain() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fuel = min(f.fuel, 0)
}

// give takes fuel back, which may be a debt.
func (f *family) give(n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fuel += n
	f.feed()
}

// feed wakes who waits for fuel that is there now, first come, first served.
func (f *family) feed() {
	for i := 0; i < len(f.parked); i++ {
		if w := f.parked[i]; w.fuel > 0 && w.fuel <= f.fuel {
			f.fuel -= w.fuel
			f.wake(i, true)
			i--
		}
	}
}

// left is the common rest.
func (f *family) left() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fuel
}

func (f *family) wake(i int, granted bool) {
	w := f.parked[i]
	f.parked = append(f.parked[:i], f.parked[i+1:]...)
	f.running++
	w.wake <- granted
}

// pause counts a member out that waits for another.
func (f *family) pause() {
	f.running--
	for f.running == 0 && len(f.parked) > 0 {
		victim := 0
		for i, w := range f.parked {
			if w.fuel == 0 {
				victim = i
				break
			}
		}
		f.wake(victim, false)
	}
}

// enter takes a place for a child. If there is none it gives what to wait for.
func (f *family) enter() *parked {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.live < maxChildren {
		f.live++
		return nil
	}
	return f.park(0)
}

// join counts a child in that is ready to run.
func (f *family) join() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running++
}

// starve waits for fuel, unless that has come back meanwhile or nobody else
// could have any.
func (f *family) starve(need int64) (w *parked, granted bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fuel >= need {
		f.fuel -= need
		return nil, true
	}
	if f.live == 0 {
		return nil, false
	}
	return f.park(need), false
}

func (f *family) park(fuel int64) *parked {
	w := &parked{fuel: fuel, wake: make(chan bool, 1)}
	f.parked = append(f.parked, w)
	f.pause()
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
		f.fuel += w.fuel
		f.feed()
	case granted:
		f.vacate()
	}
}

// vacate gives a child's place to the first that waits for one, or back.
func (f *family) vacate() {
	for i, w := range f.parked {
		if w.fuel == 0 {
			f.wake(i, true)
			return
		}
	}
	f.live--
}

// abandon gives back the place of a child that never ran.
func (f *family) abandon() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.vacate()
}

// exit counts a child out. A member that waits for it goes on.
func (f *family) exit(t *task) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t.ended = true
	if t.awaited {
		t.awaited = false
		f.running++
	}
	f.vacate()
	f.pause()
}

// await counts out a member that waits for its child, and resume in again.
func (f *family) await(t *task) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !t.ended {
		t.awaited = true
		f.pause()
	}
}

func (f *family) resume(t *task) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if t.awaited {
		t.awaited = false
		f.running++
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

// budget is the memory that the members have together, in bytes.
type budget struct {
	limit      int64
	used, most atomic.Int64
}

// reserve takes n bytes, if there are as many.
func (b *budget) reserve(n int64) bool {
	used := b.used.Add(n)
	if used > b.limit {
		b.used.Add(-n)
		return false
	}
	for {
		most := b.most.Load()
		if used <= most || b.most.CompareAndSwap(most, used) {
			return true
		}
	}
}

func (b *budget) release(n int64) { b.used.Add(-n) }

func (b *budget) reset() {
	b.limit = 0
	b.used.Store(0)
	b.most.Store(0)
}
