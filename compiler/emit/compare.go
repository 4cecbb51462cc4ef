package emit

import (
	"github.com/avapd/avapd/compiler/ir"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

var intCompare = map[ir.Operator]wasm.Opcode{
	ir.Equal: wasm.OpI64Eq, ir.NotEqual: wasm.OpI64Ne, ir.Less: wasm.OpI64LtS,
	ir.LessEqual: wasm.OpI64LeS, ir.Greater: wasm.OpI64GtS, ir.GreaterEqual: wasm.OpI64GeS,
}

var floatCompare = map[ir.Operator]wasm.Opcode{
	ir.Equal: wasm.OpF64Eq, ir.NotEqual: wasm.OpF64Ne, ir.Less: wasm.OpF64Lt,
	ir.LessEqual: wasm.OpF64Le, ir.Greater: wasm.OpF64Gt, ir.GreaterEqual: wasm.OpF64Ge,
}

// operatorNumber is what error messages call an ordering.
var operatorNumber = map[ir.Operator]int32{
	ir.Less: abi.OperatorLess, ir.LessEqual: abi.OperatorLessEqual,
	ir.Greater: abi.OperatorGreater, ir.GreaterEqual: abi.OperatorGreaterEqual,
}

// compare leaves the outcome of a comparison as i32.
func (u *unit) compare(x *ir.Expr) {
	f, a, b := u.f, x.Args[0], x.Args[1]
	switch {
	case a.Type.Is(ir.Int) && b.Type.Is(ir.Int):
		u.int(a)
		u.int(b)
		f.Op(intCompare[x.Operator])
	case floatLike(a) && floatLike(b):
		u.number(a)
		u.number(b)
		f.Op(floatCompare[x.Operator])
	case u.hot() && mayBeNumbers(a, b):
		u.fastCompare(x)
	default:
		u.slowCompare(x, u.hold(a), u.hold(b))
	}
}

// floatLike numbers are compared exactly as floats.
func floatLike(x *ir.Expr) bool {
	return x.Type.Is(ir.Float) || x.Op == ir.OpInt && x.Int <= maxExact && x.Int >= -maxExact
}

// slowCompare calls the library and releases the operands. Greater is Less the
// other way round.
func (u *unit) slowCompare(x *ir.Expr, a, b operand) {
	f := u.f
	first, second := a, b
	if x.Operator == ir.Greater || x.Operator == ir.GreaterEqual {
		first, second = b, a
	}
	u.pushOperand(first)
	u.pushOperand(second)
	u.setSite(x.Site)
	name := map[ir.Operator]string{
		ir.Equal: "Equal", ir.NotEqual: "Equal", ir.Less: "Less", ir.Greater: "Less",
		ir.LessEqual: "LessEqual", ir.GreaterEqual: "LessEqual",
	}[x.Operator]
	isOrder := x.Operator >= ir.Less
	if x.Op == ir.OpIfCompare {
		name = "If" + name
	} else if isOrder {
		f.I32Const(operatorNumber[x.Operator])
	}
	l := ir.Library(name)
	f.Call(u.e.lib(l))
	if l.Fallible {
		t := f.Temp(wasm.I32)
		f.LocalTee(t)
		u.failIfNegative()
		f.LocalGet(t)
		f.Release(t)
	}
	if x.Operator == ir.NotEqual {
		f.Op(wasm.OpI32Eqz)
	}
	u.release(a)
	u.release(b)
}

// fastCompare compares two integers or two floats in place before it calls the
// library.
func (u *unit) fastCompare(x *ir.Expr) {
	f := u.f
	a, b := u.hold(x.Args[0]), u.hold(x.Args[1])
	common := x.Args[0].Type & x.Args[1].Type
	done := f.Block(wasm.I32)
	if common.May(ir.Int) {
		slow := f.Block()
		u.bothAre(a, b, ir.Int)
		f.Op(wasm.OpI32Eqz)
		f.BrIf(slow)
		u.pushOperandPayload(a)
		u.pushOperandPayload(b)
		f.Op(intCompare[x.Operator])
		f.Br(done)
		f.End()
	}
	if common.May(ir.Float) {
		slow := f.Block()
		u.bothAre(a, b, ir.Float)
		f.Op(wasm.OpI32Eqz)
		f.BrIf(slow)
		for _, o := range []operand{a, b} {
			u.pushOperandPayload(o)
			f.Op(wasm.OpF64ReinterpretI64)
		}
		f.Op(floatCompare[x.Operator])
		f.Br(done)
		f.End()
	}
	u.slowCompare(x, a, b)
	f.End()
	u.site = 0
}
