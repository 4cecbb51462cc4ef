package guest

import "github.com/avapd/avapd/runtime/abi"

// Float is float(v).
func Float(v Value) Value {
	if isNumber(v) {
		return floating(toFloat(v))
	}
	if v.Tag == abi.KindUndefined {
		return floating(0)
	}
	if !v.isText() {
		return failType(literal("float() argument must be a string or a real number, not '"), v, literal("'"))
	}
	p, n := trimBlanks(v)
	if numberShape(p, n) == noNumber {
		return fail(abi.ErrValue, literal("could not convert string to float"), v)
	}
	return floating(floatParse(p, n))
}

// Int is int(v) and int(v, base).
func Int(v, base Value) Value {
	if base.Tag != abi.KindUndefined {
		return intInBase(v, base)
	}
	if isWhole(v) {
		return integer(v.int())
	}
	if v.Tag == abi.KindFloat {
		return truncate(trunc64(v.float()))
	}
	if v.Tag == abi.KindUndefined {
		return integer(0)
	}
	if !v.isText() {
		return failType(
			literal("int() argument must be a string, a bytes-like object or a real number, not '"), v, literal("'"))
	}
	return readInt(v, 10)
}

// truncate makes an int of a whole float.
func truncate(f float64) Value {
	if f != f {
		return fail1(abi.ErrValue, literal("cannot convert float NaN to integer"))
	}
	if !isFinite(f) {
		return fail1(abi.ErrValue, literal("cannot convert float infinity to integer"))
	}
	if f < minInt64Float || f >= maxInt64Float {
		return failOverflow()
	}
	return integer(int64(f))
}

func intInBase(v, base Value) Value {
	if !isWhole(base) {
		return failNotInteger(base)
	}
	if !v.isText() {
		return fail1(abi.ErrArgument, literal("int() can't convert non-string with explicit base"))
	}
	if base.int() < 0 || base.int() > 36 || base.int() == 1 {
		return fail1(abi.ErrValue, literal("int() base must be >= 2 and <= 36, or 0"))
	}
	return readInt(v, uint32(base.Bits))
}

// readInt reads a sign, for bases 2, 8, 16 and 0 a prefix, and digits.
func readInt(v Value, base uint32) Value {
	p, n := trimBlanks(v)
	end := p + Ptr(n)
	negative := false
	if p < end && (load8(p) == '+' || load8(p) == '-') {
		negative = load8(p) == '-'
		p++
	}
	radix := base
	if base != 10 && end-p > 2 && load8(p) == '0' {
		prefix := prefixBase(load8(p + 1))
		if prefix != 0 && (base == 0 || base == prefix) {
			radix = prefix
			p += 2
		}
	}
	if radix == 0 {
		radix = 10
		if end-p > 1 && load8(p) == '0' {
			return failReadInt(v, base)
		}
	}
	u, overflow := uint64(0), false
	if p == end {
		return failReadInt(v, base)
	}
	for p < end {
		digit := digitValue(load8(p))
		if digit >= radix {
			return failReadInt(v, base)
		}
		if u > (signBit-uint64(digit))/uint64(radix) {
			overflow = true
			u = 0
		}
		u = u*uint64(radix) + uint64(digit)
		p++
	}
	if overflow || u == signBit && !negative {
		return failOverflow()
	}
	if negative {
		return integer(-int64(u))
	}
	return integer(int64(u))
}

// prefixBase is the base that the letter behind a leading zero stands for.
func prefixBase(letter uint32) uint32 {
	switch letter | 0x20 {
	case 'x':
		return 16
	case 'o':
		return 8
	case 'b':
		return 2
	}
	return 0
}

// digitValue is the value of a digit in bases up to 36, or more than that.
func digitValue(b uint32) uint32 {
	if b-'0' < 10 {
		return b - '0'
	}
	if b|0x20-'a' < 26 {
		return b | 0x20 - 'a' + 10
	}
	return 255
}

func failReadInt(v Value, base uint32) Value {
	message := Concat(literal("invalid literal for int() with base "), intText(int64(base)))
	return fail(abi.ErrValue, message, v)
}

// Round is round(v) and round(v, digits), half to even.
func Round(v, digits Value) Value {
	if !isNumber(v) {
		return failType(literal("type "), v, literal(" doesn't define __round__ method"))
	}
	if isMissing(digits) {
		if isWhole(v) {
			return integer(v.int())
		}
		return truncate(nearest64(v.float()))
	}
	if !isWhole(digits) {
		return failNotInteger(digits)
	}
	if isWhole(v) {
		return roundInt(v.int(), digits.int())
	}
	return roundFloat(v.float(), digits.int())
}

func roundInt(i, digits int64) Value {
	if digits >= 0 {
		return integer(i)
	}
	if digits < -19 {
		return integer(0)
	}
	unit := uint64(1)
	for range uint32(-digits) {
		unit *= 10
	}
	size := magnitude(i)
	rest := size % unit
	size -= rest
	half := unit / 2
	if rest > half || rest == half && size/unit&1 != 0 {
		size += unit
	}
	if size > signBit || size == signBit && i >= 0 {
		return failOverflow()
	}
	if i < 0 {
		return integer(-int64(size))
	}
	return integer(int64(size))
}

const (
	roundMostDigits  = 323 // more decimals than any float has room for
	roundLeastDigits = -308
	exactDigits      = 780 // enough for the exact value of any float
)

func roundFloat(f float64, digits int64) Value {
	if !isFinite(f) || digits > roundMostDigits || f == 0 {
		return floating(f)
	}
	if digits < roundLeastDigits {
		return floating(copysign64(0, f))
	}
	count, point := uint32(0), int32(0)
	if digits >= 0 {
		count, point = decimalDigits(f, abi.DigitsFixed, uint32(digits))
	} else {
		count, point = decimalDigits(f, abi.DigitsSignificant, exactDigits)
		count, point = cutDigits(count, point, point+int32(digits))
	}
	rounded := digitsToFloat(count, point)
	if !isFinite(rounded) {
		return fail1(abi.ErrValue, literal("rounded value too large to represent"))
	}
	return floating(copysign64(rounded, f))
}

// cutDigits rounds the decimal in digitRoom to its first keep digits, half to
// even, and gives the number of digits and the place of the point.
func cutDigits(count uint32, point, keep int32) (uint32, int32) {
	room := Ptr(digitRoom)
	if keep >= int32(count) {
		return count, point
	}
	up := false
	if keep >= 0 {
		next := load8(room + Ptr(keep))
		up = next > '5' || next == '5' && (uint32(keep)+1 < count || keep > 0 && load8(room+Ptr(keep)-1)&1 != 0)
	}
	if keep < 0 {
		keep = 0
	}
	for up && keep > 0 {
		digit := load8(room + Ptr(keep) - 1)
		if digit < '9' {
			store8(room+Ptr(keep)-1, digit+1)
			return uint32(keep), point
		}
		keep--
	}
	if up {
		store8(room, '1')
		return 1, point + 1
	}
	if keep == 0 {
		store8(room, '0')
		return 1, 1
	}
	return uint32(keep), point
}

// digitsToFloat reads back the decimal in digitRoom.
func digitsToFloat(count uint32, point int32) float64 {
	mark := outMark()
	putBytes(Ptr(digitRoom), count)
	putExponent('e', point-int32(count))
	f := floatParse(Ptr(outBase+mark), outLen-mark)
	dropOut(mark)
	return f
}
