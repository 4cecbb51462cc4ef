package wasm

// Bounds says how much a module may declare. A count beyond its bound is
// refused where it is read, before anything is allocated for it.
type Bounds struct {
	ModuleBytes     int
	Types           int
	TypeValues      int // parameters of a type, and likewise results
	Imports         int
	Functions       int // defined ones
	Tables          int // defined ones
	TableElements   int // initial size of a table
	MemoryPages     int // initial size of the memory
	Globals         int // defined ones
	Exports         int
	ElementSegments int
	Elements        int // of all segments
	DataSegments    int
	DataBytes       int // of all segments
	Locals          int // of a function, parameters not counted
	BodyBytes       int // of a function
	NameBytes       int // of the name of an import, export or custom section
	Customs         int
	CustomBytes     int // of all custom sections
}

// MaxBounds are the bounds of Decode. They are far above what a compiler
// writes; with them decoding takes some twenty times the memory of the input at
// most.
var MaxBounds = Bounds{
	ModuleBytes:     256 << 20,
	Types:           100_000,
	TypeValues:      1_000,
	Imports:         100_000,
	Functions:       100_000,
	Tables:          100,
	TableElements:   10_000_000,
	MemoryPages:     maxPages,
	Globals:         100_000,
	Exports:         100_000,
	ElementSegments: 100_000,
	Elements:        1_000_000,
	DataSegments:    100_000,
	DataBytes:       256 << 20,
	Locals:          50_000,
	BodyBytes:       8 << 20,
	NameBytes:       100_000,
	Customs:         1_000,
	CustomBytes:     256 << 20,
}
