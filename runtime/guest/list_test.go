package guest

import (
	"fmt"
	"math"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/avapd/avapd/runtime/abi"
)

const (
	badValue    = failsWith(abi.ErrValue)
	badArgument = failsWith(abi.ErrArgument)
	badIndex    = failsWith(abi.ErrIndexType)
	outOfRange  = failsWith(abi.ErrIndexRange)
	noKey       = failsWith(abi.ErrKey)
	noMethod    = failsWith(abi.ErrMethod)
	notIterable = failsWith(abi.ErrNotIterable)
	badUnpack   = failsWith(abi.ErrUnpack)
)

// runList performs operations on a list and on a Go slice.
func runList(t *testing.T, operations []byte) {
	list, model := NewList(0), []int64{}
	place := func(b byte) int { return int(b)%(2*len(model)+5) - len(model) - 2 }
	for i := 0; i+1 < len(operations); i += 2 {
		b := operations[i+1]
		switch operations[i] % 10 {
		case 0, 1, 2:
			MethodAppend(list, val(i))
			model = append(model, int64(i))
		case 3:
			at := place(b)
			MethodInsert(list, val(at), val(i))
			if at < 0 {
				at += len(model)
			}
			model = slices.Insert(model, min(max(at, 0), len(model)), int64(i))
		case 4, 5:
			at := place(b)
			got := MethodPop(list, val(at), missingValue)
			if at < 0 {
				at += len(model)
			}
			if at < 0 || at >= len(model) {
				want(t, "pop", got, badValue)
				break
			}
			want(t, "pop", got, model[at])
			model = slices.Delete(model, at, at+1)
		case 6:
			MethodReverse(list)
			slices.Reverse(model)
		case 7:
			if len(model) < 1000 {
				MethodExtend(list, list)
				model = append(model, model...)
			}
		case 8:
			if len(model) > 0 {
				MethodRemove(list, val(model[int(b)%len(model)]))
				at := slices.Index(model, model[int(b)%len(model)])
				model = slices.Delete(model, at, at+1)
			}
		case 9:
			at := place(b)
			if n := SetIndex(list, val(at), val(-i)); n == 0 {
				model[(at+len(model))%len(model)] = int64(-i)
			} else if at >= -len(model) && at < len(model) {
				t.Fatalf("item %d of %d cannot be set", at, len(model))
			}
		}
	}
	var wanted []any
	for _, n := range model {
		wanted = append(wanted, n)
	}
	want(t, "the list", list, append([]any{}, wanted...))
}

func TestListAgainstModel(t *testing.T) {
	for seed := range int64(60) {
		start(t)
		r := rand.New(rand.NewSource(seed))
		operations := make([]byte, r.Intn(2000))
		r.Read(operations)
		runList(t, operations)
	}
}

func FuzzList(f *testing.F) {
	f.Add([]byte("\x00\x01\x03\x02\x07\x01\x05\x02"))
	f.Fuzz(func(t *testing.T, operations []byte) {
		start(t)
		runList(t, operations)
	})
}

func TestListBlocksAreUsedAgain(t *testing.T) {
	start(t)
	lists := []Value{NewList(0), NewList(0), NewList(0)}
	before := load32(abi.HeapTop)
	const n = 100000
	for i := range n {
		for _, l := range lists {
			Push(l, val(i))
		}
	}
	if used := load32(abi.HeapTop) - before; used > 3*n*abi.CellSize*3 {
		t.Errorf("three lists of %d items took %d bytes", n, used)
	}
	for i := range n {
		if lists[1].list().at(uint32(i)).int() != int64(i) {
			t.Fatalf("item %d is wrong", i)
		}
	}
}

func TestLimitsHalt(t *testing.T) {
	start(t)
	halts(t, abi.HaltMemory, func() { Mul(val([]any{1, 2, 3}), val(maxInt)) })
	halts(t, abi.HaltMemory, func() { Mul(val("abc"), val(maxInt)) })
	halts(t, abi.HaltMemory, func() { Range(val(maxInt), missingValue, missingValue) })
	halts(t, abi.HaltMemory, func() { Range(val(minInt), val(maxInt), val(1)) })
	halts(t, abi.HaltMemory, func() { NewList(math.MaxUint32) })
	halts(t, abi.HaltMemory, func() { NewDict(math.MaxUint32) })
}

