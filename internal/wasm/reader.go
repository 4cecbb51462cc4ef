package wasm

import (
	"fmt"
	"unicode/utf8"
)

// reader reads a part of the input. The first error sticks, and from then on
// everything reads as zero, so that callers test once per element.
type reader struct {
	b    []byte
	at   int
	base int // offset of b in the input
	err  *Error
}

func (r *reader) fail(format string, args ...any) { r.refuse(Malformed, format, args...) }

func (r *reader) refuse(reason Reason, format string, args ...any) {
	if r.err == nil {
		r.err = &Error{r.base + r.at, reason, fmt.Sprintf(format, args...)}
		r.at = len(r.b)
	}
}

func (r *reader) unsupported(feature string) {
	r.refuse(Unsupported, "the feature %s is not admitted", feature)
}

func (r *reader) left() int { return len(r.b) - r.at }

func (r *reader) byte() byte {
	if r.at >= len(r.b) {
		r.fail("unexpected end")
		return 0
	}
	c := r.b[r.at]
	r.at++
	return c
}

func (r *reader) bytes(n int) []byte {
	if n < 0 || n > r.left() {
		r.fail("%d bytes wanted, %d left", n, r.left())
		return nil
	}
	b := r.b[r.at : r.at+n : r.at+n]
	r.at += n
	return b
}

// u32 reads an unsigned LEB128 of at most 32 bits and 5 bytes.
func (r *reader) u32() uint32 {
	var v uint64
	for shift := 0; ; shift += 7 {
		c := r.byte()
		if r.err != nil {
			return 0
		}
		if shift == 28 && c > 0x0f {
			r.fail("number of more than 32 bits")
			return 0
		}
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return uint32(v)
		}
	}
}

// signed reads a signed LEB128 of at most the given number of bits.
func (r *reader) signed(bits int) int64 {
	var v int64
	for shift := 0; ; shift += 7 {
		c := r.byte()
		if r.err != nil {
			return 0
		}
		v |= int64(c&0x7f) << shift
		if left := bits - shift; left <= 7 {
			// Bits beyond the width must repeat the sign.
			top := int8(c<<1) >> left
			if c >= 0x80 || top != 0 && top != -1 {
				r.fail("number of more than %d bits", bits)
				return 0
			}
		}
		if c < 0x80 {
			if shift+7 < 64 && c&0x40 != 0 {
				v |= -1 << (shift + 7)
			}
			return v
		}
	}
}

// count reads the length of a vector whose elements take at least size bytes
// each, and refuses one that cannot fit.
func (r *reader) count(what string, size, limit int) int {
	start := r.at
	n := r.u32()
	if r.err != nil {
		return 0
	}
	if int64(n) > int64(limit) {
		r.at = start
		r.refuse(TooLarge, "%d %s, at most %d are allowed", n, what, limit)
		return 0
	}
	if int64(n)*int64(size) > int64(r.left()) {
		r.at = start
		r.fail("%d %s do not fit", n, what)
		return 0
	}
	return int(n)
}

func (r *reader) name(limit int) string {
	start := r.at
	n := r.count("bytes of a name", 1, limit)
	b := r.bytes(n)
	if r.err == nil && !utf8.Valid(b) {
		r.at = start
		r.fail("name is not UTF-8")
	}
	return string(b)
}

func (r *reader) valType() ValType {
	start := r.at
	t := ValType(r.byte())
	switch t {
	case I32, I64, F32, F64, FuncRef, ExternRef:
		return t
	}
	if r.err == nil {
		r.at = start
		if feature := unsupportedType(byte(t)); feature != "" {
			r.unsupported(feature)
		}
		r.fail("%#x is no value type", byte(t))
	}
	return 0
}

func (r *reader) refType() ValType {
	start := r.at
	t := r.valType()
	if r.err == nil && t != FuncRef && t != ExternRef {
		r.at = start
		r.fail("%s is no reference type", t)
	}
	return t
}

func (r *reader) flag(what string) bool {
	start := r.at
	switch r.byte() {
	case 0:
		return false
	case 1:
		return true
	}
	r.at = start
	r.fail("bad %s", what)
	return false
}

// limits reads the limits of a table or memory, whose greatest size the
// format knows, and whose initial size has a bound.
func (r *reader) limits(most uint32, what string, bound int) Limits {
	start := r.at
	var l Limits
	switch flags := r.byte(); {
	case flags <= 1:
		l.HasMax = flags == 1
	case flags <= 3:
		r.at = start
		r.unsupported(featureThreads)
	case flags <= 7:
		r.at = start
		r.unsupported(featureMemory64)
	default:
		r.at = start
		r.fail("bad limits")
	}
	l.Min = r.u32()
	if l.HasMax {
		l.Max = r.u32()
	}
	switch {
	case r.err != nil:
	case l.Min > most || l.HasMax && (l.Max > most || l.Max < l.Min):
		r.at = start
		r.refuse(Invalid, "limits out of range")
	case int64(l.Min) > int64(bound):
		r.at = start
		r.refuse(TooLarge, "%d %s, at most %d are allowed", l.Min, what, bound)
	}
	return l
}
