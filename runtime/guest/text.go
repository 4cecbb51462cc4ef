package guest

import "github.com/avapd/avapd/runtime/abi"

// A text is a slice of UTF-8 bytes that never change while the text can be
// seen, so texts share bytes freely. Byte positions are offsets from the
// text's start; character positions count code points. For a text with the
// ASCII flag the two coincide.

const (
	ones8 = 0x0101010101010101
	high8 = 0x8080808080808080

	// moveChunkBytes bounds one bulk copy, so that the guest comes back to a
	// fuel check often: memory never used before takes far longer to write than
	// its fuel says, as the system makes each page then.
	moveChunkBytes = 64 << 10

	// textMaxBytes bounds a text; sizes below it cannot wrap in 32 bits.
	textMaxBytes = 1<<31 - 1
)

// newText gives room for a text of n bytes; one too large for any memory ends
// the run.
func newText(n uint64) Ptr {
	if n > textMaxBytes {
		n = textMaxBytes
	}
	return alloc(uint32(n))
}

func emptyText() Value { return Value{abi.KindText | abi.FlagASCII, 0} }

// textFrom makes a text of n bytes at p and finds out whether it is ASCII.
func textFrom(p Ptr, n uint32) Value { return textValue(p, n, asciiFlag(p, n)) }

// moveBytes copies n bytes between places that do not overlap, or to a lower
// one.
func moveBytes(dst, src Ptr, n uint32) {
	if n < 16 {
		charge(1) // as the loop would
		moveShort(dst, src, n)
		return
	}
	for n > moveChunkBytes {
		memoryCopy(dst, src, moveChunkBytes)
		dst += moveChunkBytes
		src += moveChunkBytes
		n -= moveChunkBytes
	}
	memoryCopy(dst, src, n)
}

// fitsWords reports whether n bytes can be moved by moveWords to a place behind
// which nothing has been written yet, up to an end.
func fitsWords(dst, src Ptr, n, end uint32) bool {
	return n <= 16 && uint32(dst)+16 <= end && uint32(src)+16 <= load32(abi.HeapEnd)
}

// moveWords moves up to sixteen bytes and what lies behind them, which takes
// fewer branches than to look how many they are.
func moveWords(dst, src Ptr) {
	charge(1) // as moveBytes does
	first, last := load64(src), load64(src+8)
	store64(dst, first)
	store64(dst+8, last)
}

// moveShort copies fewer than sixteen bytes, which takes a bulk instruction
// many times as long. Both ends are read before anything is written.
func moveShort(dst, src Ptr, n uint32) {
	if n >= 8 {
		first, last := load64(src), load64(src+Ptr(n-8))
		store64(dst, first)
		store64(dst+Ptr(n-8), last)
		return
	}
	if n >= 4 {
		first, last := load32(src), load32(src+Ptr(n-4))
		store32(dst, first)
		store32(dst+Ptr(n-4), last)
		return
	}
	if n >= 2 {
		first, last := load16(src), load16(src+Ptr(n-2))
		store16(dst, first)
		store16(dst+Ptr(n-2), last)
		return
	}
	if n == 1 {
		store8(dst, load8(src))
	}
}

// fillBytes sets n bytes.
func fillBytes(dst Ptr, b, n uint32) {
	for n > moveChunkBytes {
		memoryFill(dst, b, moveChunkBytes)
		dst += moveChunkBytes
		n -= moveChunkBytes
	}
	memoryFill(dst, b, n)
}

// asciiFlag gives abi.FlagASCII when every byte is below 0x80.
func asciiFlag(p Ptr, n uint32) Tag {
	i := uint32(0)
	for i+8 <= n {
		if load64(p+Ptr(i))&high8 != 0 {
			return 0
		}
		i += 8
	}
	for i < n {
		if load8(p+Ptr(i)) >= 0x80 {
			return 0
		}
		i++
	}
	return abi.FlagASCII
}

// bytesEqual compares n bytes.
func bytesEqual(a, b Ptr, n uint32) bool {
	i := uint32(0)
	for i+8 <= n {
		if load64(a+Ptr(i)) != load64(b+Ptr(i)) {
			return false
		}
		i += 8
	}
	return loadShort(a+Ptr(i), n-i) == loadShort(b+Ptr(i), n-i)
}

// textEqual reports whether two texts have the same bytes.
func textEqual(a, b Value) bool {
	if uint32(a.Bits>>32) != uint32(b.Bits>>32) {
		return false
	}
	if a.Bits == b.Bits {
		return true
	}
	return bytesEqual(a.textPtr(), b.textPtr(), a.textLen())
}

