package guest

import (
	"math"
	"testing"

	"github.com/avapd/avapd/runtime/abi"
)

func TestInt(t *testing.T) {
	start(t)
	for _, c := range []struct{ v, base, wanted any }{
		{missing, missing, 0},
		{5, missing, 5},
		{true, missing, 1},
		{5.9, missing, 5},
		{-5.9, missing, -5},
		{-0.5, missing, 0},
		{1e19, missing, overflow},
		{-9223372036854775808.0, missing, minInt},
		{9223372036854775808.0, missing, overflow},
		{math.NaN(), missing, badValue},
		{math.Inf(1), missing, badValue},
		{" 42 ", missing, 42},
		{"\t-7\n", missing, -7},
		{"+3", missing, 3},
		{"007", missing, 7},
		{"5.5", missing, badValue},
		{"0x1", missing, badValue},
		{"", missing, badValue},
		{"1 2", missing, badValue},
		{"-", missing, badValue},
		{"1_0", missing, badValue},
		{"9223372036854775807", missing, maxInt},
		{"-9223372036854775808", missing, minInt},
		{"9223372036854775808", missing, overflow},
		{"99999999999999999999999", missing, overflow},
		{"٣", missing, badValue},
		{nil, missing, badArgument},
		{[]any{}, missing, badArgument},
		{"ff", 16, 255},
		{"0xFF", 16, 255},
		{"-0b11", 0, -3},
		{"0o17", 0, 15},
		{"12", 0, 12},
		{"012", 0, badValue},
		{"0", 0, 0},
		{"z", 36, 35},
		{"12", 2, badValue},
		{"0x", 16, badValue},
		{"0b1", 16, 177},
		{"1", 1, badValue},
		{"1", 37, badValue},
		{"1", "10", badArgument},
		{5, 10, badArgument},
		{"8000000000000000", 16, overflow},
		{"-8000000000000000", 16, minInt},
	} {
		want(t, "int("+show(val(c.v))+", "+show(val(c.base))+")", Int(val(c.v), val(c.base)), c.wanted)
	}
}

func TestFloat(t *testing.T) {
	start(t)
	for _, c := range []struct{ v, wanted any }{
		{missing, 0.0},
		{5, 5.0},
		{true, 1.0},
		{1.5, 1.5},
		{" 1.5 ", 1.5},
		{".5", 0.5},
		{"5.", 5.0},
		{"1e3", 1000.0},
		{"-0", math.Copysign(0, -1)},
		{"inf", badValue},
		{"nan", badValue},
		{"0x1", badValue},
		{"1_0", badValue},
		{"", badValue},
		{"1e", badValue},
		{nil, badArgument},
		{maxInt, 9223372036854775808.0},
	} {
		want(t, "float("+show(val(c.v))+")", Float(val(c.v)), c.wanted)
	}
}

