package wasmhost

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/fairqueue"
	"github.com/avapd/avapd/internal/tracing"
	"github.com/avapd/avapd/runtime/abi"
)

// Limits bounds one execution.
type Limits struct {
	Fuel        int64
	Duration    time.Duration
	MemoryPages uint32
	CallDepth   uint32
	OutputBytes int
}

// execution is the state of one run, and at the same time the context that
// the guest is called with: host functions get at it without a look-up. It is
// reused with its memory slot; reset takes care that nothing stays behind.
type execution struct {
	fuelMeter
	pair
	host   *Host
	slot   *slot
	waiter *fairqueue.Waiter
	// client is who the execution counts for. computing is set while it holds a
	// compute slot, since turnBegan, and waited is how long it did not but wanted to.
	client    string
	computing bool
	turnBegan time.Time
	waited    time.Duration
	// hashSeed is that of dicts, or 0 to draw one.
	hashSeed uint64
	// instantiating is the context for InstantiateModule; it carries the memory
	// and the import resolver, and is made once per slot.
	instantiating context.Context
	stack         [1]uint64
	builder       builder
	reader        reader

	// outer is the request's context. It is asked at every refuel, which costs
	// less than being told: no goroutine, no timer, and nothing that could
	// reach the execution after its end.
	outer context.Context
	// span is of the run; nil where nobody traces.
	span       *tracing.Span
	module     *Module
	limits     Limits
	began      time.Time
	request    []requestVariable
	broughtSet []uint64
	order      []orderedGlobal
	// kept is what commands keep for the script.
	kept []any
	// callsAbove is how much of the call depth the callers of a command take,
	// and callee the failure of a command that ended this run.
	callsAbove uint32
	callee     *diag.Failure
	// memoryDenied says whose memory was too little for a command to begin.
	memoryDenied string
	children
}

var _ context.Context = (*execution)(nil)

// Deadline implements context.Context. The run's deadline is the meter's
// business.
func (*execution) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done implements context.Context.
func (*execution) Done() <-chan struct{} { return nil }

// Err implements context.Context.
func (*execution) Err() error { return nil }

// Value implements context.Context. wazero asks for several keys per call.
func (*execution) Value(any) any { return nil }

func newExecution(h *Host, s *slot) *execution {
	e := &execution{host: h, slot: s, waiter: fairqueue.NewWaiter("")}
	ctx := experimental.WithMemoryAllocator(e, s)
	e.instantiating = experimental.WithImportResolver(ctx, e.resolve)
	return e
}

// resolve finds what a script imports from the library. Host modules are left
// to the runtime.
func (e *execution) resolve(name string) api.Module {
	if name == abi.LibraryModule {
		return e.pair.library
	}
	return nil
}

// Run executes a module once and appends the answer to dst. Exactly one of
// the results counts: the failure if it is not nil. The usage is always set.
func (h *Host) Run(ctx context.Context, m *Module, in *Input, limits Limits, dst []byte) (Output, diag.Usage, *diag.Failure) {
	span := tracing.From(ctx)
	queue := span.Child("avap.queue", tracing.Internal)
	e, failure := h.takeTurn(ctx, m, in.Client, in.Idle)
	queue.End()
	if failure != nil {
		return Output{}, diag.Usage{}, failure
	}
	defer h.discharge(e)
	e.outer, e.module, e.limits, e.began, e.hashSeed = ctx, m, limits, e.turnBegan, in.HashSeed
	if span != nil {
		e.span = span.Child("avap.run", tracing.Internal)
		e.outer = tracing.With(ctx, e.span)
	}
	e.own.registered = in.Registered
	e.deadline, e.yielded = e.began.Add(limits.Duration), e.began
	e.foundFamily()

	output, failure := e.run(in, dst)
	if ended := e.family.ended(); ended != nil && failure == nil {
		again := *ended
		output, failure = Output{}, &again
	}
	e.endChildren()
	usage := e.usage()
	if failure != nil {
		failure.Usage = usage
	}
	e.endSpan(usage, failure)
	return output, usage, failure
}

