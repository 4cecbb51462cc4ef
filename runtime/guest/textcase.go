package guest

import "github.com/avapd/avapd/runtime/abi"

// Case and classes of characters, as Python's str methods have them. ASCII is
// handled here, everything else by the host's tables.

// MethodUpper is text.upper().
func MethodUpper(recv Value) Value {
	return changeCase(recv, abi.CaseUpper, literal("upper"))
}

// MethodLower is text.lower().
func MethodLower(recv Value) Value {
	return changeCase(recv, abi.CaseLower, literal("lower"))
}

// MethodTitle is text.title().
func MethodTitle(recv Value) Value {
	return changeCase(recv, abi.CaseTitle, literal("title"))
}

// MethodCapitalize is text.capitalize().
func MethodCapitalize(recv Value) Value {
	return changeCase(recv, abi.CaseCapitalize, literal("capitalize"))
}

func changeCase(recv Value, mode uint32, name Value) Value {
	if !recv.isText() {
		return failMethod(recv, name)
	}
	p, n := recv.textPtr(), recv.textLen()
	if n == 0 {
		return recv
	}
	if !recv.isASCII() && asciiFlag(p, n) == 0 {
		return changeUnicodeCase(recv, mode)
	}
	out := newText(uint64(n))
	switch mode {
	case abi.CaseUpper:
		changeASCII(out, p, n, 'a')
	case abi.CaseLower:
		changeASCII(out, p, n, 'A')
	case abi.CaseCapitalize:
		changeASCII(out, p, n, 'A')
		changeASCII(out, p, 1, 'a')
	default:
		titleASCII(out, p, n)
	}
	return textValue(out, n, abi.FlagASCII)
}

// changeASCII copies n bytes and turns the case of the 26 letters from first
// on.
func changeASCII(out, p Ptr, n, first uint32) {
	fromFirst := uint64(0x80-first) * ones8
	beyondLast := uint64(0x80-first-26) * ones8
	i := uint32(0)
	for i+8 <= n {
		x := load64(p + Ptr(i))
		letters := (x + fromFirst) & ^(x + beyondLast) & high8
		store64(out+Ptr(i), x^letters>>2)
		i += 8
	}
	for i < n {
		b := load8(p + Ptr(i))
		if b-first < 26 {
			b ^= 0x20
		}
		store8(out+Ptr(i), b)
		i++
	}
}

func titleASCII(out, p Ptr, n uint32) {
	inWord := false
	for i := range n {
		b := load8(p + Ptr(i))
		letter := isLetter(b)
		if letter {
			b &= 0xdf
			if inWord {
				b |= 0x20
			}
		}
		store8(out+Ptr(i), b)
		inWord = letter
	}
}

func isLetter(b uint32) bool { return (b|0x20)-'a' < 26 }

const (
	// A text goes to the host in parts of about casePartBytes that end in
	// front of a blank, where no rule of case looks across; one without blanks
	// is cut after casePartMaxBytes all the same, so that no call takes long.
	casePartBytes    = 8 << 10
	casePartMaxBytes = 64 << 10
)

func changeUnicodeCase(recv Value, mode uint32) Value {
	mark := outMark()
	p := recv.textPtr()
	end := p + Ptr(recv.textLen())
	for p < end {
		n := casePart(p, end)
		out := outRoom(3 * n)
		outLen += unicodeCase(mode, p, n, out)
		if mode == abi.CaseCapitalize {
			mode = abi.CaseLower
		}
		p += Ptr(n)
	}
	return takeText(mark)
}

// casePart is the number of bytes that the host is to be given at once.
func casePart(p, end Ptr) uint32 {
	n := uint32(end - p)
	if n <= casePartBytes {
		return n
	}
	n = min(n, casePartMaxBytes)
	blank := byteIndex(p+casePartBytes, n-casePartBytes, ' ')
	if blank != noOffset {
		return casePartBytes + blank
	}
	if p+Ptr(n) < end {
		return uint32(runeBefore(p+Ptr(n), p) - p)
	}
	return n
}

// MethodIsDigit is text.isdigit().
func MethodIsDigit(recv Value) Value {
	return hasClass(recv, abi.ClassDigit, literal("isdigit"))
}

// MethodIsAlpha is text.isalpha().
func MethodIsAlpha(recv Value) Value {
	return hasClass(recv, abi.ClassAlpha, literal("isalpha"))
}

// MethodIsAlnum is text.isalnum().
func MethodIsAlnum(recv Value) Value {
	return hasClass(recv, abi.ClassAlpha|abi.ClassDecimal|abi.ClassDigit|abi.ClassNumeric, literal("isalnum"))
}

// hasClass reports whether there are characters and all are of the classes.
func hasClass(recv Value, classes uint32, name Value) Value {
	if !recv.isText() {
		return failMethod(recv, name)
	}
	p := recv.textPtr()
	end := p + Ptr(recv.textLen())
	if p == end {
		return boolean(false)
	}
	for p < end {
		c, width := runeAt(p, end)
		if runeClass(c)&classes == 0 {
			return boolean(false)
		}
		p += Ptr(width)
	}
	return boolean(true)
}

// runeClass tells letters, digits and the rest of ASCII apart, and asks the
// host about other characters.
func runeClass(c uint32) uint32 {
	if c >= 0x80 {
		return unicodeClass(c)
	}
	if isDigit(c) {
		return abi.ClassDecimal | abi.ClassDigit | abi.ClassNumeric
	}
	if isLetter(c) {
		return abi.ClassAlpha
	}
	return 0
}

// isSpace holds for what Python takes as white space.
func isSpace(c uint32) bool {
	if c < 0x80 {
		return c == ' ' || c-9 < 5 || c-0x1c < 4
	}
	switch c {
	case 0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000:
		return true
	}
	return c-0x2000 < 11
}
