package guest

import (
	"fmt"
	"math"
	"math/big"
	"math/rand"
	"testing"

	"github.com/avapd/avapd/runtime/abi"
)

const (
	minInt = math.MinInt64
	maxInt = math.MaxInt64

	overflow = failsWith(abi.ErrOverflow)
	operands = failsWith(abi.ErrOperands)
	operand  = failsWith(abi.ErrOperand)
	byZero   = failsWith(abi.ErrZeroDivision)
	complex_ = failsWith(abi.ErrComplex)
	noOrder  = failsWith(abi.ErrOrder)
	badShift = failsWith(abi.ErrNegativeShift)
)

type binaryCase struct {
	a, b   any
	wanted any
}

func testBinary(t *testing.T, name string, f func(a, b Value) Value, cases []binaryCase) {
	t.Run(name, func(t *testing.T) {
		start(t)
		for _, c := range cases {
			a, b := val(c.a), val(c.b)
			want(t, fmt.Sprintf("%s %s %s", show(a), name, show(b)), f(a, b), c.wanted)
		}
	})
}

func TestArithmetic(t *testing.T) {
	inf := math.Inf(1)
	testBinary(t, "+", Add, []binaryCase{
		{1, 2, 3},
		{maxInt, 1, overflow},
		{minInt, -1, overflow},
		{maxInt, minInt, -1},
		{true, true, 2},
		{true, 1.5, 2.5},
		{1, 0.5, 1.5},
		{0.1, 0.2, 0.30000000000000004},
		{"a", "b", "ab"},
		{"", "b", "b"},
		{"é", "x", "éx"},
		{"a", 1, operands},
		{1, "a", operands},
		{[]any{1}, []any{"x"}, []any{1, "x"}},
		{[]any{}, []any{}, []any{}},
		{[]any{}, 1, operands},
		{nil, 1, operands},
		{maxInt, 1.0, 9223372036854775808.0},
		{pairs{}, pairs{}, operands},
	})
	testBinary(t, "-", Sub, []binaryCase{
		{1, 2, -1},
		{minInt, 1, overflow},
		{0, minInt, overflow},
		{-1, minInt, maxInt},
		{true, true, 0},
		{1.5, true, 0.5},
		{"a", "b", operands},
		{[]any{}, []any{}, operands},
	})
	testBinary(t, "*", Mul, []binaryCase{
		{6, 7, 42},
		{maxInt, 2, overflow},
		{minInt, -1, overflow},
		{-1, minInt, overflow},
		{minInt, 1, minInt},
		{1, minInt, minInt},
		{minInt, 2, overflow},
		{0, minInt, 0},
		{4294967296, 2147483648, overflow},
		{4294967296, -2147483648, minInt},
		{3037000500, 3037000500, overflow},
		{3037000499, 3037000499, 9223372030926249001},
		{true, 5, 5},
		{2, 0.5, 1.0},
		{1e308, 10, inf},
		{"ab", 3, "ababab"},
		{3, "ab", "ababab"},
		{"ab", -1, ""},
		{"ab", true, "ab"},
		{[]any{1, 2}, 2, []any{1, 2, 1, 2}},
		{0, []any{1}, []any{}},
		{"a", 1.0, operands},
		{"a", "b", operands},
	})
	testBinary(t, "/", Div, []binaryCase{
		{7, 2, 3.5},
		{6, 3, 2.0},
		{1, 0, byZero},
		{1.0, 0.0, byZero},
		{1, false, byZero},
		{0, -5, math.Copysign(0, -1)},
		{maxInt, maxInt, 1.0},
		{minInt, -1, 9223372036854775808.0},
		{maxInt, 3, 3074457345618258602.0},
		{9007199254740993, 9007199254740992, 1.0},
		{9007199254740993, 1, 9007199254740992.0},
		{9007199254740995, 1, 9007199254740996.0},
		{1, maxInt, 1.0842021724855044e-19},
		{"a", 1, operands},
		{1, nil, operands},
	})
	testBinary(t, "%", Mod, []binaryCase{
		{7, 3, 1},
		{-5, 3, 1},
		{5, -3, -1},
		{-5, -3, -2},
		{6, 3, 0},
		{minInt, -1, 0},
		{1, 0, byZero},
		{5.5, 0, byZero},
		{5.5, 2, 1.5},
		{-5.5, 2, 0.5},
		{5.5, -2, -0.5},
		{-1e-20, 3, 3.0},
		{6.0, -3, math.Copysign(0, -1)},
		{5.0, inf, 5.0},
		{-5.0, inf, inf},
		{1e300, 7, 1.0},
		{1e308, 3e-300, 1.8611771046241086e-300},
		{5e-324, 3, 5e-324},
		{true, 2, 1},
		{nil, 2, operands},
	})
	testBinary(t, "**", Pow, []binaryCase{
		{2, 10, 1024},
		{2, 62, 1 << 62},
		{2, 63, overflow},
		{-2, 63, minInt},
		{-2, 64, overflow},
		{3, 39, 4052555153018976267},
		{3, 40, overflow},
		{0, 0, 1},
		{0, 5, 0},
		{1, maxInt, 1},
		{-1, maxInt, -1},
		{-1, 10, 1},
		{7, 1, 7},
		{10, 18, 1000000000000000000},
		{10, 19, overflow},
		{2, -1, 0.5},
		{-2, -2, 0.25},
		{0, -1, byZero},
		{0.0, -2.5, byZero},
		{-8, 0.5, complex_},
		{-8.0, 1.5, complex_},
		{-8.0, 3.0, -512.0},
		{2, 0.5, math.Sqrt2},
		{10.0, 400, overflow},
		{10.0, -400, 0.0},
		{true, 2, 1},
		{4, 0.5, 2.0},
		{inf, -1, 0.0},
		{-inf, 3, -inf},
		{-inf, -3, math.Copysign(0, -1)},
		{2.0, inf, inf},
		{0.5, inf, 0.0},
		{-1.0, inf, 1.0},
		{1.0, math.NaN(), 1.0},
		{0.0, 3.0, 0.0},
		{"a", 2, operands},
	})
}

