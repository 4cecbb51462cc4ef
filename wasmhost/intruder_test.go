package wasmhost

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

// dirtyScript grows the memory, traps if it finds anything in it that the host
// did not write, and fills it.
func dirtyScript(t *testing.T, h *Host, pages uint32, fill byte) *Module {
	s := newScript(nil, nil)
	s.dirty(s.run, soiling{pages, fill, 8 * 64}, func() { s.run.Op(wasm.OpUnreachable) })
	return s.finish(t, h, 0)
}

// soiling is how a script looks for what others left, and what it leaves itself.
type soiling struct {
	// pages is by how much the memory grows first.
	pages uint32
	fill  byte
	// step is the distance in bytes of the places that it looks at.
	step int32
}

// dirty emits what dirtyScript does; found emits what happens when there is
// something. The host writes the control block, the globals, the data, and the
// inputs from the end of the call stack up to the top of the heap. Everything
// else is looked at and filled.
func (s *script) dirty(f *wasm.Func, how soiling, found func()) {
	f.I32Const(int32(how.pages))
	f.Call(s.grow)
	f.Op(wasm.OpDrop)
	from, end := f.NewLocal(wasm.I32), f.NewLocal(wasm.I32)
	word := func(at uint32) func() {
		return func() {
			f.I32Const(int32(at))
			f.Mem(wasm.OpI32Load, 2, 0)
		}
	}
	constant := func(n int32) func() { return func() { f.I32Const(n) } }
	memoryEnd := func() {
		f.MemorySize()
		f.I32Const(16)
		f.Op(wasm.OpI32Shl)
	}
	for _, part := range [][2]func(){
		{constant(0), constant(abi.ControlBase)},
		{constant(abi.ControlEnd), constant(abi.ScriptBase)},
		{word(abi.StackBase), word(abi.StackLimit)},
		{word(abi.HeapTop), memoryEnd},
	} {
		part[0]()
		f.LocalSet(from)
		part[1]()
		f.LocalSet(end)
		dirtyPart(f, from, end, how, found)
	}
}

// lookBytes are looked at together.
const lookBytes = 64

// dirtyPart is dirty between two places that are lookBytes apart at least.
func dirtyPart(f *wasm.Func, from, end wasm.Local, how soiling, found func()) {
	p, last := f.NewLocal(wasm.I32), f.NewLocal(wasm.I32)
	f.LocalGet(end)
	f.I32Const(lookBytes)
	f.Op(wasm.OpI32Sub)
	f.LocalSet(last)
	f.LocalGet(from)
	f.LocalSet(p)
	loop := f.Loop()
	look(f, p, found)
	f.LocalGet(p)
	f.I32Const(how.step)
	f.Op(wasm.OpI32Add)
	f.LocalTee(p)
	f.LocalGet(last)
	f.Op(wasm.OpI32LtU)
	f.BrIf(loop)
	f.End()
	look(f, last, found)
	f.LocalGet(from)
	f.I32Const(int32(how.fill))
	f.LocalGet(end)
	f.LocalGet(from)
	f.Op(wasm.OpI32Sub)
	f.MemoryFill()
}

// look emits a look at the bytes from p on.
func look(f *wasm.Func, p wasm.Local, found func()) {
	for at := uint32(0); at < lookBytes; at += 8 {
		f.LocalGet(p)
		f.Mem(wasm.OpI64Load, 2, at)
		if at > 0 {
			f.Op(wasm.OpI64Or)
		}
	}
	f.I64Const(0)
	f.Op(wasm.OpI64Ne)
	f.If()
	found()
	f.End()
}

// tell emits a call of a command.
func (s *script) tell(f *wasm.Func, command string) {
	f.I32Const(0)
	f.Call(s.module.ImportFunc(abi.HostModule, command, i32ToI32))
	f.Op(wasm.OpDrop)
}

// The commands of intruders. None of them does anything to the memory.
const (
	foundCommand   = "found"   // something that others left
	blunderCommand = "blunder" // a panic of the host
	cancelCommand  = "cancel"  // the end of the request's context
)

// cancelKey finds in the request's context what cancels it.
type cancelKey struct{}

// intruderCommands are the commands; found is called with every find.
func intruderCommands(found func()) map[string]Command {
	return map[string]Command{
		foundCommand:   func(*Call) error { found(); return nil },
		blunderCommand: func(*Call) error { var p *int; *p = 1; return nil },
		cancelCommand: func(c *Call) error {
			c.e.outer.Value(cancelKey{}).(context.CancelFunc)()
			return nil
		},
	}
}

// intruder is one kind of execution of TestMillionExecutions.
type intruder struct {
	name   string
	module *Module
	limits Limits
	codes  []diag.Code // one is that of its failure; none if it succeeds
	says   string      // stands in the message of its failure
	// cancels tells that it needs a context of its own; registered is what a
	// command of the script runs.
	cancels    bool
	registered Registered
	// shadow is the module on another host, for an execution that is repeated there.
	shadow *Module
	// oneIn tells how often it is run: once where others are run so many times. It
	// is for what takes many times as long.
	oneIn int
}

