package guest

import "github.com/avapd/avapd/runtime/abi"

// Keys are hashed with a seed that scripts do not know, so that nobody can
// prepare keys that collide: texts with SipHash-1-3, numbers with two keyed
// rounds of a mixer, and so texts that fit in a word with their length.

const (
	sip0 = 0x736f6d6570736575
	sip1 = 0x646f72616e646f6d
	sip2 = 0x6c7967656e657261
	sip3 = 0x7465646279746573

	mixA = 0xff51afd7ed558ccd
	mixB = 0xc4ceb9fe1a85ec53
)

func sipRound(a, b, c, d uint64) (uint64, uint64, uint64, uint64) {
	a += b
	b = rotl64(b, 13) ^ a
	a = rotl64(a, 32)
	c += d
	d = rotl64(d, 16) ^ c
	a += d
	d = rotl64(d, 21) ^ a
	c += b
	b = rotl64(b, 17) ^ c
	c = rotl64(c, 32)
	return a, b, c, d
}

func hashBytes(p Ptr, n uint32) uint32 {
	if n < 8 {
		charge(uint64(n) + 1) // as a loop over the bytes would
		return hashWord(uint64(n)<<56 | loadShort(p, n))
	}
	seed := load64(abi.HashSeed)
	seed2 := mix64(seed + mixA)
	a, b, c, d := seed^sip0, seed2^sip1, seed^sip2, seed2^sip3
	left := n
	for left >= 8 {
		word := load64(p)
		d ^= word
		a, b, c, d = sipRound(a, b, c, d)
		a ^= word
		p += 8
		left -= 8
	}
	charge(uint64(left) + 1)
	word := uint64(n)<<56 | loadShort(p, left)
	d ^= word
	a, b, c, d = sipRound(a, b, c, d)
	a ^= word
	c ^= 0xff
	a, b, c, d = sipRound(a, b, c, d)
	a, b, c, d = sipRound(a, b, c, d)
	a, b, c, d = sipRound(a, b, c, d)
	h := a ^ b ^ c ^ d
	return uint32(h) ^ uint32(h>>32)
}

// loadShort reads fewer than eight bytes.
func loadShort(p Ptr, n uint32) uint64 {
	if n >= 4 {
		return uint64(load32(p)) | uint64(load32(p+Ptr(n-4)))<<((n-4)*8&63)
	}
	if n >= 2 {
		return uint64(load16(p)) | uint64(load16(p+Ptr(n-2)))<<((n-2)*8&63)
	}
	if n == 1 {
		return uint64(load8(p))
	}
	return 0
}

// mix64 spreads every bit over the whole word.
func mix64(x uint64) uint64 {
	x = (x ^ x>>33) * mixA
	x = (x ^ x>>29) * mixB
	return x ^ x>>32
}

func hashWord(x uint64) uint32 {
	seed := load64(abi.HashSeed)
	x = mix64(mix64(x^seed) + rotl64(seed, 32))
	return uint32(x >> 32)
}

// hashKey hashes a key. Numbers that are equal hash alike whatever their type.
func hashKey(k Value) uint32 {
	if k.isText() {
		return hashBytes(k.textPtr(), k.textLen())
	}
	if k.Tag == abi.KindFloat {
		f := k.float()
		if f >= minInt64Float && f < maxInt64Float && trunc64(f) == f {
			return hashWord(uint64(int64(f)))
		}
	}
	if k.Tag == abi.KindNull {
		return hashWord(mixB)
	}
	return hashWord(k.Bits)
}

// sameKey reports whether two keys are one: equal, or the same NaN. A deleted
// entry's key is the same as none.
func sameKey(a, b Value) bool {
	if a.isText() {
		return b.isText() && textEqual(a, b)
	}
	if a.Bits == b.Bits && a.Tag == b.Tag {
		return true
	}
	if a.Tag == abi.KindNull || b.Tag == abi.KindNull || a.Tag == abi.KindUndefined || b.isText() {
		return false
	}
	return numbersEqual(a, b)
}
