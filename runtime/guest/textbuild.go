package guest

import "github.com/avapd/avapd/runtime/abi"

// Text whose size is not known in advance is written into one scratch buffer
// that grows. Writers nest like a stack: each takes a mark, puts bytes behind
// it, and takes or drops what lies behind its mark.

var (
	outBase uint32 // first byte of the buffer
	outLen  uint32 // bytes in use
	outCap  uint32 // bytes there is room for
)

const (
	outFirstBytes = 256
	// outGiveBytes is the size from which a finished text keeps the buffer
	// instead of being copied out of it.
	outGiveBytes = 4096
)

func outMark() uint32 { return outLen }

// dropOut forgets what was put since the mark.
func dropOut(mark uint32) { outLen = mark }

// outRoom makes room for n more bytes and gives their place.
func outRoom(n uint32) Ptr {
	if outCap-outLen < n {
		growOut(n)
	}
	return Ptr(outBase + outLen)
}

func growOut(n uint32) {
	size := uint64(outCap) * 2
	if size < outFirstBytes {
		size = outFirstBytes
	}
	if size < uint64(outLen)+uint64(n) {
		size = uint64(outLen) + uint64(n)
	}
	if size > textMaxBytes {
		halt(abi.HaltMemory)
	}
	p := allocBlock(uint32(size))
	moveBytes(p, Ptr(outBase), outLen)
	freeBlock(Ptr(outBase), outCap)
	outBase = uint32(p)
	outCap = uint32(size)
}

// takeText makes a text of what was put since the mark.
func takeText(mark uint32) Value {
	n := outLen - mark
	outLen = mark
	if n == 0 {
		return emptyText()
	}
	from := Ptr(outBase + mark)
	if mark == 0 && n >= outGiveBytes && n >= outCap/2 {
		outBase = 0
		outCap = 0
		return textFrom(from, n)
	}
	p := newText(uint64(n))
	moveBytes(p, from, n)
	return textFrom(p, n)
}

func putByte(b uint32) {
	if outLen == outCap {
		growOut(1)
	}
	store8(Ptr(outBase+outLen), b)
	outLen++
}

// putBytes puts n bytes that lie outside the buffer.
func putBytes(p Ptr, n uint32) {
	to := outRoom(n)
	moveBytes(to, p, n)
	outLen += n
}

func putText(v Value) { putBytes(v.textPtr(), v.textLen()) }

// putOut puts a copy of n bytes that already lie in the buffer, at an offset
// from its start.
func putOut(offset, n uint32) {
	to := outRoom(n)
	moveBytes(to, Ptr(outBase+offset), n)
	outLen += n
}

// putRune puts a character; one that UTF-8 cannot hold becomes U+FFFD.
func putRune(c uint32) {
	if c < 0x80 {
		putByte(c)
		return
	}
	if c > 0x10ffff || c&0xfffff800 == 0xd800 {
		c = 0xfffd
	}
	p := outRoom(4)
	width := encodeRune(p, c)
	outLen += width
}

// encodeRune writes a valid character and gives its width.
func encodeRune(p Ptr, c uint32) uint32 {
	if c < 0x80 {
		store8(p, c)
		return 1
	}
	if c < 0x800 {
		store8(p, 0xc0|c>>6)
		store8(p+1, 0x80|c&0x3f)
		return 2
	}
	if c < 0x10000 {
		store8(p, 0xe0|c>>12)
		store8(p+1, 0x80|c>>6&0x3f)
		store8(p+2, 0x80|c&0x3f)
		return 3
	}
	store8(p, 0xf0|c>>18)
	store8(p+1, 0x80|c>>12&0x3f)
	store8(p+2, 0x80|c>>6&0x3f)
	store8(p+3, 0x80|c&0x3f)
	return 4
}

// putRunes puts a character n times.
func putRunes(c, n uint32) {
	if c < 0x80 {
		p := outRoom(n)
		fillBytes(p, c, n)
		outLen += n
		return
	}
	for range n {
		putRune(c)
	}
}

// closeOut moves what was put since a later mark down to an earlier one,
// over what lay between.
func closeOut(mark, from uint32) {
	n := outLen - from
	if mark < from { // towards the start, so chunks may overlap
		moveBytes(Ptr(outBase+mark), Ptr(outBase+from), n)
	}
	outLen = mark + n
}

// putUint puts an unsigned number in a base from 2 to 36.
func putUint(u uint64, base, letters uint32) {
	p := outRoom(64)
	end := p + 64
	at := end
	for {
		digit := uint32(u % uint64(base))
		u /= uint64(base)
		at--
		if digit < 10 {
			store8(at, '0'+digit)
		} else {
			store8(at, letters+digit-10)
		}
		if u == 0 {
			break
		}
	}
	n := uint32(end - at)
	memoryCopy(p, at, n)
	outLen += n
}

