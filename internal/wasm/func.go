package wasm

import (
	"encoding/binary"
	"math"
	"slices"
)

// Func is an imported or defined function. For a defined one the methods
// append instructions to its body. Errors of the caller that can only be
// mistakes in a compiler (an unbalanced End, a branch to a closed label)
// panic.
type Func struct {
	Name string
	Type FuncType
	// Import is set for imported functions.
	Import *ImportName
	// Exports are the names under which the function is exported.
	Exports []string

	locals     []ValType
	localNames []localName
	free       map[ValType][]Local
	code       []byte
	relocs     []reloc
	marks      []mark
	labels     []blockState
	branches   []branch
	index      uint32
	// and is the bitwise and that the code ended with when it had andEnd bytes.
	and    Opcode
	andEnd int
}

// Local is a local variable of a function, parameters first.
type Local uint32

// Label names an open block, loop or if as the target of a branch. A branch
// to a loop re-enters it at its head; to any other block it leaves it.
type Label int

type localName struct {
	local Local
	name  string
}

// reloc is a place in the code where an index stands that is known only when
// the module is laid out. The code holds nothing for it.
type reloc struct {
	offset int
	fn     *Func
	global *Global
	typ    *FuncType
}

// mark says where the code from offset on comes from.
type mark struct {
	offset   int
	position uint32
}

// blockState is an open block. Its first byte is at start.
type blockState struct {
	isIf, isBlock, used bool
	start               int
	branches            int // those before the block
}

// branch is a place in the code that holds the distance to a label.
type branch struct {
	offset int
	target Label
}

// Param gives the i-th parameter.
func (f *Func) Param(i int) Local {
	if i < 0 || i >= len(f.Type.Params) {
		panic("wasm: no such parameter")
	}
	return Local(i)
}

// NewLocal adds a local variable; it is zero when the function is entered.
func (f *Func) NewLocal(t ValType) Local {
	f.locals = append(f.locals, t)
	return Local(len(f.Type.Params) + len(f.locals) - 1)
}

// NameLocal gives a local a name in the name section.
func (f *Func) NameLocal(l Local, name string) {
	f.localNames = append(f.localNames, localName{l, name})
}

// LocalType gives a local's type.
func (f *Func) LocalType(l Local) ValType {
	if int(l) < len(f.Type.Params) {
		return f.Type.Params[l]
	}
	return f.locals[int(l)-len(f.Type.Params)]
}

// NumLocals counts parameters and locals.
func (f *Func) NumLocals() int { return len(f.Type.Params) + len(f.locals) }

// Temp takes a local for short use, a released one where there is one. Its
// value is undefined.
func (f *Func) Temp(t ValType) Local {
	if l := f.free[t]; len(l) > 0 {
		f.free[t] = l[:len(l)-1]
		return l[len(l)-1]
	}
	return f.NewLocal(t)
}

// Release gives locals got from Temp back.
func (f *Func) Release(locals ...Local) {
	if f.free == nil {
		f.free = make(map[ValType][]Local)
	}
	for _, l := range locals {
		t := f.LocalType(l)
		f.free[t] = append(f.free[t], l)
	}
}

// Mark says that the code that follows comes from a position in the source:
// any number to the caller's liking, 0 for code that has none. Layout tells
// where the code came to lie.
func (f *Func) Mark(position uint32) {
	if n := len(f.marks); n > 0 && f.marks[n-1].offset == len(f.code) {
		f.marks = f.marks[:n-1] // nothing has come from there
	}
	before := uint32(0)
	if n := len(f.marks); n > 0 {
		before = f.marks[n-1].position
	}
	if before != position {
		f.marks = append(f.marks, mark{len(f.code), position})
	}
}

// Op appends an instruction without immediate operands.
func (f *Func) Op(ops ...Opcode) {
	for _, op := range ops {
		f.hideAnd(op)
		f.code = appendOpcode(f.code, op)
		f.and, f.andEnd = op, len(f.code)
	}
}

