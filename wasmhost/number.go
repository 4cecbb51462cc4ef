package wasmhost

import (
	"bytes"
	"math"
	"strconv"
)

// appendFloat writes a float as Python's repr does: the shortest digits that
// read back as the value, a point always, an exponent from 1e16 and below
// 1e-4. Infinities and NaN are for the caller.
func appendFloat(b []byte, f float64) []byte {
	size := math.Abs(f)
	if size != 0 && (size < 1e-4 || size >= 1e16) {
		return strconv.AppendFloat(b, f, 'e', -1, 64)
	}
	start := len(b)
	b = strconv.AppendFloat(b, f, 'f', -1, 64)
	if bytes.IndexByte(b[start:], '.') < 0 {
		b = append(b, '.', '0')
	}
	return b
}

// appendFloatKey writes a float as a dict key, where Python spells the values
// out that JSON numbers cannot have.
func appendFloatKey(b []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, "NaN"...)
	case math.IsInf(f, 1):
		return append(b, "Infinity"...)
	case math.IsInf(f, -1):
		return append(b, "-Infinity"...)
	}
	return appendFloat(b, f)
}

// isNumberText reports whether b is number text as the language defines it:
// blanks around, [+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)? inside.
func isNumberText(b []byte) bool {
	b = bytes.Trim(b, " \t\r\n\v\f")
	b = trimSign(b)
	whole := leadingDigits(b)
	b = b[whole:]
	fraction := 0
	if len(b) > 0 && b[0] == '.' {
		fraction = leadingDigits(b[1:])
		b = b[1+fraction:]
	}
	if whole+fraction == 0 {
		return false
	}
	if len(b) > 0 && (b[0] == 'e' || b[0] == 'E') {
		b = trimSign(b[1:])
		n := leadingDigits(b)
		return n > 0 && n == len(b)
	}
	return len(b) == 0
}

func trimSign(b []byte) []byte {
	if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
		return b[1:]
	}
	return b
}

func leadingDigits(b []byte) int {
	n := 0
	for n < len(b) && '0' <= b[n] && b[n] <= '9' {
		n++
	}
	return n
}
