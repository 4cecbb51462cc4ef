package wasmhost

import (
	"context"
	"errors"
	"math"
	"runtime"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/runtime/abi"
)

// A slice is what a module may spend before it calls refuel again. It bounds
// how long a guest computes without giving the scheduler and the garbage
// collector their turn; the library's turns are longer, so its slice is
// smaller.
const (
	scriptSliceFuel  = 100_000
	librarySliceFuel = 10_000
	// trialSlowness is about how many times longer the interpreter takes.
	trialSlowness = 32
)

// maxOccupied is how long an execution keeps its thread's CPU from other
// threads. To change threads costs some microseconds, a slice takes a few dozen.
const maxOccupied = 200 * time.Microsecond

// stopCause says why a run was stopped from outside the script.
type stopCause uint32

const (
	stopNone stopCause = iota
	stopFuel
	stopDeadline
	stopCancelled
	stopShutdown
	stopMemory
	stopFamily  // another member's limit
	stopCommand // the limit of a command that was called
	stopDepth
)

// errStopped unwinds the guest. The cause is in the execution.
var errStopped = errors.New("execution stopped")

// fuelMeter is the fuel of one member of a family: what its modules hold, of what
// the family has.
type fuelMeter struct {
	script, library api.MutableGlobal
	deadline        time.Time
	yielded         time.Time // when other threads last had their turn
	stopped         stopCause
	// stoppedSite is where refuel ended the run.
	stoppedSite uint32
}

// start hands out the first slices, so that a short script never calls refuel.
func (e *execution) start() {
	e.fuelMeter.script.Set(uint64(max(0, e.family.take(e.allowance, e.slice(scriptSliceFuel), 0))))
	e.fuelMeter.library.Set(uint64(max(0, e.family.take(e.allowance, e.slice(librarySliceFuel), 0))))
}

// slice is what machine code gets at a time, or in a trial the part of it that
// lasts about as long.
func (e *execution) slice(fuel int64) int64 {
	if e.module.IsTrial() {
		return fuel / trialSlowness
	}
	return fuel
}

// enter charges for the top level as such.
func (e *execution) enter() (failure *diag.Failure) {
	cell := e.fuelMeter.script
	cell.Set(cell.Get() - uint64(e.module.Manifest.EntryFuel))
	if int64(cell.Get()) >= 0 {
		return nil
	}
	defer func() {
		if r := recover(); r != nil {
			if r != errStopped { //nolint:errorlint,err113 // a panic's very value
				panic(r)
			}
			failure = e.stoppedFailure()
		}
	}()
	e.stack[0] = abi.EntrySite
	refuel(e, e.pair.script, e.stack[:])
	cell.Set(cell.Get() + e.stack[0])
	return nil
}

// used is the fuel spent by all members, at most the limit: a charge that was
// refused counts only as far as there was fuel for it. It is asked for when
// there are no children.
func (e *execution) used() int64 {
	if e.fuelMeter.script == nil || e.fuelMeter.library == nil {
		return 0
	}
	used := e.family.limit - e.family.left(&e.family.allowance) - e.leftover()
	return max(0, min(used, e.family.limit))
}

// leftover is what both modules hold, or owe.
func (m *fuelMeter) leftover() int64 {
	if m.script == nil || m.library == nil {
		return 0
	}
	return int64(m.script.Get()) + int64(m.library.Get())
}

// releaseFuel gives back what this member holds while others may need it.
func (e *execution) releaseFuel() {
	if e.family.cancel != nil {
		e.family.give(e.allowance, callIn(e.fuelMeter.script)+callIn(e.fuelMeter.library))
	}
}

// callIn empties a cell; a debt stays.
func callIn(cell api.MutableGlobal) int64 {
	rest := int64(cell.Get())
	if rest <= 0 {
		return 0
	}
	cell.Set(0)
	return rest
}

