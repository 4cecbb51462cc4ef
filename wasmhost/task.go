package wasmhost

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/runtime/abi"
)

// ownCommands are the commands that the sandbox itself has: they start and
// gather children, and call registered commands. A child is an execution of the
// same module in a memory of its own, on a goroutine of its own.
var ownCommands = map[string]Command{abi.SpawnField: spawn, abi.GatherField: gather, abi.RegisteredField: registered}

// OwnCommands lists the fields of the commands that every host has.
func OwnCommands() []string { return []string{abi.GatherField, abi.RegisteredField, abi.SpawnField} }

const (
	// taskBytes is what a handle counts for in the memory of the family.
	taskBytes = 1024
	// slotWait is how long a child waits for a memory slot at most.
	slotWait = time.Second
)

var (
	errTooDeep  = fmt.Errorf("children are nested too deep: the limit is %d", maxTaskDepth)
	errTooMany  = fmt.Errorf("too many children at once: the limit is %d, and all of them wait", maxChildren)
	errNoMemory = errors.New("no memory slot is free for a child: too many scripts are running")
)

// task is a child, as its parent sees it.
type task struct {
	what  *abi.Task
	entry string
	// prints are the fingerprints of the variables of a block, by name, at its
	// start.
	prints map[string]uint64
	cancel context.CancelFunc
	done   chan struct{}

	// Under the family's lock: the child is no member any more, and the parent
	// waits for it.
	ended, awaited bool

	// Set when done is closed.
	failure *diag.Failure // an error of the script
	outcome outcome
}

// outcome is what a child leaves behind, in a buffer of the host.
type outcome struct {
	mem   memory
	value cell
	vars  []assigned
	kept  []any // the connectors in it
}

// assigned is a variable that a block changed.
type assigned struct {
	name     string
	global   int // number, or -1 for a local
	sequence uint32
	value    cell
}

// children are what an execution keeps of the children it started.
type children struct {
	family *family // of the request
	// allowance is that of the command that runs, if it has one of its own.
	allowance *allowance
	depth     int
	// apart is set for a child and the commands it calls: it can be cancelled
	// alone.
	apart  bool
	byName map[string]*task
	// nameless are those whose handle now stands for another.
	nameless []*task
	started  int
	// raised is the failure of a child that gather raised last.
	raised *diag.Failure
	own    family // of an execution that is the first member
}

// foundFamily makes an execution the first member of a family.
func (e *execution) foundFamily() {
	e.family = &e.own
	e.allowance = &e.own.allowance
	e.own.found(e.outer, &e.limits)
	e.own.deadline = e.deadline
}

// checkTasks looks whether the tasks of a manifest are there.
func checkTasks(c wazero.CompiledModule, m *abi.Manifest) error {
	for i := range m.Tasks {
		if !isEntry(c, abi.TaskExport(i)) {
			return fmt.Errorf("module does not export the task %d", i)
		}
	}
	return nil
}

// spawn starts a child.
func spawn(c *Call) error {
	e, index := c.e, c.cell(0)
	if index.kind() != abi.KindInt || index.bits >= uint64(len(e.module.Manifest.Tasks)) {
		return errCorrupt
	}
	if e.depth >= maxTaskDepth {
		return Mistaken(errTooDeep)
	}
	name, err := c.handle(2)
	if err != nil {
		return err
	}
	e.open()
	e.releaseFuel()
	if w := e.family.enter(e.allowance); w != nil && !e.await(w) {
		return errTooMany
	}
	t := &task{what: &e.module.Manifest.Tasks[index.bits], entry: abi.TaskExport(int(index.bits)), done: make(chan struct{})}
	child, err := e.prepare(c, t)
	if err != nil {
		return err
	}
	if name == "" {
		name = e.newHandle()
	}
	if old := e.byName[name]; old != nil {
		e.nameless = append(e.nameless, old)
	}
	e.byName[name] = t
	e.family.join(e.allowance)
	go child.live(t)
	return c.Return(name)
}

