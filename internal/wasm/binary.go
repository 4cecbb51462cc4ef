package wasm

// Binary is a decoded module. Function bodies, constant expressions, data and
// custom sections are slices of the input, so decoding costs no more than the
// sections' vectors. What Decode promises is that the format is right and that
// the indices in the sections exist; whether bodies are well-typed is for a
// validator to say.
type Binary struct {
	Types    []FuncType
	Imports  []Import
	Funcs    []uint32 // type index of each defined function
	Tables   []TableType
	Memories []Limits
	Globals  []GlobalDef
	Exports  []Export
	Start    uint32
	HasStart bool
	Elements []ElementSegment
	Bodies   []Body
	Segments []DataSegment
	Customs  []CustomSection
	// HasDataCount is set when the number of data segments stands before the
	// code, which instructions that name a segment need.
	HasDataCount bool
}

// Import is an imported function, table, memory or global.
type Import struct {
	ImportName
	Kind   ExportKind
	Type   uint32 // of a function: index into Types
	Table  TableType
	Memory Limits
	Global GlobalType
}

// TableType is a table's element type and size.
type TableType struct {
	Elem   ValType
	Limits Limits
}

// GlobalType is the type of a global.
type GlobalType struct {
	Type    ValType
	Mutable bool
}

// GlobalDef is a defined global; Init is a constant expression with its end.
// Start says where in the input the definition starts, as in segments.
type GlobalDef struct {
	GlobalType
	Init  []byte
	Start int
}

// Export is an exported function, table, memory or global.
type Export struct {
	Name  string
	Kind  ExportKind
	Index uint32
}

// SegmentMode says when a segment is used.
type SegmentMode byte

// The modes of element and data segments.
const (
	SegmentActive SegmentMode = iota
	SegmentPassive
	SegmentDeclared
)

// ElementSegment fills a table. It has either function indices or constant
// expressions.
type ElementSegment struct {
	Mode   SegmentMode
	Table  uint32
	Offset []byte
	Elem   ValType
	Funcs  []uint32
	Exprs  [][]byte
	Start  int
}

// DataSegment fills memory.
type DataSegment struct {
	Mode   SegmentMode
	Offset []byte
	Bytes  []byte
	Start  int
}

// LocalRun declares a number of locals of one type.
type LocalRun struct {
	Count uint32
	Type  ValType
}

// Body is a function's body: Code holds its instructions with the final end,
// and Offset says where in the input it starts.
type Body struct {
	Locals []LocalRun
	Code   []byte
	Offset int
}

// CustomSection is a custom section; After is the identifier of the last
// standard section before it, or 0.
type CustomSection struct {
	Name   string
	Bytes  []byte
	Offset int
	After  byte
}

// ImportCount counts the imports of a kind.
func (b *Binary) ImportCount(kind ExportKind) int {
	n := 0
	for i := range b.Imports {
		if b.Imports[i].Kind == kind {
			n++
		}
	}
	return n
}

// FuncTypeOf gives the signature of a function, imported or defined, by its
// index.
func (b *Binary) FuncTypeOf(index uint32) (FuncType, bool) {
	for i := range b.Imports {
		if b.Imports[i].Kind != KindFunc {
			continue
		}
		if index == 0 {
			return b.Types[b.Imports[i].Type], true
		}
		index--
	}
	if int(index) >= len(b.Funcs) {
		return FuncType{}, false
	}
	return b.Types[b.Funcs[index]], true
}

// Custom gives the bytes of the first custom section of a name.
func (b *Binary) Custom(name string) ([]byte, bool) {
	for i := range b.Customs {
		if b.Customs[i].Name == name {
			return b.Customs[i].Bytes, true
		}
	}
	return nil, false
}