// intruders are scripts that look for what others left, leave their own
// canaries all over their memory, and end in every way there is. The shadow is a
// host on the other engine.
func intruders(t *testing.T, h, shadow *Host, step int32) []intruder {
	m := &maker{t: t, h: h, step: step}
	m.ends()
	m.limits()
	m.foreign()
	m.families()
	m.otherEngines(shadow)
	return m.all
}

// maker makes intruders, each with a canary of its own.
type maker struct {
	t    *testing.T
	h    *Host
	step int32
	all  []intruder
}

// canary is that of the next intruder.
func (m *maker) canary() byte { return byte(len(m.all) + 1) }

// soil has a function look for what others left and leave its own.
func (m *maker) soil(s *script, f *wasm.Func, pages uint32) {
	s.dirty(f, soiling{pages, m.canary(), m.step}, func() { s.tell(f, foundCommand) })
}

// add makes an intruder of a script that soils its memory and then ends.
func (m *maker) add(name string, pages uint32, limits Limits, end func(s *script), codes ...diag.Code) *intruder {
	return m.addScript(name, newScript([]string{"secret"}, []byte(name)), pages, limits, end, codes...)
}

func (m *maker) addScript(name string, s *script, pages uint32, limits Limits, end func(s *script), codes ...diag.Code) *intruder {
	m.soil(s, s.run, pages)
	end(s)
	return m.addModule(name, s.finish(m.t, m.h, 0), limits, codes...)
}

func (m *maker) addModule(name string, module *Module, limits Limits, codes ...diag.Code) *intruder {
	m.all = append(m.all, intruder{name: name, module: module, limits: limits, codes: codes, oneIn: 1})
	return &m.all[len(m.all)-1]
}

func trap(s *script) { s.run.Op(wasm.OpUnreachable) }

// ends adds what ends without a limit.
func (m *maker) ends() {
	m.add("ends", 0, testLimits, func(*script) {})
	m.add("ends with a grown memory", 1, testLimits, func(*script) {})
	m.add("traps", 0, testLimits, trap, diag.Internal)
	m.add("traps with a grown memory", 1, testLimits, trap, diag.Internal)
	m.add("makes the host panic", 0, testLimits, func(s *script) { s.tell(s.run, blunderCommand) }, diag.Internal)
	i := m.add("is cancelled", 0, testLimits, func(s *script) {
		s.tell(s.run, cancelCommand)
		s.endless()
	}, diag.Cancelled)
	i.cancels, i.oneIn = true, 4
}

// limits adds what reaches a limit.
func (m *maker) limits() {
	limits := testLimits
	limits.Fuel = 1000
	m.add("runs out of fuel", 0, limits, (*script).endless, diag.OutOfFuel)
	limits = testLimits
	limits.Duration = time.Nanosecond
	// What waited for its turn for most of its time blames the server.
	m.add("reaches its deadline", 0, limits, (*script).endless, diag.DeadlineReached, diag.Overloaded).oneIn = 4
	limits = testLimits
	limits.MemoryPages, limits.CallDepth = 2, 200_000
	m.add("does not fit its memory", 0, limits, func(*script) {}, diag.OutOfMemory)
	m.add("runs out of memory", 1, testLimits, func(s *script) {
		s.run.I32Const(int32(testLimits.MemoryPages))
		s.run.Call(s.grow)
		s.run.Op(wasm.OpDrop)
		s.store32(abi.Halt, abi.HaltMemory)
		trap(s)
	}, diag.OutOfMemory)
	m.add("calls too deep", 0, testLimits, func(s *script) {
		s.store32(abi.Halt, abi.HaltDepth)
		trap(s)
	}, diag.RecursionLimit)
	limits = testLimits
	limits.OutputBytes = 10
	m.add("answers too much", 0, limits, func(*script) {}, diag.OutputLimit)
}

// newForeign starts a script that our compiler did not make.
func newForeign(data []byte) *script {
	s := &script{}
	s.module, s.run = foreignModule()
	s.grow = s.module.ImportFunc(abi.LibraryModule, "Grow", i32ToI32)
	s.module.Data = []wasm.Data{{Offset: abi.ScriptBase + abi.CellSize, Bytes: data}}
	s.manifest = foreignManifest()
	s.manifest.Globals, s.manifest.DataEnd = []string{"secret"}, abi.ScriptBase+abi.CellSize+uint32(len(data))
	return s
}

