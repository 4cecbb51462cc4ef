package guest

import "github.com/avapd/avapd/runtime/abi"

// directive is one %… of a format: the flags, width and precision that came
// before its letter.
type directive struct {
	flags            uint32
	width, precision int32 // precision -1: not given
}

const (
	percentLeft      = 1  // -
	percentSign      = 2  // +
	percentBlank     = 4  // a blank for the sign
	percentAlternate = 8  // #
	percentZero      = 16 // 0
)

// The arguments of the formatting under way. Formatting calls nothing that
// formats with % again.
var (
	percentArgs  uint32 // list of the arguments
	percentNext  uint32 // number of the next one
	percentKeyed bool   // a key's value waits in percentTag and percentBits
	percentTag   int32
	percentBits  uint64
)

// PercentFormat is format % args, with the list of arguments. A dict as the
// only argument is also what %(key)s reads.
func PercentFormat(format, args Value) Value {
	if !format.isText() {
		return failOperator(abi.OperatorMod, format, args)
	}
	percentArgs = uint32(args.list())
	percentNext = 0
	percentKeyed = false
	mark := outMark()
	if !putPercent(format) {
		dropOut(mark)
		return failure()
	}
	return takeText(mark)
}

func putPercent(format Value) bool {
	start := format.textPtr()
	end := start + Ptr(format.textLen())
	p := start
	for p < end {
		run := byteIndex(p, uint32(end-p), '%')
		if run == noOffset {
			putBytes(p, uint32(end-p))
			break
		}
		putBytes(p, run)
		p = putDirective(format, p+Ptr(run)+1, end)
		if p == 0 {
			return false
		}
	}
	args := List(percentArgs)
	if percentNext < args.len() && !(args.len() == 1 && isContainer(args.at(0))) {
		failText(literal("not all arguments converted during string formatting"))
		return false
	}
	return true
}

func isContainer(v Value) bool { return v.Tag == abi.KindDict || v.Tag == abi.KindList }

// failDirective records an error and gives the offset that means one.
func failDirective(message Value) Ptr {
	failText(message)
	return 0
}

// putDirective puts what the directive behind a percent sign stands for, and
// gives the place behind it, or 0 after an error.
func putDirective(format Value, p, end Ptr) Ptr {
	if p < end && load8(p) == '%' {
		putByte('%')
		return p + 1
	}
	if p < end && load8(p) == '(' {
		p = percentKey(p+1, end)
		if p == 0 {
			return 0
		}
	}
	d := directive{precision: -1}
	for p < end {
		flag := percentFlag(load8(p))
		if flag == 0 {
			break
		}
		d.flags |= flag
		p++
	}
	d.width, p = percentCount(p, end, literal("width too big"))
	if p == 0 {
		return 0
	}
	if d.width < 0 {
		d.flags |= percentLeft
		d.width = -d.width
	}
	if p < end && load8(p) == '.' {
		d.precision, p = percentCount(p+1, end, literal("precision too big"))
		if p == 0 {
			return 0
		}
		d.precision = max(d.precision, 0)
	}
	if p < end && (load8(p) == 'h' || load8(p) == 'l' || load8(p) == 'L') {
		p++
	}
	if p >= end {
		return failDirective(literal("incomplete format"))
	}
	letter, width := runeAt(p, end)
	v := percentArgument()
	if v.failed() || !putConverted(v, letter, d, textCharIndex(format, uint32(p-format.textPtr()))) {
		return 0
	}
	return p + Ptr(width)
}

func percentFlag(c uint32) uint32 {
	switch c {
	case '-':
		return percentLeft
	case '+':
		return percentSign
	case ' ':
		return percentBlank
	case '#':
		return percentAlternate
	case '0':
		return percentZero
	}
	return 0
}

// percentKey reads key) and fetches its value from the mapping.
func percentKey(p, end Ptr) Ptr {
	args := List(percentArgs)
	if args.len() != 1 || args.at(0).Tag != abi.KindDict {
		return failDirective(literal("format requires a mapping"))
	}
	start := p
	open := uint32(1)
	for p < end {
		if load8(p) == '(' {
			open++
		} else if load8(p) == ')' {
			open--
			if open == 0 {
				break
			}
		}
		p++
	}
	if p == end {
		return failDirective(literal("incomplete format key"))
	}
	key := textFrom(start, uint32(p-start))
	v := args.at(0).dict().get(key)
	if v.Tag == abi.KindUndefined {
		fail1(abi.ErrKey, key)
		return 0
	}
	percentKeyed = true
	percentTag = int32(v.Tag)
	percentBits = v.Bits
	percentNext = 1
	return p + 1
}

// percentArgument is the next argument.
func percentArgument() Value {
	if percentKeyed {
		percentKeyed = false
		return Value{Tag(percentTag), percentBits}
	}
	args := List(percentArgs)
	if percentNext >= args.len() {
		return failText(literal("not enough arguments for format string"))
	}
	percentNext++
	return args.at(percentNext - 1)
}

// percentCount reads a width or precision, digits or a star for an argument;
// none is 0.
func percentCount(p, end Ptr, tooBig Value) (int32, Ptr) {
	if p < end && load8(p) == '*' {
		v := percentArgument()
		if v.failed() {
			return 0, 0
		}
		if !isWhole(v) {
			return 0, failDirective(literal("* wants int"))
		}
		return int32(max(min(v.int(), maxCount), -maxCount)), p + 1
	}
	n, next := parseCount(p, end)
	if n < 0 {
		return 0, failDirective(tooBig)
	}
	return n, next
}

