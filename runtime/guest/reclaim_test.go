package guest

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/avapd/avapd/runtime/abi"
)

// loopOf is a loop in whose turns random values are made, kept, changed and
// dropped, as a script would.
type loopOf struct {
	random *rand.Rand
	mark   uint32
	old    []Value // made before the loop; they never move
	vars   []Value // what the loop assigns
}

func startLoop(seed uint64) *loopOf {
	l := &loopOf{random: rand.New(rand.NewPCG(seed, 0))}
	for range 4 {
		l.old = append(l.old, NewList(0), NewDict(0))
	}
	l.vars = append(l.vars, val("a"), val("b"), NewList(2), NewDict(2), NewList(0))
	alloc(uint32(l.random.IntN(40)))
	l.mark = load32(abi.HeapTop)
	store32(abi.RegionMark, l.mark)
	return l
}

func (l *loopOf) pick(list []Value) Value { return list[l.random.IntN(len(list))] }

// container is one of the containers at hand; lists hold nothing that holds
// lists, so that show ends.
func (l *loopOf) leaf() Value {
	switch l.random.IntN(4) {
	case 0:
		return Concat(l.text(), val("!"))
	case 1:
		return val([]any{l.text(), 1.5, "new"})
	case 2:
		return val(pairs{l.text(), "v", 7, l.text()})
	}
	return l.text()
}

func (l *loopOf) text() Value {
	for _, v := range l.vars[:2] {
		if l.random.IntN(2) == 0 {
			return v
		}
	}
	return Str(val(l.random.IntN(1000)))
}

func (l *loopOf) change() {
	lists, dicts := append(l.old[:0:0], l.vars[2], l.vars[4]), []Value{l.vars[3]}
	for i := 0; i < len(l.old); i += 2 {
		lists, dicts = append(lists, l.old[i]), append(dicts, l.old[i+1])
	}
	list, dict := l.pick(lists), l.pick(dicts)
	switch l.random.IntN(12) {
	case 0:
		to := l.random.IntN(2)
		if l.random.IntN(2) == 0 {
			l.vars[to] = Concat(l.text(), l.text())
		} else {
			l.vars[to] = Join3(l.text(), val(l.random.IntN(100)), l.text())
		}
	case 1:
		if v := l.vars[0]; v.textLen() > 40 {
			l.vars[0] = Slice(v, val(-30), undefined(), undefined())
		}
	case 2:
		l.vars[2] = val([]any{l.leaf(), l.leaf()})
	case 3:
		l.vars[3] = val(pairs{l.text(), l.leaf()})
	case 4, 5, 6:
		MethodAppend(list, l.leaf())
	case 7, 8:
		DictSet(dict, l.text(), l.leaf())
	case 9:
		if n := list.list().len(); n > 0 {
			list.list().set(uint32(l.random.IntN(int(n))), l.leaf())
		}
	case 10:
		MethodPop(list, val(0), undefined())
		DropError()
	case 11:
		MethodExtend(list, val([]any{l.leaf(), 2, l.leaf()}))
	}
}

func (l *loopOf) show() string {
	var out strings.Builder
	for _, v := range append(append([]Value{}, l.old...), l.vars...) {
		out.WriteString(show(v) + "\n")
	}
	return out.String()
}

// collect gives back memory and spoils what is free then.
func (l *loopOf) collect() uint32 {
	for _, v := range l.vars {
		KeepRoot(v)
	}
	used := load32(abi.HeapTop)
	limit := Collect(l.mark, 0, 0, 0, 64)
	for i := range l.vars {
		l.vars[i] = Root(uint32(len(l.vars) - 1 - i))
	}
	top := load32(abi.HeapTop)
	if top < used {
		copy(memory[top:used], bytes.Repeat([]byte{0xa5}, int(used-top)))
	}
	return limit
}

func TestCollect(t *testing.T) {
	for seed := range uint64(60) {
		start(t)
		l := startLoop(seed)
		for turn := range 60 {
			for range l.random.IntN(30) {
				l.change()
			}
			if l.random.IntN(6) == 0 { // a loop inside
				inner := *l
				inner.mark = load32(abi.HeapTop)
				store32(abi.RegionMark, inner.mark)
				for range 3 {
					inner.change()
					inner.collect()
				}
				l.vars = inner.vars
			}
			before := l.show()
			l.collect()
			if after := l.show(); after != before {
				t.Fatalf("seed %d, turn %d: before\n%safter\n%s", seed, turn, before, after)
			}
		}
	}
}

// TestCollectGivesUp holds that too much work is not begun, or ends without a
// trace.
func TestCollectGivesUp(t *testing.T) {
	start(t)
	mark := load32(abi.HeapTop)
	store32(abi.RegionMark, mark)
	text := textOf("text")
	long := NewList(collectUnits + 1)
	for range collectUnits + 1 {
		Push(long, text)
	}
	nested := NewList(1)
	Push(nested, long)
	top := load32(abi.HeapTop)
	KeepRoot(nested)
	if limit := Collect(mark, 0, 0, 0, 64); limit != top+(top-mark) || load32(abi.HeapTop) != top {
		t.Errorf("limit %d, top %d; was %d behind mark %d", limit, load32(abi.HeapTop), top, mark)
	}
	if Root(0) != nested || load32(Ptr(nested.list())+abi.ListMark) != 0 || load32(Ptr(long.list())+abi.ListMark) != 0 {
		t.Error("something was changed")
	}
}

// TestCollectForgetsNothing holds that a loop keeps its memory when more
// containers were changed than can be remembered.
func TestCollectForgetsNothing(t *testing.T) {
	start(t)
	var old []Value
	for range rememberedMax + 1 {
		old = append(old, NewList(1))
	}
	mark := load32(abi.HeapTop)
	store32(abi.RegionMark, mark)
	for _, v := range old {
		Push(v, textOf("young"))
	}
	top := load32(abi.HeapTop)
	if limit := Collect(mark, 0, 0, 0, 64); limit != never || load32(abi.HeapTop) != top {
		t.Errorf("limit %d, top %d; was %d", limit, load32(abi.HeapTop), top)
	}
}