// open makes the family ready for children: its end must reach all of them.
func (e *execution) open() {
	if e.byName == nil {
		e.byName = make(map[string]*task)
	}
	f := e.family
	if f.cancel == nil {
		f.outer, f.cancel = context.WithCancel(f.outer)
	}
	if !e.apart {
		e.outer = f.outer
	}
}

// newHandle makes a handle that nothing has.
func (e *execution) newHandle() string {
	for {
		e.started++
		name := "task-" + strconv.Itoa(e.started)
		if e.byName[name] == nil {
			return name
		}
	}
}

// prepare makes the child's execution with everything it needs in its memory.
// The place in the family is taken; without a child it is given back.
func (e *execution) prepare(c *Call, t *task) (child *execution, err error) {
	reserved, ready := e.allowance.budget.reserve(taskBytes), false
	defer func() {
		if ready {
			return
		}
		if child != nil {
			e.slot.crowded = child.slot.crowded
			t.cancel()
			e.host.giveExecution(child)
		}
		if reserved {
			e.allowance.budget.release(taskBytes)
		}
		e.family.abandon(e.allowance)
	}()
	if !reserved {
		e.stop(stopMemory, 0)
	}
	if child, err = e.takeChild(e.module); err != nil {
		return nil, err
	}
	child.countFor(e.client, false)
	child.family, child.allowance, child.depth, child.apart, child.callsAbove = e.family, e.allowance, e.depth+1, true, e.callsAbove
	child.outer, t.cancel = context.WithCancel(e.outer)
	child.module, child.limits, child.began = e.module, e.limits, e.began
	child.deadline, child.yielded = e.deadline, e.yielded
	if failure := child.instantiate(); failure != nil {
		if failure.Code == diag.OutOfMemory || failure.Code == diag.MemoryBusy {
			e.stop(stopMemory, 0)
		}
		panic(failure.Cause)
	}
	copied, err := child.inherit(e, t, c.cell(1))
	if errors.Is(err, errCopyParts) {
		return nil, Mistaken(err)
	}
	c.outOfMemory(err)
	c.ChargeBytes(copied)
	ready = true
	return child, nil
}

// takeChild waits for a memory slot, but not for long: whoever has one may be
// waiting just the same.
func (e *execution) takeChild(m *Module) (*execution, error) {
	host := m.host
	child, err := host.takeExecution(m, e.client)
	if err == nil {
		return child, nil
	}
	ctx, cancel := e.waiting()
	defer cancel()
	ctx, stop := context.WithTimeout(ctx, slotWait)
	defer stop()
	e.withoutTurn(func() { child, err = host.awaitExecution(ctx, m, e.client) })
	if cause := e.mayGoOn(); cause != stopNone {
		if err == nil {
			host.giveExecution(child)
		}
		e.stop(cause, 0)
	}
	if err != nil {
		return nil, errNoMemory
	}
	return child, nil
}

// inherit fills the memory of a child: as seed does for a request, but with
// copies of what its parent has. It gives the number of bytes copied.
func (e *execution) inherit(parent *execution, t *task, args cell) (int64, error) {
	from, b := parent.slot.memory(), &e.builder
	m := &e.module.Manifest
	stackStart, stackEnd := stackBase(m), e.stackEnd()
	b.start(e.slot, e.pair.library.Memory(), uint64(stackEnd))
	if err := b.reserve(uint64(stackEnd)); err != nil {
		return 0, err
	}
	cp := copier{from: from, to: b, dataEnd: m.DataEnd, connector: func(n uint64) cell { return e.adopt(parent.kept, n) }}
	move := func(at uint32) error {
		v, _ := from.cell(at)
		v, err := cp.value(v)
		if err == nil {
			b.mem.putCell(at, v)
		}
		return err
	}
	for _, g := range t.what.Globals {
		if err := move(globalCell(g)); err != nil {
			return 0, err
		}
		extra, _ := from.u32(globalCell(g) + abi.CellExtra)
		b.mem.put32(globalCell(g)+abi.CellExtra, extra)
	}
	if t.what.Request {
		for _, at := range []uint32{abi.Path, abi.Query, abi.Body, abi.Form} {
			if err := move(at); err != nil {
				return 0, err
			}
		}
	}
	list, err := cp.value(args)
	if err != nil {
		return 0, err
	}
	if err := t.fingerprints(parent, args); err != nil {
		return 0, err
	}
	copied := int64(b.top) - int64(stackEnd)
	if err := e.blank(); err != nil {
		return 0, err
	}
	b.mem.putCell(abi.TaskArgs, list)
	for _, at := range []uint32{abi.Sequence, abi.HashSeed, abi.HashSeed + 4} {
		word, _ := from.u32(at)
		b.mem.put32(at, word)
	}
	b.mem.put32(stackStart, parent.site())
	return copied, nil
}

