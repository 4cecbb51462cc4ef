package reference

import (
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/avapd/avapd/compiler/syntax"
)

// fit turns a result of exact arithmetic into an int, or fails.
func (in *interpreter) fit(x *big.Int) value {
	if !x.IsInt64() {
		panic(in.overflow())
	}
	return x.Int64()
}

func (in *interpreter) binary(op syntax.BinaryOp, a, b value) value {
	switch {
	case op == syntax.Mod && kindOf(a) == "str":
		return in.percent(a.(string), []value{b}, b)
	case op == syntax.Add && !(numeric(a) && numeric(b)):
		return in.join(a, b)
	case op == syntax.Mul && !(numeric(a) && numeric(b)):
		return in.repeat(a, b)
	case op == syntax.BitOr && kindOf(a) == "dict" && kindOf(b) == "dict":
		out := newDict()
		in.addPairs(out, a)
		in.addPairs(out, b)
		return out
	case !numeric(a) || !numeric(b):
		panic(in.mistyped("operands"))
	}
	x, xInt := integral(a)
	y, yInt := integral(b)
	switch op {
	case syntax.Shl, syntax.Shr, syntax.BitAnd, syntax.BitOr, syntax.BitXor:
		if !xInt || !yInt {
			panic(in.mistyped("bits of a float"))
		}
		return in.bits(op, a, b, x, y)
	case syntax.Div:
		return in.divide(a, b)
	}
	if xInt && yInt {
		return in.integers(op, big.NewInt(x), big.NewInt(y))
	}
	return in.floats(op, toFloat(a), toFloat(b))
}

func (in *interpreter) join(a, b value) value {
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			in.grow(len(x) + len(y))
			return x + y
		}
	case *list:
		if y, ok := b.(*list); ok {
			in.grow(len(x.items) + len(y.items))
			return newList(append(append([]value{}, x.items...), y.items...)...)
		}
	}
	panic(in.mistyped("operands of +"))
}

func (in *interpreter) repeat(a, b value) value {
	times, ok := integral(b)
	if !ok {
		if times, ok = integral(a); !ok {
			panic(in.mistyped("operands of *"))
		}
		a = b
	}
	times = max(times, 0)
	switch x := a.(type) {
	case string:
		in.grow(boundedProduct(len(x), times))
		return strings.Repeat(x, int(times)*min(len(x), 1))
	case *list:
		in.grow(boundedProduct(len(x.items), times))
		out := newList()
		for range times * int64(min(len(x.items), 1)) {
			out.items = append(out.items, x.items...)
		}
		return out
	}
	panic(in.mistyped("operands of *"))
}

func boundedProduct(n int, times int64) int {
	product := new(big.Int).Mul(big.NewInt(int64(n)), big.NewInt(times))
	if !product.IsInt64() {
		return math.MaxInt32
	}
	return int(min(product.Int64(), math.MaxInt32))
}

func (in *interpreter) bits(op syntax.BinaryOp, a, b value, x, y int64) value {
	_, aBool := a.(bool)
	_, bBool := b.(bool)
	logical := func(v int64) value {
		if aBool && bBool {
			return v != 0
		}
		return v
	}
	switch op {
	case syntax.BitAnd:
		return logical(x & y)
	case syntax.BitOr:
		return logical(x | y)
	case syntax.BitXor:
		return logical(x ^ y)
	}
	if y < 0 {
		panic(in.unfit("negative shift count"))
	}
	if op == syntax.Shr {
		return new(big.Int).Rsh(big.NewInt(x), uint(min(y, 64))).Int64()
	}
	if x == 0 {
		return int64(0)
	}
	return in.fit(new(big.Int).Lsh(big.NewInt(x), uint(min(y, 64))))
}

// divide is correctly rounded, also between ints beyond what a float holds.
func (in *interpreter) divide(a, b value) value {
	if toFloat(b) == 0 {
		panic(in.dividedByZero())
	}
	x, xInt := integral(a)
	y, yInt := integral(b)
	if xInt && yInt {
		if x == 0 {
			return 0 / float64(y)
		}
		quotient, _ := new(big.Rat).SetFrac(big.NewInt(x), big.NewInt(y)).Float64()
		return quotient
	}
	return toFloat(a) / toFloat(b)
}

func (in *interpreter) integers(op syntax.BinaryOp, x, y *big.Int) value {
	out := new(big.Int)
	switch op {
	case syntax.Add:
		return in.fit(out.Add(x, y))
	case syntax.Sub:
		return in.fit(out.Sub(x, y))
	case syntax.Mul:
		return in.fit(out.Mul(x, y))
	case syntax.Mod:
		if y.Sign() == 0 {
			panic(in.dividedByZero())
		}
		out.Rem(x, y)
		if out.Sign() != 0 && out.Sign() != y.Sign() {
			out.Add(out, y)
		}
		return in.fit(out)
	}
	return in.power(x, y)
}

// power raises ints. Only powers of 0, 1 and -1 fit for large exponents.
func (in *interpreter) power(x, y *big.Int) value {
	switch {
	case y.Sign() < 0:
		return in.floatPower(float64(x.Int64()), float64(y.Int64()))
	case x.IsInt64() && (x.Int64() == 0 || x.Int64() == 1):
		if y.Sign() == 0 {
			return int64(1)
		}
		return x.Int64()
	case x.IsInt64() && x.Int64() == -1:
		return 1 - 2*int64(y.Bit(0))
	case y.Cmp(big.NewInt(64)) > 0:
		panic(in.overflow())
	}
	return in.fit(new(big.Int).Exp(x, y, nil))
}

