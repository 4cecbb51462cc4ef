package wasmhost

import (
	"errors"

	"github.com/avapd/avapd/internal/diag"
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
	return c.e.family.registered(c, text)
}

// errorCode is how the guest's error cells call an error of a command.
func errorCode(detail uint32) uint32 {
	if detail == hostMissing {
		return abi.ErrCommand
	}
	return abi.ErrHost
}

// Run runs a module as the registered command that is called, in a sandbox of
// its own, and gives its value to the Call. The arguments become the callee's
// globals by the order of its parameters, and what it reads as parameters of a
// request. It lives on what the caller has left of fuel, time, memory and
// depth. An error of the callee is the caller's; what no script can catch ends
// both.
func (c *Call) Run(m *Module, parameters []abi.Parameter) error {
	e := c.e
	above := e.callsTaken() + max(1, e.limits.CallDepth/maxCommands)
	if above > e.limits.CallDepth {
		e.stop(stopDepth, 0)
	}
	c.Charge(commandFuel)
	e.surrender()
	child, err := e.takeChild(m)
	if err != nil {
		return err
	}
	defer m.host.giveExecution(child)
	child.serve(e, m, above)
	copied, err := child.receive(e, parameters, c.cell(1))
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
		catchable = true
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
	e.family.give(e.leftover())
	e.fuelMeter.script.Set(0)
	e.fuelMeter.library.Set(0)
}

// serve makes an execution that of a command, in the place of its caller: it is
// the same member of the family.
func (e *execution) serve(caller *execution, m *Module, above uint32) {
	e.countFor(caller.client, false)
	e.family, e.depth, e.apart, e.callsAbove = caller.family, caller.depth, caller.apart, above
	e.outer, e.module, e.limits, e.hashSeed = caller.outer, m, caller.limits, caller.hashSeed
	e.began, e.deadline, e.yielded = caller.began, caller.deadline, caller.yielded
}

// receive makes the instances of a command and puts the arguments into its
// memory. It gives the number of bytes copied.
func (e *execution) receive(caller *execution, parameters []abi.Parameter, args cell) (int64, error) {
	if failure := e.instantiate(); failure != nil {
		if failure.Code == diag.OutOfMemory || failure.Code == diag.MemoryBusy {
			caller.slot.crowded = e.slot.crowded
			caller.stop(stopMemory, 0)
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
		caller.slot.crowded = e.slot.crowded
		caller.stop(stopMemory, 0)
	}
	return copied, err
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
	e.computing, caller.computing = caller.computing, false
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
		caller.computing, e.computing = e.computing, false
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
