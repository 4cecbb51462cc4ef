package ir

import (
	"cmp"
	"math"
	"math/bits"
	"strings"
)

// isNumber reports whether x is a constant integer or float.
func (x *Expr) isNumber() bool { return x.Op == OpInt || x.Op == OpFloat }

// float is a constant number as a float.
func (x *Expr) float() float64 {
	if x.Op == OpInt {
		return float64(x.Int)
	}
	return x.Float
}

// isExact reports whether a constant number is a float without rounding, which
// all integers up to this magnitude are.
func (x *Expr) isExact() bool {
	const most = 1 << 53
	return x.Op == OpFloat || -most <= x.Int && x.Int <= most
}

// foldInts computes with two integers. It does not where that fails.
func foldInts(x *Expr) (Expr, bool) {
	a, b := x.Args[0], x.Args[1]
	if x.Operator == Div {
		if b.Int == 0 || !a.isExact() || !b.isExact() {
			return Expr{}, false
		}
		return Expr{Op: OpFloat, Float: a.float() / b.float()}, true
	}
	v, ok := intResult(x.Operator, a.Int, b.Int)
	return Expr{Op: OpInt, Int: v}, ok
}

func intResult(o Operator, a, b int64) (int64, bool) {
	switch o {
	case Add:
		r := a + b
		return r, (a^r)&(b^r) >= 0
	case Sub:
		r := a - b
		return r, (a^b)&(a^r) >= 0
	case Mul:
		return multiplyInts(a, b)
	case Mod:
		return moduloInts(a, b)
	case Pow:
		return powerInts(a, b)
	case BitAnd:
		return a & b, true
	case BitOr:
		return a | b, true
	case BitXor:
		return a ^ b, true
	case Shl:
		n := uint64(b) // beyond 63 if it is negative
		return a << n, n < 64 && a<<n>>n == a
	case Shr:
		return a >> min(uint64(b), 63), b >= 0
	}
	return 0, false
}

func multiplyInts(a, b int64) (int64, bool) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	// The signed high word must repeat the sign of the low one.
	signed := int64(hi) - (a>>63)&b - (b>>63)&a
	return int64(lo), signed == int64(lo)>>63
}

// moduloInts is the rest with the sign of b.
func moduloInts(a, b int64) (int64, bool) {
	if b == 0 {
		return 0, false
	}
	r := a % b
	if r != 0 && r^b < 0 {
		r += b
	}
	return r, true
}

// powerInts is a ** b if that is an integer.
func powerInts(a, b int64) (int64, bool) {
	if b < 0 || b > 63 {
		return 0, false
	}
	r, ok := int64(1), true
	for range b {
		if r, ok = multiplyInts(r, a); !ok {
			break
		}
	}
	return r, ok
}

// foldFloats computes with two floats. What is no number is left to the run, and
// so are rests and powers, which the library computes in its own way.
func foldFloats(o Operator, a, b float64) (float64, bool) {
	r := math.NaN()
	switch o {
	case Add:
		r = a + b
	case Sub:
		r = a - b
	case Mul:
		r = a * b
	case Div:
		if b != 0 {
			r = a / b
		}
	}
	return r, !math.IsNaN(r)
}

func foldCompare(x *Expr) {
	order, ok := compareConsts(x.Args[0], x.Args[1])
	if !ok {
		return
	}
	r := false
	switch x.Operator {
	case Equal:
		r = order == 0
	case NotEqual:
		r = order != 0
	case Less:
		r = order < 0
	case LessEqual:
		r = order <= 0
	case Greater:
		r = order > 0
	case GreaterEqual:
		r = order >= 0
	}
	x.become(boolConst(r))
}

// compareConsts orders two numbers or two texts. Integers that are rounded as
// floats, and what is no number, are left to the run.
func compareConsts(a, b *Expr) (order int, ok bool) {
	switch {
	case a.Op == OpInt && b.Op == OpInt:
		return cmp.Compare(a.Int, b.Int), true
	case a.Op == OpText && b.Op == OpText:
		return strings.Compare(a.Text, b.Text), true
	case a.isNumber() && b.isNumber():
		x, y := a.float(), b.float()
		return cmp.Compare(x, y), a.isExact() && b.isExact() && !math.IsNaN(x) && !math.IsNaN(y)
	}
	return 0, false
}
