package meter

import "github.com/avapd/avapd/internal/wasm"

// blockVoid is the type of a block without parameters and results.
const blockVoid = wasm.Opcode(0x40)

// code appends instructions.
type code struct {
	m   *injector
	out []byte
}

func (c *code) op(ops ...wasm.Opcode) {
	for _, op := range ops {
		c.out = append(c.out, byte(op))
	}
}

func (c *code) index(op wasm.Opcode, i uint32) {
	c.out = wasm.AppendUleb(append(c.out, byte(op)), uint64(i))
}

func (c *code) i32(v int32) {
	c.out = wasm.AppendSleb(append(c.out, byte(wasm.OpI32Const)), int64(v))
}

func (c *code) i64(v int64) {
	c.out = wasm.AppendSleb(append(c.out, byte(wasm.OpI64Const)), v)
}

// change adds to the fuel, or takes.
func (c *code) change(units int64, op wasm.Opcode) {
	c.index(wasm.OpGlobalGet, c.m.fuel)
	c.i64(units)
	c.op(op)
	c.index(wasm.OpGlobalSet, c.m.fuel)
}

// charge takes the price of a block that needs no check.
func (c *code) charge(units int64) {
	if units > 0 {
		c.change(units, wasm.OpI64Sub)
	}
}

// settle pops what is left of the fuel, stores it, and pushes whether it is
// used up.
func (c *code) settle(left uint32) {
	c.index(wasm.OpLocalTee, left)
	c.index(wasm.OpGlobalSet, c.m.fuel)
	c.index(wasm.OpLocalGet, left)
	c.i64(0)
	c.op(wasm.OpI64LtS)
}

// take takes fuel and pushes whether it is used up.
func (c *code) take(units int64, left uint32) {
	c.index(wasm.OpGlobalGet, c.m.fuel)
	c.i64(units)
	c.op(wasm.OpI64Sub)
	c.settle(left)
}

// refillIf asks for fuel when there is none left, as the operand says.
func (c *code) refillIf() {
	c.op(wasm.OpIf, blockVoid)
	c.index(wasm.OpCall, c.m.refill)
	c.op(wasm.OpEnd)
}

// countDepth takes what the function counts from the calls that are left.
func (c *code) countDepth(levels int32) {
	c.index(wasm.OpGlobalGet, c.m.depth)
	c.i32(levels)
	c.op(wasm.OpI32Sub)
	c.index(wasm.OpGlobalSet, c.m.depth)
	c.index(wasm.OpGlobalGet, c.m.depth)
	c.i32(0)
	c.op(wasm.OpI32LtS)
	c.op(wasm.OpIf, blockVoid, wasm.OpUnreachable, wasm.OpEnd)
}

// giveDepth is the other end of countDepth.
func (c *code) giveDepth(levels int32) {
	c.index(wasm.OpGlobalGet, c.m.depth)
	c.i32(levels)
	c.op(wasm.OpI32Add)
	c.index(wasm.OpGlobalSet, c.m.depth)
}

// pay writes a function that charges for an operand and gives it back. An
// operand is below 2^32 and a shift at most 12, so that the product fits.
func (c *code) pay(shift int) {
	const operand, left = 0, 1
	c.index(wasm.OpGlobalGet, c.m.fuel)
	c.index(wasm.OpLocalGet, operand)
	c.op(wasm.OpI64ExtendI32U)
	if shift > 0 {
		c.i64(int64(shift))
		c.op(wasm.OpI64Shl)
	} else {
		c.i64(int64(-shift))
		c.op(wasm.OpI64ShrU)
	}
	c.op(wasm.OpI64Sub)
	c.settle(left)
	c.refillIf()
	c.index(wasm.OpLocalGet, operand)
	c.op(wasm.OpEnd)
}
