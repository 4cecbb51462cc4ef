package wasmhost

import (
	"errors"
	"time"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/tracing"
	"github.com/avapd/avapd/runtime/abi"
)

// Registered runs the command that is registered under a name, with Call.Run.
// Its error is the caller's; see NotRegistered.
type Registered func(c *Call, name string) error

// NotRegistered is the error of a Registered that knows no command of the name.
func NotRegistered(name string) error { return &commandError{hostMissing, errors.New(name)} }

const (
	// commandFuel is the price of a sandbox for a command.
	commandFuel = 2000
	// maxCommands is how many commands can be inside each other: each takes that
	// part of the call depth, since each has a memory.
	maxCommands = 64
)

// registered is what scripts import for every command that is not built in.
func registered(c *Call) error {
	name, err := c.Value(0)
	if err != nil {
		return err
	}
	text, isText := name.(string)
	if !isText || c.cell(1).kind() != abi.KindList {
		return errCorrupt
	}
	if c.e.family.registered == nil {
		return NotRegistered(text)
	}
	if span := tracing.From(c.e.outer).Child("avap.command", tracing.Internal); span != nil {
		outer := c.e.outer
		c.e.outer = tracing.With(outer, span)
		defer func() { // also when the command ends its caller
			c.e.outer = outer
			span.End()
		}()
		span.Text(tracing.Command, text)
	}
	return c.e.family.registered(c, text)
}

// errorCode is how the guest's error cells call an error of a command.
func errorCode(detail uint32) uint32 {
	if detail == hostMissing {
		return abi.ErrCommand
	}
	return abi.ErrHost
}

// Callee is a registered command that a script calls.
type Callee struct {
	Name   string
	Module *Module
	// Parameters are the globals that the arguments become, in their order.
	Parameters []abi.Parameter
	// Limits are those of the command; zero members leave it what its caller has.
	Limits Limits
}

// Run runs the registered command that is called in a sandbox of its own, and
// gives its value to the Call. The arguments become the callee's globals by the
// order of its parameters, and what it reads as parameters of a request. It
// lives on what the caller has left of fuel, time, memory and depth, as far as
// its own limits let it. An error of the callee is the caller's; what no script
// can catch ends both.
func (c *Call) Run(callee *Callee) error {
	e := c.e
	above := e.callsTaken() + max(1, e.limits.CallDepth/maxCommands)
	if above > e.limits.CallDepth {
		e.stop(stopDepth, 0)
	}
	c.Charge(commandFuel)
	e.surrender()
	child, err := e.takeChild(callee.Module)
	if err != nil {
		return err
	}
	defer callee.Module.host.giveExecution(child)
	child.serve(e, callee, above)
	copied, err := child.receive(e, callee.Parameters, c.cell(1))
	if errors.Is(err, errCopyParts) {
		err = Mistaken(err)
	}
	if err != nil {
		return err
	}
	c.ChargeBytes(copied)
	failure, catchable := child.obey(e)
	if failure == nil {
		failure, err = c.takeValue(child)
		catchable = failure != nil && failure.Code != diag.OutputLimit
	}
	switch {
	case failure == nil:
		return err
	case catchable && failure.Code != diag.Internal:
		e.raised = failure
		return &commandError{hostRaised, errors.New(failure.Message)}
	}
	e.callee = failure
	e.stop(stopCommand, 0)
	return nil
}

// callsTaken is how deep the calls of scripts are here.
func (e *execution) callsTaken() uint32 {
	own := e.limits.CallDepth - e.callsAbove
	if e.module.foreign {
		return e.limits.CallDepth - min(uint32(e.callsLeft.Get()), own)
	}
	base := stackBase(&e.module.Manifest)
	frame, _ := e.slot.memory().u32(abi.Frame)
	if frame < base || frame > base+4*own {
		panic(errCorrupt)
	}
	return e.callsAbove + (frame-base)/4
}

// surrender gives all fuel back, and debts, for another to go on with.
func (e *execution) surrender() {
	e.family.give(e.allowance, e.leftover())
	e.fuelMeter.script.Set(0)
	e.fuelMeter.library.Set(0)
}

// serve makes an execution that of a command, in the place of its caller: it is
// the same member of the family.
func (e *execution) serve(caller *execution, callee *Callee, above uint32) {
	e.countFor(caller.client, false)
	e.family, e.allowance, e.depth, e.apart, e.callsAbove = caller.family, caller.allowance, caller.depth, caller.apart, above
	e.outer, e.module, e.limits, e.hashSeed = caller.outer, callee.Module, caller.limits, caller.hashSeed
	e.began, e.deadline, e.yielded = caller.began, caller.deadline, caller.yielded
	if callee.Limits != (Limits{}) {
		e.restrict(callee)
	}
}

// restrict gives a command an allowance of its own.
func (e *execution) restrict(callee *Callee) {
	a, own := &e.own.allowance, callee.Limits
	if own.Duration > 0 {
		if end := time.Now().Add(own.Duration); end.Before(e.deadline) {
			e.deadline = end
		}
	}
	if own.CallDepth > 0 {
		e.limits.CallDepth = min(e.limits.CallDepth, e.callsAbove+own.CallDepth)
	}
	if own.MemoryPages > 0 {
		e.limits.MemoryPages = min(e.limits.MemoryPages, own.MemoryPages)
	}
	all := e.limits
	if own.Fuel > 0 {
		all.Fuel = min(all.Fuel, own.Fuel)
	}
	a.begin(&all, e.allowance)
	a.command, a.limits, a.deadline = callee.Name, own, e.deadline
	e.allowance = a
}

