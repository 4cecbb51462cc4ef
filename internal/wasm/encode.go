package wasm

import (
	"encoding/binary"
	"slices"
)

// Section identifiers, in the order the format demands except for DataCount.
const (
	sectionCustom   = 0
	sectionType     = 1
	sectionImport   = 2
	sectionFunction = 3
	sectionTable    = 4
	sectionMemory   = 5
	sectionGlobal   = 6
	sectionExport   = 7
	sectionStart    = 8
	sectionElement  = 9
	sectionCode     = 10
	sectionData     = 11
)

// Header is the magic number and version that every module starts with.
const Header = "\x00asm\x01\x00\x00\x00"

// encoder lays the module out: types are collected, imports come first in
// each index space, and then the sections are written one by one.
type encoder struct {
	m       *Module
	types   []FuncType
	imports []*Func
	defined []*Func
	layout  Layout
}

// Layout tells where the code of an encoded module lies. Offsets count from the
// first byte of the code section's contents, as DWARF and wazero do; adding
// CodeStart gives offsets in the file, as source maps and V8 have them.
type Layout struct {
	CodeStart, CodeSize uint32
	// Marks are in the order of their offsets. The body of every function
	// starts with one, of position 0 if the function did not.
	Marks []PlacedMark
}

// PlacedMark says that the code from Offset to the next mark comes from a
// position; see Func.Mark.
type PlacedMark struct{ Offset, Position uint32 }

// Encode writes the module. The same module gives the same bytes.
func (m *Module) Encode() []byte {
	out, _ := m.EncodeLayout()
	return out
}

// EncodeLayout is Encode and tells what came to lie where.
func (m *Module) EncodeLayout() ([]byte, Layout) {
	e := &encoder{m: m}
	e.number()
	out := []byte(Header)
	for _, c := range m.Customs {
		if c.First {
			out = AppendCustom(out, c)
		}
	}
	for _, s := range []struct {
		id   byte
		body func([]byte) []byte
	}{
		{sectionType, e.typeSection},
		{sectionImport, e.importSection},
		{sectionFunction, e.functionSection},
		{sectionTable, e.tableSection},
		{sectionMemory, e.memorySection},
		{sectionGlobal, e.globalSection},
		{sectionExport, e.exportSection},
		{sectionStart, e.startSection},
		{sectionElement, e.elementSection},
		{sectionCode, e.codeSection},
		{sectionData, e.dataSection},
	} {
		if body := s.body(nil); len(body) > 0 {
			out = append(out, s.id)
			out = AppendUleb(out, uint64(len(body)))
			if s.id == sectionCode {
				e.layout.CodeStart, e.layout.CodeSize = uint32(len(out)), uint32(len(body))
			}
			out = append(out, body...)
		}
	}
	if names := e.nameSection(nil); len(names) > 0 {
		out = AppendCustom(out, Custom{Name: "name", Bytes: names})
	}
	for _, c := range m.Customs {
		if !c.First {
			out = AppendCustom(out, c)
		}
	}
	return out, e.layout
}

// AppendCustom adds a custom section to the end of an encoded module.
func AppendCustom(out []byte, c Custom) []byte {
	body := AppendName(nil, c.Name)
	body = append(body, c.Bytes...)
	out = append(out, sectionCustom)
	out = AppendUleb(out, uint64(len(body)))
	return append(out, body...)
}

// number gives every function, global and type its index.
func (e *encoder) number() {
	for _, f := range e.m.Funcs {
		if f.Import != nil {
			e.imports = append(e.imports, f)
		} else {
			e.defined = append(e.defined, f)
		}
	}
	for i, f := range slices.Concat(e.imports, e.defined) {
		f.index = uint32(i)
		e.typeIndex(f.Type)
	}
	n := uint32(0)
	for _, imported := range []bool{true, false} {
		for _, g := range e.m.Globals {
			if (g.Import != nil) == imported {
				g.index = n
				n++
			}
		}
	}
	for _, f := range e.defined {
		for _, r := range f.relocs {
			if r.typ != nil {
				e.typeIndex(*r.typ)
			}
		}
	}
}

func (e *encoder) typeIndex(t FuncType) uint32 {
	for i := range e.types {
		if e.types[i].Equal(t) {
			return uint32(i)
		}
	}
	e.types = append(e.types, t)
	return uint32(len(e.types) - 1)
}

func (e *encoder) typeSection(b []byte) []byte {
	if len(e.types) == 0 {
		return nil
	}
	b = AppendUleb(b, uint64(len(e.types)))
	for _, t := range e.types {
		b = append(b, 0x60)
		b = appendTypes(b, t.Params)
		b = appendTypes(b, t.Results)
	}
	return b
}