func (in *interpreter) floats(op syntax.BinaryOp, x, y float64) value {
	switch op {
	case syntax.Add:
		return x + y
	case syntax.Sub:
		return x - y
	case syntax.Mul:
		return x * y
	case syntax.Mod:
		if y == 0 {
			panic(in.dividedByZero())
		}
		rest := math.Mod(x, y)
		switch {
		case rest == 0:
			return math.Copysign(0, y)
		case (rest < 0) != (y < 0):
			return rest + y
		}
		return rest
	}
	return in.floatPower(x, y)
}

// floatPower fails where Python does: for zero to a negative power, for a complex result, and for a finite power that is
// too large.
func (in *interpreter) floatPower(x, y float64) value {
	switch {
	case x == 0 && y < 0:
		panic(in.dividedByZero())
	case x < 0 && !math.IsInf(x, 0) && !math.IsInf(y, 0) && y != math.Trunc(y):
		panic(in.unfit("complex result"))
	}
	out := math.Pow(x, y)
	if math.IsInf(out, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
		panic(in.overflow())
	}
	if precise := exactPower(x, y); !math.IsNaN(precise) {
		return precise
	}
	if !math.IsInf(out, 0) && !math.IsNaN(out) && out != 0 && out != 1 {
		in.leave("the last bit of a power")
	}
	return out
}

// exactPower gives powers that are computed without rounding before the last step: small whole exponents. It is NaN for
// others, whose last bit no definition fixes.
func exactPower(x, y float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) || x == 0 || y != math.Trunc(y) || math.Abs(y) > 64 {
		return math.NaN()
	}
	base, _ := new(big.Float).SetFloat64(x).Rat(nil)
	power := big.NewRat(1, 1)
	for range int(math.Abs(y)) {
		power.Mul(power, base)
	}
	if y < 0 {
		power.Inv(power)
	}
	out, _ := power.Float64()
	return out
}

func (in *interpreter) unary(op syntax.UnaryOp, v value) value {
	i, isInt := integral(v)
	f, isFloat := v.(float64)
	switch {
	case isFloat && op == syntax.Neg:
		return -f
	case isFloat && op == syntax.Plus:
		return f
	case isInt && op == syntax.Neg:
		return in.fit(new(big.Int).Neg(big.NewInt(i)))
	case isInt && op == syntax.Plus:
		return i
	case isInt && op == syntax.Invert:
		return ^i
	}
	panic(in.mistyped("operand"))
}

// round rounds half to even, exactly. Without digits the result is an int.
func (in *interpreter) round(v value, digits value) value {
	if !numeric(v) {
		panic(in.unfit("round"))
	}
	places := int64(0)
	if digits != nil {
		var ok bool
		if places, ok = integral(digits); !ok {
			panic(in.unfit("digits of round"))
		}
	}
	if i, ok := integral(v); ok {
		if places >= 0 {
			return i
		}
		if places < -30 {
			return int64(0)
		}
		return in.fit(halfEven(new(big.Rat).SetInt64(i), places).Num())
	}
	f := v.(float64)
	if digits == nil {
		return in.truncate(math.RoundToEven(f))
	}
	if math.IsNaN(f) || math.IsInf(f, 0) || f == 0 || places > 400 {
		return f
	}
	if places < -400 {
		return math.Copysign(0, f)
	}
	exactly, _ := new(big.Float).SetFloat64(f).Rat(nil)
	out, _ := halfEven(exactly, places).Float64()
	if math.IsInf(out, 0) {
		panic(in.unfit("rounded value too large"))
	}
	return math.Copysign(out, f)
}

// halfEven rounds to a number of decimal places, which may be negative.
func halfEven(x *big.Rat, places int64) *big.Rat {
	scale := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(max(places, -places)), nil))
	if places < 0 {
		scale.Inv(scale)
	}
	scaled := new(big.Rat).Mul(x, scale)
	floor, rest := new(big.Int).DivMod(scaled.Num(), scaled.Denom(), new(big.Int))
	switch new(big.Int).Lsh(rest, 1).Cmp(scaled.Denom()) {
	case 1:
		floor.Add(floor, big.NewInt(1))
	case 0:
		floor.Add(floor, big.NewInt(int64(floor.Bit(0))))
	}
	return new(big.Rat).Quo(new(big.Rat).SetInt(floor), scale)
}

// truncate is int of a float.
func (in *interpreter) truncate(f float64) value { return in.fit(in.truncated(f)) }

func (in *interpreter) truncated(f float64) *big.Int {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		panic(in.unfit("int of " + floatText(f)))
	}
	out, _ := new(big.Float).SetFloat64(math.Trunc(f)).Int(nil)
	return out
}

// numberText reads text that counts as a number: an int, or a float for all other forms and what 64 bits do not hold.
func numberText(s string) (value, bool) {
	s = strings.Trim(s, " \t\n\v\f\r")
	body := strings.TrimLeft(s, "+-")
	if len(s)-len(body) > 1 || body == "" || strings.Trim(body, "0123456789.eE+-") != "" {
		return nil, false
	}
	mantissa, exponent, scientific := strings.Cut(strings.ToLower(body), "e")
	if scientific {
		digits := strings.TrimLeft(exponent, "+-")
		if len(exponent)-len(digits) > 1 || !allDigits(digits) {
			return nil, false
		}
	}
	left, right, point := strings.Cut(mantissa, ".")
	if !allDigits(left + right) {
		return nil, false
	}
	if !scientific && !point {
		if i, err := strconv.ParseInt(s, 10, 64); err == nil {
			return i, true
		}
	}
	f, _ := strconv.ParseFloat(s, 64) // too large is infinite
	return f, true
}

func allDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// countsAs is the number that a value counts as in if() and in numeric arguments of commands.
func countsAs(v value) (value, bool) {
	switch v := v.(type) {
	case int64, float64:
		return v, true
	case string:
		return numberText(v)
	}
	return nil, false
}
