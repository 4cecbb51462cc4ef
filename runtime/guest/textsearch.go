package guest

import "github.com/avapd/avapd/runtime/abi"

// charBounds turns optional character bounds, negative ones counted from the
// end, into byte offsets. The third result is 1, 0 when the bounds enclose
// nothing, not even an empty text, or -1 after an error.
func charBounds(v, start, end Value) (uint32, uint32, int32) {
	if !isBound(start) || !isBound(end) {
		failText(literal("slice indices must be integers or None or have an __index__ method"))
		return 0, 0, -1
	}
	if isMissing(start) && isMissing(end) {
		return 0, v.textLen(), 1
	}
	count := int64(textCharCount(v))
	first, last := int64(0), count
	if !isMissing(start) {
		first = fromEnd(start.int(), count)
	}
	if !isMissing(end) {
		last = min(fromEnd(end.int(), count), count)
	}
	if first > last {
		return 0, 0, 0
	}
	return textOffset(v, uint32(first)), textOffset(v, uint32(last)), 1
}

func fromEnd(i, count int64) int64 {
	if i < 0 {
		return max(i+count, 0)
	}
	return i
}

// MethodFind is text.find(sub, start, end).
func MethodFind(recv, sub, start, end Value) Value {
	if !recv.isText() {
		return failMethod(recv, literal("find"))
	}
	return textPosition(recv, sub, start, end)
}

// textPosition is the character position of sub within bounds, -1 if it is
// not there.
func textPosition(recv, sub, start, end Value) Value {
	if !sub.isText() {
		return failType(literal("must be str, not "), sub, emptyText())
	}
	from, to, state := charBounds(recv, start, end)
	if state < 0 {
		return failure()
	}
	if state == 0 {
		return integer(-1)
	}
	at := bytesIndex(recv.textPtr()+Ptr(from), to-from, sub.textPtr(), sub.textLen())
	if at == noOffset {
		return integer(-1)
	}
	return integer(int64(textCharIndex(recv, from+at)))
}

// textCount is the number of times that sub occurs within bounds without
// overlapping.
func textCount(recv, sub, start, end Value) Value {
	if !sub.isText() {
		return failType(literal("must be str, not "), sub, emptyText())
	}
	from, to, state := charBounds(recv, start, end)
	if state < 0 {
		return failure()
	}
	if state == 0 {
		return integer(0)
	}
	p := recv.textPtr() + Ptr(from)
	n := to - from
	if sub.textLen() == 0 {
		return integer(int64(charCount(p, n)) + 1)
	}
	count := int64(0)
	for {
		at := bytesIndex(p, n, sub.textPtr(), sub.textLen())
		if at == noOffset {
			return integer(count)
		}
		count++
		p += Ptr(at + sub.textLen())
		n -= at + sub.textLen()
	}
}

// MethodStartsWith is text.startswith(prefix, start, end).
func MethodStartsWith(recv, prefix, start, end Value) Value {
	return hasAffix(recv, prefix, start, end, false, literal("startswith"))
}

// MethodEndsWith is text.endswith(suffix, start, end).
func MethodEndsWith(recv, suffix, start, end Value) Value {
	return hasAffix(recv, suffix, start, end, true, literal("endswith"))
}

// hasAffix looks for a text, or one of a list of texts, at either end.
func hasAffix(recv, affix, start, end Value, atEnd bool, name Value) Value {
	if !recv.isText() {
		return failMethod(recv, name)
	}
	from, to, state := charBounds(recv, start, end)
	if state < 0 {
		return failure()
	}
	part := textValue(recv.textPtr()+Ptr(from), to-from, 0)
	if affix.isText() {
		return boolean(state > 0 && affixMatches(part, affix, atEnd))
	}
	if affix.Tag != abi.KindList {
		mark := outMark()
		putText(name)
		putText(literal(" first arg must be str or a tuple of str, not "))
		putText(typeWord(affix))
		return failText(takeText(mark))
	}
	choices := affix.list()
	for i := range choices.len() {
		choice := choices.at(i)
		if !choice.isText() {
			mark := outMark()
			putText(literal("tuple for "))
			putText(name)
			putText(literal(" must only contain str, not "))
			putText(typeWord(choice))
			return failText(takeText(mark))
		}
		if state > 0 && affixMatches(part, choice, atEnd) {
			return boolean(true)
		}
	}
	return boolean(false)
}

func affixMatches(part, affix Value, atEnd bool) bool {
	n := affix.textLen()
	if n > part.textLen() {
		return false
	}
	p := part.textPtr()
	if atEnd {
		p += Ptr(part.textLen() - n)
	}
	return bytesEqual(p, affix.textPtr(), n)
}

// MethodZFill is text.zfill(width).
func MethodZFill(recv, width Value) Value {
	if !recv.isText() {
		return failMethod(recv, literal("zfill"))
	}
	if !isWhole(width) {
		return failNotInteger(width)
	}
	count := int64(textCharCount(recv))
	if width.int() <= count {
		return recv
	}
	zeros := uint32(min(width.int(), maxCount) - count)
	p := recv.textPtr()
	n := recv.textLen()
	size := uint64(n) + uint64(zeros)
	out := newText(size)
	to := out
	if n > 0 && (load8(p) == '+' || load8(p) == '-') {
		store8(to, load8(p))
		to++
		p++
		n--
	}
	fillBytes(to, '0', zeros)
	moveBytes(to+Ptr(zeros), p, n)
	return textValue(out, uint32(size), recv.Tag&abi.FlagASCII)
}
