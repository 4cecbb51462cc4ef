package guest

import "github.com/avapd/avapd/runtime/abi"

// In scripts that run SQL a text can know what it was made of: constant texts
// of the script, and values. See abi.FlagParts. Only TemplateOf and Concat make
// such texts; what any other operation gives has no parts.

const knownFlags = abi.FlagConst | abi.FlagParts

// Datum is what stands in a template as a value, even if it is constant text.
// A text with parts brings them along.
func Datum(v Value) Value {
	if v.isText() && v.Tag&abi.FlagParts == 0 {
		return Value{v.Tag &^ abi.FlagConst, v.Bits}
	}
	return v
}

// TemplateOf is a template: the list holds its constant texts and its values.
func TemplateOf(pieces Value) Value {
	mark := outMark()
	from := pieces.list()
	parts := newList(from.len())
	for i := range from.len() {
		piece := from.at(i)
		if !piece.isText() {
			piece = deepCopy(piece, 0)
			if piece.failed() {
				dropOut(mark)
				return piece
			}
		}
		pushParts(parts, piece)
		putText(Str(piece))
	}
	n := outLen - mark
	p := newPartsText(parts, uint64(n))
	moveBytes(p, Ptr(outBase+mark), n)
	outLen = mark
	return withParts(textFrom(p, n))
}

// newPartsText makes room for a text behind the offset of its parts.
func newPartsText(parts List, n uint64) Ptr {
	p := newText(n + abi.PartsSize)
	store32(p, uint32(parts))
	store32(p+4, 0)
	return p + abi.PartsSize
}

func withParts(v Value) Value { return Value{v.Tag | abi.FlagParts, v.Bits} }

// pushParts puts a piece behind other parts, or its parts if it has some.
func pushParts(parts List, piece Value) {
	if !piece.isText() || piece.Tag&abi.FlagParts == 0 {
		parts.push(piece)
		return
	}
	from := List(load32(piece.textPtr() - abi.PartsSize))
	for i := range from.len() {
		parts.push(from.at(i))
	}
}

// concatKnown joins two texts of which at least one is constant or has parts.
func concatKnown(a, b Value) Value {
	total := uint64(a.textLen()) + uint64(b.textLen())
	flag := a.Tag & b.Tag & abi.FlagASCII
	p := Ptr(0)
	if a.Tag&b.Tag&abi.FlagConst != 0 {
		p = newText(total)
		flag |= abi.FlagConst
	} else {
		parts := newList(2)
		pushParts(parts, a)
		pushParts(parts, b)
		p = newPartsText(parts, total)
		flag |= abi.FlagParts
	}
	moveBytes(p, a.textPtr(), a.textLen())
	moveBytes(p+Ptr(a.textLen()), b.textPtr(), b.textLen())
	return textValue(p, uint32(total), flag)
}

// LiteralOf is the list or dict that a text holds, or else the value itself.
func LiteralOf(v Value) Value {
	if v.isText() {
		parsed := parseLiteral(v)
		if parsed.Tag != abi.KindUndefined {
			return parsed
		}
	}
	return v
}
