package wasmhost

import (
	"context"
	"errors"
	"math"
	"runtime"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/avapd/avapd/runtime/abi"
)

// A slice is what a module may spend before it calls refuel again. It bounds
// how long a guest computes without giving the scheduler and the garbage
// collector their turn; the library's turns are longer, so its slice is
// smaller.
const (
	scriptSliceFuel  = 100_000
	librarySliceFuel = 10_000
)

// stopCause says why a run was stopped from outside the script.
type stopCause uint32

const (
	stopNone stopCause = iota
	stopFuel
	stopDeadline
	stopCancelled
	stopShutdown
	stopMemory
)

// errStopped unwinds the guest. The cause is in the execution.
var errStopped = errors.New("execution stopped")

// meter is the fuel of one execution. granted is what both modules were given
// so far; what was used is granted less what their globals still hold.
type meter struct {
	limit, granted  int64
	script, library api.MutableGlobal
	deadline        time.Time
	stopped         stopCause
	// stoppedSite is where refuel ended the run.
	stoppedSite uint32
}

// start hands out the first slices, so that a short script never calls refuel.
func (m *meter) start() {
	m.granted = 0
	m.script.Set(uint64(m.grant(scriptSliceFuel)))
	m.library.Set(uint64(m.grant(librarySliceFuel)))
}

func (m *meter) grant(want int64) int64 {
	n := min(want, m.limit-m.granted)
	m.granted += n
	return n
}

// used is the fuel spent, at most the limit: a charge that was refused counts
// only as far as there was fuel for it.
func (m *meter) used() int64 {
	if m.script == nil || m.library == nil {
		return 0
	}
	used := m.granted - int64(m.script.Get()) - int64(m.library.Get())
	return max(0, min(used, m.limit))
}

// refuel is what both modules import: it decides whether the run goes on.
func refuel(ctx context.Context, mod api.Module, stack []uint64) {
	e := ctx.(*execution)
	site := uint32(stack[0])
	cell, other, slice := e.script, e.library, int64(scriptSliceFuel)
	if mod == e.libraryInstance {
		cell, other, slice = e.library, e.script, librarySliceFuel
	}
	if cause := e.mayGoOn(); cause != stopNone {
		e.stop(cause, site)
	}
	n := e.next(cell, other, slice)
	if n < 0 {
		e.stop(stopFuel, site)
	}
	e.takeTurns()
	stack[0] = uint64(n)
}

// next finds the units for a slice of the module whose cell is given, or -1.
// The last units may lie unused in the other module's cell.
func (m *meter) next(cell, other api.MutableGlobal, slice int64) int64 {
	debt := min(0, int64(cell.Get()))
	if debt < math.MinInt64/2 {
		return -1
	}
	need := max(1, -debt)
	if m.limit-m.granted < need {
		if rest := int64(other.Get()); rest > 0 {
			other.Set(0)
			m.granted -= rest
		}
		if m.limit-m.granted < need {
			return -1
		}
	}
	return m.grant(max(slice, need))
}

// spend takes units of fuel for work on the host's side. What the modules have
// left of their slices is called in when the rest is not enough.
func (m *meter) spend(units int64) bool {
	if m.limit-m.granted < units {
		for _, cell := range []api.MutableGlobal{m.library, m.script} {
			if rest := int64(cell.Get()); rest > 0 {
				cell.Set(0)
				m.granted -= rest
			}
		}
	}
	if m.limit-m.granted < units {
		m.granted = m.limit
		return false
	}
	m.granted += units
	return true
}

// mayGoOn looks at everything but fuel.
func (e *execution) mayGoOn() stopCause {
	switch {
	case e.outer.Err() != nil:
		return stopCancelled
	case e.host.cancelAll.Load():
		return stopShutdown
	case time.Now().After(e.deadline):
		return stopDeadline
	}
	return stopNone
}

// takeTurns lets others run: other goroutines, and other executions that wait
// for the compute slot. After a wait the world may have changed.
func (e *execution) takeTurns() {
	runtime.Gosched()
	if e.host.config.Gate == nil || !e.host.config.Gate.Yield(e.waiter) {
		return
	}
	if cause := e.mayGoOn(); cause != stopNone {
		e.stop(cause, e.site())
	}
}

// stop ends the run. It does not return.
func (e *execution) stop(cause stopCause, site uint32) {
	if site == 0 {
		site = e.site()
	}
	e.stopped, e.stoppedSite = cause, site
	panic(errStopped)
}

// site reads where the script is.
func (e *execution) site() uint32 {
	site, _ := e.slot.memory().u32(abi.Site)
	return site
}

// clock gives milliseconds since the run began.
func clock(ctx context.Context, _ api.Module, stack []uint64) {
	e := ctx.(*execution)
	ms := float64(time.Since(e.began)) / float64(time.Millisecond)
	stack[0] = api.EncodeF64(ms)
}
