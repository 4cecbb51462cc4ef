package guest

import "github.com/avapd/avapd/runtime/abi"

// spec is a format specification: [[fill]align][sign][z][#][0][width]
// [grouping][.precision][type].
type spec struct {
	fill, align, sign, flags uint32
	width, precision         int32  // -1: not given
	group                    uint32 // ',' or '_'
	kind                     uint32 // the type's letter, 0: not given
}

const (
	specAlternate   = 1 // #
	specNoMinusZero = 2 // z

	// maxCount bounds widths, precisions and repetitions: far beyond any
	// memory, and small enough that sums stay within 32 bits.
	maxCount = 1 << 30
)

func failText(message Value) Value { return fail1(abi.ErrFormat, message) }

func isAlign(c uint32) bool { return c == '<' || c == '>' || c == '=' || c == '^' }

// parseCount reads digits; the count is maxCount for anything larger, and -1
// when there are more digits than 64 bits take.
func parseCount(p, end Ptr) (int32, Ptr) {
	n := int64(0)
	for p < end && isDigit(load8(p)) {
		digit := int64(load8(p) - '0')
		if n > (1<<63-1-digit)/10 {
			return -1, p
		}
		n = n*10 + digit
		p++
	}
	return int32(min(n, maxCount)), p
}

// parseSpec reads a specification for a value; the second result is false
// after an error.
func parseSpec(text, v Value) (spec, bool) {
	p := text.textPtr()
	end := p + Ptr(text.textLen())
	s, p, filled := parseAlign(p, end)
	if p < end && (load8(p) == '+' || load8(p) == '-' || load8(p) == ' ') {
		s.sign = load8(p)
		p++
	}
	if p < end && load8(p) == 'z' {
		s.flags |= specNoMinusZero
		p++
	}
	if p < end && load8(p) == '#' {
		s.flags |= specAlternate
		p++
	}
	if p < end && load8(p) == '0' && !filled {
		s.fill = '0'
		if s.align == 0 && !v.isText() {
			s.align = '='
		}
		p++
	}
	ok := false
	s, p, ok = parseSpecTail(s, p, end)
	if !ok {
		return s, false
	}
	if p < end {
		return s, failSpec(text, v)
	}
	return completeSpec(s, v)
}

// parseAlign reads fill and alignment, and says whether there was a fill.
func parseAlign(p, end Ptr) (spec, Ptr, bool) {
	s := spec{fill: ' ', width: -1, precision: -1}
	if p == end {
		return s, p, false
	}
	c, width := runeAt(p, end)
	next := p + Ptr(width)
	if next < end && isAlign(load8(next)) {
		s.fill = c
		s.align = load8(next)
		return s, next + 1, true
	}
	if isAlign(c) {
		s.align = c
		p = next
	}
	return s, p, false
}

// completeSpec fills in what depends on the value, and checks the grouping.
func completeSpec(s spec, v Value) (spec, bool) {
	if v.isText() {
		if s.align == 0 {
			s.align = '<'
		}
		if s.kind == 0 {
			s.kind = 's'
		}
	} else if s.align == 0 {
		s.align = '>'
	}
	return s, s.group == 0 || checkGroup(s)
}

func failSpec(text, v Value) bool {
	mark := outMark()
	putText(literal("Invalid format specifier '"))
	putText(text)
	putText(literal("' for object of type '"))
	putText(typeWord(v))
	putByte('\'')
	failText(takeText(mark))
	return false
}

// parseSpecTail reads width, grouping, precision and type, and gives the place
// behind them.
func parseSpecTail(s spec, p, end Ptr) (spec, Ptr, bool) {
	if p < end && isDigit(load8(p)) {
		s.width, p = parseCount(p, end)
		if s.width < 0 {
			failText(literal("Too many decimal digits in format string"))
			return s, p, false
		}
	}
	for p < end && (load8(p) == ',' || load8(p) == '_') {
		c := load8(p)
		if s.group == c { // a second one is taken for the type
			break
		}
		if s.group != 0 {
			failText(literal("Cannot specify both ',' and '_'."))
			return s, p, false
		}
		s.group = c
		p++
	}
	if p < end && load8(p) == '.' {
		p++
		if p == end || !isDigit(load8(p)) {
			failText(literal("Format specifier missing precision"))
			return s, p, false
		}
		s.precision, p = parseCount(p, end)
		if s.precision < 0 {
			failText(literal("Too many decimal digits in format string"))
			return s, p, false
		}
	}
	if p < end {
		kind, width := runeAt(p, end)
		s.kind = kind
		p += Ptr(width)
	}
	return s, p, true
}