func TestBitOperators(t *testing.T) {
	testBinary(t, "&", BitAnd, []binaryCase{{6, 3, 2}, {true, true, true}, {true, 3, 1}, {-1, 5, 5}, {1.0, 1, operands}})
	testBinary(t, "|", BitOr, []binaryCase{{6, 3, 7}, {false, true, true}, {pairs{"a", 1, "b", 2}, pairs{"a", 3}, pairs{"a", 3, "b", 2}}, {nil, 1, operands}})
	testBinary(t, "^", BitXor, []binaryCase{{6, 3, 5}, {true, true, false}, {true, 2, 3}, {"a", 1, operands}})
	testBinary(t, "<<", Shl, []binaryCase{
		{1, 10, 1024},
		{1, 62, 1 << 62},
		{1, 63, overflow},
		{-1, 63, minInt},
		{-1, 64, overflow},
		{0, 1000, 0},
		{1, -1, badShift},
		{true, true, 2},
		{1, 2.0, operands},
		{maxInt, 1, overflow},
		{0, -1, badShift},
	})
	testBinary(t, ">>", Shr, []binaryCase{{1024, 3, 128}, {-1, 5, -1}, {-5, 1, -3}, {minInt, 200, -1}, {maxInt, 64, 0}, {1, -1, badShift}, {"a", 1, operands}})
}

func TestUnaryOperators(t *testing.T) {
	start(t)
	for _, c := range []struct {
		name   string
		f      func(Value) Value
		v      any
		wanted any
	}{
		{"-", Neg, 5, -5},
		{"-", Neg, true, -1},
		{"-", Neg, 0.0, math.Copysign(0, -1)},
		{"-", Neg, minInt, overflow},
		{"-", Neg, "a", operand},
		{"+", Pos, true, 1},
		{"+", Pos, 1.5, 1.5},
		{"+", Pos, nil, operand},
		{"+", Pos, minInt, minInt},
		{"~", Invert, 5, -6},
		{"~", Invert, true, -2},
		{"~", Invert, maxInt, minInt},
		{"~", Invert, 1.0, operand},
	} {
		want(t, c.name+show(val(c.v)), c.f(val(c.v)), c.wanted)
	}
	Add(val("x"), val(1))
	if load32(abi.ErrorDetail) != abi.OperatorAdd || show(loadValue(abi.ErrorA)) != `"x"` || show(loadValue(abi.ErrorB)) != "1" {
		t.Errorf("error cells: %d %s %s", load32(abi.ErrorDetail), show(loadValue(abi.ErrorA)), show(loadValue(abi.ErrorB)))
	}
}

// interesting yields ints of all sizes, thick at the ends of ranges.
func interesting(r *rand.Rand) int64 {
	n := r.Int63() >> uint(r.Intn(63))
	switch r.Intn(6) {
	case 0:
		n = 1<<uint(r.Intn(63)) + int64(r.Intn(5)) - 2
	case 1:
		n = math.MaxInt64 - int64(r.Intn(3))
	}
	if r.Intn(2) == 0 {
		n = -n
	}
	if r.Intn(50) == 0 {
		n = math.MinInt64
	}
	return n
}