// pythonSlice is a slice as the language's definition has it, by search.
func pythonSlice(s []string, lo, hi, step any) []string {
	stride, n := 1, len(s)
	if step != nil {
		stride = step.(int)
	}
	bound := func(x any, first int) int {
		if x == nil {
			return first
		}
		i := x.(int)
		if i < 0 {
			i += n
		}
		if stride > 0 {
			return min(max(i, 0), n)
		}
		return min(max(i, -1), n-1)
	}
	var result []string
	if stride > 0 {
		for i := bound(lo, 0); i < bound(hi, n); i += stride {
			result = append(result, s[i])
		}
	} else {
		for i := bound(lo, n-1); i > bound(hi, -1); i += stride {
			result = append(result, s[i])
		}
	}
	return result
}

func TestSlices(t *testing.T) {
	bounds := []any{nil, 0, 1, 2, 3, 5, 6, 99, -1, -2, -5, -6, -99}
	for _, s := range []string{"", "a", "abcde", "aéß€𝄞"} {
		start(t)
		chars := strings.Split(s, "")
		items := []any{}
		for _, c := range chars {
			items = append(items, c)
		}
		text, list := val(s), val(items)
		for _, lo := range bounds {
			for _, hi := range bounds {
				for _, step := range []any{nil, 1, 2, 3, 100, -1, -2, -7} {
					picked := pythonSlice(chars, lo, hi, step)
					name := fmt.Sprintf("%q[%v:%v:%v]", s, lo, hi, step)
					want(t, name, Slice(text, val(lo), val(hi), val(step)), strings.Join(picked, ""))
					wanted := []any{}
					for _, c := range picked {
						wanted = append(wanted, c)
					}
					want(t, "list "+name, Slice(list, val(lo), val(hi), val(step)), wanted)
				}
			}
		}
	}
	start(t)
	list := val([]any{1, 2, 3})
	want(t, "far bounds", Slice(list, val(minInt), val(maxInt), val(maxInt)), []any{1})
	want(t, "far bounds backwards", Slice(list, val(maxInt), val(minInt), val(minInt)), []any{3})
	want(t, "bools", Slice(list, val(false), val(true), missingValue), []any{1})
	want(t, "step 0", Slice(list, val(nil), val(nil), val(0)), badValue)
	want(t, "text as bound", Slice(list, val("1"), val(nil), val(nil)), badArgument)
	want(t, "slice of a dict", Slice(val(pairs{}), val(1), val(nil), val(nil)), badArgument)
	want(t, "slice of an int", Slice(val(5), val(1), val(nil), val(nil)), failsWith(abi.ErrNotIndexable))
}

func TestIndex(t *testing.T) {
	start(t)
	for _, c := range []struct{ container, i, wanted any }{
		{[]any{1, 2, 3}, 0, 1},
		{[]any{1, 2, 3}, -1, 3},
		{[]any{1, 2, 3}, 3, outOfRange},
		{[]any{1, 2, 3}, -4, outOfRange},
		{[]any{1, 2}, true, 2},
		{[]any{1}, maxInt, outOfRange},
		{[]any{1}, minInt, outOfRange},
		{[]any{1}, 1 << 32, outOfRange},
		{[]any{1}, 0.0, badIndex},
		{[]any{1}, "0", badIndex},
		{"héllo", 1, "é"},
		{"héllo", -1, "o"},
		{"abc", 3, outOfRange},
		{"abc", 0, "a"},
		{"", 0, outOfRange},
		{"abc", nil, badIndex},
		{pairs{"a", 1}, "a", 1},
		{pairs{1, "x"}, 1.0, "x"},
		{pairs{1, "x"}, true, "x"},
		{pairs{"a", 1}, "b", noKey},
		{pairs{nil, 1}, nil, 1},
		{5, 0, failsWith(abi.ErrNotIndexable)},
		{nil, 0, failsWith(abi.ErrNotIndexable)},
	} {
		want(t, show(val(c.container))+"["+show(val(c.i))+"]", Index(val(c.container), val(c.i)), c.wanted)
	}
	want(t, "d.name", Attribute(val(pairs{"name", 1}), val("name")), 1)
	want(t, "d.other", Attribute(val(pairs{"name", 1}), val("other")), noKey)
	want(t, "5 .name", Attribute(val(5), val("name")), failsWith(abi.ErrAttribute))
	wantInt32(t, "set beyond", SetIndex(val([]any{1}), val(1), val(2)), outOfRange)
	wantInt32(t, "set by text", SetIndex(val([]any{1}), val("0"), val(2)), badIndex)
	wantInt32(t, "set in text", SetIndex(val("abc"), val(0), val("x")), failsWith(abi.ErrImmutable))
}