// checkGroup refuses grouping with types that have no use for it.
func checkGroup(s spec) bool {
	switch s.kind {
	case 0, 'd', 'e', 'f', 'g', 'E', 'F', 'G', '%':
		return true
	case 'b', 'o', 'x', 'X':
		if s.group == '_' {
			return true
		}
	}
	mark := outMark()
	putText(literal("Cannot specify '"))
	putByte(s.group)
	putText(literal("' with '"))
	putKind(s.kind)
	putText(literal("'."))
	failText(takeText(mark))
	return false
}

// putKind puts a type's letter as messages show it.
func putKind(kind uint32) {
	if kind > 32 && kind < 128 {
		putByte(kind)
		return
	}
	putText(literal("\\x"))
	putUint(uint64(kind), 16, 'a')
}

func failKind(kind uint32, v Value) bool {
	mark := outMark()
	putText(literal("Unknown format code '"))
	putKind(kind)
	putText(literal("' for object of type '"))
	putText(typeWord(v))
	putByte('\'')
	failText(takeText(mark))
	return false
}

// FormatValue is f"{v:spec}".
func FormatValue(v, specText Value) Value {
	if !specText.isText() {
		specText = Str(specText)
	}
	if specText.textLen() == 0 {
		return Str(v)
	}
	mark := outMark()
	if !putFormatted(v, specText) {
		dropOut(mark)
		return failure()
	}
	return takeText(mark)
}

// putFormatted puts a value by a specification; false after an error.
func putFormatted(v, specText Value) bool {
	if specText.textLen() == 0 {
		putStr(v)
		return true
	}
	kind := v.Tag.Kind()
	switch kind {
	case abi.KindText:
		s, ok := parseSpec(specText, v)
		return ok && putFormattedText(v, s)
	case abi.KindInt, abi.KindBool:
		s, ok := parseSpec(specText, v)
		return ok && putFormattedInt(v, s)
	case abi.KindFloat:
		s, ok := parseSpec(specText, v)
		return ok && putFormattedFloat(v, v.float(), s)
	}
	failType(literal("unsupported format string passed to "), v, literal(".__format__"))
	return false
}

func putFormattedText(v Value, s spec) bool {
	if s.kind != 's' {
		return failKind(s.kind, v)
	}
	if s.sign != 0 {
		if s.sign == ' ' {
			failText(literal("Space not allowed in string format specifier"))
		} else {
			failText(literal("Sign not allowed in string format specifier"))
		}
		return false
	}
	if s.flags&specNoMinusZero != 0 {
		failText(literal("Negative zero coercion (z) not allowed in string format specifier"))
		return false
	}
	if s.flags&specAlternate != 0 {
		failText(literal("Alternate form (#) not allowed in string format specifier"))
		return false
	}
	if s.align == '=' {
		failText(literal("'=' alignment not allowed in string format specifier"))
		return false
	}
	if s.precision >= 0 {
		v = textSlice(v, 0, uint32(s.precision))
	}
	padding := uint32(0)
	if s.width > 0 {
		count := textCharCount(v)
		if uint32(s.width) > count {
			padding = uint32(s.width) - count
		}
	}
	left := leftPadding(padding, s.align)
	putRunes(s.fill, left)
	putText(v)
	putRunes(s.fill, padding-left)
	return true
}

func leftPadding(padding, align uint32) uint32 {
	switch align {
	case '>':
		return padding
	case '^':
		return padding / 2
	}
	return 0
}

func putFormattedInt(v Value, s spec) bool {
	base := uint32(10)
	prefix := uint32(0)
	switch s.kind {
	case 0, 'd', 'n':
	case 'b':
		base = 2
		prefix = s.kind
	case 'o':
		base = 8
		prefix = s.kind
	case 'x', 'X':
		base = 16
		prefix = s.kind
	case 'c':
		return putFormattedChar(v, s)
	case 'e', 'E', 'f', 'F', 'g', 'G', '%':
		return putFormattedFloat(v, float64(v.int()), s)
	default:
		return failKind(s.kind, v)
	}
	if s.precision >= 0 {
		failText(literal("Precision not allowed in integer format specifier"))
		return false
	}
	if s.flags&specNoMinusZero != 0 {
		failText(literal("Negative zero coercion (z) not allowed in integer format specifier"))
		return false
	}
	if s.flags&specAlternate == 0 {
		prefix = 0
	}
	letters := uint32('a')
	if s.kind == 'X' {
		letters = 'A'
	}
	body := outMark()
	putUint(magnitude(v.int()), base, letters)
	padNumber(body, signByte(v.int() < 0, s.sign), prefix, outLen-body, s)
	return true
}