// putConverted puts one argument as its letter wants it; index is where the
// letter stands.
func putConverted(v Value, letter uint32, d directive, index uint32) bool {
	body := outMark()
	switch letter {
	case 's', 'r', 'a':
		return putPercentText(v, letter, d)
	case 'c':
		if !putPercentChar(v) {
			return false
		}
		padPercent(body, false, 0, d, false)
		return true
	case 'd', 'i', 'u', 'o', 'x', 'X':
		return putPercentInt(v, letter, d)
	case 'e', 'E', 'f', 'F', 'g', 'G':
		return putPercentFloat(v, letter, d)
	}
	mark := outMark()
	putText(literal("unsupported format character '"))
	if letter >= 31 && letter <= 126 {
		putByte(letter)
	} else {
		putByte('?')
	}
	putText(literal("' (0x"))
	putUint(uint64(letter), 16, 'a')
	putText(literal(") at index "))
	putUint(uint64(index), 10, 'a')
	failText(takeText(mark))
	return false
}

// padPercent finishes what lies behind the mark: sign, prefix and padding.
func padPercent(body uint32, negative bool, prefix uint32, d directive, numeric bool) {
	s := spec{fill: ' ', align: '>', width: d.width}
	sign := uint32(0)
	if numeric {
		if d.flags&percentZero != 0 {
			s.fill = '0'
			s.align = '='
		}
		if negative {
			sign = '-'
		} else if d.flags&percentSign != 0 {
			sign = '+'
		} else if d.flags&percentBlank != 0 {
			sign = ' '
		}
	}
	if d.flags&percentLeft != 0 {
		s.fill = ' '
		s.align = '<'
	}
	padNumber(body, sign, prefix, 0, s)
}

func putPercentText(v Value, letter uint32, d directive) bool {
	body := outMark()
	switch letter {
	case 's':
		putStr(v)
	case 'r':
		putRepr(v, 0)
	default:
		putASCII(Repr(v))
	}
	if d.precision >= 0 {
		written := textValue(Ptr(outBase+body), outLen-body, 0)
		outLen = body + textOffset(written, uint32(d.precision))
	}
	padPercent(body, false, 0, d, false)
	return true
}

// putASCII puts a text with everything beyond ASCII escaped.
func putASCII(v Value) {
	p := v.textPtr()
	end := p + Ptr(v.textLen())
	for p < end {
		c, width := runeAt(p, end)
		if c < 0x80 {
			putByte(c)
		} else {
			putNumericEscape(c)
		}
		p += Ptr(width)
	}
}

func putPercentChar(v Value) bool {
	if isWhole(v) {
		if v.Bits > 0x10ffff {
			failText(literal("%c arg not in range(0x110000)"))
			return false
		}
		putRune(uint32(v.Bits))
		return true
	}
	if !v.isText() || textCharCount(v) != 1 {
		failText(literal("%c requires int or char"))
		return false
	}
	putText(v)
	return true
}

func putPercentInt(v Value, letter uint32, d directive) bool {
	base := percentBase(letter)
	body := outMark()
	negative := false
	if isWhole(v) {
		negative = v.int() < 0
		letters := uint32('a')
		if letter == 'X' {
			letters = 'A'
		}
		putUint(magnitude(v.int()), base, letters)
	} else if v.Tag == abi.KindFloat && base == 10 {
		f := v.float()
		if f != f {
			failText(literal("cannot convert float NaN to integer"))
			return false
		}
		if !isFinite(f) {
			failText(literal("cannot convert float infinity to integer"))
			return false
		}
		negative = f <= -1
		count, point := decimalDigits(trunc64(f), abi.DigitsFixed, 0)
		putDigitSpan(0, point, count)
	} else {
		return failPercentInt(v, letter)
	}
	digits := outLen - body
	if d.precision > int32(digits) {
		end := outLen
		putRunes('0', uint32(d.precision)-digits)
		putOut(body, digits)
		closeOut(body, end)
	}
	prefix := uint32(0)
	if d.flags&percentAlternate != 0 && base != 10 {
		prefix = letter
	}
	padPercent(body, negative, prefix, d, true)
	return true
}

func percentBase(letter uint32) uint32 {
	switch letter {
	case 'o':
		return 8
	case 'x', 'X':
		return 16
	}
	return 10
}

func failPercentInt(v Value, letter uint32) bool {
	mark := outMark()
	putByte('%')
	putByte(letter)
	if percentBase(letter) == 10 {
		putText(literal(" format: a real number is required, not "))
	} else {
		putText(literal(" format: an integer is required, not "))
	}
	putText(typeWord(v))
	failText(takeText(mark))
	return false
}

func putPercentFloat(v Value, letter uint32, d directive) bool {
	if !isNumber(v) {
		failType(literal("must be real number, not "), v, emptyText())
		return false
	}
	f := toFloat(v)
	if d.precision < 0 {
		d.precision = 6
	}
	flags := uint32(0)
	if d.flags&percentAlternate != 0 {
		flags = specAlternate
	}
	body := outMark()
	putFloatBody(f, letter, d.precision, flags)
	padPercent(body, isNegative(f) && f == f, 0, d, true)
	return true
}