// foreign adds modules of other making: only these can fail to be instantiated,
// when the library is and their first data is in the memory.
func (m *maker) foreign() {
	m.addForeign("foreign, ends", func(*script) {})
	for _, k := range []struct {
		name string
		code diag.Code
		says string
		end  func(s *script)
	}{
		{"foreign, traps", diag.ScriptError, "unreachable", trap},
		{"foreign, calls too deep", diag.RecursionLimit, "too deep", func(s *script) {
			f := s.module.NewFunc("deep", wasm.FuncType{})
			f.Call(f)
			s.run.Call(f)
		}},
		{"foreign, traps in its start function", diag.ScriptError, "unreachable", func(s *script) {
			f := s.module.NewFunc("start", wasm.FuncType{})
			m.soil(s, f, 1)
			f.Op(wasm.OpUnreachable)
			s.module.Start = f
		}},
		{"foreign, its data is beyond the memory", diag.ScriptError, "instantiate the script", func(s *script) {
			canaries := slices.Repeat([]byte{m.canary()}, 32<<10)
			s.module.Data = append(s.module.Data,
				wasm.Data{Offset: abi.ScriptBase + 16<<10, Bytes: canaries},
				wasm.Data{Offset: testLimits.MemoryPages * wasm.PageSize, Bytes: canaries})
		}},
	} {
		m.addForeign(k.name, k.end, k.code).says = k.says
	}
}

func (m *maker) addForeign(name string, end func(s *script), codes ...diag.Code) *intruder {
	s := newForeign([]byte(name))
	m.soil(s, s.run, 0)
	end(s)
	s.run.I32Const(0)
	return m.addModule(name, loadForeign(m.t, m.h, s.module.Encode(), s.manifest), testLimits, codes...)
}

// families adds what runs in several memories at once: children and registered
// commands.
func (m *maker) families() {
	m.withChild("has children", func(*script, *wasm.Func) {})
	m.withChild("has a child that traps", func(_ *script, f *wasm.Func) { f.Op(wasm.OpUnreachable) }, diag.Internal)
	m.withCommand("calls a command", func(*script) {})
	m.withCommand("calls a command that traps", trap, diag.Internal)
}

// withChild adds a script with two children that soil their memories as it does.
func (m *maker) withChild(name string, end func(s *script, f *wasm.Func), codes ...diag.Code) {
	s := newScript([]string{"secret"}, nil)
	f := s.module.NewFunc("task", runType)
	f.Exports = []string{abi.TaskExport(0)}
	m.soil(s, f, 0)
	end(s, f)
	f.I32Const(0)
	s.manifest.Tasks = []abi.Task{{Function: 1, Globals: []int{0}}}
	g := &image{base: s.manifest.DataEnd}
	none, first, second := g.list(), g.text("task-1"), g.text("task-2")
	s.module.Data, s.manifest.DataEnd = dataAt(g), g.at()
	m.addScript(name, s, 0, testLimits, func(s *script) {
		for range 2 {
			s.do(abi.SpawnField, integer(0), none)
		}
		s.do(abi.GatherField, first)
		s.do(abi.GatherField, second)
	}, codes...).oneIn = 10
}

// withCommand adds a script with a registered command that soils its memory as
// the script does.
func (m *maker) withCommand(name string, end func(s *script), codes ...diag.Code) {
	command := newScript([]string{"secret"}, []byte(name))
	m.soil(command, command.run, 0)
	end(command)
	callee := &Callee{Name: name, Module: command.finish(m.t, m.h, 0)}
	s := newScript([]string{"secret"}, nil)
	g := &image{base: s.manifest.DataEnd}
	called, none := g.text(name), g.list()
	s.module.Data, s.manifest.DataEnd = dataAt(g), g.at()
	i := m.addScript(name, s, 0, testLimits, func(s *script) { s.do(abi.RegisteredField, called, none) }, codes...)
	i.oneIn = 4
	i.registered = func(c *Call, asked string) error {
		if asked != name {
			return errors.New("another command's name is asked for: " + asked)
		}
		return c.Run(callee)
	}
}

// do emits a call of the host with arguments; an error of it traps.
func (s *script) do(field string, args ...cell) {
	for i, a := range args {
		s.storeCell(abi.CallArgs+uint32(i)*abi.CellSize, a)
	}
	s.run.I32Const(int32(len(args)))
	s.run.Call(s.module.ImportFunc(abi.HostModule, field, i32ToI32))
	s.run.If()
	s.run.Op(wasm.OpUnreachable)
	s.run.End()
}

// otherEngines adds what another engine runs: a trial in the same memories, and
// the repetition of an execution on a host beside this one.
func (m *maker) otherEngines(shadow *Host) {
	s := newScript([]string{"secret"}, []byte("trial"))
	m.soil(s, s.run, 0)
	s.run.I32Const(0)
	trial, err := m.h.LoadTrial(s.module.Encode(), s.manifest)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(trial.Release)
	m.addModule("is a trial", trial, testLimits).oneIn = 100

	i := m.add("is repeated", 0, testLimits, func(*script) {})
	again, err := shadow.LoadAgain(i.module)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(again.Release)
	i.shadow, i.oneIn = again, 100
}