// hideAnd writes what has to stand between an and and the next instruction.
func (f *Func) hideAnd(next Opcode) {
	if f.andEnd != len(f.code) {
		return
	}
	if zero, or, needed := Opaque(f.and, next); needed {
		f.code = append(f.code, byte(zero), 0, byte(or))
	}
}

// I32Const pushes v.
func (f *Func) I32Const(v int32) {
	f.code = append(f.code, byte(OpI32Const))
	f.code = AppendSleb(f.code, int64(v))
}

// I64Const pushes v.
func (f *Func) I64Const(v int64) {
	f.code = append(f.code, byte(OpI64Const))
	f.code = AppendSleb(f.code, v)
}

// F64Const pushes v with its exact bits.
func (f *Func) F64Const(v float64) {
	f.code = append(f.code, byte(OpF64Const))
	f.code = binary.LittleEndian.AppendUint64(f.code, math.Float64bits(v))
}

// LocalGet pushes a local.
func (f *Func) LocalGet(l Local) { f.indexed(OpLocalGet, uint32(l)) }

// LocalSet pops into a local.
func (f *Func) LocalSet(l Local) {
	f.hideAnd(OpLocalSet)
	f.indexed(OpLocalSet, uint32(l))
}

// LocalTee copies the top of the stack into a local.
func (f *Func) LocalTee(l Local) {
	f.hideAnd(OpLocalTee)
	f.indexed(OpLocalTee, uint32(l))
}

func (f *Func) indexed(op Opcode, i uint32) {
	f.code = append(f.code, byte(op))
	f.code = AppendUleb(f.code, uint64(i))
}

// GlobalGet pushes a global.
func (f *Func) GlobalGet(g *Global) { f.relocated(OpGlobalGet, reloc{global: g}) }

// GlobalSet pops into a global.
func (f *Func) GlobalSet(g *Global) { f.relocated(OpGlobalSet, reloc{global: g}) }

// Call calls a function of the same module, imported or defined.
func (f *Func) Call(g *Func) { f.relocated(OpCall, reloc{fn: g}) }

// CallIndirect calls through the module's table; the index is on the stack.
func (f *Func) CallIndirect(t FuncType) {
	f.relocated(OpCallIndirect, reloc{typ: &t})
	f.code = append(f.code, 0) // table index
}

func (f *Func) relocated(op Opcode, r reloc) {
	f.code = append(f.code, byte(op))
	r.offset = len(f.code)
	f.relocs = append(f.relocs, r)
}

// Mem appends a load or store. Align is the base-two logarithm of the
// alignment in bytes and at most the access's natural one.
func (f *Func) Mem(op Opcode, align, offset uint32) {
	f.code = append(f.code, byte(op))
	f.code = AppendUleb(f.code, uint64(align))
	f.code = AppendUleb(f.code, uint64(offset))
}

// MemorySize pushes the memory's size in pages.
func (f *Func) MemorySize() { f.code = append(f.code, byte(OpMemorySize), 0) }

// MemoryGrow pops a number of pages and pushes the old size, or -1.
func (f *Func) MemoryGrow() { f.code = append(f.code, byte(OpMemoryGrow), 0) }

// MemoryCopy pops destination, source, length in bytes.
func (f *Func) MemoryCopy() {
	f.Op(OpMemoryCopy)
	f.code = append(f.code, 0, 0)
}

// MemoryFill pops destination, byte value, length in bytes.
func (f *Func) MemoryFill() {
	f.Op(OpMemoryFill)
	f.code = append(f.code, 0)
}

// Block opens a block that yields the given results.
func (f *Func) Block(results ...ValType) Label { return f.open(OpBlock, results) }

// Loop opens a loop that yields the given results; a branch to it re-enters
// it at the head.
func (f *Func) Loop(results ...ValType) Label { return f.open(OpLoop, results) }

// If pops an i32 condition and opens the branch for non-zero.
func (f *Func) If(results ...ValType) Label { return f.open(OpIf, results) }

