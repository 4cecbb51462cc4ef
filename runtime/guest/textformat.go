package guest

import "github.com/avapd/avapd/runtime/abi"

// The arguments and the numbering of the str.format under way; nothing that
// it calls formats again.
var (
	formatArgs   uint32 // list of the arguments
	formatNext   uint32 // number of the next field without one
	formatNumber uint32 // which numbering the fields use
)

const (
	numberedNot  = 0
	numberedAuto = 1 // {}
	numberedSelf = 2 // {0}

	// formatLevels is how deep fields may stand in specifications.
	formatLevels = 2
)

// MethodFormat is text.format(…) with the list of arguments.
func MethodFormat(recv, args Value) Value {
	if !recv.isText() {
		return failMethod(recv, literal("format"))
	}
	formatArgs = uint32(args.list())
	formatNext = 0
	formatNumber = numberedNot
	mark := outMark()
	p := recv.textPtr()
	if !putFormat(p, p+Ptr(recv.textLen()), formatLevels) {
		dropOut(mark)
		return failure()
	}
	return takeText(mark)
}

// putFormat puts a format with its fields replaced.
func putFormat(p, end Ptr, levels uint32) bool {
	if levels == 0 {
		failText(literal("Max string recursion exceeded"))
		return false
	}
	for p < end {
		run := p
		for p < end && load8(p) != '{' && load8(p) != '}' {
			p++
		}
		putBytes(run, uint32(p-run))
		if p == end {
			break
		}
		c := load8(p)
		if p+1 < end && load8(p+1) == c {
			putByte(c)
			p += 2
		} else if c == '}' {
			failText(literal("Single '}' encountered in format string"))
			return false
		} else if p+1 == end {
			failText(literal("Single '{' encountered in format string"))
			return false
		} else {
			p = putField(p+1, end, levels)
			if p == 0 {
				return false
			}
		}
	}
	return true
}

// putField puts the field behind an opening brace and gives the place behind
// its closing one, or 0 after an error.
func putField(p, end Ptr, levels uint32) Ptr {
	name := p
	p = fieldNameEnd(p, end)
	if p == 0 {
		return 0
	}
	nameEnd := p
	c := load8(p)
	p++
	conversion := uint32(0)
	if c == '!' {
		if p == end {
			return failDirective(literal("end of string while looking for conversion specifier"))
		}
		width := uint32(0)
		conversion, width = runeAt(p, end)
		p += Ptr(width)
		if p == end {
			return failDirective(literal("unmatched '{' in format spec"))
		}
		c = load8(p)
		p++
		if c != '}' && c != ':' {
			return failDirective(literal("expected ':' after conversion specifier"))
		}
	}
	specStart, specEnd := p, p
	if c == ':' {
		specEnd = fieldSpecEnd(p, end)
		if specEnd == 0 {
			return failDirective(literal("unmatched '{' in format spec"))
		}
		p = specEnd + 1
	}
	v := convert(fieldValue(name, nameEnd), conversion)
	if v.failed() || !putFieldValue(v, specStart, specEnd, levels) {
		return 0
	}
	return p
}

// fieldNameEnd finds the brace, colon or exclamation mark that ends a field's
// name.
func fieldNameEnd(p, end Ptr) Ptr {
	for p < end {
		switch load8(p) {
		case '{':
			return failDirective(literal("unexpected '{' in field name"))
		case '}', ':', '!':
			return p
		case '[':
			for p < end && load8(p) != ']' {
				p++
			}
		}
		if p < end {
			p++
		}
	}
	return failDirective(literal("expected '}' before end of string"))
}

// fieldSpecEnd finds the brace that closes a field, or gives 0.
func fieldSpecEnd(p, end Ptr) Ptr {
	open := uint32(1)
	for p < end {
		c := load8(p)
		if c == '{' {
			open++
		} else if c == '}' {
			open--
			if open == 0 {
				return p
			}
		}
		p++
	}
	return 0
}

// putFieldValue puts a field's value by its specification, in which fields
// are replaced first.
func putFieldValue(v Value, p, end Ptr, levels uint32) bool {
	n := uint32(end - p)
	if byteIndex(p, n, '{') == noOffset {
		return putFormatted(v, textFrom(p, n))
	}
	mark := outMark()
	return putFormat(p, end, levels-1) && putFormatted(v, takeText(mark))
}

// convert applies !r, !s or !a.
func convert(v Value, conversion uint32) Value {
	if conversion == 0 || v.failed() {
		return v
	}
	switch conversion {
	case 'r':
		return Repr(v)
	case 's':
		return Str(v)
	case 'a':
		mark := outMark()
		putASCII(Repr(v))
		return takeText(mark)
	}
	mark := outMark()
	putText(literal("Unknown conversion specifier "))
	putKind(conversion)
	return failText(takeText(mark))
}

// fieldValue finds the value that a field's name means: an argument, and then
// its keys and items.
func fieldValue(p, end Ptr) Value {
	start := p
	for p < end && load8(p) != '.' && load8(p) != '[' {
		p++
	}
	v := fieldArgument(start, p)
	for p < end && !v.failed() {
		c := load8(p)
		p++
		start = p
		if c == '.' {
			for p < end && load8(p) != '.' && load8(p) != '[' {
				p++
			}
		} else if c == '[' {
			for p < end && load8(p) != ']' {
				p++
			}
			if p == end {
				return failText(literal("Missing ']' in format string"))
			}
		} else {
			return failText(literal("Only '.' or '[' may follow ']' in format field specifier"))
		}
		if p == start {
			return failText(literal("Empty attribute in format string"))
		}
		name := textFrom(start, uint32(p-start))
		if c == '.' {
			v = Attribute(v, name)
		} else {
			v = Index(v, fieldIndex(name))
			p++
		}
	}
	return v
}

// fieldIndex is what stands in brackets: a number if it consists of digits.
func fieldIndex(name Value) Value {
	p := name.textPtr()
	end := p + Ptr(name.textLen())
	if skipDigits(p, end) == end {
		i, fits := parseWhole(p, name.textLen())
		if fits {
			return integer(i)
		}
	}
	return name
}

// fieldArgument is the argument that the first part of a field's name means.
func fieldArgument(p, end Ptr) Value {
	numbering := uint32(numberedSelf)
	if p == end {
		numbering = numberedAuto
	} else if skipDigits(p, end) != end {
		return fail1(abi.ErrKey, textFrom(p, uint32(end-p)))
	}
	if formatNumber != numberedNot && formatNumber != numbering {
		if numbering == numberedAuto {
			return failText(literal("cannot switch from manual field specification to automatic field numbering"))
		}
		return failText(literal("cannot switch from automatic field numbering to manual field specification"))
	}
	formatNumber = numbering
	n := int64(formatNext)
	if numbering == numberedAuto {
		formatNext++
	} else {
		count, _ := parseCount(p, end)
		if count < 0 {
			return failText(literal("Too many decimal digits in format string"))
		}
		n = int64(count)
	}
	args := List(formatArgs)
	if n < int64(args.len()) {
		return args.at(uint32(n))
	}
	mark := outMark()
	putText(literal("Replacement index "))
	putInt(n)
	putText(literal(" out of range for positional args tuple"))
	return failText(takeText(mark))
}
