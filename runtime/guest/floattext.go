package guest

import "github.com/avapd/avapd/runtime/abi"

// floatDotZero asks for at least one digit behind the point where no exponent
// is shown; it stands beside specAlternate.
const floatDotZero = 8

// putFloatBody puts a float's magnitude as one of the types e, f, g and their
// capitals want it, or r: the shortest form. It gives the number of digits
// in front of the point, which grouping applies to.
func putFloatBody(f float64, kind uint32, precision int32, flags uint32) uint32 {
	upper := kind < 'a'
	if !isFinite(f) {
		putNotFinite(f, upper)
		return 0
	}
	exponentLetter := uint32('e')
	if upper {
		exponentLetter = 'E'
	}
	alternate := flags&specAlternate != 0
	count, point, last := uint32(0), int32(0), int32(0)
	exponential := false
	switch kind | 0x20 {
	case 'f':
		count, point = decimalDigits(f, abi.DigitsFixed, uint32(precision))
		last = point + precision
	case 'e':
		count, point = decimalDigits(f, abi.DigitsSignificant, uint32(precision)+1)
		last = precision + 1
		exponential = true
	case 'g':
		precision = max(precision, 1)
		count, point = decimalDigits(f, abi.DigitsSignificant, uint32(precision))
		limit := precision
		if flags&floatDotZero != 0 {
			limit--
		}
		exponential = point <= -4 || point > limit
		last = int32(count)
		if alternate {
			last = precision
		}
	default:
		count, point = decimalDigits(f, abi.DigitsShortest, 0)
		exponential = point <= -4 || point > 16
		last = int32(count)
	}
	if exponential {
		putMantissa(1, last, count, alternate)
		putExponent(exponentLetter, point-1)
		return 1
	}
	if flags&floatDotZero != 0 {
		last = max(last, point+1)
	}
	return putMantissa(point, last, count, alternate)
}

// putMantissa puts the digits up to the point and those up to last behind it,
// and gives the number of the former.
func putMantissa(point, last int32, count uint32, alternate bool) uint32 {
	whole := uint32(1)
	if point <= 0 {
		putByte('0')
	} else {
		putDigitSpan(0, point, count)
		whole = uint32(point)
	}
	if last > point || alternate {
		putByte('.')
		putDigitSpan(point, last, count)
	}
	return whole
}
