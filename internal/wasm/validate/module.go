package validate

import (
	"fmt"

	"github.com/avapd/avapd/internal/wasm"
)

// module is what bodies refer to.
type module struct {
	*wasm.Binary

	limits Limits
	// funcs are the types of all functions, and likewise tables and globals;
	// the imported ones come first.
	funcs           []uint32
	tables          []wasm.TableType
	globals         []wasm.GlobalType
	importedGlobals int
	hasMemory       bool
	// declared marks functions that stand outside of bodies, so that bodies may
	// make references to them.
	declared []bool
	mutable  int // how many globals are
	// instructions and work are sums over the bodies read so far.
	instructions int
	work         int64
}

// Module decodes a module and checks all of it. Its error, if any, is a
// *wasm.Error.
func Module(b []byte, limits Limits) (*wasm.Binary, error) {
	binary, err := wasm.DecodeWithin(b, limits.Bounds)
	if err != nil {
		return nil, err
	}
	m := &module{Binary: binary, limits: limits, hasMemory: len(binary.Memories) > 0}
	m.number()
	if err := m.sections(); err != nil {
		return nil, err
	}
	if err := m.bodies(); err != nil {
		return nil, err
	}
	return binary, nil
}

// number lays out the index spaces.
func (m *module) number() {
	for i := range m.Imports {
		imp := &m.Imports[i]
		switch imp.Kind {
		case wasm.KindFunc:
			m.funcs = append(m.funcs, imp.Type)
		case wasm.KindTable:
			m.tables = append(m.tables, imp.Table)
		case wasm.KindMemory:
			m.hasMemory = true
		case wasm.KindGlobal:
			m.globals = append(m.globals, imp.Global)
		}
	}
	m.importedGlobals = len(m.globals)
	m.funcs = append(m.funcs, m.Funcs...)
	m.tables = append(m.tables, m.Tables...)
	for i := range m.Globals {
		m.globals = append(m.globals, m.Globals[i].GlobalType)
	}
	m.declared = make([]bool, len(m.funcs))
}

// refuse makes an error.
func refuse(reason wasm.Reason, offset int, format string, args ...any) *wasm.Error {
	return &wasm.Error{Offset: offset, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// sections checks everything but the bodies.
func (m *module) sections() error {
	for _, e := range m.Exports {
		if e.Kind == wasm.KindFunc {
			m.declared[e.Index] = true
		}
	}
	for _, g := range m.globals {
		if g.Mutable {
			m.mutable++
		}
	}
	if m.mutable > m.limits.MutableGlobals {
		return refuse(wasm.TooLarge, 0, "%d mutable globals, at most %d are allowed", m.mutable, m.limits.MutableGlobals)
	}
	for i := range m.Globals {
		g := &m.Globals[i]
		if err := m.constant(g.Init, g.Type, g.Start, "global"); err != nil {
			return err
		}
	}
	for i := range m.Elements {
		if err := m.element(&m.Elements[i]); err != nil {
			return err
		}
	}
	for i := range m.Segments {
		if s := &m.Segments[i]; s.Mode == wasm.SegmentActive {
			if err := m.constant(s.Offset, wasm.I32, s.Start, "data segment"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *module) element(e *wasm.ElementSegment) error {
	if e.Mode == wasm.SegmentActive {
		if t := m.tables[e.Table].Elem; t != e.Elem {
			return refuse(wasm.Invalid, e.Start, "element segment: %s in a table of %s", e.Elem, t)
		}
		if err := m.constant(e.Offset, wasm.I32, e.Start, "element segment"); err != nil {
			return err
		}
	}
	for _, f := range e.Funcs {
		m.declared[f] = true
	}
	for _, expr := range e.Exprs {
		if err := m.constant(expr, e.Elem, e.Start, "element segment"); err != nil {
			return err
		}
	}
	return nil
}

// constant checks a constant expression: one instruction that gives a value of
// the type.
func (m *module) constant(code []byte, want wasm.ValType, start int, what string) error {
	var r wasm.CodeReader
	r.Reset(code, start)
	in, _ := r.Next()
	end, _ := r.Next()
	if in.Op == wasm.OpEnd || end.Op != wasm.OpEnd {
		return refuse(wasm.Invalid, start, "%s: a constant expression is one instruction", what)
	}
	var got wasm.ValType
	switch in.Op {
	case wasm.OpI32Const:
		got = wasm.I32
	case wasm.OpI64Const:
		got = wasm.I64
	case wasm.OpF32Const:
		got = wasm.F32
	case wasm.OpF64Const:
		got = wasm.F64
	case wasm.OpRefNull:
		got = in.Types[0]
	case wasm.OpRefFunc:
		if int64(in.Index) >= int64(len(m.funcs)) {
			return refuse(wasm.Invalid, start, "%s: function %d does not exist", what, in.Index)
		}
		m.declared[in.Index] = true
		got = wasm.FuncRef
	case wasm.OpGlobalGet:
		if int64(in.Index) >= int64(m.importedGlobals) || m.globals[in.Index].Mutable {
			return refuse(wasm.Invalid, start, "%s: global %d is not imported and constant", what, in.Index)
		}
		got = m.globals[in.Index].Type
	}
	if got != want {
		return refuse(wasm.Invalid, start, "%s: %s wanted, got %s", what, want, got)
	}
	return nil
}

// bodies checks each function's body.
func (m *module) bodies() error {
	f := &function{m: m}
	imported := len(m.funcs) - len(m.Funcs)
	for i := range m.Bodies {
		if err := f.check(uint32(imported+i), &m.Bodies[i]); err != nil {
			return err
		}
	}
	return nil
}