// adopt keeps a connector of another execution.
func (e *execution) adopt(kept []any, n uint64) cell {
	if n < 1 || n > uint64(len(kept)) {
		return cell{tag: abi.KindNull}
	}
	e.kept = append(e.kept, kept[n-1])
	return cell{abi.KindConnector, uint64(len(e.kept))}
}

// variables calls f for each variable that a block hands back: the globals it
// can read, and the locals as they are in a list.
func (t *task) variables(mem memory, m *abi.Manifest, locals cell, f func(assigned) error) error {
	for _, g := range t.what.Globals {
		if name := m.Globals[g]; isHandedBack(name) {
			v, _ := mem.cell(globalCell(g))
			sequence, _ := mem.u32(globalCell(g) + abi.CellExtra)
			if err := f(assigned{name, g, sequence, v}); err != nil {
				return err
			}
		}
	}
	r := reader{mem: mem}
	cells, ok := r.cells(uint32(locals.bits))
	if !ok || locals.kind() != abi.KindList || len(cells) != len(t.what.Locals)*abi.CellSize {
		return errCorrupt
	}
	for i, name := range t.what.Locals {
		if isHandedBack(name) {
			if err := f(assigned{name, -1, 0, mem.cellAt(cells[i*abi.CellSize:])}); err != nil {
				return err
			}
		}
	}
	return nil
}

func isHandedBack(name string) bool { return !strings.HasPrefix(name, "_") }

// printKey tells a local from the global of its name.
func (v *assigned) printKey() string {
	if v.global < 0 {
		return " " + v.name
	}
	return v.name
}

// fingerprints notes what the variables of a block are at its start.
func (t *task) fingerprints(parent *execution, args cell) error {
	if !t.what.Block {
		return nil
	}
	t.prints = make(map[string]uint64)
	mem, scratch := parent.slot.memory(), &builder{}
	return t.variables(mem, &parent.module.Manifest, args, func(v assigned) error {
		digest, err := fingerprint(mem, v.value, scratch, uint64(parent.allowance.budget.limit))
		t.prints[v.printKey()] = digest
		return err
	})
}

// live is the life of a child, on its own goroutine. Whatever becomes of it,
// its place, its memory and what it left of its fuel go back.
func (e *execution) live(t *task) {
	f, by, host := e.family, e.allowance, e.host
	e.beginTurn()
	failure := e.work(t)
	e.endChildren()
	if failure != nil && t.failure == nil && failure.Code != diag.Cancelled {
		f.fail(failure)
	}
	f.give(by, e.leftover())
	t.cancel()
	host.discharge(e)
	f.exit(by, t)
	close(t.done)
}

// work runs the task. An error that the parent can catch goes to the task.
func (e *execution) work(t *task) (failure *diag.Failure) {
	defer func() {
		switch r := recover(); r {
		case nil:
		case errStopped:
			failure = e.stoppedFailure()
		default:
			failure = e.panicked(r)
		}
	}()
	if cause := e.mayGoOn(); cause != stopNone {
		e.stopped = cause
		return e.stoppedFailure()
	}
	e.start()
	if failure := e.call(t.entry); failure != nil {
		if e.stack[0] == 1 && failure.Code != diag.Internal {
			t.failure = failure
		}
		return failure
	}
	err := e.leave(t)
	switch {
	case errors.Is(err, errCopyParts):
		t.failure = e.at(e.site(), diag.BadValue, "%v", err)
		return t.failure
	case errors.Is(err, errInputMemory):
		return e.memoryFailure(e.at(e.site(), diag.OutOfMemory, "%s", e.memoryMessage()))
	case err != nil:
		return e.fault(fmt.Errorf("value of a task: %w", err))
	}
	if !e.spend(int64(len(t.outcome.mem)) / bytesPerFuelUnit) {
		return e.at(e.site(), diag.OutOfFuel, "%s", e.fuelMessage())
	}
	return nil
}