func TestRound(t *testing.T) {
	start(t)
	tooLarge := badValue
	for _, c := range []struct{ v, digits, wanted any }{
		{2.5, missing, 2},
		{3.5, nil, 4},
		{-2.5, missing, -2},
		{0.5, missing, 0},
		{7, missing, 7},
		{true, missing, 1},
		{7, 2, 7},
		{1e19, missing, overflow},
		{math.NaN(), missing, badValue},
		{1234, -2, 1200},
		{1250, -2, 1200},
		{1350, -2, 1400},
		{-1250, -2, -1200},
		{-1251, -2, -1300},
		{maxInt, -1, overflow},
		{minInt, -1, overflow},
		{maxInt, -19, overflow},
		{5, -30, 0},
		{4999999999999999999, -19, 0},
		{"a", missing, badArgument},
		{1.5, "1", badArgument},
		{math.Inf(1), 2, math.Inf(1)},
		{1.5, true, 1.5},
		{0.375, 2, 0.38},
		{0.375, 324, 0.375},
		{1.2345678901234568e+17, -2, 1.234567890123457e+17},
		{-2.5, -3, math.Copysign(0, -1)},
		{350.0, 1, 350.0},
		{35.0, -1, 40.0},
		{1234567.891, -3, 1235000.0},
		{9.5, 22, 9.5},
		{0.5, 15, 0.5},
		{-150.0, missing, -150},
		{0.5, -309, 0.0},
		{2.675, -3, 0.0},
		{1.5, -2, 0.0},
		{1.7976931348623157e+308, -15, 1.7976931348623157e+308},
		{0.1, 1, 0.1},
		{3.5, 5, 3.5},
		{0.5, -2, 0.0},
		{1e+300, 5, 1e+300},
		{350.0, -308, 0.0},
		{1.5, 3, 1.5},
		{-0.5, -15, math.Copysign(0, -1)},
		{1.7976931348623157e+308, 22, 1.7976931348623157e+308},
		{9007199254740994.0, -1, 9007199254740990.0},
		{1234567.891, -300, 0.0},
		{0.5, -1, 0.0},
		{-2.5, 5, -2.5},
		{3.5, -3, 0.0},
		{1234567.891, -15, 0.0},
		{-1.25, 3, -1.25},
		{9007199254740994.0, -2, 9007199254741000.0},
		{-1.25, missing, -1},
		{9.5, -3, 0.0},
		{0.1, 0, 0.0},
		{25.0, -2, 0.0},
		{15.0, 1, 15.0},
		{1e+22, 3, 1e+22},
		{0.375, -3, 0.0},
		{1e+16, 15, 1e+16},
		{-150.0, -22, math.Copysign(0, -1)},
		{350.0, -1, 350.0},
		{0.5, -3, 0.0},
		{0.375, 300, 0.375},
		{-2.5, 1, -2.5},
		{0.5, -15, 0.0},
		{9007199254740994.0, -22, 0.0},
		{-2.5, -300, math.Copysign(0, -1)},
		{2.5, 1, 2.5},
		{1e+22, missing, overflow},
		{2.567, 15, 2.567},
		{9.5, -1, 10.0},
		{2.675, 5, 2.675},
		{-150.0, -308, math.Copysign(0, -1)},
		{4500000000000000.5, -308, 0.0},
		{1e+300, -22, 1e+300},
		{350.0, -2, 400.0},
		{5.5555555555555554e+20, -308, 0.0},
		{-150.0, -309, math.Copysign(0, -1)},
		{2.675, 3, 2.675},
		{1.7976931348623157e+308, -308, tooLarge},
		{1.005, 0, 1.0},
		{2.675, -1, 0.0},
		{1234567.891, 22, 1234567.891},
		{15.0, 0, 15.0},
		{5e-324, -22, 0.0},
		{1.005, 3, 1.005},
		{35.0, -300, 0.0},
		{1e+300, -3, 1e+300},
		{9007199254740994.0, missing, 9007199254740994},
		{9007199254740994.0, 324, 9007199254740994.0},
		{1.005, 1, 1.0},
		{5e-324, -309, 0.0},
		{9.995e+22, 0, 9.995e+22},
		{0.125, -300, 0.0},
		{0.1, 2, 0.1},
		{2.567, 2, 2.57},
		{15.0, 300, 15.0},
		{25.0, -300, 0.0},
		{1.5, 2, 1.5},
		{9.995e+22, -300, 0.0},
		{35.0, -2, 0.0},
		{9007199254740994.0, 1, 9007199254740994.0},
		{5e-324, 5, 0.0},
		{1.2345678901234568e+17, 5, 1.2345678901234568e+17},
		{250.0, -2, 200.0},
		{2.5, -15, 0.0},
		{99.995, -22, 0.0},
		{99.5, -3, 0.0},
		{9007199254740994.0, 2, 9007199254740994.0},
		{15.0, 22, 15.0},
		{-2.5, -309, math.Copysign(0, -1)},
		{99.5, -300, 0.0},
		{15.0, -22, 0.0},
		{250.0, 5, 250.0},
		{2.5, -3, 0.0},
		{3.5, 324, 3.5},
		{0.125, -309, 0.0},
		{1.5, -1, 0.0},
		{99.5, 1, 99.5},
		{99.995, -15, 0.0},
		{1.7976931348623157e+308, 0, 1.7976931348623157e+308},
		{0.5, 324, 0.5},
		{-150.0, 5, -150.0},
		{0.125, 22, 0.125},
		{1.7976931348623157e+308, 324, 1.7976931348623157e+308},
		{2.5, 5, 2.5},
		{3.5, 1, 3.5},
		{1.5, -22, 0.0},
		{-2.5, 300, -2.5},
		{1.005, 15, 1.005},
		{0.125, 1, 0.1},
		{5.5555555555555554e+20, -1, 5.5555555555555554e+20},
		{3.5, 0, 4.0},
		{-1.25, 5, -1.25},
		{1.7976931348623157e+308, -300, 1.79769313e+308},
		{-2.5, 0, -2.0},
		{99.5, 15, 99.5},
		{2.567, -2, 0.0},
		{15.0, -309, 0.0},
		{1e+300, 300, 1e+300},
		{1.5, -309, 0.0},
		{-150.0, 324, -150.0},
		{1e+16, 0, 1e+16},
		{350.0, 324, 350.0},
		{1e+22, 22, 1e+22},
		{1.5, 324, 1.5},
		{2.5, -309, 0.0},
		{1e+22, 0, 1e+22},
		{2.567, 300, 2.567},
		{1.5, -300, 0.0},
		{0.1, -3, 0.0},
		{0.125, -1, 0.0},
		{9.5, missing, 10},
		{1e+22, -3, 1e+22},
		{1.7976931348623157e+308, -1, 1.7976931348623157e+308},
		{4500000000000000.5, 15, 4500000000000000.5},
		{99.5, 0, 100.0},
		{0.1, -1, 0.0},
		{25.0, -22, 0.0},
		{2.5, -22, 0.0},
		{99.995, -2, 100.0},
		{2.567, missing, 3},
		{35.0, 300, 35.0},
		{2.675, -15, 0.0},
		{9.5, 5, 9.5},
		{5.5555555555555554e+20, 2, 5.5555555555555554e+20},
		{5.5555555555555554e+20, 15, 5.5555555555555554e+20},
		{1234567.891, 0, 1234568.0},
		{-2.5, -2, math.Copysign(0, -1)},
		{250.0, -3, 0.0},
		{-0.5, -3, math.Copysign(0, -1)},
	} {
		want(t, "round("+show(val(c.v))+", "+show(val(c.digits))+")", Round(val(c.v), val(c.digits)), c.wanted)
	}
}