// textCompare orders texts by code points, which is the order of their bytes:
// negative, zero or positive.
func textCompare(a, b Value) int32 {
	n := a.textLen()
	if b.textLen() < n {
		n = b.textLen()
	}
	p, q := a.textPtr(), b.textPtr()
	i := uint32(0)
	for i+8 <= n && load64(p+Ptr(i)) == load64(q+Ptr(i)) {
		i += 8
	}
	for i < n {
		x, y := load8(p+Ptr(i)), load8(q+Ptr(i))
		if x != y {
			return int32(x) - int32(y)
		}
		i++
	}
	if a.textLen() < b.textLen() {
		return -1
	}
	if a.textLen() > b.textLen() {
		return 1
	}
	return 0
}

// charCount counts the characters in n bytes: those that are no continuation.
func charCount(p Ptr, n uint32) uint32 {
	count := n
	i := uint32(0)
	for i+8 <= n {
		x := load64(p + Ptr(i))
		continuations := (x >> 7) & (^x >> 6) & ones8
		count -= uint32((continuations * ones8) >> 56)
		i += 8
	}
	for i < n {
		if load8(p+Ptr(i))&0xc0 == 0x80 {
			count--
		}
		i++
	}
	return count
}

// textCharCount is a text's length in characters.
func textCharCount(v Value) uint32 {
	if v.isASCII() {
		return v.textLen()
	}
	return charCount(v.textPtr(), v.textLen())
}

// textOffset is the byte offset of character i; the length in bytes when the
// text has no more than i characters.
func textOffset(v Value, i uint32) uint32 {
	n := v.textLen()
	if v.isASCII() {
		if i > n {
			return n
		}
		return i
	}
	p := v.textPtr()
	at := uint32(0)
	for at+8 <= n {
		x := load64(p + Ptr(at))
		continuations := (x >> 7) & (^x >> 6) & ones8
		starts := 8 - uint32((continuations*ones8)>>56)
		if starts > i {
			break
		}
		i -= starts
		at += 8
	}
	for at < n {
		if load8(p+Ptr(at))&0xc0 != 0x80 {
			if i == 0 {
				break
			}
			i--
		}
		at++
	}
	return at
}

// textCharIndex is the number of characters in front of a byte offset.
func textCharIndex(v Value, offset uint32) uint32 {
	if v.isASCII() {
		return offset
	}
	return charCount(v.textPtr(), offset)
}

// runeAt decodes the character at p and gives its width in bytes, which never
// leads beyond end.
func runeAt(p, end Ptr) (uint32, uint32) {
	b := load8(p)
	if b < 0x80 {
		return b, 1
	}
	room := uint32(end - p)
	if b < 0xe0 && room >= 2 {
		return (b&0x1f)<<6 | load8(p+1)&0x3f, 2
	}
	if b < 0xf0 && room >= 3 {
		return (b&0x0f)<<12 | (load8(p+1)&0x3f)<<6 | load8(p+2)&0x3f, 3
	}
	if b >= 0xf0 && room >= 4 {
		return (b&0x07)<<18 | (load8(p+1)&0x3f)<<12 | (load8(p+2)&0x3f)<<6 | load8(p+3)&0x3f, 4
	}
	return 0xfffd, 1
}

// runeBefore gives the offset of the character that ends at p; start bounds
// the search.
func runeBefore(p, start Ptr) Ptr {
	p--
	for p > start && load8(p)&0xc0 == 0x80 {
		p--
	}
	return p
}

// textSub is the part between two byte offsets, which lie on characters.
func textSub(v Value, from, to uint32) Value {
	if from >= to {
		return emptyText()
	}
	p := v.textPtr() + Ptr(from)
	if v.isASCII() {
		return textValue(p, to-from, abi.FlagASCII)
	}
	if to-from <= 16 { // short parts are often ASCII, and cheap to look at
		return textFrom(p, to-from)
	}
	return textValue(p, to-from, 0)
}

// textSlice is the part between two character positions.
func textSlice(v Value, from, to uint32) Value {
	if from >= to {
		return emptyText()
	}
	start := textOffset(v, from)
	if v.isASCII() {
		return textSub(v, start, textOffset(v, to))
	}
	rest := textValue(v.textPtr()+Ptr(start), v.textLen()-start, 0)
	return textSub(v, start, start+textOffset(rest, to-from))
}

// textAt is character i, which the text is known to have.
func textAt(v Value, i uint32) Value {
	start := textOffset(v, i)
	if v.isASCII() {
		return textValue(v.textPtr()+Ptr(start), 1, abi.FlagASCII)
	}
	return charText(v.textPtr()+Ptr(start), v.textPtr()+Ptr(v.textLen()))
}

