package guest

import "github.com/avapd/avapd/runtime/abi"

// Reading JSON, and the literals of lists and dicts as the language and
// Python write them. Both are one recursive descent; the parse under way is in
// these variables, and nothing that it calls parses again.
var (
	parseAt    uint32 // next byte
	parseEnd   uint32
	parseLoose bool // literals, not JSON
)

// noParse is what the parser gives for text that is wrong; no error is
// recorded, because that is not one for the script.
func noParse() Value { return Value{abi.TagError, 0} }

// parseJSON is the value of JSON text, or undefined. Whole numbers beyond 64
// bits become floats, and the last of duplicate keys wins.
func parseJSON(text Value) Value { return parseText(text, false) }

// parseLiteral is the list or dict whose JSON or literal the text is, or
// undefined.
func parseLiteral(text Value) Value {
	p, n := trimBlanks(text)
	if n < 2 || load8(p) != '[' && load8(p) != '{' {
		return undefined()
	}
	v := parseText(text, false)
	if v.Tag == abi.KindUndefined {
		v = parseText(text, true)
	}
	return v
}

// parseParamText is what a parameter's text means: nothing, a number, JSON or
// itself.
func parseParamText(text Value) Value {
	if text.textLen() == 0 {
		return null()
	}
	v := parseNumberText(text)
	if v.Tag == abi.KindUndefined {
		v = parseJSON(text)
	}
	if v.Tag == abi.KindUndefined {
		return text
	}
	return v
}

func parseText(text Value, loose bool) Value {
	parseAt = uint32(text.textPtr())
	parseEnd = parseAt + text.textLen()
	parseLoose = loose
	mark := outMark()
	v := parseValue(0)
	dropOut(mark)
	if v.failed() || parsePeek() != noByte {
		return undefined()
	}
	return v
}

// noByte is what stands behind the end.
const noByte = 0xffffffff

// parsePeek skips blanks and gives the next byte without taking it.
func parsePeek() uint32 {
	for parseAt < parseEnd {
		b := load8(Ptr(parseAt))
		if b != ' ' && b != '\n' && b != '\t' && b != '\r' {
			return b
		}
		parseAt++
	}
	return noByte
}

// parseTake takes the next byte behind blanks if it is b.
func parseTake(b uint32) bool {
	if parsePeek() != b {
		return false
	}
	parseAt++
	return true
}

func parseValue(depth uint32) Value {
	b := parsePeek()
	switch b {
	case '[':
		return parseList(depth)
	case '{':
		return parseDict(depth)
	case '"':
		return parseQuoted(b)
	case '\'':
		if parseLoose {
			return parseQuoted(b)
		}
		return noParse()
	case 't':
		return parseWord(literal("true"), boolean(true), false)
	case 'f':
		return parseWord(literal("false"), boolean(false), false)
	case 'n':
		return parseWord(literal("null"), null(), false)
	case 'T':
		return parseWord(literal("True"), boolean(true), true)
	case 'F':
		return parseWord(literal("False"), boolean(false), true)
	case 'N':
		return parseWord(literal("None"), null(), true)
	}
	if parseLoose {
		return parseLooseNumber()
	}
	return parseNumber()
}

func parseWord(word, v Value, loose bool) Value {
	n := word.textLen()
	if loose && !parseLoose || parseEnd-parseAt < n || !bytesEqual(Ptr(parseAt), word.textPtr(), n) {
		return noParse()
	}
	parseAt += n
	if parseAt < parseEnd && isWordByte(load8(Ptr(parseAt))) {
		return noParse()
	}
	return v
}

func isWordByte(b uint32) bool { return isLetter(b) || isDigit(b) || b == '_' || b >= 0x80 }

func parseList(depth uint32) Value {
	if depth >= maxNesting {
		return noParse()
	}
	parseAt++
	list := newList(0)
	if parseTake(']') {
		return listValue(list)
	}
	for {
		v := parseValue(depth + 1)
		if v.failed() {
			return v
		}
		list.push(v)
		if parseTake(']') {
			return listValue(list)
		}
		if !parseTake(',') {
			return noParse()
		}
		if parseLoose && parseTake(']') {
			return listValue(list)
		}
	}
}