func TestIteration(t *testing.T) {
	start(t)
	list := val([]any{1})
	if Iterable(list) != list {
		t.Error("a list does not iterate over itself")
	}
	want(t, "text", Iterable(val("aé")), []any{"a", "é"})
	d := val(pairs{"a", 1, "b", 2, "c", 3})
	MethodPop(d, val("b"), missingValue)
	want(t, "dict", Iterable(d), []any{"a", "c"})
	want(t, "int", Iterable(val(1)), notIterable)
	for _, c := range []struct{ v, first, second any }{{[]any{1, 2}, 1, 2}, {"é2", "é", "2"}, {d, "a", "c"}} {
		wantInt32(t, "unpack", Unpack2(val(c.v)), false)
		want(t, "first", UnpackItem(val(c.v), 0), c.first)
		want(t, "second", UnpackItem(val(c.v), 1), c.second)
	}
	for _, v := range []any{[]any{1}, []any{1, 2, 3}, "a", 5, nil} {
		wantInt32(t, "unpack "+show(val(v)), Unpack2(val(v)), badUnpack)
	}
}

func TestSortIsStable(t *testing.T) {
	for seed := range int64(40) {
		start(t)
		r := rand.New(rand.NewSource(seed))
		n := r.Intn(300)
		items, keys := NewList(0), NewList(0)
		model := make([][2]int, n)
		for i := range n {
			key := r.Intn(20)
			if seed%3 == 0 {
				key = i / 3 // sorted already
			}
			model[i] = [2]int{key, i}
			Push(keys, val(key))
			Push(items, val(i))
		}
		for _, reverse := range []bool{false, true} {
			wanted := slices.Clone(model)
			slices.SortStableFunc(wanted, func(a, b [2]int) int {
				if reverse {
					return b[0] - a[0]
				}
				return a[0] - b[0]
			})
			byKey, plain := []any{}, []any{}
			for _, pair := range wanted {
				byKey = append(byKey, pair[1])
				plain = append(plain, pair[0])
			}
			want(t, "SortedBy", SortedBy(items, keys, val(reverse)), byKey)
			want(t, "Sorted", Sorted(keys, val(reverse)), plain)
			inPlace := ListOf(items)
			MethodSortBy(inPlace, keys, val(reverse))
			want(t, "MethodSortBy", inPlace, byKey)
		}
	}
}

func FuzzSort(f *testing.F) {
	f.Add([]byte("hello world"), true)
	f.Fuzz(func(t *testing.T, keys []byte, reverse bool) {
		start(t)
		l := NewList(0)
		for _, k := range keys {
			Push(l, val(strings.Repeat("x", int(k%7))+string(rune('a'+k%26))))
		}
		before := show(l)
		sorted := Sorted(l, val(reverse)).list()
		for i := uint32(1); i < sorted.len(); i++ {
			order := textCompare(sorted.at(i-1), sorted.at(i))
			if order > 0 && !reverse || order < 0 && reverse {
				t.Fatalf("%s is not sorted", show(listValue(sorted)))
			}
		}
		if sorted.len() != uint32(len(keys)) || show(l) != before {
			t.Fatalf("sorting %s changed it", before)
		}
	})
}

func TestSortErrors(t *testing.T) {
	start(t)
	mixed := val([]any{1, "a", 2})
	want(t, "mixed", Sorted(mixed, val(false)), noOrder)
	if show(loadValue(abi.ErrorA)) != `"a"` || show(loadValue(abi.ErrorB)) != "1" {
		t.Error("the message names other operands than Python's")
	}
	want(t, "mixed in place", MethodSort(mixed, val(nil)), noOrder)
	want(t, "the list after it", mixed, []any{1, "a", 2})
	want(t, "dicts", Sorted(val([]any{pairs{}, pairs{}}), val(nil)), noOrder)
	want(t, "one of any type", Sorted(val([]any{pairs{}}), val(nil)), []any{pairs{}})
	want(t, "text", Sorted(val("bca"), missingValue), []any{"a", "b", "c"})
	want(t, "int", Sorted(val(1), missingValue), notIterable)
	want(t, "int.sort", MethodSort(val(1), missingValue), noMethod)
	long := NewList(0)
	for i := range 100 {
		Push(long, val(i))
	}
	Push(long, val("x"))
	want(t, "mixed in a merge", Sorted(long, missingValue), noOrder)
}

