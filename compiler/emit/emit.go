// Package emit turns the intermediate form into functions of a WebAssembly
// module.
//
// A value is a tag and a payload. While it is computed it lies on the operand
// stack: as the pair, or, where its kind is known, as the bare i64, f64 or i32
// (see rep). A variable lives in one of three places: a pair of wasm locals (a
// register), its global cell in memory, or, in functions whose body was split,
// a cell of the call's frame. Globals are registers only where that pays: in a
// function body that uses them inside loops, and when no script function uses
// them; they are loaded on entry and written back on the way out.
//
// A function that can fail is tested after the call and leaves to the
// innermost handler, whose two exits are the labels of a handler: fail, for
// errors the library has already described, and cold, for those the script
// found itself (an overflow, an undefined name), which are described there, out
// of the way of the code that works.
package emit

import (
	"github.com/avapd/avapd/compiler/ir"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

// Result is a module and what the manifest has to know about it.
type Result struct {
	Module  *wasm.Module
	DataEnd uint32
	Imports []string
	// EntryFuel is what the host charges before it calls the top level.
	EntryFuel int64
	// TooComplex names a bound the script exceeds, or is empty.
	TooComplex string
}

// Options are what the program itself does not say.
type Options struct {
	// Logs makes the script record every top-level statement.
	Logs bool
	// RegionBytes is by how much the heap may grow in a loop before the loop
	// gives memory back; 0: loops give nothing back.
	RegionBytes uint32
}

// Emit makes the module of a program.
func Emit(p *ir.Program, o Options) *Result {
	e := newEmitter(p, o.Logs)
	e.regionBytes = o.RegionBytes
	e.declare()
	for _, fn := range p.Functions[1:] {
		if fn.Reached {
			e.function(fn)
		}
	}
	e.main(p.Functions[0])
	e.handlers()
	e.tasks()
	return e.finish()
}

type emitter struct {
	prog *ir.Program
	mod  *wasm.Module
	logs bool

	libs       map[string]*wasm.Func
	hosts      map[string]*wasm.Func
	entryFuel  int64
	clock      *wasm.Func
	fuel       *wasm.Global
	refill     *wasm.Func
	stackLimit *wasm.Global
	funcs      []*wasm.Func

	// frameCells and frameSize lay out the frames of functions that were split.
	frameCells map[*ir.Var]uint32
	frameSize  map[*ir.Func]uint32

	shared   []bool // globals that script functions use
	data     []byte // constants, from dataBase on
	dataBase uint32
	reach    uint32 // end of what units access by offset
	texts    map[string]uint32
	logState uint32 // cell: site and start of the statement being logged
	tooBig   string

	metered     bool
	regionBytes uint32
	units       int
}

func newEmitter(p *ir.Program, logs bool) *emitter {
	e := &emitter{
		prog: p, logs: logs, metered: p.Functions[0].Fuel != 0, mod: &wasm.Module{Name: "script"},
		libs: map[string]*wasm.Func{}, hosts: map[string]*wasm.Func{}, texts: map[string]uint32{},
		frameCells: map[*ir.Var]uint32{}, frameSize: map[*ir.Func]uint32{},
		shared:   make([]bool, len(p.Globals)),
		dataBase: abi.ScriptBase + uint32(len(p.Globals))*abi.CellSize,
	}
	e.findShared()
	if logs {
		e.logState = e.dataBase
		e.data = make([]byte, abi.CellSize)
	}
	e.reach = e.dataBase + uint32(len(e.data))
	return e
}

// findShared finds the globals that script functions use: not those that only have
// the name of a local, which is always assigned where it is read. What runs beside
// the script gets globals by name.
func (e *emitter) findShared() {
	for _, fn := range e.prog.Functions[1:] {
		used := mentions{}
		used.stmts(fn.Body, 0, used)
		for _, v := range fn.Vars {
			if v.Scope == ir.Global && fn.Reached && (used[v.Slot].all > 0 || len(e.prog.Tasks) > 0) {
				e.shared[v.Global] = true
			}
		}
	}
	if e.prog.LastError >= 0 {
		e.shared[e.prog.LastError] = true
	}
}

func (e *emitter) declare() {
	e.mod.Memory = &wasm.Memory{
		Limits: wasm.Limits{Min: abi.StartPages},
		Import: &wasm.ImportName{Module: abi.LibraryModule, Field: abi.MemoryExport},
	}
	if e.logs {
		e.clock = e.mod.ImportFunc(abi.HostModule, abi.ClockField, wasm.FuncType{Results: []wasm.ValType{wasm.F64}})
	}
	e.fuel = e.mod.NewGlobal("fuel", wasm.I64, 0)
	e.fuel.Exports = []string{abi.FuelExport}
	e.funcs = make([]*wasm.Func, len(e.prog.Functions))
	for i, fn := range e.prog.Functions {
		if i > 0 && fn.Reached {
			if e.stackLimit == nil {
				e.stackLimit = e.mod.NewGlobal("stack_limit", wasm.I32, 0)
				// Exported, the host can put it back and keep the instance.
				e.stackLimit.Exports = []string{abi.StackLimitExport}
			}
			e.funcs[i] = e.mod.NewFunc(fn.Name, functionType(fn))
		}
	}
}

// functionType is the signature of a script function: the call-stack slot, then
// the parameters, each in the form that the kinds of all arguments have.
func functionType(fn *ir.Func) wasm.FuncType {
	t := wasm.FuncType{Params: []wasm.ValType{wasm.I32}, Results: repOfKinds(fn.Result).result()}
	for _, k := range fn.ParamKinds {
		t.Params = append(t.Params, repOfKinds(k).types()...)
	}
	return t
}

func (e *emitter) finish() *Result {
	bytes := make([]byte, 0, len(e.data))
	bytes = append(bytes, e.data...)
	end := e.dataBase + uint32(len(bytes))
	if len(bytes) > 0 {
		e.mod.Data = []wasm.Data{{Offset: e.dataBase, Bytes: bytes}}
	}
	// The memory must hold the script's own data.
	if pages := (end + wasm.PageSize - 1) / wasm.PageSize; pages > e.mod.Memory.Limits.Min {
		e.mod.Memory.Limits.Min = pages
	}
	r := &Result{Module: e.mod, DataEnd: end, TooComplex: e.tooBig, EntryFuel: e.entryFuel}
	for _, f := range e.mod.Funcs {
		if f.Import != nil && f.Import.Module == abi.HostModule {
			r.Imports = append(r.Imports, f.Import.Field)
		}
	}
	return r
}

// lib imports a library function at its first use.
func (e *emitter) lib(l *ir.Lib) *wasm.Func {
	f, ok := e.libs[l.Name]
	if !ok {
		f = e.mod.ImportFunc(abi.LibraryModule, l.Name, signature(l.Sig))
		e.libs[l.Name] = f
	}
	return f
}

func signature(sig string) wasm.FuncType {
	var t wasm.FuncType
	list := &t.Params
	for i := range len(sig) {
		switch sig[i] {
		case ':':
			list = &t.Results
		case 'V':
			*list = append(*list, wasm.I32, wasm.I64)
		case 'i':
			*list = append(*list, wasm.I32)
		case 'd':
			*list = append(*list, wasm.F64)
		}
	}
	return t
}

// text places a constant in the data and gives its tag and payload.
func (e *emitter) text(s string) (tag int32, payload int64) {
	offset, ok := e.texts[s]
	if !ok {
		offset = e.dataBase + uint32(len(e.data))
		e.data = append(e.data, s...)
		e.texts[s] = offset
	}
	tag = abi.KindText | abi.FlagASCII
	for i := range len(s) {
		if s[i] >= 0x80 {
			tag = abi.KindText
		}
	}
	if e.prog.SQL {
		tag |= abi.FlagConst
	}
	return tag, int64(uint64(offset) | uint64(len(s))<<32)
}

func cellOf(global int) uint32 { return abi.ScriptBase + uint32(global)*abi.CellSize }

// refillFunc adds slices until the fuel is not negative, for a call at a site.
func (e *emitter) refillFunc() *wasm.Func {
	if e.refill != nil {
		return e.refill
	}
	refuel := e.mod.ImportFunc(abi.HostModule, abi.RefuelField,
		wasm.FuncType{Params: []wasm.ValType{wasm.I32}, Results: []wasm.ValType{wasm.I64}})
	f := e.mod.NewFunc("refill", wasm.FuncType{Params: []wasm.ValType{wasm.I32, wasm.I32}})
	e.refill = f
	f.I32Const(0)
	f.LocalGet(f.Param(1))
	f.Mem(wasm.OpI32Store, 2, abi.Frame)
	again := f.Loop()
	f.GlobalGet(e.fuel)
	f.LocalGet(f.Param(0))
	f.Call(refuel)
	f.Op(wasm.OpI64Add)
	f.GlobalSet(e.fuel)
	f.GlobalGet(e.fuel)
	f.I64Const(0)
	f.Op(wasm.OpI64LtS)
	f.BrIf(again)
	f.End()
	return f
}
