package guest

import "github.com/avapd/avapd/runtime/abi"

// The operators of the language, as Python has them, on 64-bit integers: a
// result beyond them is an error. Each looks for two ints first.

// Add is a + b.
func Add(a, b Value) Value {
	if a.Tag == abi.KindInt && b.Tag == abi.KindInt {
		sum := a.Bits + b.Bits
		if int64((a.Bits^sum)&(b.Bits^sum)) < 0 {
			return failOverflow()
		}
		return Value{abi.KindInt, sum}
	}
	if a.isText() && b.isText() {
		return Concat(a, b)
	}
	if isNumber(a) && isNumber(b) {
		if isWhole(a) && isWhole(b) {
			return Add(integer(a.int()), integer(b.int()))
		}
		return floating(toFloat(a) + toFloat(b))
	}
	if a.Tag == abi.KindList && b.Tag == abi.KindList {
		return addLists(a.list(), b.list())
	}
	return failOperator(abi.OperatorAdd, a, b)
}

func failOverflow() Value { return fail0(abi.ErrOverflow) }

// Sub is a - b.
func Sub(a, b Value) Value {
	if isWhole(a) && isWhole(b) {
		difference := a.Bits - b.Bits
		if int64((a.Bits^b.Bits)&(a.Bits^difference)) < 0 {
			return failOverflow()
		}
		return Value{abi.KindInt, difference}
	}
	if isNumber(a) && isNumber(b) {
		return floating(toFloat(a) - toFloat(b))
	}
	return failOperator(abi.OperatorSub, a, b)
}

// Mul is a * b.
func Mul(a, b Value) Value {
	if isWhole(a) && isWhole(b) {
		product, ok := multiply(a.int(), b.int())
		if !ok {
			return failOverflow()
		}
		return integer(product)
	}
	if isNumber(a) && isNumber(b) {
		return floating(toFloat(a) * toFloat(b))
	}
	if isWhole(a) && isSequence(b) {
		return repeat(b, a.int())
	}
	if isWhole(b) && isSequence(a) {
		return repeat(a, b.int())
	}
	return failOperator(abi.OperatorMul, a, b)
}

func isSequence(v Value) bool { return v.isText() || v.Tag == abi.KindList }

func repeat(v Value, times int64) Value {
	if v.isText() {
		return textRepeat(v, times)
	}
	return repeatList(v.list(), times)
}

// multiply gives the product and whether it fits.
func multiply(x, y int64) (int64, bool) {
	if int64(int32(x)) == x && int64(int32(y)) == y {
		return x * y, true
	}
	if x == 0 || y == 0 {
		return 0, true
	}
	if x == -1 {
		return -y, uint64(y) != signBit
	}
	product := x * y
	return product, product/x == y && (y != -1 || uint64(x) != signBit)
}

const signBit = 0x8000000000000000

// Div is a / b: always a float, the nearest to the exact quotient.
func Div(a, b Value) Value {
	if !isNumber(a) || !isNumber(b) {
		return failOperator(abi.OperatorDiv, a, b)
	}
	if toFloat(b) == 0 {
		return fail0(abi.ErrZeroDivision)
	}
	if isWhole(a) && isWhole(b) {
		return floating(divideInts(a.int(), b.int()))
	}
	return floating(toFloat(a) / toFloat(b))
}

// Mod is a % b for numbers, with the sign of b, and text formatting.
func Mod(a, b Value) Value {
	if isWhole(a) && isWhole(b) {
		x, y := a.int(), b.int()
		if y == 0 {
			return fail0(abi.ErrZeroDivision)
		}
		if y == -1 {
			return integer(0)
		}
		rest := x % y
		if rest != 0 && (rest^y) < 0 {
			rest += y
		}
		return integer(rest)
	}
	if a.isText() {
		arguments := NewList(1)
		Push(arguments, b)
		return PercentFormat(a, arguments)
	}
	if !isNumber(a) || !isNumber(b) {
		return failOperator(abi.OperatorMod, a, b)
	}
	if toFloat(b) == 0 {
		return fail0(abi.ErrZeroDivision)
	}
	return floating(modFloat(toFloat(a), toFloat(b)))
}

// Pow is a ** b.
func Pow(a, b Value) Value {
	if !isNumber(a) || !isNumber(b) {
		return failOperator(abi.OperatorPow, a, b)
	}
	if isWhole(a) && isWhole(b) && b.int() >= 0 {
		result, ok := powInt(a.int(), b.int())
		if !ok {
			return failOverflow()
		}
		return integer(result)
	}
	return powFloats(toFloat(a), toFloat(b))
}

