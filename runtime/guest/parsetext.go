package guest

// parseQuoted reads a text up to its closing quote. Without escapes it shares
// the bytes of the text that is being read.
func parseQuoted(quote uint32) Value {
	p := Ptr(parseAt + 1)
	end := Ptr(parseEnd)
	start := p
	p = skipPlain(p, end, quote)
	if p < end && load8(p) == quote {
		parseAt = uint32(p) + 1
		if p == start {
			return emptyText()
		}
		return textFrom(start, uint32(p-start))
	}
	mark := outMark()
	putBytes(start, uint32(p-start))
	for p < end && load8(p) == '\\' {
		p = parseEscape(p+1, end)
		if p == 0 {
			break
		}
		start = p
		p = skipPlain(p, end, quote)
		putBytes(start, uint32(p-start))
	}
	if p == 0 || p >= end || load8(p) != quote {
		dropOut(mark)
		return noParse()
	}
	parseAt = uint32(p) + 1
	return takeText(mark)
}

// skipPlain gives the place of the first quote, backslash or control
// character.
func skipPlain(p, end Ptr, quote uint32) Ptr {
	for p < end {
		b := load8(p)
		if b == quote || b == '\\' || b < 0x20 && (!parseLoose || b == '\n' || b == '\r') {
			break
		}
		p++
	}
	return p
}

// parseEscape puts what the escape behind a backslash stands for and gives
// the place behind it, or 0 when it is wrong.
func parseEscape(p, end Ptr) Ptr {
	if p == end {
		return 0
	}
	b := load8(p)
	p++
	switch b {
	case '"', '\\':
		putByte(b)
	case 'b':
		putByte(8)
	case 'f':
		putByte(12)
	case 'n':
		putByte('\n')
	case 'r':
		putByte('\r')
	case 't':
		putByte('\t')
	case 'u':
		return parseUnicode(p, end)
	case '/':
		if parseLoose {
			putByte('\\')
		}
		putByte(b)
	default:
		if !parseLoose {
			return 0
		}
		return parseLooseEscape(b, p, end)
	}
	return p
}

// parseLooseEscape knows the escapes that JSON does not have; an unknown one
// keeps its backslash.
func parseLooseEscape(b uint32, p, end Ptr) Ptr {
	switch b {
	case '\'':
		putByte(b)
	case 'a':
		putByte(7)
	case 'v':
		putByte(11)
	case '\n':
	case 'x':
		return parseCodePoint(p, end, 2)
	case 'U':
		return parseCodePoint(p, end, 8)
	case '0', '1', '2', '3', '4', '5', '6', '7':
		c := b - '0'
		for i := uint32(0); i < 2 && p < end && load8(p)-'0' < 8; i++ {
			c = c<<3 | load8(p) - '0'
			p++
		}
		putRune(c)
	default:
		putByte('\\')
		p-- // the byte may begin a character
		_, width := runeAt(p, end)
		putBytes(p, width)
		p += Ptr(width)
	}
	return p
}

func parseCodePoint(p, end Ptr, digits uint32) Ptr {
	c := hexNumber(p, end, digits)
	if c > 0x10ffff {
		return 0
	}
	putRune(c)
	return p + Ptr(digits)
}

// parseUnicode reads the four digits behind \u, and a second such escape if
// the two are a surrogate pair. Half a pair becomes U+FFFD.
func parseUnicode(p, end Ptr) Ptr {
	c := hexNumber(p, end, 4)
	if c == noByte {
		return 0
	}
	p += 4
	if c-0xd800 < 0x400 && end-p >= 6 && load8(p) == '\\' && load8(p+1) == 'u' {
		low := hexNumber(p+2, end, 4)
		if low-0xdc00 < 0x400 {
			putRune(0x10000 + (c-0xd800)<<10 + low - 0xdc00)
			return p + 6
		}
	}
	putRune(c)
	return p
}

// hexNumber reads exactly so many hexadecimal digits, or gives noByte.
func hexNumber(p, end Ptr, digits uint32) uint32 {
	if uint32(end-p) < digits {
		return noByte
	}
	c := uint32(0)
	for i := range digits {
		digit := hexDigit(load8(p + Ptr(i)))
		if digit > 15 || c > 0xfffffff {
			return noByte
		}
		c = c<<4 | digit
	}
	return c
}