// release ends the allowance that a command has of its own. What it owes beyond
// that is nobody's: it was refused.
func (e *execution) release() {
	if a := e.allowance; a == &e.own.allowance {
		e.allowance = a.above
		e.family.give(a.above, max(0, -a.fuel))
	}
}

// receive makes the instances of a command and puts the arguments into its
// memory. It gives the number of bytes copied.
func (e *execution) receive(caller *execution, parameters []abi.Parameter, args cell) (int64, error) {
	if failure := e.instantiate(); failure != nil {
		if failure.Code == diag.OutOfMemory || failure.Code == diag.MemoryBusy {
			e.denyMemory(caller)
		}
		panic(failure.Cause)
	}
	b, from := &e.builder, caller.slot.memory()
	b.start(e.slot, e.pair.library.Memory(), uint64(e.stackEnd()))
	err := b.reserve(b.top)
	if err == nil {
		err = e.seedArguments(caller, from, parameters, args)
	}
	copied := int64(b.top) - int64(e.stackEnd())
	if err == nil {
		err = e.blank()
	}
	if errors.Is(err, errInputMemory) {
		e.denyMemory(caller)
	}
	return copied, err
}

// denyMemory ends the caller of a command that has not enough memory to begin.
func (e *execution) denyMemory(caller *execution) {
	caller.slot.crowded, caller.memoryDenied = e.slot.crowded, e.memoryMessage()
	caller.stop(stopMemory, 0)
}

// seedArguments writes the arguments as globals, and as the members of a body
// for what the script reads with addParam.
func (e *execution) seedArguments(caller *execution, from memory, parameters []abi.Parameter, args cell) error {
	b := &e.builder
	given, ok := (&reader{mem: from}).cells(uint32(args.bits))
	if !ok {
		return errCorrupt
	}
	cp := copier{from: from, to: b, plain: true, connector: func(n uint64) cell { return e.adopt(caller.kept, n) }}
	for i, p := range parameters {
		value := cell{tag: abi.KindNull}
		if at := i * abi.CellSize; at < len(given) && from.cellAt(given[at:]).kind() != abi.KindUndefined {
			var err error
			if value, err = cp.value(from.cellAt(given[at:])); err != nil {
				return err
			}
		}
		if g := e.module.find(p.Name); g >= 0 {
			b.mem.putCell(globalCell(g), value)
		}
		if !e.module.Manifest.Needs.Body {
			continue
		}
		name, err := b.clean(p.Name)
		if err != nil {
			return err
		}
		b.scratch = append(b.scratch, name, value)
	}
	if !e.module.Manifest.Needs.Body {
		return nil
	}
	body, err := b.dict(b.dedupe(b.scratch))
	b.scratch = b.scratch[:0]
	if err == nil {
		b.mem.putCell(abi.Body, body)
	}
	return err
}

// obey runs a command to its end, children included, on the goroutine and with
// the compute slot of its caller. An error that the caller can catch is told
// from others.
func (e *execution) obey(caller *execution) (failure *diag.Failure, catchable bool) {
	e.takeOver(caller)
	defer func() {
		switch r := recover(); r {
		case nil:
		case errStopped:
			failure = e.stoppedFailure()
		default:
			failure = e.panicked(r)
		}
		e.endChildren()
		e.surrender()
		e.release()
		caller.takeOver(e)
		caller.yielded = e.yielded
		if cause := caller.mayGoOn(); cause != stopNone && failure == nil {
			caller.stop(cause, 0)
		}
	}()
	e.start()
	if failure := e.enter(); failure != nil {
		return failure, false
	}
	e.stack[0] = 0
	failure = e.call(abi.RunExport)
	isScripts := e.stack[0] == 1 || e.module.foreign && failure != nil && failure.Code == diag.ScriptError
	return failure, isScripts
}

// takeValue copies what a command returned, or else its results, into the
// caller's memory. The failure is one of the command.
func (c *Call) takeValue(callee *execution) (*diag.Failure, error) {
	mem := callee.slot.memory()
	value, _ := mem.cell(abi.Return)
	if value.kind() == abi.KindUndefined {
		if value, _ = mem.cell(abi.Results); value.kind() != abi.KindDict {
			return callee.fault(errCorrupt), nil
		}
	}
	if most := callee.own.limits.OutputBytes; most > 0 {
		callee.reader.start(mem, nil, most)
		if err := callee.reader.value(value); err != nil {
			return callee.outputFailure(err), nil
		}
	}
	c.open()
	b := &c.e.builder
	mark := b.top
	cp := copier{from: mem, to: b, plain: true, connector: func(n uint64) cell { return c.e.adopt(callee.kept, n) }}
	result, err := cp.value(value)
	if errors.Is(err, errCopyParts) {
		return nil, Mistaken(err)
	}
	if errors.Is(err, errCorrupt) {
		b.top = mark
		return callee.fault(err), nil
	}
	c.outOfMemory(err)
	if len(c.e.kept) > maxKeptValues {
		return nil, Mistaken(errKeptValues)
	}
	c.ChargeBytes(int64(b.top - mark))
	b.mem.putCell(abi.CallResult, result)
	c.returned = true
	return nil, nil
}
