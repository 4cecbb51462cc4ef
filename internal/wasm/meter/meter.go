package meter

import (
	"fmt"
	"math"
	"slices"

	"github.com/avapd/avapd/internal/wasm"
)

// Options are the names by which a host knows what is added.
type Options struct {
	// Refuel is imported: (site i32) -> i64. It gives the units that are added
	// to the fuel, or does not return.
	Refuel wasm.ImportName
	// Fuel is the export of the fuel cell, an i64, which starts at 0.
	Fuel string
	// Depth is the export of the cell, an i32, that holds how many calls are
	// left, and Calls what it starts with. A run that it ended traps as
	// unreachable and leaves the cell negative.
	Depth string
	Calls int32
	// Start is the export that the module's start function becomes, so that the
	// host can call it when there is fuel; empty to leave it as it is.
	Start string
}

// injector changes one module.
type injector struct {
	Options

	in  *wasm.Binary
	out wasm.Binary
	// imported is the number of functions that the module imports, and so the
	// number of refuel.
	imported    uint32
	fuel, depth uint32
	refill      uint32
	// payers are the shifts of the functions behind refill that charge for
	// operands. A call makes no new basic block, where a check would.
	payers   []int
	renumber wasm.Renumbering
}

// Module gives the module with its brakes. The module must be valid, and is
// not changed. The same module gives the same bytes.
func Module(b *wasm.Binary, o Options) ([]byte, error) {
	m := &injector{Options: o, in: b, out: *b}
	for _, step := range []func() error{m.check, m.number, m.references, m.bodies, m.ends} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return m.out.Encode(), nil
}