// putFormattedChar puts the character with the int's code point.
func putFormattedChar(v Value, s spec) bool {
	if s.precision >= 0 {
		failText(literal("Precision not allowed in integer format specifier"))
		return false
	}
	if s.flags&specNoMinusZero != 0 {
		failText(literal("Negative zero coercion (z) not allowed in integer format specifier"))
		return false
	}
	if s.sign != 0 {
		failText(literal("Sign not allowed with integer format specifier 'c'"))
		return false
	}
	if s.flags&specAlternate != 0 {
		failText(literal("Alternate form (#) not allowed with integer format specifier 'c'"))
		return false
	}
	if v.Bits > 0x10ffff {
		failText(literal("%c arg not in range(0x110000)"))
		return false
	}
	body := outMark()
	putRune(uint32(v.Bits))
	padNumber(body, 0, 0, 0, s)
	return true
}

// signByte is the sign to show, 0 for none.
func signByte(negative bool, sign uint32) uint32 {
	if negative {
		return '-'
	}
	if sign == '-' {
		return 0
	}
	return sign
}

// putFormattedFloat puts a number as a float; v is what messages are about.
func putFormattedFloat(v Value, f float64, s spec) bool {
	kind := s.kind
	precision := s.precision
	flags := s.flags & specAlternate
	switch kind {
	case 0:
		flags |= floatDotZero
		if precision < 0 {
			kind = 'r'
		} else {
			kind = 'g'
		}
	case 'n':
		kind = 'g'
	case 'e', 'E', 'f', 'F', 'g', 'G':
	case '%':
		f *= 100
		kind = 'f'
	default:
		return failKind(kind, v)
	}
	if precision < 0 {
		precision = 6
	}
	body := outMark()
	digits := putFloatBody(f, kind, precision, flags)
	negative := isNegative(f) && f == f
	if s.flags&specNoMinusZero != 0 && isFinite(f) && load8(Ptr(digitRoom)) == '0' {
		negative = false
	}
	if s.kind == '%' {
		putByte('%')
	}
	padNumber(body, signByte(negative, s.sign), 0, digits, s)
	return true
}

// padNumber finishes a number whose body lies behind the mark: its first
// digits are grouped and filled with zeros as the specification wants, sign,
// prefix and padding are put around it.
func padNumber(body, sign, prefix, digits uint32, s spec) {
	end := outLen
	fixed := charCount(Ptr(outBase+body), end-body) - digits
	if sign != 0 {
		fixed++
	}
	if prefix != 0 {
		fixed += 2
	}
	width := uint32(max(s.width, 0))
	filled := digits // digits with leading zeros
	group := uint32(0)
	if digits > 0 {
		if s.group != 0 {
			group = groupSize(s.kind)
		}
		if s.fill == '0' && s.align == '=' && width > fixed {
			filled = max(filled, digitsForWidth(width-fixed, group))
		}
	}
	total := fixed + filled
	if group != 0 {
		total += (filled - 1) / group
	}
	if total == end-body && total >= width {
		return
	}
	padding := uint32(0)
	if width > total {
		padding = width - total
	}
	left := leftPadding(padding, s.align)
	putRunes(s.fill, left)
	if sign != 0 {
		putByte(sign)
	}
	if prefix != 0 {
		putByte('0')
		putByte(prefix)
	}
	if s.align == '=' {
		putRunes(s.fill, padding)
		left = padding
	}
	putGrouped(body, digits, filled, group, s.group)
	putOut(body+digits, end-body-digits)
	putRunes(s.fill, padding-left)
	closeOut(body, end)
}

func groupSize(kind uint32) uint32 {
	switch kind {
	case 'b', 'o', 'x', 'X':
		return 4
	}
	return 3
}

// digitsForWidth is the least number of digits that, grouped, take the width.
func digitsForWidth(width, group uint32) uint32 {
	if group == 0 {
		return width
	}
	n := width - width/(group+1)
	if width%(group+1) == 0 { // a separator does not come first
		n++
	}
	return n
}

// putGrouped puts digits that lie in the buffer, with leading zeros and
// separators.
func putGrouped(from, digits, filled, group, separator uint32) {
	if group == 0 {
		putRunes('0', filled-digits)
		putOut(from, digits)
		return
	}
	for i := range filled {
		left := filled - i
		if i > 0 && left%group == 0 {
			putByte(separator)
		}
		if left > digits {
			putByte('0')
		} else {
			putByte(load8(Ptr(outBase + from + digits - left)))
		}
	}
}
