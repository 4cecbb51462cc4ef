package guest

import (
	"math"
	"testing"

	"github.com/avapd/avapd/runtime/abi"
)

func TestEqual(t *testing.T) {
	start(t)
	nan := floating(math.NaN())
	for _, c := range []struct {
		a, b  any
		equal bool
	}{
		{1, 1, true},
		{1, 2, false},
		{1, 1.0, true},
		{true, 1, true},
		{true, 1.0, true},
		{false, 0, true},
		{true, "1", false},
		{nil, nil, true},
		{nil, 0, false},
		{nil, false, false},
		{nil, "", false},
		{"a", "a", true},
		{"a", "b", false},
		{"a", "ab", false},
		{"é", "é", true},
		{9007199254740993, 9007199254740992.0, false},
		{maxInt, 9223372036854775808.0, false},
		{minInt, -9223372036854775808.0, true},
		{0.0, math.Copysign(0, -1), true},
		{nan, nan, false},
		{[]any{nan}, []any{nan}, true},
		{[]any{1, "a"}, []any{1.0, "a"}, true},
		{[]any{1}, []any{1, 2}, false},
		{[]any{1}, pairs{}, false},
		{[]any{}, nil, false},
		{pairs{"a", 1, "b", 2}, pairs{"b", 2, "a", 1.0}, true},
		{pairs{"a", 1}, pairs{"a", 2}, false},
		{pairs{"a", 1}, pairs{"b", 1}, false},
		{pairs{1, "x"}, pairs{true, "x"}, true},
		{[]any{[]any{[]any{}}}, []any{[]any{[]any{}}}, true},
	} {
		a, b := val(c.a), val(c.b)
		wantInt32(t, show(a)+" == "+show(b), Equal(a, b), c.equal)
		wantInt32(t, show(b)+" == "+show(a), Equal(b, a), c.equal)
		if k := hashKey(a); hashable(a) && c.equal && k != hashKey(b) {
			t.Errorf("%s and %s are equal and hash differently", show(a), show(b))
		}
	}
}

func TestOrder(t *testing.T) {
	start(t)
	nan := floating(math.NaN())
	for _, c := range []struct {
		a, b        any
		less, equal any // a < b, a <= b
	}{
		{1, 2, true, true},
		{2, 1, false, false},
		{1, 1.5, true, true},
		{1, 1.0, false, true},
		{true, 2, true, true},
		{nan, 1, false, false},
		{1, nan, false, false},
		{"a", "b", true, true},
		{"a", "aa", true, true},
		{"", "", false, true},
		{"z", "é", true, true},
		{"\uffff", "\U00010000", true, true},
		{"abcdefgh1", "abcdefgh2", true, true},
		{"Z", "a", true, true},
		{[]any{1, 2}, []any{1, 3}, true, true},
		{[]any{1}, []any{1, 0}, true, true},
		{[]any{}, []any{}, false, true},
		{[]any{2}, []any{1, 9}, false, false},
		{[]any{1, "a"}, []any{1, 2}, noOrder, noOrder},
		{[]any{1, "a"}, []any{2, 2}, true, true},
		{[]any{nil}, []any{nil}, false, true},
		{[]any{nil, 1}, []any{nil, 2}, true, true},
		{1, "a", noOrder, noOrder},
		{nil, nil, noOrder, noOrder},
		{pairs{}, pairs{}, noOrder, noOrder},
		{nil, 1, noOrder, noOrder},
		{[]any{}, "a", noOrder, noOrder},
	} {
		a, b := val(c.a), val(c.b)
		wantInt32(t, show(a)+" < "+show(b), Less(a, b, abi.OperatorLess), c.less)
		wantInt32(t, show(a)+" <= "+show(b), LessEqual(a, b, abi.OperatorLessEqual), c.equal)
	}
	Less(val(1), val("a"), abi.OperatorGreater) // "a" > 1
	if show(loadValue(abi.ErrorA)) != `"a"` || show(loadValue(abi.ErrorB)) != "1" || load32(abi.ErrorDetail) != abi.OperatorGreater {
		t.Errorf("the operands of > are in the wrong order")
	}
}

func TestContainsAndIs(t *testing.T) {
	start(t)
	list := val([]any{1})
	for _, c := range []struct {
		item, container any
		wanted          any
	}{
		{1, []any{3, 1.0}, true},
		{"1", []any{1}, false},
		{[]any{1}, []any{[]any{1}}, true},
		{nil, []any{nil}, true},
		{1, []any{}, false},
		{"ell", "hello", true},
		{"", "", true},
		{"x", "hello", false},
		{1, "1", failsWith(abi.ErrArgument)},
		{1, pairs{1.0, "x"}, true},
		{"a", pairs{"b", 1}, false},
		{nil, pairs{nil, 1}, true},
		{[]any{}, pairs{}, failsWith(abi.ErrUnhashable)},
		{1, 5, failsWith(abi.ErrNotIterable)},
		{1, nil, failsWith(abi.ErrNotIterable)},
	} {
		wantInt32(t, show(val(c.item))+" in "+show(val(c.container)), Contains(val(c.item), val(c.container)), c.wanted)
	}
	for _, c := range []struct {
		a, b   any
		wanted bool
	}{
		{list, list, true}, {list, []any{1}, false}, {1, 1, true}, {1, 1.0, false}, {1, true, false}, {"a", "a", true}, {"é", "é", true}, {nil, nil, true}, {pairs{}, pairs{}, false},
	} {
		wantInt32(t, show(val(c.a))+" is "+show(val(c.b)), Is(val(c.a), val(c.b)), c.wanted)
	}
}

func TestTruthy(t *testing.T) {
	start(t)
	for _, x := range []any{nil, missing, false, 0, 0.0, math.Copysign(0, -1), "", []any{}, pairs{}} {
		wantInt32(t, "Truthy "+show(val(x)), Truthy(val(x)), false)
	}
	for _, x := range []any{true, -1, 0.1, math.NaN(), "0", []any{nil}, pairs{"", nil}} {
		wantInt32(t, "Truthy "+show(val(x)), Truthy(val(x)), true)
	}
	d := val(pairs{"a", 1})
	MethodPop(d, val("a"), missingValue)
	wantInt32(t, "Truthy of an emptied dict", Truthy(d), false)
}

var missingValue = undefined()

func TestWalksEndAtTheDepthLimit(t *testing.T) {
	start(t)
	a, b := val([]any{1}), val([]any{1})
	a.list().set(0, a)
	b.list().set(0, b)
	halts(t, abi.HaltDepth, func() { Equal(a, b) })
	halts(t, abi.HaltDepth, func() { Less(a, b, abi.OperatorLess) })
	halts(t, abi.HaltDepth, func() { IsInstance(val(1), a) })
	deep := NewList(0)
	for range maxNesting - 1 {
		deep = val([]any{deep})
	}
	copied := deepCopy(deep, 0)
	wantInt32(t, "equality of copies nested 1000 deep", Equal(deep, copied), true)
	halts(t, abi.HaltDepth, func() { deepCopy(val([]any{deep}), 0) })
}