func refuse(reason wasm.Reason, offset int, format string, args ...any) error {
	return &wasm.Error{Offset: offset, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// check refuses modules that use the names that are to be added.
func (m *injector) check() error {
	for _, e := range m.in.Exports {
		if e.Name == m.Fuel || e.Name == m.Depth || m.Start != "" && e.Name == m.Start {
			return refuse(wasm.Unsupported, 0, "export %q: the name is reserved", e.Name)
		}
	}
	for i := range m.in.Imports {
		if imp := &m.in.Imports[i]; imp.ImportName == m.Refuel {
			return refuse(wasm.Unsupported, 0, "import %s.%s: the name is reserved", imp.Module, imp.Field)
		}
	}
	return nil
}

// number makes the additions, and says what indices become: functions that are
// defined move up by the added import.
func (m *injector) number() error {
	m.imported = uint32(m.in.ImportCount(wasm.KindFunc))
	m.fuel = uint32(m.in.ImportCount(wasm.KindGlobal) + len(m.in.Globals))
	m.depth = m.fuel + 1
	m.refill = m.imported + 1 + uint32(len(m.in.Funcs))
	m.renumber = wasm.Renumbering{Func: func(i uint32) uint32 {
		if i >= m.imported {
			i++
		}
		return i
	}}
	m.out.Types = slices.Clip(m.in.Types)
	refuel := m.typeIndex(wasm.FuncType{Params: []wasm.ValType{wasm.I32}, Results: []wasm.ValType{wasm.I64}})
	m.out.Imports = append(slices.Clip(m.in.Imports), wasm.Import{ImportName: m.Refuel, Kind: wasm.KindFunc, Type: refuel})
	m.out.Funcs = append(slices.Clip(m.in.Funcs), m.typeIndex(wasm.FuncType{}))
	return nil
}

// typeIndex finds or adds a signature.
func (m *injector) typeIndex(t wasm.FuncType) uint32 {
	i := slices.IndexFunc(m.out.Types, t.Equal)
	if i < 0 {
		i = len(m.out.Types)
		m.out.Types = append(m.out.Types, t)
	}
	return uint32(i)
}

// references renumbers the functions that stand outside of bodies.
func (m *injector) references() error {
	m.out.Globals = slices.Clone(m.in.Globals)
	for i := range m.out.Globals {
		if err := m.constant(&m.out.Globals[i].Init); err != nil {
			return err
		}
	}
	m.out.Elements = slices.Clone(m.in.Elements)
	for i := range m.out.Elements {
		e := &m.out.Elements[i]
		e.Funcs = slices.Clone(e.Funcs)
		for j, f := range e.Funcs {
			e.Funcs[j] = m.renumber.Func(f)
		}
		e.Exprs = slices.Clone(e.Exprs)
		for j := range e.Exprs {
			if err := m.constant(&e.Exprs[j]); err != nil {
				return err
			}
		}
	}
	m.out.Exports = slices.Clone(m.in.Exports)
	for i := range m.out.Exports {
		if e := &m.out.Exports[i]; e.Kind == wasm.KindFunc {
			e.Index = m.renumber.Func(e.Index)
		}
	}
	return nil
}

func (m *injector) constant(expr *[]byte) (err error) {
	*expr, err = m.renumber.ConstExpr(*expr)
	return err
}

// bodies writes the functions and, behind them, refill: it asks for fuel until
// there is some.
func (m *injector) bodies() error {
	m.out.Bodies = make([]wasm.Body, 0, len(m.in.Bodies)+1)
	var w writer
	for i := range m.in.Bodies {
		w.start(m, uint32(i))
		if err := w.body(); err != nil {
			return err
		}
		body := wasm.Body{Locals: w.locals, Code: w.out}
		if len(body.Code) > wasm.MaxBounds.BodyBytes-maxLocalsBytes {
			return refuse(wasm.TooLarge, m.in.Bodies[i].Offset, "function %d is too large to be metered", m.imported+uint32(i))
		}
		m.out.Bodies = append(m.out.Bodies, body)
	}
	c := code{m: m}
	c.op(wasm.OpLoop, blockVoid)
	c.index(wasm.OpGlobalGet, m.fuel)
	c.i32(0)
	c.index(wasm.OpCall, m.imported)
	c.op(wasm.OpI64Add)
	c.index(wasm.OpGlobalSet, m.fuel)
	c.index(wasm.OpGlobalGet, m.fuel)
	c.i64(0)
	c.op(wasm.OpI64LtS)
	c.index(wasm.OpBrIf, 0)
	c.op(wasm.OpEnd, wasm.OpEnd)
	m.out.Bodies = append(m.out.Bodies, wasm.Body{Code: c.out})
	for _, shift := range m.payers {
		c := code{m: m}
		c.pay(shift)
		m.out.Bodies = append(m.out.Bodies, wasm.Body{Locals: []wasm.LocalRun{{Count: 1, Type: wasm.I64}}, Code: c.out})
	}
	return nil
}

// payer gives the number of the function that charges for an operand.
func (m *injector) payer(shift int) uint32 {
	i := slices.Index(m.payers, shift)
	if i < 0 {
		i = len(m.payers)
		m.payers = append(m.payers, shift)
		m.out.Funcs = append(m.out.Funcs, m.typeIndex(wasm.FuncType{Params: []wasm.ValType{wasm.I32}, Results: []wasm.ValType{wasm.I32}}))
	}
	return m.refill + 1 + uint32(i)
}

// maxLocalsBytes is more than the declarations of locals take.
const maxLocalsBytes = 400_000

// ends adds the globals, their exports and that of the start function. Custom
// sections go: engines refuse some that are not right, and what they say of
// functions and places in the code is no longer so.
func (m *injector) ends() error {
	depth := wasm.AppendSleb([]byte{byte(wasm.OpI32Const)}, int64(m.Calls))
	m.out.Globals = append(m.out.Globals,
		wasm.GlobalDef{GlobalType: wasm.GlobalType{Type: wasm.I64, Mutable: true}, Init: []byte{byte(wasm.OpI64Const), 0, byte(wasm.OpEnd)}},
		wasm.GlobalDef{GlobalType: wasm.GlobalType{Type: wasm.I32, Mutable: true}, Init: append(depth, byte(wasm.OpEnd))})
	m.out.Exports = append(m.out.Exports,
		wasm.Export{Name: m.Fuel, Kind: wasm.KindGlobal, Index: m.fuel}, wasm.Export{Name: m.Depth, Kind: wasm.KindGlobal, Index: m.depth})
	if m.in.HasStart {
		m.out.Start = m.renumber.Func(m.in.Start)
		if m.Start != "" {
			m.out.Exports = append(m.out.Exports, wasm.Export{Name: m.Start, Kind: wasm.KindFunc, Index: m.out.Start})
			m.out.HasStart = false
		}
	}
	m.out.Customs = nil
	return nil
}

// levels is how much of the call depth a function takes.
func levels(locals uint32) int32 {
	return int32(min(1+locals/localsPerLevel, math.MaxInt32/2))
}
