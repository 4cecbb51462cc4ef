package wasmhost

import (
	"context"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero/api"

	"github.com/avapd/avapd/runtime/abi"
)

// Command is a function with an effect that scripts may import. It runs on the
// goroutine of the execution. Its error is the script's, who can catch it; see
// Refused and Mistaken for the kinds that are told apart.
type Command func(*Call) error

// Call is one call of a Command: its arguments, its result, and what it may
// take of the execution's time, fuel and memory. It is valid until the Command
// returns.
type Call struct {
	e     *execution
	count int
	// argumentBytes is what the arguments read so far weigh.
	argumentBytes int
	// built is set while the builder is open at the end of the heap.
	built    bool
	returned bool
}

// Details of ErrHost in the cell ErrorDetail.
const (
	hostFailed = iota
	hostRefused
	hostMistaken
	hostRaised  // by a child
	hostMissing // there is no such command
)

// commandError is a script's error of a certain kind.
type commandError struct {
	detail uint32
	err    error
}

func (e *commandError) Error() string { return e.err.Error() }
func (e *commandError) Unwrap() error { return e.err }

// Refused marks the error of a command that was not permitted.
func Refused(err error) error { return &commandError{hostRefused, err} }

// Mistaken marks the error of a command whose arguments make no sense.
func Mistaken(err error) error { return &commandError{hostMistaken, err} }

// commandCall is a command as a host function.
func commandCall(f Command) api.GoModuleFunc {
	return func(ctx context.Context, _ api.Module, stack []uint64) {
		stack[0] = uint64(ctx.(*execution).command(f, uint32(stack[0])))
	}
}

// command runs a command and gives 0, or the negative of failure as the i32
// that it is.
func (e *execution) command(f Command, count uint32) uint32 {
	if count > abi.MaxCallArgs {
		panic(errCorrupt)
	}
	c := Call{e: e, count: int(count)}
	err := f(&c)
	if err == nil && !c.returned {
		err = c.Return(nil)
	}
	failed := uint32(0)
	if err != nil {
		c.fail(err)
		failed = 1<<32 - 1
	}
	c.close()
	return failed
}

// fail describes an error as the library does.
func (c *Call) fail(err error) {
	if errors.Is(err, errCorrupt) {
		panic(errCorrupt)
	}
	detail := uint32(hostFailed)
	if kind, ok := errors.AsType[*commandError](err); ok {
		detail = kind.detail
	}
	c.open()
	message, memoryErr := c.e.builder.clean(string(shorten([]byte(err.Error()))))
	c.outOfMemory(memoryErr)
	m := c.e.builder.mem
	m.putCell(abi.ErrorA, message)
	m.putCell(abi.ErrorB, cell{})
	m.put32(abi.ErrorCode, errorCode(detail))
	m.put32(abi.ErrorDetail, detail)
	m.put32(abi.ErrorSite, c.e.site())
	m.put32(abi.ErrorFrame, 0)
}

// outOfMemory ends the run when there is no memory for a value.
func (c *Call) outOfMemory(err error) {
	if errors.Is(err, errInputMemory) {
		c.e.stop(stopMemory, 0)
	}
	if err != nil {
		panic(err)
	}
}

// open lets the builder write where the guest's heap ends.
func (c *Call) open() {
	if c.built {
		return
	}
	e := c.e
	mem := e.slot.memory()
	top, _ := mem.u32(abi.HeapTop)
	if top < e.stackEnd() || uint64(top) > uint64(len(mem)) {
		panic(errCorrupt)
	}
	e.builder.start(e.slot, e.pair.library.Memory(), uint64(top))
	c.built = true
}

// close hands the heap back to the guest.
func (c *Call) close() {
	if !c.built {
		return
	}
	b := &c.e.builder
	top, err := b.heapTop()
	c.outOfMemory(err)
	b.mem.put32(abi.HeapTop, top)
	b.mem.put32(abi.HeapEnd, uint32(len(b.mem)))
	b.close()
	c.built = false
}

// Charge takes fuel. A run that has not enough of it ends here.
func (c *Call) Charge(units int64) {
	if units > 0 && !c.e.spend(units) {
		c.e.stop(stopFuel, 0)
	}
}

const (
	bytesPerFuelUnit = 16
	fuelUnitsPerRow  = 8
)

// ChargeBytes takes the price of moving n bytes across the wall.
func (c *Call) ChargeBytes(n int64) { c.Charge(n / bytesPerFuelUnit) }

// ChargeRows takes the price of n rows, on top of their bytes.
func (c *Call) ChargeRows(n int) { c.Charge(int64(n) * fuelUnitsPerRow) }

// MemoryLeft is how much the execution's memory may still grow, in bytes.
func (c *Call) MemoryLeft() int64 {
	top, _ := c.e.slot.memory().u32(abi.HeapTop)
	return max(0, int64(c.e.slot.limitBytes)-int64(top))
}

// Line is where the script is, for the server's log.
func (c *Call) Line() (file string, line int) {
	p := c.e.module.position(c.e.site())
	return p.File, p.Line
}

// Context is the request's, for the identifiers in it.
func (c *Call) Context() context.Context { return c.e.outer }

// Client is for whom the script runs.
func (c *Call) Client() string { return c.e.client }

// Script is the digest of the script's source, for the server's log.
func (c *Call) Script() string { return c.e.module.Manifest.SourceSHA256 }

// Blocking runs f without a compute slot, so that others can compute while f
// waits. The context ends with the execution. When the execution's end came
// meanwhile, Blocking does not return.
func (c *Call) Blocking(f func(context.Context)) {
	e := c.e
	if cause := e.mayGoOn(); cause != stopNone {
		e.stop(cause, 0)
	}
	e.releaseFuel()
	ctx, cancel := e.waiting()
	defer cancel()
	e.withoutTurn(func() { f(ctx) })
	if cause := e.mayGoOn(); cause != stopNone {
		e.stop(cause, 0)
	}
}

// waiting is the context for waits: it ends with the execution.
func (e *execution) waiting() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithDeadline(e.outer, e.deadline)
	stop := context.AfterFunc(e.host.stopping, cancel)
	return ctx, func() { stop(); cancel() }
}

// maxKeptValues bounds what one execution makes the host keep, which the
// guest's own memory limit does not see.
const maxKeptValues = 10_000

var errKeptValues = fmt.Errorf("the script has more than %d connectors", maxKeptValues)

// Keep stores something that lasts as long as the execution and gives its
// number; Kept finds it again.
func (c *Call) Keep(v any) (Connector, error) {
	if len(c.e.kept) == maxKeptValues {
		return 0, Mistaken(errKeptValues)
	}
	c.e.kept = append(c.e.kept, v)
	return Connector(len(c.e.kept)), nil
}

// Kept is what Keep stored under a number.
func (c *Call) Kept(n Connector) (any, bool) {
	if n < 1 || int64(n) > int64(len(c.e.kept)) {
		return nil, false
	}
	return c.e.kept[n-1], true
}