// refuel is what both modules import: it decides whether the run goes on.
func refuel(ctx context.Context, mod api.Module, stack []uint64) {
	e := ctx.(*execution)
	if mod == e.pair.library && mod != e.pair.script {
		e.refuel(e.fuelMeter.library, e.fuelMeter.script, librarySliceFuel, stack)
		return
	}
	e.refuel(e.fuelMeter.script, e.fuelMeter.library, scriptSliceFuel, stack)
}

// libraryRefuel is what the library's part of a merged module imports.
func libraryRefuel(ctx context.Context, _ api.Module, stack []uint64) {
	e := ctx.(*execution)
	e.refuel(e.fuelMeter.library, e.fuelMeter.script, librarySliceFuel, stack)
}

// refuel grants the next slice to the module whose cell is given, or ends the
// run.
func (e *execution) refuel(cell, other api.MutableGlobal, slice int64, stack []uint64) {
	site := uint32(stack[0])
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
// The last units may lie unused in the other module's cell, or with others.
func (e *execution) next(cell, other api.MutableGlobal, slice int64) int64 {
	debt := min(0, int64(cell.Get()))
	if debt < math.MinInt64/2 {
		return -1
	}
	need := max(1, -debt)
	want := max(e.slice(slice), need)
	if n := e.family.take(e.allowance, want, need); n >= 0 {
		return n
	}
	e.family.give(e.allowance, callIn(other))
	if n := e.family.take(e.allowance, want, need); n >= 0 {
		return n
	}
	return e.starve(need)
}

// starve gets fuel that other members hold unused, or -1.
func (e *execution) starve(need int64) int64 {
	w, granted := e.family.starve(e.allowance, need)
	if w != nil {
		granted = e.await(w)
	}
	if !granted {
		return -1
	}
	return need
}

// spend takes units of fuel for work on the host's side. What the modules have
// left of their slices is called in when the rest is not enough.
func (e *execution) spend(units int64) bool {
	if units <= 0 || e.family.take(e.allowance, units, units) >= 0 {
		return true
	}
	e.family.give(e.allowance, callIn(e.fuelMeter.library)+callIn(e.fuelMeter.script))
	if e.family.take(e.allowance, units, units) >= 0 || e.starve(units) >= 0 {
		return true
	}
	e.family.drain(e.allowance)
	return false
}

// settle pays the library's debt with what other members hold unused.
func (e *execution) settle() bool {
	e.family.give(e.allowance, callIn(e.fuelMeter.script))
	n := e.starve(-int64(e.fuelMeter.library.Get()))
	if n > 0 {
		e.fuelMeter.library.Set(e.fuelMeter.library.Get() + uint64(n))
	}
	return n > 0
}

// await waits, without the compute slot, for what a parked member waits for.
func (e *execution) await(w *parked) (granted bool) {
	ctx, cancel := e.waiting()
	defer cancel()
	e.withoutTurn(func() {
		select {
		case granted = <-w.wake:
		case <-ctx.Done():
			e.family.unpark(w)
		}
	})
	if cause := e.mayGoOn(); cause != stopNone && !granted {
		e.stop(cause, 0)
	}
	return granted
}

// mayGoOn looks at everything but fuel.
func (e *execution) mayGoOn() stopCause {
	switch {
	case e.family.failed.Load():
		return stopFamily
	case e.outer.Err() != nil:
		return stopCancelled
	case e.host.cancelAll.Load():
		return stopShutdown
	case time.Now().After(e.deadline):
		return stopDeadline
	}
	return stopNone
}

// takeTurns lets others run: other threads and goroutines, and other executions that
// wait for the compute slot. After a wait the world may have changed.
func (e *execution) takeTurns() {
	e.letThreads()
	if !e.yieldTurn(e.outer) {
		return
	}
	if cause := e.mayGoOn(); cause != stopNone {
		e.stop(cause, e.site())
	}
}

// letThreads lets other threads and goroutines run.
func (e *execution) letThreads() {
	if now := time.Now(); now.Sub(e.yielded) > maxOccupied {
		YieldThread()
		e.yielded = now
	}
	runtime.Gosched()
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