// powInt is x ** n for n >= 0, and whether it fits.
func powInt(x, n int64) (int64, bool) {
	if n == 0 || x == 1 {
		return 1, true
	}
	if x == 0 {
		return 0, true
	}
	if x == -1 {
		return 1 - 2*(n&1), true
	}
	if n > 63 {
		return 0, false
	}
	result, ok := int64(1), true
	for {
		if n&1 != 0 {
			result, ok = multiply(result, x)
			if !ok {
				return 0, false
			}
		}
		n >>= 1
		if n == 0 {
			return result, true
		}
		x, ok = multiply(x, x)
		if !ok {
			return 0, false
		}
	}
}

// powFloats is x ** y with Python's idea of which results are errors.
func powFloats(x, y float64) Value {
	if x == 0 && y < 0 && isFinite(y) {
		return fail0(abi.ErrZeroDivision)
	}
	if x < 0 && isFinite(x) && isFinite(y) && floor64(y) != y {
		return fail0(abi.ErrComplex)
	}
	result := pow(x, y)
	if isFinite(x) && isFinite(y) && !isFinite(result) {
		return failDetail(abi.ErrOverflow, abi.OperatorPow, undefined(), undefined())
	}
	return floating(result)
}

func bothBool(a, b Value) bool { return a.Tag == abi.KindBool && b.Tag == abi.KindBool }

// bitsValue is the result of a bit operator: two bools give a bool.
func bitsValue(a, b Value, result uint64) Value {
	if bothBool(a, b) {
		return Value{abi.KindBool, result}
	}
	return Value{abi.KindInt, result}
}

// BitAnd is a & b.
func BitAnd(a, b Value) Value {
	if isWhole(a) && isWhole(b) {
		return bitsValue(a, b, a.Bits&b.Bits)
	}
	return failOperator(abi.OperatorAnd, a, b)
}

// BitOr is a | b.
func BitOr(a, b Value) Value {
	if isWhole(a) && isWhole(b) {
		return bitsValue(a, b, a.Bits|b.Bits)
	}
	if a.Tag == abi.KindDict && b.Tag == abi.KindDict {
		merged := copyDict(a.dict(), b.dict().count())
		updateDict(merged, b.dict())
		return dictValue(merged)
	}
	return failOperator(abi.OperatorOr, a, b)
}

// BitXor is a ^ b.
func BitXor(a, b Value) Value {
	if isWhole(a) && isWhole(b) {
		return bitsValue(a, b, a.Bits^b.Bits)
	}
	return failOperator(abi.OperatorXor, a, b)
}

// Shl is a << b.
func Shl(a, b Value) Value {
	if !isWhole(a) || !isWhole(b) {
		return failOperator(abi.OperatorShl, a, b)
	}
	x, n := a.int(), b.int()
	if n < 0 {
		return fail0(abi.ErrNegativeShift)
	}
	if x == 0 {
		return integer(0)
	}
	if n > 63 {
		return failOverflow()
	}
	shifted := x << (uint64(n) & 63)
	if shifted>>(uint64(n)&63) != x {
		return failOverflow()
	}
	return integer(shifted)
}

// Shr is a >> b.
func Shr(a, b Value) Value {
	if !isWhole(a) || !isWhole(b) {
		return failOperator(abi.OperatorShr, a, b)
	}
	n := b.int()
	if n < 0 {
		return fail0(abi.ErrNegativeShift)
	}
	if n > 63 {
		n = 63
	}
	return integer(a.int() >> (uint64(n) & 63))
}

// Neg is -a.
func Neg(a Value) Value {
	if isWhole(a) {
		if a.Bits == signBit {
			return failOverflow()
		}
		return integer(-a.int())
	}
	if a.Tag == abi.KindFloat {
		return floating(-a.float())
	}
	return failDetail(abi.ErrOperand, abi.OperatorNeg, a, undefined())
}

// Pos is +a.
func Pos(a Value) Value {
	if isWhole(a) {
		return integer(a.int())
	}
	if a.Tag == abi.KindFloat {
		return a
	}
	return failDetail(abi.ErrOperand, abi.OperatorPos, a, undefined())
}

// Invert is ~a.
func Invert(a Value) Value {
	if isWhole(a) {
		return integer(^a.int())
	}
	return failDetail(abi.ErrOperand, abi.OperatorInvert, a, undefined())
}