// Else starts the other branch of the innermost block, which must be an if.
func (f *Func) Else() {
	if len(f.labels) == 0 || !f.labels[len(f.labels)-1].isIf {
		panic("wasm: else without if")
	}
	f.labels[len(f.labels)-1].isIf = false
	f.hideAnd(OpElse)
	f.code = append(f.code, byte(OpElse))
}

// Used reports whether a branch leaves for an open label.
func (f *Func) Used(l Label) bool { return f.labels[l].used }

// End closes the innermost block. A plain block that nothing leaves for is
// taken out again, since each block costs an engine time to compile.
func (f *Func) End() {
	if len(f.labels) == 0 {
		panic("wasm: end without a block")
	}
	b := f.labels[len(f.labels)-1]
	f.labels = f.labels[:len(f.labels)-1]
	if b.isBlock && !b.used && f.takeOut(&b) {
		return
	}
	f.hideAnd(OpEnd)
	f.code = append(f.code, byte(OpEnd))
}

// takeOut removes the head of a block without results from the code. Branches
// inside to what is outside have one level less to leave; a distance that is
// not one byte is left alone, and the block with it.
func (f *Func) takeOut(b *blockState) bool {
	outside := Label(len(f.labels)) // the block's own is not among the targets
	inside := f.branches[b.branches:]
	for _, br := range inside {
		if br.target < outside && f.code[br.offset] >= 0x80 {
			return false
		}
	}
	const head = 2
	f.code = slices.Delete(f.code, b.start, b.start+head)
	f.and = 0
	for i := range inside {
		inside[i].offset -= head
		if inside[i].target < outside {
			f.code[inside[i].offset]--
		}
	}
	for i := len(f.relocs) - 1; i >= 0 && f.relocs[i].offset > b.start; i-- {
		f.relocs[i].offset -= head
	}
	for i := len(f.marks) - 1; i >= 0 && f.marks[i].offset > b.start; i-- {
		f.marks[i].offset -= head
	}
	return true
}

func (f *Func) open(op Opcode, results []ValType) Label {
	b := blockState{isIf: op == OpIf, start: len(f.code), branches: len(f.branches)}
	switch len(results) {
	case 0:
		b.isBlock = op == OpBlock
		f.code = append(f.code, byte(op), 0x40)
	case 1:
		f.code = append(f.code, byte(op), byte(results[0]))
	default:
		// Type indices are below 2^31 and so look alike in signed LEB as long
		// as bit 6 of the last byte is clear, which layout takes care of.
		t := FuncType{Results: results}
		f.relocated(op, reloc{typ: &t})
	}
	f.labels = append(f.labels, b)
	return Label(len(f.labels) - 1)
}

// Br branches to a label.
func (f *Func) Br(l Label) {
	f.hideAnd(OpBr)
	f.branch(OpBr, l)
}

// BrIf pops an i32 and branches to a label when it is not zero.
func (f *Func) BrIf(l Label) { f.branch(OpBrIf, l) }

func (f *Func) branch(op Opcode, l Label) {
	f.code = append(f.code, byte(op))
	f.leaveFor(l)
}

// BrTable pops an index and branches to the label of that index, or to the
// default.
func (f *Func) BrTable(labels []Label, def Label) {
	f.hideAnd(OpBrTable)
	f.code = append(f.code, byte(OpBrTable))
	f.code = AppendUleb(f.code, uint64(len(labels)))
	for _, l := range labels {
		f.leaveFor(l)
	}
	f.leaveFor(def)
}

// leaveFor appends the distance to a label.
func (f *Func) leaveFor(l Label) {
	d := len(f.labels) - 1 - int(l)
	if l < 0 || d < 0 {
		panic("wasm: branch to a label that is not open")
	}
	f.labels[l].used = true
	f.branches = append(f.branches, branch{len(f.code), l})
	f.code = AppendUleb(f.code, uint64(d))
}