func TestListMethods(t *testing.T) {
	start(t)
	list := val([]any{1, 2.0, 2, "a", nil})
	want(t, "count", MethodCount(list, val(2), missingValue, missingValue), 2)
	want(t, "index", MethodIndex(list, val(2), missingValue, missingValue), 1)
	want(t, "index from", MethodIndex(list, val(2), val(2), missingValue), 2)
	want(t, "index from the end", MethodIndex(list, val(nil), val(-1), val(99)), 4)
	want(t, "index before", MethodIndex(list, val("a"), val(0), val(3)), badValue)
	want(t, "remove", MethodRemove(list, val(2)), nil)
	want(t, "after remove", list, []any{1, 2, "a", nil})
	want(t, "remove none", MethodRemove(list, val("x")), badValue)
	want(t, "extend by text", MethodExtend(list, val("xy")), nil)
	want(t, "after extend", list, []any{1, 2, "a", nil, "x", "y"})
	want(t, "extend by int", MethodExtend(list, val(1)), notIterable)
	want(t, "insert at text", MethodInsert(list, val("0"), val(1)), badArgument)
	want(t, "pop", MethodPop(list, missingValue, missingValue), "y")
	want(t, "pop empty", MethodPop(val([]any{}), missingValue, missingValue), badValue)
	want(t, "pop at text", MethodPop(list, val("x"), missingValue), badArgument)
	for name, got := range map[string]Value{
		"append": MethodAppend(val(1), val(1)), "extend": MethodExtend(val("a"), val(1)), "insert": MethodInsert(val(nil), val(1), val(1)),
		"pop": MethodPop(val("a"), val(1), missingValue), "remove": MethodRemove(val(pairs{}), val(1)), "reverse": MethodReverse(val(1)),
		"get": MethodGet(val([]any{}), val(1), missingValue), "keys": MethodKeys(val([]any{})), "values": MethodValues(val(1)),
		"items": MethodItems(val(1)), "update": MethodUpdate(val([]any{}), val(pairs{})), "count": MethodCount(val(1), val(1), missingValue, missingValue),
		"index": MethodIndex(val("abc"), val("a"), missingValue, missingValue),
	} {
		want(t, name, got, noMethod)
	}
}

func TestDictMethods(t *testing.T) {
	start(t)
	d := val(pairs{"a", 1, "b", 2, 3, "c"})
	want(t, "get", MethodGet(d, val("b"), missingValue), 2)
	want(t, "get none", MethodGet(d, val("x"), missingValue), nil)
	want(t, "get default", MethodGet(d, val("x"), val(0)), 0)
	want(t, "pop", MethodPop(d, val("b"), missingValue), 2)
	want(t, "pop none", MethodPop(d, val("b"), missingValue), noKey)
	want(t, "pop default", MethodPop(d, val("b"), val(nil)), nil)
	want(t, "pop nothing", MethodPop(d, missingValue, missingValue), badArgument)
	want(t, "keys", MethodKeys(d), []any{"a", 3})
	want(t, "values", MethodValues(d), []any{1, "c"})
	want(t, "items", MethodItems(d), []any{[]any{"a", 1}, []any{3, "c"}})
	want(t, "update", MethodUpdate(d, val(pairs{3.0, "d", "z", 0})), nil)
	want(t, "after update", d, pairs{"a", 1, 3, "d", "z", 0})
	want(t, "update by pairs", MethodUpdate(d, val([]any{[]any{"p", 1}, "qr"})), nil)
	want(t, "after it", d, pairs{"a", 1, 3, "d", "z", 0, "p", 1, "q", "r"})
	want(t, "update by ints", MethodUpdate(d, val([]any{1})), badUnpack)
	want(t, "update by an int", MethodUpdate(d, val(1)), notIterable)
	want(t, "update by itself", MethodUpdate(d, d), nil)
	DictSet(d, val("b"), val(9))
	want(t, "a key set again goes last", MethodKeys(d), []any{"a", 3, "z", "p", "q", "b"})
}
