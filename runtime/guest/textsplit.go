package guest

import "github.com/avapd/avapd/runtime/abi"

const (
	stripLeft  = 1
	stripRight = 2
)

// MethodStrip is text.strip(chars).
func MethodStrip(recv, chars Value) Value {
	return strip(recv, chars, stripLeft|stripRight, literal("strip"))
}

// MethodLStrip is text.lstrip(chars).
func MethodLStrip(recv, chars Value) Value {
	return strip(recv, chars, stripLeft, literal("lstrip"))
}

// MethodRStrip is text.rstrip(chars).
func MethodRStrip(recv, chars Value) Value {
	return strip(recv, chars, stripRight, literal("rstrip"))
}

func strip(recv, chars Value, sides uint32, name Value) Value {
	if !recv.isText() {
		return failMethod(recv, name)
	}
	if !isMissing(chars) && !chars.isText() {
		mark := outMark()
		putText(name)
		putText(literal(" arg must be None or str"))
		return failText(takeText(mark))
	}
	start := recv.textPtr()
	p := start
	end := p + Ptr(recv.textLen())
	if sides&stripLeft != 0 {
		for p < end {
			c, width := runeAt(p, end)
			if !isStripped(c, p, width, chars) {
				break
			}
			p += Ptr(width)
		}
	}
	if sides&stripRight != 0 {
		for p < end {
			last := runeBefore(end, p)
			c, width := runeAt(last, end)
			if !isStripped(c, last, width, chars) {
				break
			}
			end = last
		}
	}
	return textSub(recv, uint32(p-start), uint32(end-start))
}

// isStripped reports whether a character, whose bytes lie at p, is one of
// those to strip: chars, or white space if that is no text.
func isStripped(c uint32, p Ptr, width uint32, chars Value) bool {
	if !chars.isText() {
		return isSpace(c)
	}
	if width == 1 {
		return byteIndex(chars.textPtr(), chars.textLen(), c) != noOffset
	}
	return bytesIndex(chars.textPtr(), chars.textLen(), p, width) != noOffset
}

// MethodSplit is text.split(sep, maxsplit).
func MethodSplit(recv, sep, maxSplit Value) Value {
	if !recv.isText() {
		return failMethod(recv, literal("split"))
	}
	limit := int64(-1)
	if maxSplit.Tag != abi.KindUndefined {
		if !isWhole(maxSplit) {
			return failNotInteger(maxSplit)
		}
		limit = maxSplit.int()
	}
	if isMissing(sep) {
		return splitSpace(recv, limit)
	}
	if !sep.isText() {
		return failType(literal("must be str or None, not "), sep, emptyText())
	}
	if sep.textLen() == 0 {
		return failText(literal("empty separator"))
	}
	parts := newList(4)
	from := uint32(0)
	for limit != 0 {
		at := textFind(recv, sep, from)
		if at == noOffset {
			break
		}
		parts.push(textSub(recv, from, at))
		from = at + sep.textLen()
		limit--
	}
	parts.push(textSub(recv, from, recv.textLen()))
	return listValue(parts)
}

// splitSpace splits at runs of white space, at most limit times unless that
// is negative.
func splitSpace(recv Value, limit int64) Value {
	parts := newList(4)
	start := recv.textPtr()
	end := start + Ptr(recv.textLen())
	p := skipSpace(start, end)
	for p < end {
		if limit == 0 {
			parts.push(textSub(recv, uint32(p-start), recv.textLen()))
			break
		}
		limit--
		word := p
		p = skipWord(p, end)
		parts.push(textSub(recv, uint32(word-start), uint32(p-start)))
		p = skipSpace(p, end)
	}
	return listValue(parts)
}

func skipSpace(p, end Ptr) Ptr {
	for p < end {
		c, width := runeAt(p, end)
		if !isSpace(c) {
			break
		}
		p += Ptr(width)
	}
	return p
}

func skipWord(p, end Ptr) Ptr {
	for p < end {
		c, width := runeAt(p, end)
		if isSpace(c) {
			break
		}
		p += Ptr(width)
	}
	return p
}