// magnitude is the absolute value of an int.
func magnitude(i int64) uint64 {
	if i < 0 {
		return -uint64(i)
	}
	return uint64(i)
}

func putInt(i int64) {
	if i < 0 {
		putByte('-')
	}
	putUint(magnitude(i), 10, 'a')
}

// intText is an int in decimal.
func intText(i int64) Value {
	p := newText(intMaxBytes)
	at := putDigits(p+intMaxBytes, magnitude(i))
	if i < 0 {
		at--
		store8(at, '-')
	}
	return textValue(at, uint32(p+intMaxBytes-at), abi.FlagASCII)
}

// div10 divides by ten. Below 1<<32 the quotient is u·m >> 35 for
// m = ⌈2^35/10⌉, since m·10 exceeds 2^35 by 2 only.
func div10(u uint64) uint64 {
	if u < 1<<32 {
		return u * 0xcccccccd >> 35
	}
	return u / 10
}

// growsFromBytes is the length from which texts have append buffers. Shorter
// ones are copied, which takes no longer than looking for a buffer.
const growsFromBytes = 32

// The append buffers: texts that grew by Concat or Join and may grow in place.
// Each is the first free byte behind its text and, in the high half, the end of
// its room; the most recently used comes first.
var append0, append1, append2, append3, append4, append5 uint64

// Concat joins two texts. When the left one ends where an append buffer does,
// the right one is put behind it, so that growing a text in a loop costs its
// final size and not its square.
func Concat(a, b Value) Value {
	if (a.Tag|b.Tag)&knownFlags != 0 {
		return concatKnown(a, b)
	}
	n := b.textLen()
	if n == 0 {
		return a
	}
	if a.textLen() == 0 {
		return b
	}
	flag := a.Tag & b.Tag & abi.FlagASCII
	total := uint64(a.textLen()) + uint64(n)
	end := uint32(a.textPtr()) + a.textLen()
	if total > textMaxBytes {
		newText(total)
	}
	if uint32(append0) == end && uint32(append0>>32)-end >= n {
		if fitsWords(Ptr(end), b.textPtr(), n, uint32(append0>>32)) {
			moveWords(Ptr(end), b.textPtr())
		} else {
			moveBytes(Ptr(end), b.textPtr(), n)
		}
		append0 += uint64(n)
		return textValue(a.textPtr(), uint32(total), flag)
	}
	if total < growsFromBytes {
		p := newText(total)
		moveBytes(p, a.textPtr(), a.textLen())
		moveBytes(p+Ptr(a.textLen()), b.textPtr(), n)
		return textValue(p, uint32(total), flag)
	}
	buffer := uint64(0)
	if a.textLen() >= growsFromBytes {
		buffer = takeAppend(end)
	}
	if buffer != 0 && uint32(buffer>>32)-end >= n {
		moveBytes(Ptr(end), b.textPtr(), n)
		pushAppend(uint64(end+n) | buffer>>32<<32)
		return textValue(a.textPtr(), uint32(total), flag)
	}
	room := (total + 15) / 16 * 16
	if buffer != 0 {
		room = total * 2
	}
	if room > textMaxBytes {
		room = total
	}
	p := newText(room)
	moveBytes(p, a.textPtr(), a.textLen())
	moveBytes(p+Ptr(a.textLen()), b.textPtr(), n)
	pushAppend(uint64(uint32(p)+uint32(total)) | uint64(uint32(p)+uint32(room))<<32)
	return textValue(p, uint32(total), flag)
}

// takeAppend gives the append buffer that ends at a place and takes it off
// the row; 0 if there is none.
func takeAppend(end uint32) uint64 {
	if uint32(append0) == end {
		found := append0
		append0 = 0
		return found
	}
	if uint32(append1) == end {
		found := append1
		append1 = 0
		return found
	}
	if uint32(append2) == end {
		found := append2
		append2 = 0
		return found
	}
	if uint32(append3) == end {
		found := append3
		append3 = 0
		return found
	}
	if uint32(append4) == end {
		found := append4
		append4 = 0
		return found
	}
	if uint32(append5) == end {
		found := append5
		append5 = 0
		return found
	}
	return 0
}

// pushAppend puts a buffer at the head of the row, moving the others up to
// the first empty place.
func pushAppend(buffer uint64) {
	moved := append0
	append0 = buffer
	if moved == 0 {
		return
	}
	moved, append1 = append1, moved
	if moved == 0 {
		return
	}
	moved, append2 = append2, moved
	if moved == 0 {
		return
	}
	moved, append3 = append3, moved
	if moved == 0 {
		return
	}
	moved, append4 = append4, moved
	if moved == 0 {
		return
	}
	append5 = moved
}