func appendTypes(b []byte, ts []ValType) []byte {
	b = AppendUleb(b, uint64(len(ts)))
	for _, t := range ts {
		b = append(b, byte(t))
	}
	return b
}

func (e *encoder) importSection(b []byte) []byte {
	n := len(e.imports)
	var body []byte
	name := func(i *ImportName, kind ExportKind) {
		body = AppendName(body, i.Module)
		body = AppendName(body, i.Field)
		body = append(body, byte(kind))
	}
	for _, f := range e.imports {
		name(f.Import, KindFunc)
		body = AppendUleb(body, uint64(e.typeIndex(f.Type)))
	}
	if t := e.m.Table; t != nil && t.Import != nil {
		n++
		name(t.Import, KindTable)
		body = append(body, byte(FuncRef))
		body = appendLimits(body, t.Limits)
	}
	if mem := e.m.Memory; mem != nil && mem.Import != nil {
		n++
		name(mem.Import, KindMemory)
		body = appendLimits(body, mem.Limits)
	}
	for _, g := range e.m.Globals {
		if g.Import != nil {
			n++
			name(g.Import, KindGlobal)
			body = append(body, byte(g.Type), boolByte(g.Mutable))
		}
	}
	return counted(b, n, body)
}

// counted prefixes a vector's elements with their number; an empty vector
// gives nothing, so that its section is left out.
func counted(b []byte, n int, body []byte) []byte {
	if n == 0 {
		return nil
	}
	b = AppendUleb(b, uint64(n))
	return append(b, body...)
}

func boolByte(v bool) byte {
	if v {
		return 1
	}
	return 0
}

func appendLimits(b []byte, l Limits) []byte {
	b = append(b, boolByte(l.HasMax))
	b = AppendUleb(b, uint64(l.Min))
	if l.HasMax {
		b = AppendUleb(b, uint64(l.Max))
	}
	return b
}

func (e *encoder) functionSection(b []byte) []byte {
	var body []byte
	for _, f := range e.defined {
		body = AppendUleb(body, uint64(e.typeIndex(f.Type)))
	}
	return counted(b, len(e.defined), body)
}

func (e *encoder) tableSection(b []byte) []byte {
	t := e.m.Table
	if t == nil || t.Import != nil {
		return nil
	}
	return counted(b, 1, appendLimits([]byte{byte(FuncRef)}, t.Limits))
}

func (e *encoder) memorySection(b []byte) []byte {
	mem := e.m.Memory
	if mem == nil || mem.Import != nil {
		return nil
	}
	return counted(b, 1, appendLimits(nil, mem.Limits))
}

func (e *encoder) globalSection(b []byte) []byte {
	n := 0
	var body []byte
	for _, g := range e.m.Globals {
		if g.Import != nil {
			continue
		}
		n++
		body = append(body, byte(g.Type), boolByte(g.Mutable))
		switch g.Type {
		case I32:
			body = append(body, byte(OpI32Const))
			body = AppendSleb(body, int64(int32(g.Init)))
		case F64:
			body = append(body, byte(OpF64Const))
			body = binary.LittleEndian.AppendUint64(body, g.Init)
		default:
			body = append(body, byte(OpI64Const))
			body = AppendSleb(body, int64(g.Init))
		}
		body = append(body, byte(OpEnd))
	}
	return counted(b, n, body)
}

func (e *encoder) exportSection(b []byte) []byte {
	n := 0
	var body []byte
	export := func(names []string, kind ExportKind, index uint32) {
		for _, name := range names {
			n++
			body = AppendName(body, name)
			body = append(body, byte(kind))
			body = AppendUleb(body, uint64(index))
		}
	}
	for _, f := range slices.Concat(e.imports, e.defined) {
		export(f.Exports, KindFunc, f.index)
	}
	if e.m.Table != nil {
		export(e.m.Table.Exports, KindTable, 0)
	}
	if e.m.Memory != nil {
		export(e.m.Memory.Exports, KindMemory, 0)
	}
	for _, g := range e.m.Globals {
		export(g.Exports, KindGlobal, g.index)
	}
	return counted(b, n, body)
}

func (e *encoder) startSection(b []byte) []byte {
	if e.m.Start == nil {
		return nil
	}
	return AppendUleb(b, uint64(e.m.Start.index))
}

func (e *encoder) elementSection(b []byte) []byte {
	t := e.m.Table
	if t == nil || len(t.Elements) == 0 {
		return nil
	}
	body := []byte{0, byte(OpI32Const), 0, byte(OpEnd)}
	body = AppendUleb(body, uint64(len(t.Elements)))
	for _, f := range t.Elements {
		body = AppendUleb(body, uint64(f.index))
	}
	return counted(b, 1, body)
}