// leave copies what the parent gets out of the child's memory.
func (e *execution) leave(t *task) error {
	mem, b := e.slot.memory(), &builder{}
	limit := max(0, e.allowance.budget.limit-e.allowance.budget.used.Load())
	b.startBuffer(uint64(limit))
	out := &t.outcome
	cp := copier{from: mem, to: b, connector: func(n uint64) cell {
		if n < 1 || n > uint64(len(e.kept)) {
			return cell{tag: abi.KindNull}
		}
		out.kept = append(out.kept, e.kept[n-1])
		return cell{abi.KindConnector, uint64(len(out.kept))}
	}}
	value, _ := mem.cell(abi.Return)
	out.value = cell{tag: abi.KindNull}
	var err error
	if t.what.Block {
		err = e.leaveVariables(t, &cp, value)
	} else {
		out.value, err = cp.value(value)
	}
	out.mem = b.mem[:min(b.top, uint64(len(b.mem)))]
	if err == nil && !e.allowance.budget.reserve(int64(len(out.mem))) {
		err = errInputMemory
	}
	return err
}

// leaveVariables copies the variables that a block changed, in the order of
// their first assignment.
func (e *execution) leaveVariables(t *task, cp *copier, locals cell) error {
	out, scratch := &t.outcome, &builder{}
	err := t.variables(cp.from, &e.module.Manifest, locals, func(v assigned) error {
		digest, err := fingerprint(cp.from, v.value, scratch, uint64(e.allowance.budget.limit))
		if err != nil || digest == t.prints[v.printKey()] {
			return err
		}
		if v.value, err = cp.value(v.value); err == nil {
			out.vars = append(out.vars, v)
		}
		return err
	})
	slices.SortStableFunc(out.vars, func(a, b assigned) int { return cmp.Compare(a.sequence, b.sequence) })
	return err
}

// endChildren cancels what nobody gathered and waits until it has ended.
func (e *execution) endChildren() {
	if len(e.byName) == 0 && len(e.nameless) == 0 {
		return
	}
	all := e.nameless
	for _, t := range e.byName {
		all = append(all, t)
	}
	for _, t := range all {
		t.cancel()
	}
	e.withoutTurn(func() {
		for _, t := range all {
			<-t.done
		}
	})
	for _, t := range all {
		e.forget(t)
	}
	clear(e.byName)
	e.nameless = nil
}

// forget gives back what a task's outcome counts for.
func (e *execution) forget(t *task) {
	e.allowance.budget.release(taskBytes + int64(len(t.outcome.mem)))
	t.outcome = outcome{}
}

// gather waits for a child and hands its value over.
func gather(c *Call) error {
	e := c.e
	name, err := c.handle(0)
	if err != nil {
		return err
	}
	seconds, limited, err := c.seconds(1)
	if err != nil {
		return err
	}
	locals, err := c.localNames(2)
	if err != nil {
		return err
	}
	t := e.byName[name]
	if t == nil || !e.join(t, seconds, limited) {
		return c.handOver(&outcome{value: cell{tag: abi.KindNull}}, locals)
	}
	delete(e.byName, name)
	defer e.forget(t)
	if t.failure != nil {
		e.raised = t.failure
		return &commandError{hostRaised, errors.New(t.failure.Message)}
	}
	return c.handOver(&t.outcome, locals)
}