// charText is the character at p as a text.
func charText(p, end Ptr) Value {
	_, width := runeAt(p, end)
	if width == 1 {
		return textValue(p, 1, asciiFlag(p, 1))
	}
	return textValue(p, width, 0)
}

// textChars is the list of a text's characters.
func textChars(v Value) Value {
	chars := NewList(textCharCount(v))
	p := v.textPtr()
	end := p + Ptr(v.textLen())
	for p < end {
		c := charText(p, end)
		Push(chars, c)
		p += Ptr(c.textLen())
	}
	return chars
}

// textStep takes count characters from position start on, step apart; step
// may be negative. All positions are known to lie inside.
func textStep(v Value, start, step int64, count uint32) Value {
	if count == 0 {
		return emptyText()
	}
	if step == 1 {
		return textSlice(v, uint32(start), uint32(start)+count)
	}
	if v.isASCII() {
		p := newText(uint64(count))
		from := int64(v.textPtr()) + start
		for i := range count {
			store8(p+Ptr(i), load8(Ptr(uint32(from))))
			from += step
		}
		return textValue(p, count, abi.FlagASCII)
	}
	if step < 0 {
		return textStepBack(v, uint32(start), uint64(-step), count)
	}
	return textStepOn(v, uint32(start), uint64(step), count)
}

// textStepOn walks a text that is not ASCII towards its end.
func textStepOn(v Value, start uint32, step uint64, count uint32) Value {
	mark := outMark()
	p := v.textPtr() + Ptr(textOffset(v, start))
	end := v.textPtr() + Ptr(v.textLen())
	for p < end && count > 0 {
		_, width := runeAt(p, end)
		putBytes(p, width)
		count--
		skip := step
		for skip > 0 && p < end {
			_, width = runeAt(p, end)
			p += Ptr(width)
			skip--
		}
	}
	return takeText(mark)
}

// textStepBack walks a text that is not ASCII towards its start.
func textStepBack(v Value, start uint32, step uint64, count uint32) Value {
	mark := outMark()
	first := v.textPtr()
	end := first + Ptr(v.textLen())
	p := first + Ptr(textOffset(v, start))
	for count > 0 {
		_, width := runeAt(p, end)
		putBytes(p, width)
		count--
		skip := step
		for skip > 0 && p > first {
			p = runeBefore(p, first)
			skip--
		}
	}
	return takeText(mark)
}

// textRepeat is the text n times over.
func textRepeat(v Value, n int64) Value {
	size := v.textLen()
	if n <= 0 || size == 0 {
		return emptyText()
	}
	if n == 1 {
		return v
	}
	if n > textMaxBytes {
		n = textMaxBytes
	}
	total := uint64(size) * uint64(n)
	p := newText(total)
	flag := v.Tag & abi.FlagASCII
	if size == 1 {
		fillBytes(p, load8(v.textPtr()), uint32(total))
		return textValue(p, uint32(total), flag)
	}
	moveBytes(p, v.textPtr(), size)
	done := size
	for done < uint32(total) {
		n := uint32(total) - done
		if n > done {
			n = done
		}
		moveBytes(p+Ptr(done), p, n)
		done += n
	}
	return textValue(p, uint32(total), flag)
}

// noOffset is what searches give when there is nothing to find.
const noOffset = 0xffffffff

// byteIndex finds byte b in n bytes.
func byteIndex(p Ptr, n, b uint32) uint32 {
	pattern := uint64(b) * ones8
	i := uint32(0)
	for i+8 <= n {
		x := load64(p+Ptr(i)) ^ pattern
		found := (x - ones8) &^ x & high8
		if found != 0 {
			return i + ctz64(found)>>3
		}
		i += 8
	}
	for i < n {
		if load8(p+Ptr(i)) == b {
			return i
		}
		i++
	}
	return noOffset
}

// bytesIndex finds m bytes at q in n bytes at p.
func bytesIndex(p Ptr, n uint32, q Ptr, m uint32) uint32 {
	if m == 0 {
		return 0
	}
	first := load8(q)
	at := uint32(0)
	for at+m <= n {
		i := byteIndex(p+Ptr(at), n-m-at+1, first)
		if i == noOffset {
			break
		}
		at += i
		if bytesEqual(p+Ptr(at), q, m) {
			return at
		}
		at++
	}
	return noOffset
}

// textFind finds sub in v from a byte offset on, and gives a byte offset.
func textFind(v, sub Value, from uint32) uint32 {
	i := bytesIndex(v.textPtr()+Ptr(from), v.textLen()-from, sub.textPtr(), sub.textLen())
	if i == noOffset {
		return noOffset
	}
	return from + i
}

// textContains reports whether sub is part of v.
func textContains(v, sub Value) bool { return textFind(v, sub, 0) != noOffset }
