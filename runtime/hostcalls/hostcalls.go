// Package hostcalls holds the host functions of abi.LibraryImports as plain
// Go over the bytes of a guest's memory: what the guest library needs big
// tables or exact decimal arithmetic for.
//
// Each is a pure function of its arguments and of memory. Offsets and lengths
// come from the guest and are believed only after a check: a wrong one gives
// zero and never a panic.
package hostcalls

import (
	"math"
	"strconv"
	"unsafe"

	"github.com/avapd/avapd/runtime/abi"
)

const (
	// digitsRoomBytes is the room the guest must give float_digits.
	digitsRoomBytes = 800
	// maxDigits is more than the 767 significant digits and the 1074 places
	// that a double can have.
	maxDigits = 1100
)

// span gives n bytes at an offset, or false when they do not lie in memory.
func span(memory []byte, offset, n uint32) ([]byte, bool) {
	end := uint64(offset) + uint64(n)
	if end > uint64(len(memory)) {
		return nil, false
	}
	return memory[offset:end:end], true
}

// FloatDigits is float_digits: see abi.LibraryImports. A value that rounds to
// nothing gives the digit 0, too.
func FloatDigits(memory []byte, value float64, mode, ndigits, out uint32) uint64 {
	room, ok := span(memory, out, digitsRoomBytes)
	if !ok || math.IsNaN(value) || math.IsInf(value, 0) {
		return 0
	}
	digits := int(min(ndigits, maxDigits))
	var scratch [64]byte
	buf := scratch[:0]
	switch mode {
	case abi.DigitsShortest:
		buf = strconv.AppendFloat(buf, math.Abs(value), 'e', -1, 64)
	case abi.DigitsSignificant:
		buf = strconv.AppendFloat(buf, math.Abs(value), 'e', max(digits, 1)-1, 64)
	case abi.DigitsFixed:
		buf = strconv.AppendFloat(buf, math.Abs(value), 'f', digits, 64)
	default:
		return 0
	}
	n, point := significand(room, buf)
	return uint64(uint32(point))<<32 | uint64(uint32(n))
}

// significand writes the digits of a decimal without the zeros at either end,
// and gives their number and the place of the decimal point.
func significand(room, text []byte) (n, point int) {
	exponent, seenPoint := 0, false
	for i, c := range text {
		if c == 'e' {
			exponent, _ = strconv.Atoi(string(text[i+1:]))
			break
		}
		switch {
		case c == '.':
			seenPoint = true
		case c == '0' && n == 0:
			if seenPoint {
				point--
			}
		case c >= '0' && c <= '9':
			if n < len(room) {
				room[n] = c
				n++
			}
			if !seenPoint {
				point++
			}
		}
	}
	for n > 0 && room[n-1] == '0' {
		n--
	}
	if n == 0 {
		room[0] = '0'
		return 1, 1
	}
	return n, point + exponent
}

// FloatParse is float_parse.
func FloatParse(memory []byte, offset, n uint32) float64 {
	text, ok := span(memory, offset, n)
	if !ok || n == 0 {
		return 0
	}
	// The error is left aside: text out of range gives an infinity, which is
	// the answer, and text that is no number gives 0. ParseFloat keeps nothing
	// of its argument but in that error, so the bytes need not be copied.
	f, _ := strconv.ParseFloat(unsafe.String(&text[0], len(text)), 64)
	return f
}
