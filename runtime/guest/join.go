package guest

import "github.com/avapd/avapd/runtime/abi"

// Several parts, each a text or an integer, become one text at once: what they
// take is added up, and each is written where it will stay. As with Concat, a
// first part that ends where an append buffer does stays where it is.

// Join3 is the text of three parts.
func Join3(a, b, c Value) Value {
	text := openJoin(a, partRoom(b)+partRoom(c))
	flag := partFlag(a) & partFlag(b) & partFlag(c)
	end := putPart(joinEnd, b)
	if c.Bits>>32 != 0 || c.Tag&partInt != 0 {
		end = putPart(end, c)
	}
	return closeJoin(text, end, flag)
}

// Join6 is the text of six parts.
func Join6(a, b, c, d, e, f Value) Value {
	text := openJoin(a, partRoom(b)+partRoom(c)+partRoom(d)+partRoom(e)+partRoom(f))
	flag := partFlag(a) & partFlag(b) & partFlag(c) & partFlag(d) & partFlag(e) & partFlag(f)
	end := putPart(putPart(putPart(joinEnd, b), c), d)
	if (e.Bits|f.Bits)>>32 != 0 || (e.Tag|f.Tag)&partInt != 0 {
		end = putPart(putPart(end, e), f)
	}
	return closeJoin(text, end, flag)
}

const (
	// partInt is a bit that the kind of integers has and that of texts has not.
	partInt = abi.KindInt &^ abi.KindText
	// intMaxBytes is what an integer takes at most.
	intMaxBytes = 20
)

// partRoom is how many bytes a part takes; of an integer, at most.
func partRoom(v Value) uint64 {
	if v.Tag&partInt != 0 {
		return intMaxBytes
	}
	return v.Bits >> 32
}

// partFlag has abi.FlagASCII for texts that have it, and for integers.
func partFlag(v Value) Tag { return v.Tag | v.Tag&partInt*(abi.FlagASCII/partInt) }

// The text that is being joined: where the next part goes, and the end of its
// room, which is spare if nothing grows there yet.
var (
	joinEnd, joinRoom uint32
	joinSpare         bool
)

// openJoin gives the start of the text that begins with a part and has room for n
// more bytes behind it.
func openJoin(a Value, n uint64) Ptr {
	if a.Tag&partInt != 0 {
		n += intMaxBytes
		p := newText(n)
		joinEnd = putDecimal(uint32(p), a.int())
		joinRoom = uint32(p) + uint32(n)
		joinSpare = true
		return p
	}
	end := uint32(a.textPtr()) + a.textLen()
	if uint32(append0) == end && uint64(uint32(append0>>32)-end) >= n {
		joinEnd = end
		joinRoom = uint32(append0 >> 32)
		joinSpare = false
		append0 = 0
		return a.textPtr()
	}
	return openText(a, n)
}

func openText(a Value, n uint64) Ptr {
	total := uint64(a.textLen()) + n
	if total > textMaxBytes {
		newText(total)
	}
	end := uint32(a.textPtr()) + a.textLen()
	buffer := uint64(0)
	if a.textLen() >= growsFromBytes {
		buffer = takeAppend(end)
	}
	if buffer != 0 && uint64(uint32(buffer>>32)-end) >= n {
		joinEnd = end
		joinRoom = uint32(buffer >> 32)
		joinSpare = false
		return a.textPtr()
	}
	room := total
	joinSpare = buffer == 0
	if buffer != 0 {
		room = min(total*2, textMaxBytes)
	}
	p := newText(room)
	joinRoom = uint32(p) + uint32(room)
	joinEnd = putPart(uint32(p), a)
	return p
}

// putPart writes a part and gives its end.
func putPart(p uint32, v Value) uint32 {
	if v.Tag&partInt != 0 {
		return putDecimal(p, v.int())
	}
	n, from := v.textLen(), v.textPtr()
	if fitsWords(Ptr(p), from, n, joinRoom) {
		moveWords(Ptr(p), from)
	} else {
		moveBytes(Ptr(p), from, n)
	}
	return p + n
}

// putDecimal writes an integer and gives its end.
func putDecimal(p uint32, i int64) uint32 {
	u := magnitude(i)
	if i < 0 {
		store8(Ptr(p), '-')
		p++
	}
	p += digits(u)
	putDigits(Ptr(p), u)
	return p
}

// digits counts those of a number in decimal. It divides large numbers only,
// as a division takes longer than the rest.
func digits(u uint64) uint32 {
	if u < 10_000 {
		if u < 100 {
			return 1 + uint32(b2u(u >= 10))
		}
		return 3 + uint32(b2u(u >= 1000))
	}
	if u < 100_000_000 {
		if u < 1_000_000 {
			return 5 + uint32(b2u(u >= 100_000))
		}
		return 7 + uint32(b2u(u >= 10_000_000))
	}
	return 8 + digits(u/100_000_000)
}

// putDigits writes a number in decimal in front of a place, and gives where it
// begins.
func putDigits(end Ptr, u uint64) Ptr {
	for u >= 1<<32 {
		rest := div10(u)
		end--
		store8(end, '0'+uint32(u-rest*10))
		u = rest
	}
	for u >= 100 { // two at once
		rest := u * 0x51eb851f >> 37 // u / 100 below 1<<32
		end = putTwoDigits(end, uint32(u-rest*100))
		u = rest
	}
	if u >= 10 {
		return putTwoDigits(end, uint32(u))
	}
	end--
	store8(end, '0'+uint32(u))
	return end
}

// putTwoDigits writes a number below 100.
func putTwoDigits(end Ptr, u uint32) Ptr {
	tens := u * 103 >> 10 // u / 10
	store16(end-2, '0'+tens|('0'+u-tens*10)<<8)
	return end - 2
}

// closeJoin gives the joined text, which may go on growing where it lies. Spare
// room at the end of the heap is given back.
func closeJoin(text Ptr, end uint32, flag Tag) Value {
	kept := (end + 15) &^ 15
	if joinSpare && kept < joinRoom && load32(abi.HeapTop) == (joinRoom+7)&^7 {
		store32(abi.HeapTop, kept)
		joinRoom = kept
	}
	n := end - uint32(text)
	if n >= growsFromBytes {
		pushAppend(uint64(end) | uint64(joinRoom)<<32)
	}
	return textValue(text, n, flag&abi.FlagASCII)
}
