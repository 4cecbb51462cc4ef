package wasm

import "encoding/binary"

// Instruction is a decoded instruction. Which fields count depends on the
// opcode.
type Instruction struct {
	Op     Opcode
	Offset int // in the input
	// Index is that of a local, global, function, type, label, table, or
	// segment; the default label of a br_table.
	Index uint32
	// Second is the other index of instructions with two.
	Second uint32
	// Align and MemOffset belong to loads and stores.
	Align, MemOffset uint32
	// Bits is a constant.
	Bits uint64
	// Block is the type of a block, loop or if.
	Block BlockType
	// Labels are the branches of a br_table but for the default. They are
	// overwritten by the next br_table.
	Labels []uint32
	// Types are those of a typed select, and Types[0] that of ref.null.
	Types []ValType
}

// BlockType is what a block takes and yields: nothing, one value, or what a
// type in the type section says.
type BlockType struct {
	Value    ValType // 0: none
	Index    uint32
	HasIndex bool
}

// CodeReader goes through a function's instructions without building a tree
// and without allocating, br_table and typed select apart.
type CodeReader struct {
	r      reader
	labels []uint32
	types  [1]ValType
}

// maxBranches bounds a br_table.
const maxBranches = 65_536

// NewCodeReader reads code that starts at the given offset of the input.
func NewCodeReader(code []byte, offset int) *CodeReader {
	return &CodeReader{r: reader{b: code, base: offset}}
}

// IntegerConstant is the value of a constant expression that is a whole number. An
// i32 counts as unsigned.
func IntegerConstant(expression []byte) (bits uint64, ok bool) {
	code := NewCodeReader(expression, 0)
	number, _ := code.Next()
	end, _ := code.Next()
	return number.Bits, end.Op == OpEnd && (number.Op == OpI32Const || number.Op == OpI64Const)
}

// Reset starts over with other code, and keeps the buffer of branches.
func (c *CodeReader) Reset(code []byte, offset int) {
	c.r = reader{b: code, base: offset}
}

// Offset is where the next instruction starts.
func (c *CodeReader) Offset() int { return c.r.base + c.r.at }

// Err gives the first error, or nil.
func (c *CodeReader) Err() error {
	if c.r.err == nil {
		return nil
	}
	return c.r.err
}

// Next gives the next instruction; false at the end and after an error.
func (c *CodeReader) Next() (Instruction, bool) {
	r := &c.r
	if r.left() == 0 || r.err != nil {
		return Instruction{}, false
	}
	in := Instruction{Offset: r.base + r.at}
	start := r.at
	first := r.byte()
	in.Op = Opcode(first)
	if first == byte(opPrefix>>8) {
		in.Op = opPrefix | Opcode(min(r.u32(), 0xff))
	}
	if in.Op.name() == "" && r.err == nil {
		r.at = start
		if feature := unsupportedOp(first); feature != "" {
			r.unsupported(feature)
		}
		r.fail("unknown instruction %#x", uint16(in.Op))
		return in, false
	}
	c.immediates(&in)
	return in, r.err == nil
}

func (c *CodeReader) immediates(in *Instruction) {
	r := &c.r
	switch in.Op {
	case OpBlock, OpLoop, OpIf:
		in.Block = c.blockType()
	case OpBr, OpBrIf, OpCall, OpLocalGet, OpLocalSet, OpLocalTee, OpGlobalGet, OpGlobalSet,
		OpTableGet, OpTableSet, OpRefFunc, OpDataDrop, OpElemDrop, OpTableGrow, OpTableSize, OpTableFill:
		in.Index = r.u32()
	case OpBrTable:
		c.branches(in)
	case OpCallIndirect, OpTableInit, OpTableCopy:
		in.Index, in.Second = r.u32(), r.u32()
	case OpSelectT:
		if n := r.u32(); r.err == nil && n != 1 {
			r.refuse(Invalid, "select of %d types", n)
			return
		}
		c.types[0] = r.valType()
		in.Types = c.types[:]
	case OpRefNull:
		c.types[0] = r.refType()
		in.Types = c.types[:]
	case OpMemorySize, OpMemoryGrow, OpMemoryFill:
		c.memoryZero()
	case OpMemoryCopy:
		c.memoryZero()
		c.memoryZero()
	case OpMemoryInit:
		in.Index = r.u32()
		c.memoryZero()
	case OpI32Const:
		in.Bits = uint64(uint32(r.signed(32)))
	case OpI64Const:
		in.Bits = uint64(r.signed(64))
	case OpF32Const:
		if b := r.bytes(4); b != nil {
			in.Bits = uint64(binary.LittleEndian.Uint32(b))
		}
	case OpF64Const:
		if b := r.bytes(8); b != nil {
			in.Bits = binary.LittleEndian.Uint64(b)
		}
	default:
		if in.Op >= OpI32Load && in.Op <= OpI64Store32 {
			c.memoryAccess(in)
		}
	}
}

// memoryAccess reads the alignment and the offset of a load or store. Bit 6 of
// the alignment says that the index of a memory follows.
func (c *CodeReader) memoryAccess(in *Instruction) {
	r := &c.r
	start := r.at
	in.Align = r.u32()
	switch {
	case r.err != nil:
	case in.Align >= 128:
		r.at = start
		r.fail("bad alignment")
	case in.Align >= 64:
		r.at = start
		r.unsupported(featureMemories)
	}
	in.MemOffset = r.u32()
}

func (c *CodeReader) branches(in *Instruction) {
	n := c.r.count("branches", 1, maxBranches)
	c.labels = c.labels[:0]
	for range n {
		c.labels = append(c.labels, c.r.u32())
	}
	in.Labels = c.labels
	in.Index = c.r.u32()
}

// blockType reads a signed number of 33 bits: a type index, or one of the
// value types as a negative number.
func (c *CodeReader) blockType() BlockType {
	start := c.r.at
	n := c.r.signed(33)
	switch {
	case n >= 0:
		return BlockType{Index: uint32(n), HasIndex: true}
	case n == -0x40:
		return BlockType{}
	}
	switch t := ValType(n & 0x7f); t {
	case I32, I64, F32, F64, FuncRef, ExternRef:
		if n >= -0x40 {
			return BlockType{Value: t}
		}
	}
	if c.r.err == nil {
		c.r.at = start
		if feature := unsupportedType(byte(n & 0x7f)); n < 0 && n >= -0x40 && feature != "" {
			c.r.unsupported(feature)
		}
		c.r.fail("bad block type")
	}
	return BlockType{}
}

func (c *CodeReader) memoryZero() {
	if i := c.r.byte(); c.r.err == nil && i != 0 {
		c.r.at--
		c.r.unsupported(featureMemories)
	}
}