// MethodJoin is text.join(items).
func MethodJoin(recv, items Value) Value {
	if !recv.isText() {
		return failMethod(recv, literal("join"))
	}
	if !items.isText() && !isContainer(items) {
		return failText(literal("can only join an iterable"))
	}
	list := Iterable(items).list()
	n := list.len()
	if n == 0 {
		return emptyText()
	}
	size := uint64(recv.textLen()) * uint64(n-1)
	flag := Tag(abi.FlagASCII)
	if n > 1 {
		flag &= recv.Tag
	}
	for i := range n {
		item := list.at(i)
		if !item.isText() {
			return failJoin(i, item)
		}
		size += uint64(item.textLen())
		flag &= item.Tag
	}
	out := newText(size)
	p := out
	for i := range n {
		if i > 0 {
			moveBytes(p, recv.textPtr(), recv.textLen())
			p += Ptr(recv.textLen())
		}
		item := list.at(i)
		moveBytes(p, item.textPtr(), item.textLen())
		p += Ptr(item.textLen())
	}
	return textValue(out, uint32(size), flag)
}

func failJoin(i uint32, item Value) Value {
	mark := outMark()
	putText(literal("sequence item "))
	putUint(uint64(i), 10, 'a')
	putText(literal(": expected str instance, "))
	putText(typeWord(item))
	putText(literal(" found"))
	return failText(takeText(mark))
}

// MethodReplace is text.replace(old, new, count).
func MethodReplace(recv, old, replacement, count Value) Value {
	if !recv.isText() {
		return failMethod(recv, literal("replace"))
	}
	if !old.isText() {
		return failType(literal("replace() argument 1 must be str, not "), old, emptyText())
	}
	if !replacement.isText() {
		return failType(literal("replace() argument 2 must be str, not "), replacement, emptyText())
	}
	limit := uint32(maxCount)
	if count.Tag != abi.KindUndefined {
		if !isWhole(count) {
			return failNotInteger(count)
		}
		if count.int() >= 0 && count.int() < maxCount {
			limit = uint32(count.int())
		}
	}
	if old.textLen() == 0 {
		return interleave(recv, replacement, limit)
	}
	found := uint32(0)
	at := textFind(recv, old, 0)
	for at != noOffset && found < limit {
		found++
		at = textFind(recv, old, at+old.textLen())
	}
	if found == 0 {
		return recv
	}
	return replaceFound(recv, old, replacement, found)
}

// replaceFound replaces the first occurrences, which are known to be there.
func replaceFound(recv, old, replacement Value, found uint32) Value {
	size := uint64(recv.textLen()) - uint64(found)*uint64(old.textLen()) + uint64(found)*uint64(replacement.textLen())
	out := newText(size)
	p := out
	from := uint32(0)
	for range found {
		at := textFind(recv, old, from)
		moveBytes(p, recv.textPtr()+Ptr(from), at-from)
		p += Ptr(at - from)
		moveBytes(p, replacement.textPtr(), replacement.textLen())
		p += Ptr(replacement.textLen())
		from = at + old.textLen()
	}
	moveBytes(p, recv.textPtr()+Ptr(from), recv.textLen()-from)
	return flaggedText(out, uint32(size), recv.Tag&replacement.Tag)
}

// flaggedText makes a text of n bytes, which are ASCII if the tag says so and
// are looked at if not.
func flaggedText(p Ptr, n uint32, tag Tag) Value {
	if n == 0 {
		return emptyText()
	}
	if tag&abi.FlagASCII != 0 {
		return textValue(p, n, abi.FlagASCII)
	}
	return textFrom(p, n)
}

// interleave puts a text in front of every character and behind the last one,
// at most limit times.
func interleave(recv, between Value, limit uint32) Value {
	limit = min(limit, textCharCount(recv)+1)
	if limit == 0 || between.textLen() == 0 {
		return recv
	}
	size := uint64(recv.textLen()) + uint64(limit)*uint64(between.textLen())
	out := newText(size)
	to := out
	p := recv.textPtr()
	end := p + Ptr(recv.textLen())
	for range limit {
		moveBytes(to, between.textPtr(), between.textLen())
		to += Ptr(between.textLen())
		if p < end {
			_, width := runeAt(p, end)
			memoryCopy(to, p, width)
			to += Ptr(width)
			p += Ptr(width)
		}
	}
	moveBytes(to, p, uint32(end-p))
	return flaggedText(out, uint32(size), recv.Tag&between.Tag)
}