// handle reads a handle, "" for none.
func (c *Call) handle(i int) (string, error) {
	v, err := c.Value(i)
	if err != nil || v == (Missing{}) {
		return "", err
	}
	return TextOf(v), nil
}

// seconds reads how long to wait; without a limit it is until the deadline.
func (c *Call) seconds(i int) (seconds float64, limited bool, err error) {
	v, err := c.Value(i)
	if err != nil {
		return 0, false, err
	}
	switch v := v.(type) {
	case nil, Missing:
		return 0, false, nil
	case int64:
		return float64(v), true, nil
	case float64:
		if !math.IsNaN(v) {
			return v, true, nil
		}
	case string:
		if isNumberText([]byte(v)) {
			f, _ := strconv.ParseFloat(strings.TrimSpace(v), 64)
			return f, true, nil
		}
	}
	return 0, false, Mistaken(errors.New("the seconds of gather must be a number"))
}

// localNames are the variables that the calling function assigns itself.
func (c *Call) localNames(i int) ([]string, error) {
	if c.count <= i {
		return nil, nil
	}
	v, err := c.Value(i)
	names, _ := v.(string)
	return strings.Split(names, ","), err
}

// join waits for a child's end and reports whether that came in time.
func (e *execution) join(t *task, seconds float64, limited bool) bool {
	select {
	case <-t.done:
		return true
	default:
	}
	e.releaseFuel()
	ctx, cancel := e.waiting()
	defer cancel()
	if left := time.Until(e.deadline).Seconds(); limited && seconds < left {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, time.Duration(max(0, seconds)*float64(time.Second)))
		defer stop()
	}
	e.family.await(e.allowance, t)
	e.withoutTurn(func() {
		select {
		case <-t.done:
		case <-ctx.Done():
		}
	})
	e.family.resume(e.allowance, t)
	if cause := e.mayGoOn(); cause != stopNone {
		e.stop(cause, 0)
	}
	select {
	case <-t.done:
		return true
	default:
		return false
	}
}

// handOver gives the outcome to the script: globals are assigned here, and the
// named locals come behind the value, each in a list of its own.
func (c *Call) handOver(out *outcome, locals []string) error {
	e := c.e
	c.open()
	b := &e.builder
	mark := b.top
	cp := copier{from: out.mem, to: b, connector: func(n uint64) cell { return e.adopt(out.kept, n) }}
	value, err := cp.value(out.value)
	c.outOfMemory(err)
	byName := make(map[string]cell, len(locals))
	for _, v := range out.vars {
		copied, err := cp.value(v.value)
		c.outOfMemory(err)
		if slices.Contains(locals, v.name) {
			byName[v.name] = copied
			continue
		}
		g := v.global
		if g < 0 {
			g = e.module.find(v.name)
		}
		if g >= 0 {
			b.assign(globalCell(g), copied)
		}
	}
	if locals != nil {
		value, err = b.results(value, locals, byName)
		c.outOfMemory(err)
	}
	c.ChargeBytes(int64(b.top - mark))
	b.mem.putCell(abi.CallResult, value)
	c.returned = true
	return nil
}

// assign gives a global a value as the script itself would, with the number of
// its first assignment.
func (b *builder) assign(at uint32, v cell) {
	tag, _ := b.mem.u32(at + abi.CellTag)
	extra, _ := b.mem.u32(at + abi.CellExtra)
	if tag == abi.KindUndefined && extra == 0 {
		sequence, _ := b.mem.u32(abi.Sequence)
		b.mem.put32(abi.Sequence, sequence+1)
		b.mem.put32(at+abi.CellExtra, sequence+1)
	}
	b.mem.putCell(at, v)
}

// results is the value and behind it, for each name, a list of what it was
// given, or null.
func (b *builder) results(value cell, names []string, given map[string]cell) (cell, error) {
	all := []cell{value}
	for _, name := range names {
		item := cell{tag: abi.KindNull}
		if v, ok := given[name]; ok {
			var err error
			if item, err = b.list([]cell{v}); err != nil {
				return cell{}, err
			}
		}
		all = append(all, item)
	}
	return b.list(all)
}