func parseDict(depth uint32) Value {
	if depth >= maxNesting {
		return noParse()
	}
	parseAt++
	dict := newDict(0)
	if parseTake('}') {
		return dictValue(dict)
	}
	for {
		key := noParse()
		if parseLoose || parsePeek() == '"' {
			key = parseValue(depth + 1)
		}
		if key.failed() || !hashable(key) || !parseTake(':') {
			return noParse()
		}
		v := parseValue(depth + 1)
		if v.failed() {
			return v
		}
		dict.set(key, v)
		if parseTake('}') {
			return dictValue(dict)
		}
		if !parseTake(',') {
			return noParse()
		}
		if parseLoose && parseTake('}') {
			return dictValue(dict)
		}
	}
}

// parseNumber reads a number as JSON writes it.
func parseNumber() Value {
	start := Ptr(parseAt)
	end := Ptr(parseEnd)
	p := start
	if p < end && load8(p) == '-' {
		p++
	}
	digits := p
	p = skipDigits(p, end)
	if p == digits || load8(digits) == '0' && p > digits+1 {
		return noParse()
	}
	if p < end && load8(p) == '.' {
		digits = p + 1
		p = skipDigits(digits, end)
		if p == digits {
			return noParse()
		}
	}
	p = skipExponent(p, end)
	parseAt = uint32(p)
	v := numberFrom(start, uint32(p-start))
	if v.Tag == abi.KindUndefined {
		return noParse()
	}
	return v
}

func skipExponent(p, end Ptr) Ptr {
	if p < end && load8(p)|0x20 == 'e' {
		p++
		if p < end && (load8(p) == '+' || load8(p) == '-') {
			p++
		}
		p = skipDigits(p, end)
	}
	return p
}

// parseLooseNumber reads a number as the language's expressions have it, with
// a sign: 1_000, 0x1f and .5 as well.
func parseLooseNumber() Value {
	p := Ptr(parseAt)
	end := Ptr(parseEnd)
	mark := outMark()
	if p < end && (load8(p) == '+' || load8(p) == '-') {
		putByte(load8(p))
		p++
	}
	if end-p > 2 && load8(p) == '0' && load8(p+1)|0x20 == 'x' {
		return parseHex(p+2, end, mark)
	}
	first := p
	for p < end {
		b := load8(p)
		signed := (b == '+' || b == '-') && p > first && load8(p-1)|0x20 == 'e'
		if b == '_' {
			if p == first || p+1 == end || !isDigit(load8(p-1)) || !isDigit(load8(p+1)) {
				return noParse()
			}
		} else if isDigit(b) || b == '.' || b|0x20 == 'e' || signed {
			putByte(b)
		} else {
			break
		}
		p++
	}
	v := numberFrom(Ptr(outBase+mark), outLen-mark)
	wholeDigits := skipDigits(first, end)
	padded := wholeDigits == p && p > first+1 && load8(first) == '0' // 007 is no literal
	dropOut(mark)
	if v.Tag == abi.KindUndefined || padded || p < end && isWordByte(load8(p)) {
		return noParse()
	}
	parseAt = uint32(p)
	return v
}

// parseHex reads hexadecimal digits; a minus sign may lie behind the mark.
func parseHex(p, end Ptr, mark uint32) Value {
	negative := outLen > mark && load8(Ptr(outBase+mark)) == '-'
	dropOut(mark)
	u := uint64(0)
	first := p
	for p < end {
		digit := hexDigit(load8(p))
		if digit > 15 {
			break
		}
		if u>>60 != 0 {
			return noParse()
		}
		u = u<<4 | uint64(digit)
		p++
	}
	if p == first || p < end && isWordByte(load8(p)) {
		return noParse()
	}
	parseAt = uint32(p)
	if negative && u <= 1<<63 {
		return integer(-int64(u))
	}
	if u >= 1<<63 {
		return noParse()
	}
	return integer(int64(u))
}

// hexDigit is the worth of a hexadecimal digit, more than 15 for other bytes.
func hexDigit(b uint32) uint32 {
	if isDigit(b) {
		return b - '0'
	}
	letter := b | 0x20
	if letter-'a' < 6 {
		return letter - 'a' + 10
	}
	return noByte
}