func TestIntArithmeticAgainstBig(t *testing.T) {
	start(t)
	r := rand.New(rand.NewSource(1))
	check := func(name string, got Value, exact *big.Int) {
		t.Helper()
		if exact.IsInt64() {
			want(t, name, got, exact.Int64())
		} else {
			want(t, name, got, overflow)
		}
	}
	for range 20000 {
		x, y := interesting(r), interesting(r)
		a, b, p, q := integer(x), integer(y), big.NewInt(x), big.NewInt(y)
		check(fmt.Sprint(x, "+", y), Add(a, b), new(big.Int).Add(p, q))
		check(fmt.Sprint(x, "-", y), Sub(a, b), new(big.Int).Sub(p, q))
		check(fmt.Sprint(x, "*", y), Mul(a, b), new(big.Int).Mul(p, q))
		n := r.Intn(70)
		check(fmt.Sprint(x, "<<", n), Shl(a, integer(int64(n))), new(big.Int).Lsh(p, uint(n)))
		check(fmt.Sprint(x, ">>", n), Shr(a, integer(int64(n))), new(big.Int).Rsh(p, uint(n)))
		small := interesting(r) % 1000
		check(fmt.Sprint(small, "**", n), Pow(integer(small), integer(int64(n))), new(big.Int).Exp(big.NewInt(small), big.NewInt(int64(n)), nil))
		if y == 0 {
			continue
		}
		rest := new(big.Int).Mod(p, q) // Euclidean
		if rest.Sign() != 0 && y < 0 {
			rest.Add(rest, q)
		}
		check(fmt.Sprint(x, "%", y), Mod(a, b), rest)
		quotient, _ := new(big.Rat).SetFrac(p, q).Float64()
		if x == 0 {
			quotient = float64(x) / float64(y)
		}
		want(t, fmt.Sprint(x, "/", y), Div(a, b), quotient)
	}
}

func anyFloat(r *rand.Rand) float64 {
	for {
		f := math.Float64frombits(r.Uint64())
		if r.Intn(3) == 0 {
			f = math.Exp(r.NormFloat64() * 5)
		}
		if !math.IsNaN(f) {
			return f
		}
	}
}

func TestFmodAgainstMath(t *testing.T) {
	r := rand.New(rand.NewSource(2))
	for range 5000 {
		x, y := anyFloat(r), anyFloat(r)
		if got, wanted := fmod(x, y), math.Mod(x, y); got != wanted && !(got != got && wanted != wanted) {
			t.Errorf("fmod(%g, %g) = %g, want %g", x, y, got, wanted)
		}
	}
}

func TestCompareNumbersAgainstBig(t *testing.T) {
	r := rand.New(rand.NewSource(3))
	for range 20000 {
		i := interesting(r)
		f := anyFloat(r)
		if r.Intn(2) == 0 {
			f = float64(i + int64(r.Intn(3)) - 1)
		}
		wanted := int32(0)
		switch {
		case math.IsInf(f, 0):
			wanted = map[bool]int32{true: -1, false: 1}[f > 0]
		default:
			wanted = int32(new(big.Float).SetInt64(i).Cmp(new(big.Float).SetFloat64(f)))
		}
		if got := compareNumbers(integer(i), floating(f)); got != wanted {
			t.Errorf("compare(%d, %g) = %d, want %d", i, f, got, wanted)
		}
		if got := compareNumbers(floating(f), integer(i)); got != -wanted {
			t.Errorf("compare(%g, %d) = %d, want %d", f, i, got, -wanted)
		}
	}
}

func TestPowIsCorrectlyRounded(t *testing.T) {
	for _, c := range []struct{ x, y, wanted float64 }{
		{0x1.b13f9d4b8b3e6p-95, 0.328798840069882, 4.700995193827262e-10},
		{10, -2, 0.01},
		{10, 22, 1e22},
		{10, 23, 1e23},
		{100, 11.5, 1e23},
		{10, 308, 1e308},
		{10, -308, 1e-308},
		{10, -320, 1e-320},
		{34, 13, 0x1.19814a3a69768p+66},
		{94906267, 2, 9007199515875288.0},
		{200001, 3, 8000120000600001.0},
		{2, -1074, 5e-324},
		{2, -1075, 0},
		{3, -678, 4.9e-324},
		{1.5, 1750, 1.4444527745742028e308},
		{0.5, 1074, 5e-324},
		{1.0000000000000002, 1e16, 9.21143870499353},
		{math.E, 1, math.E},
		{1e-320, 0.25, 9.999972167840514e-81},
		{9, 0.5, 3},
		{2, 1023.5, 1.2711610061536464e308},
	} {
		if got := pow(c.x, c.y); got != c.wanted {
			t.Errorf("pow(%g, %g) = %v, want %v", c.x, c.y, got, c.wanted)
		}
	}
	r := rand.New(rand.NewSource(4))
	for range 20000 {
		x, y := math.Exp(r.Float64()*1400-700), r.Float64()*4-2
		got, near := pow(x, y), math.Pow(x, y)
		if math.Abs(got-near) > 1e-12*near && !(got < 1e-300 && near < 1e-300) && !math.IsInf(near, 0) {
			t.Errorf("pow(%g, %g) = %g, far from %g", x, y, got, near)
		}
	}
}
