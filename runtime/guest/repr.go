package guest

import "github.com/avapd/avapd/runtime/abi"

// Str is a value as text, as str() and templates show it.
func Str(v Value) Value {
	kind := v.Tag.Kind()
	switch kind {
	case abi.KindText:
		return v
	case abi.KindInt:
		return intText(v.int())
	case abi.KindBool:
		return boolText(v)
	case abi.KindNull, abi.KindUndefined:
		return literal("None")
	}
	return Repr(v)
}

// ToText is Str under the name that text building uses.
func ToText(v Value) Value { return Str(v) }

// Repr is a value as its literal.
func Repr(v Value) Value {
	mark := outMark()
	putRepr(v, 0)
	return takeText(mark)
}

func boolText(v Value) Value {
	if v.Bits != 0 {
		return literal("True")
	}
	return literal("False")
}

// putStr puts a value as Str shows it.
func putStr(v Value) {
	if v.isText() {
		putText(v)
		return
	}
	putRepr(v, 0)
}

func putRepr(v Value, depth uint32) {
	kind := v.Tag.Kind()
	switch kind {
	case abi.KindText:
		putTextRepr(v)
	case abi.KindInt:
		putInt(v.int())
	case abi.KindFloat:
		putFloat(v.float())
	case abi.KindBool:
		putText(boolText(v))
	case abi.KindList:
		putListRepr(v.list(), depth)
	case abi.KindDict:
		putDictRepr(v.dict(), depth)
	case abi.KindConnector:
		putText(literal("<connector>"))
	default:
		putText(literal("None"))
	}
}

// putListRepr puts a list, and [...] for one that it is already inside of.
func putListRepr(l List, depth uint32) {
	mark := Ptr(l) + abi.ListMark
	if load32(mark) != 0 {
		putText(literal("[...]"))
		return
	}
	enter(depth)
	store32(mark, 1)
	putByte('[')
	for i := range l.len() {
		if i > 0 {
			putByte(',')
			putByte(' ')
		}
		putRepr(l.at(i), depth+1)
	}
	putByte(']')
	store32(mark, 0)
}

// putDictRepr puts a dict, and {...} for one that it is already inside of.
func putDictRepr(d Dict, depth uint32) {
	mark := Ptr(d) + abi.DictMark
	if load32(mark) != 0 {
		putText(literal("{...}"))
		return
	}
	enter(depth)
	store32(mark, 1)
	putByte('{')
	first := true
	for i := range d.used() {
		key := d.key(i)
		if key.Tag != abi.KindUndefined {
			if !first {
				putByte(',')
				putByte(' ')
			}
			first = false
			putRepr(key, depth+1)
			putByte(':')
			putByte(' ')
			putRepr(d.value(i), depth+1)
		}
	}
	putByte('}')
	store32(mark, 0)
}

// putTextRepr puts a quoted text with the escapes that Python's repr uses.
func putTextRepr(v Value) {
	p := v.textPtr()
	n := v.textLen()
	quote := uint32('\'')
	if byteIndex(p, n, '\'') != noOffset && byteIndex(p, n, '"') == noOffset {
		quote = '"'
	}
	putByte(quote)
	end := p + Ptr(n)
	for p < end {
		run := p
		for p < end && isPlain(load8(p), quote) {
			p++
		}
		putBytes(run, uint32(p-run))
		if p < end {
			c, width := runeAt(p, end)
			putEscaped(c, p, width)
			p += Ptr(width)
		}
	}
	putByte(quote)
}

// isPlain holds for the ASCII characters that repr leaves alone.
func isPlain(b, quote uint32) bool {
	return b-0x20 < 0x5f && b != '\\' && b != quote
}

// putEscaped puts a character that is not plain; a printable one beyond ASCII
// is copied from p.
func putEscaped(c uint32, p Ptr, width uint32) {
	if c >= 0x80 {
		if unicodeClass(c)&abi.ClassPrintable != 0 {
			putBytes(p, width)
			return
		}
		putNumericEscape(c)
		return
	}
	putByte('\\')
	switch c {
	case '\t':
		putByte('t')
	case '\n':
		putByte('n')
	case '\r':
		putByte('r')
	case '\\', '\'', '"':
		putByte(c)
	default:
		putByte('x')
		putHex(c, 2)
	}
}

func putNumericEscape(c uint32) {
	putByte('\\')
	if c < 0x100 {
		putByte('x')
		putHex(c, 2)
		return
	}
	if c < 0x10000 {
		putByte('u')
		putHex(c, 4)
		return
	}
	putByte('U')
	putHex(c, 8)
}

// putHex puts a number in so many hexadecimal digits.
func putHex(c, digits uint32) {
	shift := digits * 4
	for shift > 0 {
		shift -= 4
		digit := c >> (shift & 31) & 15
		if digit < 10 {
			putByte('0' + digit)
		} else {
			putByte('a' + digit - 10)
		}
	}
}
