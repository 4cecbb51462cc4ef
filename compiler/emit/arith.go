package emit

import (
	"math"

	"github.com/avapd/avapd/compiler/ir"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

var libraryOperator = [...]string{
	ir.Add: "Add", ir.Sub: "Sub", ir.Mul: "Mul", ir.Div: "Div", ir.Mod: "Mod", ir.Pow: "Pow",
	ir.BitAnd: "BitAnd", ir.BitOr: "BitOr", ir.BitXor: "BitXor", ir.Shl: "Shl", ir.Shr: "Shr",
	ir.Neg: "Neg", ir.Pos: "Pos", ir.Invert: "Invert",
}

// arithmeticRep tells whether an operation is written in place.
func (u *unit) arithmeticRep(x *ir.Expr) rep {
	a := x.Args[0]
	if x.Op == ir.OpUnary {
		switch {
		case a.Type.Is(ir.Int):
			return integer
		case a.Type.Is(ir.Float) && x.Operator != ir.Invert:
			return float
		}
		return repOfKinds(x.Type)
	}
	b := x.Args[1]
	if a.Type.Is(ir.Int) && b.Type.Is(ir.Int) {
		switch {
		case x.Operator == ir.Div || !u.inPlace(x):
			return repOfKinds(x.Type)
		default:
			return integer
		}
	}
	if a.Type.Is(ir.Int|ir.Float) && b.Type.Is(ir.Int|ir.Float) && single(a) && single(b) {
		switch x.Operator {
		case ir.Add, ir.Sub, ir.Mul:
			return float
		}
	}
	return repOfKinds(x.Type)
}

func single(x *ir.Expr) bool { return x.Type == ir.Int || x.Type == ir.Float }

// inPlace reports whether both operands are single numbers and the operator is
// one that this file writes without the library.
func (u *unit) inPlace(x *ir.Expr) bool { return inPlace(x, u.hot()) }

func inPlace(x *ir.Expr, hot bool) bool {
	a, b := x.Args[0], x.Args[1]
	if !single(a) || !single(b) {
		return false
	}
	bothInts := a.Type == ir.Int && b.Type == ir.Int
	switch x.Operator {
	case ir.Add, ir.Sub, ir.Mul:
		return true
	case ir.BitAnd, ir.BitOr, ir.BitXor:
		return bothInts
	case ir.Shl, ir.Shr:
		return bothInts && smallShift(b)
	case ir.Mod:
		return bothInts && (smallDivisor(b) || hot)
	case ir.Div:
		return !bothInts || hot
	}
	return false
}

// maxExact is the largest magnitude up to which all integers are floats.
const maxExact = 1 << 53

func (u *unit) binary(x *ir.Expr) {
	if u.inPlace(x) {
		if x.Args[0].Type == ir.Int && x.Args[1].Type == ir.Int {
			u.intBinary(x)
		} else {
			u.floatBinary(x)
		}
		return
	}
	if u.hot() && isRoot(x) {
		u.root(x)
		return
	}
	if u.hot() && x.Operator <= ir.Div && mayBeNumbers(x.Args[0], x.Args[1]) {
		u.fastBinary(x)
		return
	}
	u.libraryBinary(x)
	u.pairResult(x.Type, true)
}

// libraryBinary leaves the pair that the library's operator gives.
func (u *unit) libraryBinary(x *ir.Expr) {
	u.value(x.Args[0])
	u.value(x.Args[1])
	u.setSite(x.Site)
	if x.Operator == ir.Add && x.Args[0].Type.Is(ir.Text) && x.Args[1].Type.Is(ir.Text) {
		u.call("Concat") // as Add does
		return
	}
	u.call(libraryOperator[x.Operator])
}

// isRoot reports whether x is the square root of a number.
func isRoot(x *ir.Expr) bool {
	n := x.Args[1]
	return x.Operator == ir.Pow && n.Op == ir.OpFloat && n.Float == 0.5 && single(x.Args[0]) && x.Type == ir.Float
}

// root has the library look at what is not above zero: errors, the zero with a
// sign, and what is no number.
func (u *unit) root(x *ir.Expr) {
	f := u.f
	v := f.Temp(wasm.F64)
	u.number(x.Args[0])
	f.LocalSet(v)
	site := u.site
	done := f.Block(wasm.F64)
	slow := f.Block()
	f.LocalGet(v)
	f.F64Const(0)
	f.Op(wasm.OpF64Gt, wasm.OpI32Eqz)
	f.BrIf(slow)
	f.LocalGet(v)
	f.Op(wasm.OpF64Sqrt)
	f.Br(done)
	f.End()
	u.settled(func() {
		f.I32Const(abi.KindFloat)
		f.LocalGet(v)
		f.Op(wasm.OpI64ReinterpretF64)
		u.value(x.Args[1])
		u.setSite(x.Site)
		u.call(libraryOperator[ir.Pow])
	})
	u.pairResult(x.Type, true)
	f.End()
	u.mergeSite(site)
	f.Release(v)
}

func mayBeNumbers(a, b *ir.Expr) bool {
	numbers := ir.Int | ir.Float
	return a.Type&b.Type&numbers != 0
}

var intOps = map[ir.Operator]wasm.Opcode{
	ir.Add: wasm.OpI64Add, ir.Sub: wasm.OpI64Sub, ir.Mul: wasm.OpI64Mul,
	ir.BitAnd: wasm.OpI64And, ir.BitOr: wasm.OpI64Or, ir.BitXor: wasm.OpI64Xor,
}

var floatOps = map[ir.Operator]wasm.Opcode{
	ir.Add: wasm.OpF64Add, ir.Sub: wasm.OpF64Sub, ir.Mul: wasm.OpF64Mul, ir.Div: wasm.OpF64Div,
}

// intBinary computes with two integers; results beyond 64 bits go to the cold
// exit.
func (u *unit) intBinary(x *ir.Expr) {
	f := u.f
	switch x.Operator {
	case ir.BitAnd, ir.BitOr, ir.BitXor:
		u.int(x.Args[0])
		u.int(x.Args[1])
		f.Op(intOps[x.Operator])
	case ir.Shl, ir.Shr:
		u.shiftConst(x)
	case ir.Div:
		u.divInts(x)
	case ir.Mod:
		if smallDivisor(x.Args[1]) {
			u.modConst(x)
		} else {
			u.modInts(x)
		}
	default:
		u.checked(x)
	}
}

// checked adds, subtracts or multiplies, and looks for an overflow if there can
// be one.
func (u *unit) checked(x *ir.Expr) {
	switch {
	case x.Facts.Has(ir.NoOverflow):
		u.int(x.Args[0])
		u.int(x.Args[1])
		u.f.Op(intOps[x.Operator])
	case x.Operator == ir.Mul:
		a, b := u.intOperands(x)
		u.mulChecked(x, a, b)
		u.f.Release(a, b)
	default:
		u.addChecked(x)
	}
}

// intOperands computes both operands into locals.
func (u *unit) intOperands(x *ir.Expr) (a, b wasm.Local) {
	a, b = u.f.Temp(wasm.I64), u.f.Temp(wasm.I64)
	u.int(x.Args[0])
	u.int(x.Args[1])
	u.f.LocalSet(b)
	u.f.LocalSet(a)
	return a, b
}

// addChecked adds or subtracts. Where the sign of an operand is known one
// comparison finds an overflow: adding what is not negative must not yield
// less than the other operand.
func (u *unit) addChecked(x *ir.Expr) {
	f := u.f
	a, b := u.intOperands(x)
	r := f.Temp(wasm.I64)
	f.LocalGet(a)
	f.LocalGet(b)
	f.Op(intOps[x.Operator])
	f.LocalSet(r)
	u.coldIf(x.Site, "", func() {
		if other, op, ok := oneComparison(x, a, b); ok {
			f.LocalGet(r)
			f.LocalGet(other)
			f.Op(op)
			return
		}
		u.overflowed(x.Operator, a, b, r)
	})
	f.LocalGet(r)
	f.Release(a, b, r)
}

// oneComparison gives the comparison of the result with an operand that finds
// an overflow, if the signs allow it.
func oneComparison(x *ir.Expr, a, b wasm.Local) (other wasm.Local, op wasm.Opcode, ok bool) {
	isAdd, facts, c := x.Operator == ir.Add, x.Facts, x.Args[1]
	less := map[bool]wasm.Opcode{true: wasm.OpI64LtS, false: wasm.OpI64GtS}
	switch {
	case facts.Has(ir.RightNotNegative) || c.Op == ir.OpInt && c.Int >= 0:
		return a, less[isAdd], true
	case facts.Has(ir.RightNotPositive) || c.Op == ir.OpInt:
		return a, less[!isAdd], true
	case isAdd && facts.Has(ir.LeftNotNegative):
		return b, wasm.OpI64LtS, true
	case isAdd && facts.Has(ir.LeftNotPositive):
		return b, wasm.OpI64GtS, true
	}
	return 0, 0, false
}

// overflowed tells whether r = a ± b went beyond 64 bits: the signs say so.
func (u *unit) overflowed(o ir.Operator, a, b, r wasm.Local) {
	f := u.f
	f.LocalGet(a)
	f.LocalGet(r)
	f.Op(wasm.OpI64Xor)
	if o == ir.Add {
		f.LocalGet(b)
		f.LocalGet(r)
	} else {
		f.LocalGet(a)
		f.LocalGet(b)
	}
	f.Op(wasm.OpI64Xor, wasm.OpI64And)
	f.I64Const(0)
	f.Op(wasm.OpI64LtS)
}

// mulChecked leaves a × b. Factors of 32 bits cannot overflow. Where code runs
// once, others go through the library, which raises the error where there is
// one; else a division tells.
func (u *unit) mulChecked(x *ir.Expr, a, b wasm.Local) {
	f := u.f
	if u.hot() {
		r := f.Temp(wasm.I64)
		f.LocalGet(a)
		f.LocalGet(b)
		f.Op(wasm.OpI64Mul)
		f.LocalSet(r)
		u.aside(func() {
			u.fits32(x, a, b)
			f.Op(wasm.OpI32Eqz)
		}, func(on wasm.Label) { u.mulLarge(x, a, b, r, on) })
		f.LocalGet(r)
		f.Release(r)
		return
	}
	u.fits32(x, a, b)
	site := u.site
	f.If(wasm.I64)
	f.LocalGet(a)
	f.LocalGet(b)
	f.Op(wasm.OpI64Mul)
	f.Else()
	u.callInts(x, a, b)
	f.End()
	u.mergeSite(site)
}

// mulLarge goes on if r is a × b, and leaves for the cold exit if that is beyond
// 64 bits. The one quotient that is beyond them itself is not computed.
func (u *unit) mulLarge(x *ir.Expr, a, b, r wasm.Local, on wasm.Label) {
	f := u.f
	f.LocalGet(a)
	f.Op(wasm.OpI64Eqz)
	f.BrIf(on)
	over := f.Block()
	f.LocalGet(a)
	f.I64Const(-1)
	f.Op(wasm.OpI64Eq)
	f.LocalGet(b)
	f.I64Const(math.MinInt64)
	f.Op(wasm.OpI64Eq, wasm.OpI32And)
	f.BrIf(over)
	f.LocalGet(r)
	f.LocalGet(a)
	f.Op(wasm.OpI64DivS)
	f.LocalGet(b)
	f.Op(wasm.OpI64Eq)
	f.BrIf(on)
	f.End()
	u.leaveCold(x.Site, "")
}

// fits32 tells whether both operands of an operation are within 32 bits.
func (u *unit) fits32(x *ir.Expr, a, b wasm.Local) {
	f := u.f
	tests := 0
	test := func(l wasm.Local, known ir.Facts) {
		if x.Facts.Has(known) {
			return
		}
		f.LocalGet(l)
		f.Op(wasm.OpI64Extend32S)
		f.LocalGet(l)
		f.Op(wasm.OpI64Eq)
		if tests++; tests > 1 {
			f.Op(wasm.OpI32And)
		}
	}
	test(a, ir.LeftShort)
	test(b, ir.RightShort)
	if tests == 0 {
		f.I32Const(1)
	}
}

// floatBinary computes with two numbers of which one at least is a float.
func (u *unit) floatBinary(x *ir.Expr) {
	f := u.f
	if x.Operator != ir.Div {
		u.number(x.Args[0])
		u.number(x.Args[1])
		f.Op(floatOps[x.Operator])
		return
	}
	a, b := f.Temp(wasm.F64), f.Temp(wasm.F64)
	u.number(x.Args[0])
	u.number(x.Args[1])
	f.LocalSet(b)
	f.LocalSet(a)
	site := u.site
	f.LocalGet(b)
	f.F64Const(0)
	f.Op(wasm.OpF64Eq)
	f.If()
	for _, l := range []wasm.Local{a, b} {
		f.I32Const(abi.KindFloat)
		f.LocalGet(l)
		f.Op(wasm.OpI64ReinterpretF64)
	}
	u.setSite(x.Site)
	u.call("Div")
	u.pairResult(ir.Any, true)
	f.Op(wasm.OpDrop, wasm.OpDrop)
	f.End()
	u.mergeSite(site)
	f.LocalGet(a)
	f.LocalGet(b)
	f.Op(wasm.OpF64Div)
	f.Release(a, b)
}

func (u *unit) unary(x *ir.Expr) {
	f, a := u.f, x.Args[0]
	switch {
	case a.Type.Is(ir.Int) && x.Operator == ir.Neg && x.Facts.Has(ir.NoOverflow):
		f.I64Const(0)
		u.int(a)
		f.Op(wasm.OpI64Sub)
	case a.Type.Is(ir.Int) && x.Operator == ir.Neg:
		t := f.Temp(wasm.I64)
		u.int(a)
		f.LocalSet(t)
		u.coldIf(x.Site, "", func() {
			f.LocalGet(t)
			f.I64Const(math.MinInt64)
			f.Op(wasm.OpI64Eq)
		})
		f.I64Const(0)
		f.LocalGet(t)
		f.Op(wasm.OpI64Sub)
		f.Release(t)
	case a.Type.Is(ir.Int) && x.Operator == ir.Pos:
		u.int(a)
	case a.Type.Is(ir.Int):
		u.int(a)
		f.I64Const(-1)
		f.Op(wasm.OpI64Xor)
	case a.Type.Is(ir.Float) && x.Operator != ir.Invert:
		u.number(a)
		if x.Operator == ir.Neg {
			f.Op(wasm.OpF64Neg)
		}
	default:
		u.value(a)
		u.setSite(x.Site)
		u.call(libraryOperator[x.Operator])
		u.pairResult(x.Type, true)
	}
}

// operand is a value that can be pushed several times.
type operand struct {
	x            *ir.Expr
	tag, payload wasm.Local
}

// hold computes a value into locals.
func (u *unit) hold(x *ir.Expr) operand {
	o := operand{x: x}
	if x.IsConst() {
		return o
	}
	o.tag, o.payload = u.f.Temp(wasm.I32), u.f.Temp(wasm.I64)
	u.value(x)
	u.f.LocalSet(o.payload)
	u.f.LocalSet(o.tag)
	return o
}

func (u *unit) release(o operand) {
	if !o.x.IsConst() {
		u.f.Release(o.tag, o.payload)
	}
}

func (u *unit) pushOperand(o operand) {
	if o.x.IsConst() {
		u.value(o.x)
		return
	}
	u.f.LocalGet(o.tag)
	u.f.LocalGet(o.payload)
}

func (u *unit) pushOperandPayload(o operand) {
	switch {
	case !o.x.IsConst():
		u.f.LocalGet(o.payload)
	case u.rep(o.x) == pair:
		u.value(o.x)
		u.keepPayload()
	default:
		u.payload(o.x)
	}
}

func (u *unit) pushOperandTag(o operand) {
	if o.x.IsConst() {
		u.value(o.x)
		u.f.Op(wasm.OpDrop)
		return
	}
	u.f.LocalGet(o.tag)
}

// bothAre tests whether two operands are of one kind; operands known to be of
// it are not tested.
func (u *unit) bothAre(a, b operand, k ir.Kinds) {
	f := u.f
	tag, _ := singleKind(k)
	tests := 0
	for _, o := range []operand{a, b} {
		if o.x.Type.Is(k) {
			continue
		}
		f.LocalGet(o.tag)
		f.I32Const(tag)
		f.Op(wasm.OpI32Eq)
		if tests++; tests > 1 {
			f.Op(wasm.OpI32And)
		}
	}
	if tests == 0 {
		f.I32Const(1)
	}
}

// fastBinary tries two integers and two floats in place before it calls the
// library.
func (u *unit) fastBinary(x *ir.Expr) {
	f := u.f
	a, b := u.hold(x.Args[0]), u.hold(x.Args[1])
	r := repOfKinds(x.Type)
	t, p := f.Temp(wasm.I32), f.Temp(wasm.I64)
	done := f.Block()
	common := x.Args[0].Type & x.Args[1].Type
	if common.May(ir.Int) && x.Operator != ir.Div {
		u.fastInts(x, a, b, t, p, done)
	}
	if common.May(ir.Float) {
		u.fastFloats(x, a, b, t, p, done)
	}
	u.pushOperand(a)
	u.pushOperand(b)
	u.setSite(x.Site)
	u.call(libraryOperator[x.Operator])
	f.LocalSet(p)
	f.LocalTee(t)
	u.failIfNegative()
	f.End()
	u.site = 0
	if r == pair {
		f.LocalGet(t)
	}
	f.LocalGet(p)
	switch r {
	case float:
		f.Op(wasm.OpF64ReinterpretI64)
	case boolean:
		f.Op(wasm.OpI32WrapI64)
	}
	f.Release(t, p)
	u.release(a)
	u.release(b)
}

// fastInts leaves to done with the result of two integers in t and p.
func (u *unit) fastInts(x *ir.Expr, a, b operand, t, p wasm.Local, done wasm.Label) {
	f := u.f
	slow := f.Block()
	u.bothAre(a, b, ir.Int)
	f.Op(wasm.OpI32Eqz)
	f.BrIf(slow)
	av, bv := f.Temp(wasm.I64), f.Temp(wasm.I64)
	u.pushOperandPayload(a)
	f.LocalSet(av)
	u.pushOperandPayload(b)
	f.LocalSet(bv)
	if x.Operator == ir.Mul {
		u.fits32(x, av, bv)
		f.Op(wasm.OpI32Eqz)
		f.BrIf(slow)
	}
	f.LocalGet(av)
	f.LocalGet(bv)
	f.Op(intOps[x.Operator])
	f.LocalSet(p)
	if x.Operator != ir.Mul {
		u.overflowed(x.Operator, av, bv, p)
		f.BrIf(slow)
	}
	f.Release(av, bv)
	f.I32Const(abi.KindInt)
	f.LocalSet(t)
	f.Br(done)
	f.End()
}

func (u *unit) fastFloats(x *ir.Expr, a, b operand, t, p wasm.Local, done wasm.Label) {
	f := u.f
	slow := f.Block()
	u.bothAre(a, b, ir.Float)
	f.Op(wasm.OpI32Eqz)
	f.BrIf(slow)
	if x.Operator == ir.Div {
		u.pushOperandPayload(b)
		f.Op(wasm.OpF64ReinterpretI64)
		f.F64Const(0)
		f.Op(wasm.OpF64Eq)
		f.BrIf(slow)
	}
	for _, o := range []operand{a, b} {
		u.pushOperandPayload(o)
		f.Op(wasm.OpF64ReinterpretI64)
	}
	f.Op(floatOps[x.Operator], wasm.OpI64ReinterpretF64)
	f.LocalSet(p)
	f.I32Const(abi.KindFloat)
	f.LocalSet(t)
	f.Br(done)
	f.End()
}