func TestMinMaxSum(t *testing.T) {
	start(t)
	for _, c := range []struct {
		items            []any
		least, most, sum any
	}{
		{[]any{3, 1, 2}, 1, 3, 6},
		{[]any{1, 1.0}, 1, 1, 2.0},
		{[]any{1.0, 1}, 1.0, 1.0, 2.0},
		{[]any{}, badValue, badValue, 0},
		{[]any{"b", "a"}, "a", "b", operands},
		{[]any{1, "a"}, noOrder, noOrder, operands},
		{[]any{0.1, 0.1, 0.1}, 0.1, 0.1, 0.30000000000000004},
		{[]any{maxInt, 1}, 1, maxInt, overflow},
		{[]any{true, 5}, true, 5, 6},
		{[]any{nil}, nil, nil, operands},
	} {
		want(t, "min", Min(val(c.items), missingValue), c.least)
		want(t, "max", Max(val(c.items), missingValue), c.most)
		want(t, "sum", Sum(val(c.items), missingValue), c.sum)
	}
	Max(val([]any{1, "a"}), missingValue)
	if show(loadValue(abi.ErrorA)) != `"a"` || load32(abi.ErrorDetail) != abi.OperatorGreater {
		t.Error("max names other operands than Python's")
	}
	want(t, "min default", Min(val([]any{}), val(nil)), nil)
	want(t, "min by", MinBy(val([]any{"aaa", "b", "c"}), val([]any{3, 1, 1}), missingValue), "b")
	want(t, "max by", MaxBy(val([]any{"aaa", "b", "ccc"}), val([]any{3, 1, 3}), missingValue), "aaa")
	want(t, "sum of lists", Sum(val([]any{[]any{1}, []any{2}}), val([]any{})), []any{1, 2})
	want(t, "sum of texts", Sum(val([]any{"a"}), val("")), badArgument)
	want(t, "sum with start", Sum(val([]any{1}), val(0.5)), 1.5)
	want(t, "sum of an int", Sum(val(1), missingValue), notIterable)
}

