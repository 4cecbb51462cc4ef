package emit

import (
	"math"
	"math/bits"

	"github.com/avapd/avapd/compiler/ir"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

// smallDivisor reports whether x is a constant that modConst divides by.
func smallDivisor(x *ir.Expr) bool { return x.Op == ir.OpInt && x.Int > 0 && x.Int <= math.MaxInt32 }

// modConst is a % c for a positive constant: the result has c's sign.
func (u *unit) modConst(x *ir.Expr) {
	f, c := u.f, x.Args[1].Int
	u.int(x.Args[0])
	switch {
	case c&(c-1) == 0:
		f.I64Const(c - 1)
		f.Op(wasm.OpI64And)
		return
	case !x.Facts.Has(ir.LeftSmall) && !u.hot():
		u.floorRemainder(func() { f.I64Const(c) })
		return
	}
	a := f.Temp(wasm.I64)
	f.LocalSet(a)
	if x.Facts.Has(ir.LeftSmall) {
		u.smallRemainder(a, c)
		f.Release(a)
		return
	}
	f.LocalGet(a)
	f.I64Const(smallBits)
	f.Op(wasm.OpI64ShrU, wasm.OpI64Eqz)
	f.If(wasm.I64)
	u.smallRemainder(a, c)
	f.Else()
	f.LocalGet(a)
	u.floorRemainder(func() { f.I64Const(c) })
	f.End()
	f.Release(a)
}

// floorRemainder is the remainder of what is on the stack, for a positive
// divisor that push leaves.
func (u *unit) floorRemainder(push func()) {
	f := u.f
	r := f.Temp(wasm.I64)
	push()
	f.Op(wasm.OpI64RemS)
	f.LocalTee(r)
	f.LocalGet(r)
	f.I64Const(63)
	f.Op(wasm.OpI64ShrS) // all ones when it is negative
	push()
	f.Op(wasm.OpI64And, wasm.OpI64Add)
	f.Release(r)
}

// smallBits is the size of the numbers that smallRemainder takes.
const smallBits = 31

// smallRemainder is a % c for 0 ≤ a < 1<<31, by a multiplication instead of a
// division: with 2^l ≥ c and m = ⌈2^(31+l)/c⌉, the quotient of each such a is
// a·m >> (31+l), since m·c exceeds 2^(31+l) by less than 2^l (Granlund and
// Montgomery, Division by Invariant Integers using Multiplication, theorem
// 4.2). The product is below 2^63.
func (u *unit) smallRemainder(a wasm.Local, c int64) {
	f := u.f
	shift := smallBits + bits.Len64(uint64(c-1))
	quotient, rest := bits.Div64(0, uint64(1)<<shift, uint64(c))
	m := int64(quotient)
	if rest != 0 {
		m++
	}
	f.LocalGet(a)
	f.LocalGet(a)
	f.I64Const(m)
	f.Op(wasm.OpI64Mul)
	f.I64Const(int64(shift))
	f.Op(wasm.OpI64ShrU)
	f.I64Const(c)
	f.Op(wasm.OpI64Mul, wasm.OpI64Sub)
}

// modInts is a % b: in place for a positive divisor.
func (u *unit) modInts(x *ir.Expr) {
	f := u.f
	a, b := u.intOperands(x)
	site := u.site
	f.LocalGet(b)
	f.I64Const(0)
	f.Op(wasm.OpI64GtS)
	f.If(wasm.I64)
	f.LocalGet(a)
	u.floorRemainder(func() { f.LocalGet(b) })
	f.Else()
	u.callInts(x, a, b)
	f.End()
	u.mergeSite(site)
	f.Release(a, b)
}

// callInts has the library compute with two integers.
func (u *unit) callInts(x *ir.Expr, a, b wasm.Local) {
	f := u.f
	u.settled(func() {
		for _, l := range []wasm.Local{a, b} {
			f.I32Const(abi.KindInt)
			f.LocalGet(l)
		}
		u.setSite(x.Site)
		u.call(libraryOperator[x.Operator])
	})
	u.pairResult(x.Type, true)
}

// divInts is a / b, a float. Where both are floats exactly, so is the division
// rounded once, as it should be; others go through the library.
func (u *unit) divInts(x *ir.Expr) {
	f := u.f
	a, b := u.intOperands(x)
	site := u.site
	f.LocalGet(b)
	f.I64Const(0)
	f.Op(wasm.OpI64Ne)
	for _, l := range []wasm.Local{a, b} {
		f.LocalGet(l)
		f.I64Const(maxExact)
		f.Op(wasm.OpI64Add)
		f.I64Const(2 * maxExact)
		f.Op(wasm.OpI64LeU, wasm.OpI32And)
	}
	f.If(wasm.F64)
	f.LocalGet(a)
	f.Op(wasm.OpF64ConvertI64S)
	f.LocalGet(b)
	f.Op(wasm.OpF64ConvertI64S, wasm.OpF64Div)
	f.Else()
	u.callInts(x, a, b)
	f.End()
	u.mergeSite(site)
	f.Release(a, b)
}

// smallShift reports whether x is a number of places that shiftConst takes.
func smallShift(x *ir.Expr) bool { return x.Op == ir.OpInt && x.Int >= 0 && x.Int < 64 }

// shiftConst shifts by a constant; bits that would be lost are an overflow.
func (u *unit) shiftConst(x *ir.Expr) {
	f, c := u.f, x.Args[1].Int
	u.int(x.Args[0])
	if x.Operator == ir.Shr {
		f.I64Const(c)
		f.Op(wasm.OpI64ShrS)
		return
	}
	if x.Facts.Has(ir.NoOverflow) {
		f.I64Const(c)
		f.Op(wasm.OpI64Shl)
		return
	}
	a, r := f.Temp(wasm.I64), f.Temp(wasm.I64)
	f.LocalTee(a)
	f.I64Const(c)
	f.Op(wasm.OpI64Shl)
	f.LocalSet(r)
	u.coldIf(x.Site, "", func() {
		f.LocalGet(r)
		f.I64Const(c)
		f.Op(wasm.OpI64ShrS)
		f.LocalGet(a)
		f.Op(wasm.OpI64Ne)
	})
	f.LocalGet(r)
	f.Release(a, r)
}
