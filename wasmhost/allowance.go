package wasmhost

import (
	"sync/atomic"
	"time"

	"github.com/avapd/avapd/runtime/abi"
)

// allowance is what some members of a family may use together: all of them, or
// a command with limits of its own and what that starts and calls. What is
// used counts in all allowances above as well, so that a command has what its
// caller has left, and no more than its own limits.
//
// Fuel and the counts of members are guarded by the family's lock.
type allowance struct {
	above *allowance // nil for that of the family
	// command is the name of the command, and limits are its own; zero members
	// are those of its caller.
	command string
	limits  Limits
	// limit is the fuel of all members, fuel what none of them was given.
	limit, fuel int64
	// running counts members that do not wait for others, live the children
	// that have not ended.
	running, live int
	budget        budget
	// deadline is when the time is over, and calls how deep calls may be.
	deadline time.Time
	calls    uint32
}

// begin makes the allowance of one member.
func (a *allowance) begin(limits *Limits, above *allowance) {
	a.above, a.limits, a.limit, a.fuel, a.running, a.calls = above, *limits, limits.Fuel, limits.Fuel, 1, limits.CallDepth
	a.budget.limit = int64(limits.MemoryPages) * abi.PageBytes
	if above != nil {
		a.budget.above = &above.budget
	}
}

// forget makes the allowance one of nothing.
func (a *allowance) forget() {
	a.above, a.command, a.limits, a.limit, a.fuel = nil, "", Limits{}, 0, 0
	a.running, a.live, a.deadline, a.calls = 0, 0, time.Time{}, 0
	a.budget.reset()
}

// room is the fuel that is left here and in all allowances above.
func (a *allowance) room() int64 {
	room := a.fuel
	for a = a.above; a != nil; a = a.above {
		room = min(room, a.fuel)
	}
	return room
}

func (a *allowance) add(fuel int64) {
	for ; a != nil; a = a.above {
		a.fuel += fuel
	}
}

func (a *allowance) count(members int) {
	for ; a != nil; a = a.above {
		a.running += members
	}
}

func (a *allowance) countChildren(n int) {
	for ; a != nil; a = a.above {
		a.live += n
	}
}

// tightest is the allowance which has the least of something left. Where two
// have as much, it is the caller's.
func (a *allowance) tightest(left func(*allowance) int64) *allowance {
	least := a
	for a = a.above; a != nil; a = a.above {
		if left(a) <= left(least) {
			least = a
		}
	}
	return least
}

func (a *allowance) fuelLeft() int64   { return a.fuel }
func (a *allowance) memoryLeft() int64 { return a.budget.limit - a.budget.used.Load() }
func (a *allowance) timeLeft() int64   { return a.deadline.UnixNano() }
func (a *allowance) callsLeft() int64  { return int64(a.calls) }

// budget is memory that members have together, in bytes.
type budget struct {
	above      *budget
	limit      int64
	used, most atomic.Int64
}

// reserve takes n bytes, if there are as many.
func (b *budget) reserve(n int64) bool {
	used := b.used.Add(n)
	if used > b.limit || b.above != nil && !b.above.reserve(n) {
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

func (b *budget) release(n int64) {
	for ; b != nil; b = b.above {
		b.used.Add(-n)
	}
}

func (b *budget) reset() {
	b.above, b.limit = nil, 0
	b.used.Store(0)
	b.most.Store(0)
}