// endSpan says in the span of a run what it used, and how it failed.
func (e *execution) endSpan(used diag.Usage, failure *diag.Failure) {
	if e.span == nil {
		return
	}
	e.span.Number(tracing.Fuel, used.FuelUsed)
	e.span.Number(tracing.Memory, int64(used.MemoryPages)*abi.PageBytes)
	if failure != nil {
		e.span.Fail(string(failure.Code))
	}
	e.span.End()
}

// takeExecution gives an execution with a memory that is all zero, if possible
// one that has run the module before.
func (h *Host) takeExecution(m *Module, client string) (*execution, error) {
	return h.executionIn(h.pool.take(m, clientNumber(client)))
}

// awaitExecution waits for one if need be.
func (h *Host) awaitExecution(ctx context.Context, m *Module, client string) (*execution, error) {
	return h.executionIn(h.pool.wait(ctx, m, clientNumber(client)))
}

func (h *Host) executionIn(s *slot, err error) (*execution, error) {
	if err != nil {
		return nil, err
	}
	if s.owner == nil {
		s.owner = newExecution(h, s)
	}
	return s.owner, nil
}

// giveExecution ends an execution: its memory is wiped, and its instances are
// kept for the same script or closed.
func (h *Host) giveExecution(e *execution) {
	e.park()
	e.slot.leaveBudget()
	e.slot.wipe(e.pause)
	e.chargeTurn()
	e.reset()
	h.pool.give(e.slot)
}

func (e *execution) reset() {
	e.outer, e.module, e.span = nil, nil, nil
	e.client, e.computing, e.waited = "", false, 0
	e.fuelMeter.script, e.fuelMeter.library = nil, nil
	e.own.end()
	e.family, e.allowance, e.byName, e.raised = nil, nil, nil, nil
	e.depth, e.started, e.apart, e.callsAbove, e.callee, e.memoryDenied = 0, 0, false, 0, nil, ""
	e.stopped, e.stoppedSite = stopNone, 0
	e.stack[0] = 0
	clear(e.kept)
	e.kept = emptied(e.kept)
	e.request, e.broughtSet, e.order = emptied(e.request), emptied(e.broughtSet), emptied(e.order)
	e.builder.close()
	e.reader.close()
}

func (e *execution) usage() diag.Usage {
	return diag.Usage{
		FuelUsed:    e.used(),
		MemoryPages: uint32(e.family.budget.most.Load() / abi.PageBytes),
		RunTime:     time.Since(e.began),
	}
}

// run does everything between taking and giving back. A panic on the host's
// side is a defect, and must not take the server down.
func (e *execution) run(in *Input, dst []byte) (output Output, failure *diag.Failure) {
	defer func() {
		if r := recover(); r != nil {
			output, failure = Output{}, e.panicked(r)
		}
	}()
	instances := e.span.Child("avap.instantiate", tracing.Internal)
	failure = e.instantiate()
	instances.End()
	if failure != nil {
		return Output{}, failure
	}
	e.start()
	if err := e.seed(in); err != nil {
		return Output{}, e.inputFailure(err)
	}
	e.markBrought()
	if failure := e.enter(); failure != nil {
		return Output{}, failure
	}
	if failure := e.call(abi.RunExport); failure != nil {
		return Output{}, failure
	}
	var err error
	if in.Endpoint > 0 {
		p := &e.module.endpoints[in.Endpoint-1]
		if failure := e.callEndpoint(p); failure != nil {
			return Output{}, failure
		}
		output, err = e.endpointAnswer(dst, p)
	} else {
		output, err = e.answer(dst, in.EchoVariables)
	}
	if err != nil {
		return Output{}, e.outputFailure(err)
	}
	return output, nil
}

// markBrought notes which globals the request brought.
func (e *execution) markBrought() {
	words := (len(e.module.Manifest.Globals) + 63) / 64
	for range words {
		e.broughtSet = append(e.broughtSet, 0)
	}
	for _, v := range e.request {
		if v.global >= 0 {
			e.broughtSet[v.global>>6] |= 1 << (v.global & 63)
		}
	}
}

