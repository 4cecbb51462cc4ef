package wasm

// Module is a module under construction. The zero value is an empty module.
type Module struct {
	// Name is written to the name section when it is not empty.
	Name string
	// Funcs holds imported and defined functions in the order they were added.
	Funcs []*Func
	// Globals holds imported and defined globals in the order they were added.
	Globals []*Global
	// Memory is the module's only memory, imported or defined, or nil.
	Memory *Memory
	// Table is the module's only table of function references, or nil.
	Table *Table
	// Data holds the active data segments.
	Data []Data
	// Customs are written behind the standard sections in this order, except
	// those with First set, which precede all sections.
	Customs []Custom
	// Start runs at instantiation, when it is not nil.
	Start *Func
}

// ImportName is the two-part name of an import.
type ImportName struct {
	Module, Field string
}

// Global is an imported or defined global variable.
type Global struct {
	Name    string
	Type    ValType
	Mutable bool
	// Import is set for imported globals.
	Import *ImportName
	// Init holds the initial value's bits of a defined global.
	Init uint64
	// Exports are the names under which the global is exported.
	Exports []string

	index uint32
}

// Memory is an imported or defined linear memory.
type Memory struct {
	Limits  Limits
	Import  *ImportName
	Exports []string
}

// Table is an imported or defined table of function references. Elements fill
// a defined table from index 0 when the module is instantiated.
type Table struct {
	Limits   Limits
	Import   *ImportName
	Exports  []string
	Elements []*Func
}

// Data is an active data segment: bytes copied to memory at instantiation.
type Data struct {
	Offset uint32
	Bytes  []byte
}

// Custom is a custom section.
type Custom struct {
	Name  string
	Bytes []byte
	First bool
}

// ImportFunc adds an imported function.
func (m *Module) ImportFunc(module, field string, t FuncType) *Func {
	f := &Func{Name: field, Type: t, Import: &ImportName{module, field}}
	m.Funcs = append(m.Funcs, f)
	return f
}

// NewFunc adds a defined function with an empty body. The body must leave the
// function's results on the operand stack; the final end is written by Encode.
func (m *Module) NewFunc(name string, t FuncType) *Func {
	f := &Func{Name: name, Type: t}
	m.Funcs = append(m.Funcs, f)
	return f
}

// NewGlobal adds a defined mutable global with an initial value given as bits.
func (m *Module) NewGlobal(name string, t ValType, init uint64) *Global {
	g := &Global{Name: name, Type: t, Mutable: true, Init: init}
	m.Globals = append(m.Globals, g)
	return g
}
