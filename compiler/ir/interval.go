package ir

import (
	"math"
	"math/bits"
)

// interval is what is known of an integer: lo ≤ value ≤ hi. With lo above hi it
// is empty: no integer was seen there.
type interval struct{ lo, hi int64 }

var (
	everything = interval{math.MinInt64, math.MaxInt64}
	empty      = interval{1, 0}
	// sizes is what the number of items or characters of a value can be.
	sizes = interval{0, math.MaxUint32}
)

func exactly(v int64) interval { return interval{v, v} }

func (a interval) isEmpty() bool { return a.lo > a.hi }

// known makes an interval to compute with of one that may be empty.
func (a interval) known() interval {
	if a.isEmpty() {
		return everything
	}
	return a
}

func (a interval) union(b interval) interval {
	switch {
	case a.isEmpty():
		return b
	case b.isEmpty():
		return a
	}
	return interval{min(a.lo, b.lo), max(a.hi, b.hi)}
}

func (a interval) within(lo, hi int64) bool { return !a.isEmpty() && lo <= a.lo && a.hi <= hi }

// widen is b, with each end that is beyond a's moved to the next of a few
// numbers, so that repetition comes to an end.
func (a interval) widen(b interval) interval {
	if a.isEmpty() || b.isEmpty() {
		return b
	}
	w := b
	if b.lo < a.lo {
		w.lo = math.MinInt64
		for _, t := range []int64{1, 0, -1, math.MinInt32} {
			if t <= b.lo {
				w.lo = t
				break
			}
		}
	}
	if b.hi > a.hi {
		w.hi = math.MaxInt64
		for _, t := range []int64{0, 1, math.MaxInt32} {
			if t >= b.hi {
				w.hi = t
				break
			}
		}
	}
	return w
}

// operate gives the results of an operation on two integers, and whether none
// of them is beyond 64 bits.
func operate(o Operator, a, b interval) (r interval, fits bool) {
	a, b = a.known(), b.known()
	switch o {
	case Add:
		return ends(foldPair(Add, a.lo, b.lo), foldPair(Add, a.hi, b.hi))
	case Sub:
		return ends(foldPair(Sub, a.lo, b.hi), foldPair(Sub, a.hi, b.lo))
	case Mul:
		return multiply(a, b)
	case Mod:
		return modulo(a, b), true
	case BitAnd, BitOr, BitXor:
		return bitwise(o, a, b), true
	case Shr:
		if b.lo == b.hi && b.lo >= 0 && b.lo < 64 {
			return interval{a.lo >> b.lo, a.hi >> b.lo}, true
		}
	case Shl:
		if b.lo == b.hi && b.lo >= 0 && b.lo < 62 {
			return multiply(a, exactly(1<<b.lo))
		}
	}
	return everything, false
}

// bound is an end of an interval, unless it is beyond 64 bits.
type bound struct {
	value int64
	fits  bool
}

func foldPair(o Operator, a, b int64) bound {
	v, ok := intResult(o, a, b)
	return bound{v, ok}
}

func ends(lo, hi bound) (interval, bool) {
	r := everything
	if lo.fits {
		r.lo = lo.value
	}
	if hi.fits {
		r.hi = hi.value
	}
	// An end that does not fit in one direction leaves the other end valid, but
	// if the lower one is too high or the upper one too low, all results are.
	if !lo.fits && !hi.fits {
		r = everything
	}
	return r, lo.fits && hi.fits
}

func multiply(a, b interval) (interval, bool) {
	r := empty
	for _, x := range []int64{a.lo, a.hi} {
		for _, y := range []int64{b.lo, b.hi} {
			p := foldPair(Mul, x, y)
			if !p.fits {
				return everything, false
			}
			r = r.union(exactly(p.value))
		}
	}
	return r, true
}

// modulo has the sign of the divisor.
func modulo(a, b interval) interval {
	switch {
	case b.lo > 0 && a.lo >= 0:
		return interval{0, min(a.hi, b.hi-1)}
	case b.lo > 0:
		return interval{0, b.hi - 1}
	case b.hi < 0:
		return interval{b.lo + 1, 0}
	}
	return everything
}

func bitwise(o Operator, a, b interval) interval {
	switch {
	case o == BitAnd && a.lo >= 0 && b.lo >= 0:
		return interval{0, min(a.hi, b.hi)}
	case o == BitAnd && a.lo >= 0:
		return interval{0, a.hi}
	case o == BitAnd && b.lo >= 0:
		return interval{0, b.hi}
	case a.lo >= 0 && b.lo >= 0:
		return interval{0, int64(1)<<bits.Len64(uint64(a.hi|b.hi)) - 1}
	}
	return everything
}

// when narrows a by what a comparison with b says about it.
func (a interval) when(o Operator, b interval) interval {
	a, b = a.known(), b.known()
	n := a
	switch o {
	case Equal:
		n = interval{max(a.lo, b.lo), min(a.hi, b.hi)}
	case Less:
		if b.hi > math.MinInt64 {
			n.hi = min(a.hi, b.hi-1)
		}
	case LessEqual:
		n.hi = min(a.hi, b.hi)
	case Greater:
		if b.lo < math.MaxInt64 {
			n.lo = max(a.lo, b.lo+1)
		}
	case GreaterEqual:
		n.lo = max(a.lo, b.lo)
	}
	if n.isEmpty() {
		return a // code that is not reached
	}
	return n
}

var negated = map[Operator]Operator{
	Equal: NotEqual, NotEqual: Equal, Less: GreaterEqual, GreaterEqual: Less, Greater: LessEqual, LessEqual: Greater,
}

var mirrored = map[Operator]Operator{
	Equal: Equal, NotEqual: NotEqual, Less: Greater, Greater: Less, LessEqual: GreaterEqual, GreaterEqual: LessEqual,
}
