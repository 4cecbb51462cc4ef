package guest

const (
	mantissaBits = 52
	mantissaMask = 1<<mantissaBits - 1
	hiddenBit    = 1 << mantissaBits
	exactInts    = 1 << 53 // ints up to here are floats without rounding
	exponentBias = 1023
)

// divideInts is the float nearest to x / y.
func divideInts(x, y int64) float64 {
	a, b := magnitude(x), magnitude(y)
	if a <= exactInts && b <= exactInts {
		return float64(x) / float64(y)
	}
	quotient := divideMagnitudes(a, b)
	if x^y < 0 {
		return -quotient
	}
	return quotient
}

// divideMagnitudes finds 56 bits of the quotient, the last one also set for
// any rest, and lets the conversion round once.
func divideMagnitudes(a, b uint64) float64 {
	if a == 0 {
		return 0
	}
	shiftA, shiftB := clz64(a), clz64(b)
	rest := a << (shiftA & 63)
	b <<= shiftB & 63
	quotient := uint64(0)
	if rest >= b {
		rest -= b
		quotient = 1
	}
	for range uint32(55) {
		carry := rest >> 63
		rest <<= 1
		quotient <<= 1
		if carry != 0 || rest >= b {
			rest -= b
			quotient |= 1
		}
	}
	if rest != 0 {
		quotient |= 1
	}
	return float64(quotient) * powerOfTwo(int32(shiftB)-int32(shiftA)-55)
}

// powerOfTwo is 2**n for n within a normal float's exponents.
func powerOfTwo(n int32) float64 {
	return float64frombits(uint64(n+exponentBias) << mantissaBits)
}

// scale is f * 2**n, rounded once unless the result is subnormal.
func scale(f float64, n int32) float64 {
	for n > 1000 {
		f *= powerOfTwo(1000)
		n -= 1000
	}
	for n < -1000 {
		f *= powerOfTwo(-1000)
		n += 1000
	}
	return f * powerOfTwo(n)
}

// modFloat is x % y for a y that is not zero, as Python has it.
func modFloat(x, y float64) float64 {
	rest := fmod(x, y)
	if rest == 0 {
		return copysign64(0, y)
	}
	if (y < 0) != (rest < 0) {
		rest += y
	}
	return rest
}

// fmod is the exact rest of x / y with the sign of x.
func fmod(x, y float64) float64 {
	if !isFinite(x) || y != y || y == 0 {
		return x*y - x*y // a NaN
	}
	a, b := abs64(x), abs64(y)
	if a < b {
		return x
	}
	m, e := split(a)
	n, f := split(b)
	for e > f {
		step := e - f
		if step > 11 {
			step = 11
		}
		m = (m << (uint32(step) & 63)) % n
		e -= step
	}
	m %= n
	return copysign64(join(m, e), x)
}

// split gives a finite positive float as an integer below 2**53 and the power
// of two it is to be multiplied with.
func split(f float64) (uint64, int32) {
	bits := float64bits(f)
	exponent := int32(bits >> mantissaBits)
	mantissa := bits & mantissaMask
	if exponent == 0 {
		return mantissa, 1
	}
	return mantissa | hiddenBit, exponent
}

// join is the opposite of split, for any integer below 2**53.
func join(mantissa uint64, exponent int32) float64 {
	if mantissa == 0 {
		return 0
	}
	for mantissa < hiddenBit && exponent > 1 {
		mantissa <<= 1
		exponent--
	}
	if mantissa < hiddenBit {
		return float64frombits(mantissa)
	}
	return float64frombits(mantissa&mantissaMask | uint64(exponent)<<mantissaBits)
}