func TestRange(t *testing.T) {
	start(t)
	for _, c := range []struct{ a, b, c, wanted any }{
		{3, missing, missing, []any{0, 1, 2}},
		{0, missing, missing, []any{}},
		{-1, missing, missing, []any{}},
		{1, 4, missing, []any{1, 2, 3}},
		{4, 1, missing, []any{}},
		{0, 10, 4, []any{0, 4, 8}},
		{10, 0, -4, []any{10, 6, 2}},
		{0, 10, -1, []any{}},
		{0, 1, maxInt, []any{0}},
		{maxInt - 1, maxInt, 5, []any{maxInt - 1}},
		{minInt, maxInt, maxInt, []any{minInt, -1, maxInt - 1}},
		{maxInt, minInt, minInt, []any{maxInt, -1}},
		{0, 3, 0, badValue},
		{1.0, missing, missing, badArgument},
		{"3", missing, missing, badArgument},
		{true, 3, missing, []any{1, 2}},
		{0, nil, missing, badArgument},
	} {
		want(t, "range", Range(val(c.a), val(c.b), val(c.c)), c.wanted)
	}
}

func TestOtherBuiltins(t *testing.T) {
	start(t)
	list := []any{1, 0}
	want(t, "len text", Len(val("aé𝄞")), 3)
	want(t, "len list", Len(val(list)), 2)
	want(t, "len dict", Len(val(pairs{1, 2})), 1)
	want(t, "len int", Len(val(5)), badArgument)
	want(t, "len null", Len(val(nil)), badArgument)
	want(t, "list of nothing", ListOf(missingValue), []any{})
	want(t, "list of dict", ListOf(val(pairs{"a", 1})), []any{"a"})
	want(t, "list of int", ListOf(val(1)), notIterable)
	want(t, "dict of nothing", DictOf(missingValue), pairs{})
	want(t, "dict of pairs", DictOf(val([]any{[]any{"a", 1}, "bc"})), pairs{"a", 1, "b", "c"})
	want(t, "dict of ints", DictOf(val(list)), badUnpack)
	want(t, "dict of lists", DictOf(val([]any{[]any{[]any{}, 1}})), failsWith(abi.ErrUnhashable))
	want(t, "abs", Abs(val(-5)), 5)
	want(t, "abs bool", Abs(val(true)), 1)
	want(t, "abs float", Abs(val(-0.5)), 0.5)
	want(t, "abs least", Abs(val(minInt)), overflow)
	want(t, "abs text", Abs(val("a")), badArgument)
	want(t, "enumerate", Enumerate(val("ab"), missingValue), []any{[]any{0, "a"}, []any{1, "b"}})
	want(t, "enumerate from", Enumerate(val("a"), val(5)), []any{[]any{5, "a"}})
	want(t, "enumerate text start", Enumerate(val("a"), val("5")), badArgument)
	want(t, "enumerate beyond", Enumerate(val("ab"), val(maxInt)), overflow)
	want(t, "enumerate to the end", Enumerate(val("a"), val(maxInt)), []any{[]any{maxInt, "a"}})
	want(t, "zip", Zip(val([]any{[]any{1, 2, 3}, "ab"})), []any{[]any{1, "a"}, []any{2, "b"}})
	want(t, "zip nothing", Zip(val([]any{})), []any{})
	want(t, "zip int", Zip(val([]any{1})), notIterable)
	want(t, "any", Any(val(list)), true)
	want(t, "all", All(val(list)), false)
	want(t, "any of none", Any(val("")), false)
	want(t, "all of none", All(val("")), true)
	want(t, "any int", Any(val(1)), notIterable)
	want(t, "all int", All(val(1)), notIterable)
	want(t, "type", TypeName(val(nil)), "NoneType")
	want(t, "type of float", TypeName(val(1.0)), "float")
	want(t, "isinstance", IsInstance(val(1), val("int")), true)
	want(t, "isinstance bool", IsInstance(val(true), val([]any{"str", "int"})), true)
	want(t, "isinstance not", IsInstance(val(1), val([]any{"str", "float"})), false)
	want(t, "isinstance wrong", IsInstance(val(1), val(5)), badArgument)
	original := val(list)
	if copied := ListOf(original); copied.Bits == original.Bits {
		t.Error("list() gives the list itself")
	}
	store32(abi.Site, 7)
	want(t, "print", Print(val([]any{"a", 1, 2.0, nil, []any{"x"}})), nil)
	want(t, "the log", loadValue(abi.Logs), []any{[]any{abi.LogPrint, 7, "a 1 2.0 None ['x']"}})
}
