package guest

import "github.com/avapd/avapd/runtime/abi"

// Number text is what the language counts as a number wherever text may be
// one: blanks around it, a sign, digits with at most one point, an exponent.
const (
	noNumber    = 0
	wholeNumber = 1 // sign and digits only
	floatNumber = 2
)

func isDigit(b uint32) bool { return b-'0' < 10 }

// isBlank holds for the white space of ASCII.
func isBlank(b uint32) bool { return b == ' ' || b-9 < 5 }

// trimBlanks gives the place and length of a text without the ASCII blanks
// around it.
func trimBlanks(v Value) (Ptr, uint32) {
	p := v.textPtr()
	end := p + Ptr(v.textLen())
	for p < end && isBlank(load8(p)) {
		p++
	}
	for end > p && isBlank(load8(end-1)) {
		end--
	}
	return p, uint32(end - p)
}

// skipDigits gives the first place from p on that holds no digit.
func skipDigits(p, end Ptr) Ptr {
	for p < end && isDigit(load8(p)) {
		p++
	}
	return p
}

// numberShape says what n bytes are as number text.
func numberShape(p Ptr, n uint32) uint32 {
	end := p + Ptr(n)
	if p < end && (load8(p) == '+' || load8(p) == '-') {
		p++
	}
	start := p
	p = skipDigits(p, end)
	digits := uint32(p - start)
	if p == end {
		if digits == 0 {
			return noNumber
		}
		return wholeNumber
	}
	if load8(p) == '.' {
		start = p + 1
		p = skipDigits(start, end)
		digits += uint32(p - start)
	}
	if digits == 0 {
		return noNumber
	}
	if p < end && load8(p)|0x20 == 'e' {
		p++
		if p < end && (load8(p) == '+' || load8(p) == '-') {
			p++
		}
		start = p
		p = skipDigits(p, end)
		if p == start {
			return noNumber
		}
	}
	if p < end {
		return noNumber
	}
	return floatNumber
}

// parseWhole reads a sign and digits; the second result is false when the
// number takes more than 64 bits.
func parseWhole(p Ptr, n uint32) (int64, bool) {
	end := p + Ptr(n)
	negative := false
	if p < end && (load8(p) == '+' || load8(p) == '-') {
		negative = load8(p) == '-'
		p++
	}
	u := uint64(0)
	for p < end {
		digit := uint64(load8(p) - '0')
		if u > (1<<64-1)/10 {
			return 0, false
		}
		u = u*10 + digit
		if u < digit || u > 1<<63 {
			return 0, false
		}
		p++
	}
	if negative {
		return int64(-u), true
	}
	if u == 1<<63 {
		return 0, false
	}
	return int64(u), true
}

// parseNumberText is the number that a text counts as: an int if it is whole
// and fits in 64 bits, else a float; undefined if it is none.
func parseNumberText(v Value) Value {
	p, n := trimBlanks(v)
	return numberFrom(p, n)
}

func numberFrom(p Ptr, n uint32) Value {
	shape := numberShape(p, n)
	if shape == noNumber {
		return undefined()
	}
	if shape == wholeNumber {
		i, fits := parseWhole(p, n)
		if fits {
			return integer(i)
		}
	}
	return floating(floatParse(p, n))
}

// digitRoom is where floatDigits writes, digitRoomBytes long.
var digitRoom uint32

const digitRoomBytes = 800

// decimalDigits asks for the decimal digits of a finite number's magnitude,
// which stand in digitRoom after: their number and the place of the point.
func decimalDigits(f float64, mode, ndigits uint32) (uint32, int32) {
	if digitRoom == 0 {
		digitRoom = uint32(alloc(digitRoomBytes))
	}
	packed := floatDigits(abs64(f), mode, ndigits, Ptr(digitRoom))
	return uint32(packed), int32(uint32(packed >> 32))
}

// isNegative tells the sign, of zeros too.
func isNegative(f float64) bool { return float64bits(f)>>63 != 0 }

// isFinite is false for infinities and NaN.
func isFinite(f float64) bool { return f-f == 0 }

// putNotFinite puts inf or nan, without a sign.
func putNotFinite(f float64, upper bool) {
	word := literal("inf")
	if upper {
		word = literal("INF")
	}
	if f != f {
		word = literal("nan")
		if upper {
			word = literal("NAN")
		}
	}
	putText(word)
}

// putDigitSpan puts the digits from one place to another; a place in front of
// or behind those in digitRoom is a zero.
func putDigitSpan(from, to int32, count uint32) {
	if from >= to {
		return
	}
	if from < 0 {
		zeros := -from
		if to < 0 {
			zeros = to - from
		}
		putRunes('0', uint32(zeros))
		from += zeros
	}
	if from < to && from < int32(count) {
		last := int32(count)
		if to < last {
			last = to
		}
		putBytes(Ptr(digitRoom+uint32(from)), uint32(last-from))
		from = last
	}
	if from < to {
		putRunes('0', uint32(to-from))
	}
}

// putExponent puts e+05: a sign and at least two digits.
func putExponent(letter uint32, exponent int32) {
	putByte(letter)
	if exponent < 0 {
		putByte('-')
		exponent = -exponent
	} else {
		putByte('+')
	}
	if exponent < 10 {
		putByte('0')
	}
	putUint(uint64(uint32(exponent)), 10, 'a')
}

// putFloat puts a float as repr and str write it.
func putFloat(f float64) {
	if isNegative(f) && f == f {
		putByte('-')
	}
	if isFinite(f) {
		putShortest(f)
		return
	}
	putNotFinite(f, false)
}

// putShortest puts the fewest digits that read back as a finite number's
// magnitude.
func putShortest(f float64) {
	count, point := decimalDigits(f, abi.DigitsShortest, 0)
	digits := int32(count)
	if point > -4 && point <= 16 {
		if point <= 0 {
			putByte('0')
		}
		putDigitSpan(0, point, count)
		putByte('.')
		if point >= digits {
			putByte('0')
		}
		putDigitSpan(point, digits, count)
		return
	}
	putDigitSpan(0, 1, count)
	if digits > 1 {
		putByte('.')
		putDigitSpan(1, digits, count)
	}
	putExponent('e', point-1)
}
