package guest

// Powers of floats are computed as exp(y * log x) with about a hundred bits,
// so that the one rounding at the end is right but for results that lie
// within 2**-90 of the middle of two floats; small whole exponents, the only
// ones that can hit the middle exactly, are multiplied out instead.

// pair is the unevaluated sum of two floats; lo is at most half a unit in the
// last place of hi.
type pair struct{ hi, lo float64 }

// quickSum adds floats of which the first is the larger.
func quickSum(a, b float64) pair {
	sum := a + b
	return pair{sum, b - (sum - a)}
}

func twoSum(a, b float64) pair {
	sum := a + b
	part := sum - a
	rest := sum - part
	return pair{sum, (a - rest) + (b - part)}
}

// halves cuts a float into two of 26 bits.
func halves(a float64) pair {
	big := a * 134217729
	diff := big - a
	hi := big - diff
	return pair{hi, a - hi}
}

func twoProduct(a, b float64) pair {
	product := a * b
	x, y := halves(a), halves(b)
	rest := x.hi*y.hi - product
	rest += x.hi * y.lo
	rest += x.lo * y.hi
	rest += x.lo * y.lo
	return pair{product, rest}
}

func (x pair) add(y pair) pair {
	high, low := twoSum(x.hi, y.hi), twoSum(x.lo, y.lo)
	sum := quickSum(high.hi, high.lo+low.hi)
	return quickSum(sum.hi, sum.lo+low.lo)
}

func (x pair) times(f float64) pair {
	product := twoProduct(x.hi, f)
	return quickSum(product.hi, product.lo+x.lo*f)
}

func (x pair) mul(y pair) pair {
	product := twoProduct(x.hi, y.hi)
	return quickSum(product.hi, product.lo+(x.hi*y.lo+x.lo*y.hi))
}

// over is x / f.
func (x pair) over(f float64) pair {
	quotient := x.hi / f
	product := twoProduct(quotient, f)
	rest := x.hi - product.hi - product.lo + x.lo
	return quickSum(quotient, rest/f)
}

func (x pair) div(y pair) pair {
	first := x.hi / y.hi
	rest := x.add(y.times(-first))
	second := rest.hi / y.hi
	rest = rest.add(y.times(-second))
	quotient := quickSum(first, second)
	return quotient.add(pair{rest.hi / y.hi, 0})
}

const (
	ln2Hi    = 0.6931471805599453
	ln2Lo    = 2.3190468138462996e-17
	invLn2   = 1.4426950408889634
	sqrt2    = 1.4142135623730951
	powTerms = 11 // of the logarithm's series with and without pairs
)

// pow is C's pow.
func pow(x, y float64) float64 {
	if y == 0 || x == 1 {
		return 1
	}
	if x != x || y != y {
		return x + y
	}
	if x == 0 || !isFinite(x) || !isFinite(y) {
		return powSpecial(x, y)
	}
	sign := 1.0
	if x < 0 {
		if isOdd(y) {
			sign = -1
		}
		x = -x
	}
	return sign * powPositive(x, y)
}

// isOdd holds for odd whole floats.
func isOdd(y float64) bool {
	return abs64(y) < exactInts && trunc64(y) == y && int64(y)&1 != 0
}

func powSpecial(x, y float64) float64 {
	if !isFinite(y) {
		size := abs64(x)
		if size == 1 {
			return 1
		}
		if (size > 1) == (y > 0) {
			return abs64(y)
		}
		return 0
	}
	result := abs64(x)
	if y < 0 {
		result = 1 / result
	}
	if isOdd(y) {
		return copysign64(result, x)
	}
	return result
}

func powPositive(x, y float64) float64 {
	size := abs64(y)
	if x == 1 {
		return 1
	}
	if y == 0.5 {
		return sqrt64(x)
	}
	if size <= 64 && trunc64(y) == y && smallPower(x, size) {
		return powWhole(x, uint32(size), y < 0)
	}
	if size < 0x1p-65 {
		return 1
	}
	if size > 0x1p65 {
		if (x > 1) == (y > 0) {
			return overflowed()
		}
		return 0
	}
	z := logarithm(x).times(y)
	if z.hi > 710 {
		return overflowed()
	}
	if z.hi < -746 {
		return 0
	}
	return exponential(z)
}

func overflowed() float64 { return float64frombits(0x7ff << mantissaBits) }

// smallPower holds when x ** n is far from the ends of the range, so that the
// low halves of pairs stay exact.
func smallPower(x, n float64) bool {
	exponent := float64(int32(float64bits(x)>>mantissaBits) - exponentBias)
	return abs64(exponent)*n < 850
}

func powWhole(x float64, n uint32, inverse bool) float64 {
	result, square := pair{1, 0}, pair{x, 0}
	for {
		if n&1 != 0 {
			result = result.mul(square)
		}
		n >>= 1
		if n == 0 {
			break
		}
		square = square.mul(square)
	}
	if inverse {
		result = pair{1, 0}.div(result)
	}
	return result.hi
}

// logarithm is log x for finite x > 0, by the series of the inverse
// hyperbolic tangent.
func logarithm(x float64) pair {
	exponent := int32(0)
	if x < 0x1p-1022 {
		x *= 0x1p54
		exponent = -54
	}
	bits := float64bits(x)
	exponent += int32(bits>>mantissaBits) - exponentBias
	x = float64frombits(bits&mantissaMask | exponentBias<<mantissaBits)
	if x > sqrt2 {
		x /= 2
		exponent++
	}
	s := pair{x - 1, 0}.div(twoSum(x, 1))
	square := s.mul(s)
	tail := 0.0
	for i := range uint32(powTerms) {
		tail = tail*square.hi + 1/float64(4*powTerms-1-2*i)
	}
	sum := pair{tail, 0}
	for i := range uint32(powTerms) {
		sum = sum.mul(square).add(pair{1, 0}.over(float64(2*powTerms - 1 - 2*i)))
	}
	sum = sum.mul(s)
	return pair{ln2Hi, ln2Lo}.times(float64(exponent)).add(pair{2 * sum.hi, 2 * sum.lo})
}

// exponential is exp z for results that are neither far too large nor far too
// small, rounded once.
func exponential(z pair) float64 {
	turns := nearest64(z.hi * invLn2)
	r := z.add(pair{ln2Hi, ln2Lo}.times(-turns))
	r = pair{r.hi / 64, r.lo / 64}
	sum := pair{1, 0}
	for i := range uint32(11) {
		sum = sum.mul(r).over(float64(12 - i)).add(pair{1, 0})
	}
	sum = sum.mul(r) // exp(r) - 1
	for range uint32(6) {
		sum = sum.mul(sum).add(pair{2 * sum.hi, 2 * sum.lo})
	}
	return scalePair(sum.add(pair{1, 0}), int32(turns))
}

// scalePair is x * 2**n, rounded once also where the result is subnormal.
func scalePair(x pair, n int32) float64 {
	if n > -1022 {
		return scale(x.hi, n)
	}
	shift := n + 1022
	high := scale(x.hi, shift)
	if high >= 1 {
		return scale(x.hi, n)
	}
	sum := twoSum(1, high)
	rounded := sum.hi + (sum.lo + scale(x.lo, shift))
	return (rounded - 1) * powerOfTwo(-1022)
}