// instantiate makes the pair of instances, or takes the one that is kept.
func (e *execution) instantiate() *diag.Failure {
	e.slot.limitBytes = min(uint64(e.limits.MemoryPages)*abi.PageBytes, uint64(len(e.slot.base)))
	needBytes := max(uint64(e.stackEnd()), e.module.memoryBytes)
	if needBytes > e.slot.limitBytes {
		return diag.NewFailure(diag.OutOfMemory, "out of memory: the script alone needs more than the limit of %s", pageText(e.limits.MemoryPages))
	}
	// The memory that the instances start with is taken at once, as the runtime
	// does not expect to be refused it.
	e.slot.budget = &e.allowance.budget
	startBytes := (needBytes + abi.PageBytes - 1) / abi.PageBytes * abi.PageBytes
	if !e.slot.claim(startBytes) {
		return e.memoryFailure(diag.NewFailure(diag.OutOfMemory, "out of memory: the script does not fit the limit of %s", pageText(e.limits.MemoryPages)))
	}
	if !e.unpark(startBytes) {
		if err := e.fresh(startBytes); err != nil {
			return e.fault(err)
		}
	}
	e.fuelMeter.library, e.fuelMeter.script = e.libraryFuel, e.scriptFuel
	return nil
}

// fresh makes a new pair. The memory is grown for the script's data first,
// because that is copied in by its instantiation. A merged module is both
// halves.
func (e *execution) fresh(startBytes uint64) (err error) {
	h, p := e.host, &e.pair
	runtime := e.module.side.runtime
	withMemory, libraryFuel := e.module.side.library, abi.FuelExport
	if e.module.merged {
		withMemory, libraryFuel = e.module.compiled, abi.LibraryFuelExport
	}
	if p.library, err = runtime.InstantiateModule(e.instantiating, withMemory, h.moduleConfig); err != nil {
		p.library = nil
		return fmt.Errorf("instantiate the library: %w", err)
	}
	if more := startBytes - e.slot.sizeBytes; more > 0 {
		if _, ok := p.library.Memory().Grow(uint32(more / abi.PageBytes)); !ok {
			return errors.New("grow the memory for a script's data")
		}
	}
	if e.module.merged {
		p.script = p.library
	} else if p.script, err = e.module.instantiate(e.instantiating); err != nil {
		p.script = nil
		return fmt.Errorf("instantiate the script: %w", err)
	}
	p.of, p.startBytes = e.module, startBytes
	var ok [2]bool
	p.libraryFuel, ok[0] = p.library.ExportedGlobal(libraryFuel).(api.MutableGlobal)
	p.scriptFuel, ok[1] = p.script.ExportedGlobal(abi.FuelExport).(api.MutableGlobal)
	if !ok[0] || !ok[1] {
		return errors.New("a module exports no fuel cell")
	}
	if err := errors.Join(p.findGlobals(p.library, h.libraryState), p.findGlobals(p.script, e.module.state)); err != nil {
		return err
	}
	if e.module.foreign {
		if p.callsLeft, ok[0] = p.script.ExportedGlobal(abi.DepthExport).(api.MutableGlobal); !ok[0] {
			return errors.New("a foreign module does not count its calls")
		}
	}
	return nil
}

// call runs one of the script's entries to its end.
func (e *execution) call(entry string) *diag.Failure {
	e.intact = false
	if failure := e.begin(); failure != nil {
		return failure
	}
	run := e.entry(entry)
	if run == nil {
		return internalFailure(fmt.Errorf("the module exports no function %q", entry))
	}
	e.stack[0] = 0
	if err := run.CallWithStack(e, e.stack[:]); err != nil {
		return e.trapped(err)
	}
	e.intact = true
	switch uint32(e.stack[0]) {
	case 0:
		return nil
	case 1:
		return e.scriptError()
	}
	return e.fault(fmt.Errorf("%s gave %d", entry, e.stack[0]))
}