func (e *encoder) codeSection(b []byte) []byte {
	if len(e.defined) == 0 {
		return nil
	}
	b = AppendUleb(b, uint64(len(e.defined)))
	for _, f := range e.defined {
		first := len(e.layout.Marks)
		code := e.functionBody(f)
		b = AppendUleb(b, uint64(len(code)))
		for i := first; i < len(e.layout.Marks); i++ {
			e.layout.Marks[i].Offset += uint32(len(b))
		}
		b = append(b, code...)
	}
	return b
}

func (e *encoder) functionBody(f *Func) []byte {
	if len(f.labels) != 0 {
		panic("wasm: function " + f.Name + " has open blocks")
	}
	b := appendLocals(make([]byte, 0, len(f.code)+2*len(f.relocs)+16), f.locals)
	at, marks := 0, f.marks
	if len(marks) == 0 || marks[0].offset > 0 {
		e.layout.Marks = append(e.layout.Marks, PlacedMark{})
	} else {
		// The declarations of the locals count as the function's first code.
		e.layout.Marks = append(e.layout.Marks, PlacedMark{0, marks[0].position})
		marks = marks[1:]
	}
	// place notes the marks before an offset of the code, of which the part
	// before at lies in b.
	place := func(offset int) {
		for len(marks) > 0 && marks[0].offset < offset {
			e.layout.Marks = append(e.layout.Marks, PlacedMark{uint32(len(b) + marks[0].offset - at), marks[0].position})
			marks = marks[1:]
		}
	}
	for _, r := range f.relocs {
		place(r.offset)
		b = append(b, f.code[at:r.offset]...)
		at = r.offset
		switch {
		case r.fn != nil:
			b = AppendUleb(b, uint64(r.fn.index))
		case r.global != nil:
			b = AppendUleb(b, uint64(r.global.index))
		case f.code[at-1] == byte(OpCallIndirect):
			b = AppendUleb(b, uint64(e.typeIndex(*r.typ)))
		default:
			b = AppendSleb(b, int64(e.typeIndex(*r.typ)))
		}
	}
	place(len(f.code) + 1)
	b = append(b, f.code[at:]...)
	return append(b, byte(OpEnd))
}

// appendLocals writes the declarations, runs of one type as one.
func appendLocals(b []byte, locals []ValType) []byte {
	var runs []byte
	n := 0
	for i := 0; i < len(locals); {
		j := i
		for j < len(locals) && locals[j] == locals[i] {
			j++
		}
		runs = AppendUleb(runs, uint64(j-i))
		runs = append(runs, byte(locals[i]))
		n++
		i = j
	}
	b = AppendUleb(b, uint64(n))
	return append(b, runs...)
}

func (e *encoder) dataSection(b []byte) []byte {
	var body []byte
	for _, d := range e.m.Data {
		body = append(body, 0, byte(OpI32Const))
		body = AppendSleb(body, int64(int32(d.Offset)))
		body = append(body, byte(OpEnd))
		body = AppendUleb(body, uint64(len(d.Bytes)))
		body = append(body, d.Bytes...)
	}
	return counted(b, len(e.m.Data), body)
}

// nameSection writes module, function and local names (appendix of the
// specification, "Name Section").
func (e *encoder) nameSection(b []byte) []byte {
	if e.m.Name != "" {
		b = appendSub(b, 0, AppendName(nil, e.m.Name))
	}
	var funcs, locals []byte
	nFuncs, nLocals := 0, 0
	for _, f := range slices.Concat(e.imports, e.defined) {
		if f.Name != "" {
			nFuncs++
			funcs = AppendUleb(funcs, uint64(f.index))
			funcs = AppendName(funcs, f.Name)
		}
		if len(f.localNames) > 0 {
			nLocals++
			locals = AppendUleb(locals, uint64(f.index))
			locals = appendLocalNames(locals, f.localNames)
		}
	}
	if nFuncs > 0 {
		b = appendSub(b, 1, counted(nil, nFuncs, funcs))
	}
	if nLocals > 0 {
		b = appendSub(b, 2, counted(nil, nLocals, locals))
	}
	return b
}

func appendLocalNames(b []byte, names []localName) []byte {
	sorted := slices.Clone(names)
	slices.SortStableFunc(sorted, func(x, y localName) int { return int(x.local) - int(y.local) })
	sorted = slices.CompactFunc(sorted, func(x, y localName) bool { return x.local == y.local })
	b = AppendUleb(b, uint64(len(sorted)))
	for _, n := range sorted {
		b = AppendUleb(b, uint64(n.local))
		b = AppendName(b, n.name)
	}
	return b
}

func appendSub(b []byte, id byte, body []byte) []byte {
	b = append(b, id)
	b = AppendUleb(b, uint64(len(body)))
	return append(b, body...)
}
