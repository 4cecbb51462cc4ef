package guest

import (
	"math"
	"testing"

	"github.com/avapd/avapd/runtime/abi"
)

const badNumber = failsWith(abi.ErrNumberText)

func TestAddVar(t *testing.T) {
	start(t)
	for _, c := range []struct{ v, wanted any }{
		{"42", 42},
		{"007", 7},
		{"9223372036854775807", maxInt},
		{"9223372036854775808", "9223372036854775808"},
		{"-5", "-5"},
		{" 5", " 5"},
		{"1.5", "1.5"},
		{"", ""},
		{"٣", "٣"},
		{5, 5},
		{nil, nil},
		{missing, nil},
		{true, true},
		{[]any{"1"}, []any{"1"}},
	} {
		want(t, "addVar "+show(val(c.v)), CommandAddVar(val(c.v)), c.wanted)
	}
}

func TestAddResult(t *testing.T) {
	start(t)
	inner := val([]any{1})
	outer := val(pairs{"x", inner, "y", inner})
	AddResult(val("a"), outer)
	AddResult(val("b"), missingValue)
	Push(inner, val(2))
	want(t, "results", loadValue(abi.Results), pairs{"a", pairs{"x", []any{1}, "y", []any{1}}, "b", nil})
	AddResult(val("a"), val(5))
	want(t, "results", loadValue(abi.Results), pairs{"a", 5, "b", nil})
	Push(inner, inner)
	wantInt32(t, "cycle", AddResult(val("c"), outer), failsWith(abi.ErrCyclic))
	if load32(Ptr(inner.list())+abi.ListMark) != 0 || load32(Ptr(outer.dict())+abi.DictMark) != 0 {
		t.Error("marks stay behind a cycle")
	}
}

func TestParam(t *testing.T) {
	start(t)
	want(t, "without a request", Param(val("a")), nil)
	want(t, "list without a request", QueryParamList(), []any{})
	storeValue(abi.Path, val([]any{[]any{"p", "9"}, []any{"q", "é"}}))
	storeValue(abi.Query, val([]any{[]any{"p", "1"}, []any{"a", "1"}, []any{"a", "2"}, []any{"e", ""}, []any{"l", "[1, 2]"}, []any{"f", "1.50"}}))
	storeValue(abi.Body, val(pairs{"a", "body", "n", "12", "t", "text", "d", "1.5", "l2", []any{"5"}, "z", nil, "i", 5}))
	storeValue(abi.Form, val([]any{[]any{"n", "7"}, []any{"g", "x"}, []any{"h", "8"}}))
	for _, c := range []struct{ name, wanted any }{
		{"p", 9}, {"q", "é"}, {"a", 1}, {"e", nil}, {"l", []any{1, 2}}, {"f", 1.5}, {"n", 12}, {"t", "text"}, {"d", 1.5}, {"l2", []any{"5"}}, {"z", nil}, {"i", 5}, {"g", "x"}, {"h", 8}, {"none", nil}, {5, nil},
	} {
		want(t, "addParam "+show(val(c.name)), Param(val(c.name)), c.wanted)
	}
	want(t, "list", QueryParamList(), []any{pairs{"p", "1"}, pairs{"a", "1"}, pairs{"a", "2"}, pairs{"e", ""}, pairs{"l", "[1, 2]"}, pairs{"f", "1.50"}})
	Push(Param(val("l2")), val(1))
	want(t, "body after a change", Param(val("l2")), []any{"5"})
}

func TestListCommands(t *testing.T) {
	start(t)
	for _, c := range []struct{ v, wanted any }{
		{[]any{1, 2}, 2}, {pairs{"a", 1}, 1}, {"héllo", 5}, {"['a', 'b', 'c']", 3}, {"{'a': 1}", 1}, {"[1, 2", 5}, {"", 0}, {missing, 0}, {nil, badArgument}, {5, badArgument}, {true, badArgument},
	} {
		want(t, "getListLen "+show(val(c.v)), ListLength(val(c.v)), c.wanted)
	}
	for _, c := range []struct{ source, index, wanted any }{
		{[]any{"a", "b"}, 1, "b"},
		{[]any{"a", "b"}, -1, "b"},
		{[]any{"a"}, 1, outOfRange},
		{[]any{"a"}, -2, outOfRange},
		{[]any{"a"}, "0", "a"},
		{[]any{"a"}, 0.0, "a"},
		{[]any{"a", "b"}, " -1 ", "b"},
		{[]any{"a"}, 0.5, badNumber},
		{[]any{"a"}, "x", badNumber},
		{[]any{"a"}, nil, badNumber},
		{"['x', 'y']", 1, "y"},
		{"hello", 0, badArgument},
		{missing, 0, badArgument},
		{nil, 0, badArgument},
		{pairs{}, 0, badArgument},
	} {
		want(t, "itemFromList "+show(val(c.source))+" "+show(val(c.index)), ItemFromList(val(c.source), val(c.index)), c.wanted)
	}
	list := val([]any{1})
	if VariableToList(val("x"), list) != list {
		t.Error("variableToList does not append in place")
	}
	want(t, "appended", list, []any{1, "x"})
	want(t, "null", VariableToList(val(nil), list), []any{1, "x"})
	want(t, "created", VariableToList(val(5), missingValue), []any{5})
	want(t, "created for null", VariableToList(val(nil), missingValue), []any{})
	want(t, "replaced", VariableToList(val(5), val("text")), []any{5})
}

func TestJSONCommands(t *testing.T) {
	start(t)
	d := val(pairs{"a", 1})
	want(t, "set", AddVariableToJSON(val("b"), val([]any{}), d), pairs{"a", 1, "b", []any{}})
	want(t, "number as key", AddVariableToJSON(val(1.0), missingValue, d), pairs{"a", 1, "b", []any{}, "1.0", nil})
	want(t, "created", AddVariableToJSON(val(nil), val(1), missingValue), pairs{"None", 1})
	want(t, "replaced", AddVariableToJSON(val("k"), val(1), val([]any{})), pairs{"k", 1})
	for _, c := range []struct{ source, key, wanted any }{
		{pairs{"a", 1}, "a", 1},
		{pairs{"a", 1}, "b", nil},
		{pairs{1, "x"}, 1, "x"},
		{pairs{"1", "x"}, 1, "x"},
		{`{"a": [1, 2]}`, "a", []any{1, 2}},
		{`{"1": 5}`, 1, 5},
		{"[1]", 0, nil},
		{"text", "a", nil},
		{[]any{10}, 0, nil},
		{nil, "a", nil},
		{missing, "a", badArgument},
		{pairs{}, []any{}, failsWith(abi.ErrUnhashable)},
	} {
		want(t, "variableFromJSON "+show(val(c.source))+" "+show(val(c.key)), VariableFromJSON(val(c.source), val(c.key)), c.wanted)
	}
}

func TestIf(t *testing.T) {
	start(t)
	for _, c := range []struct {
		a, b        any
		equal, less any
	}{
		{5, "5", true, false},
		{5, 5.0, true, false},
		{"5", "5.0", true, false},
		{" 5 ", 5, true, false},
		{"a", "a", true, badNumber},
		{"A", "a", false, badNumber},
		{"5", "6", false, true},
		{"10", "9", false, false},
		{nil, nil, true, badNumber},
		{missing, nil, true, badNumber},
		{nil, "", false, badNumber},
		{"x", nil, false, badNumber},
		{true, true, true, false},
		{true, 1, false, false},
		{true, "true", false, badNumber},
		{false, 0, false, false},
		{0, true, false, true},
		{"9007199254740993", 9007199254740992.0, false, false},
		{"", "", true, badNumber},
		{5, "abc", false, badNumber},
		{"abc", 5, false, badNumber},
		{"1e3", 1000, true, false},
		{"inf", math.Inf(1), false, badNumber},
		{[]any{1, "a"}, []any{1.0, "a"}, true, badNumber},
		{[]any{1}, "[1]", false, badNumber},
		{pairs{"a", 1}, pairs{"a", 1}, true, badNumber},
		{[]any{"1"}, []any{1}, false, badNumber},
	} {
		a, b := val(c.a), val(c.b)
		wantInt32(t, "if "+show(a)+" = "+show(b), IfEqual(a, b), c.equal)
		wantInt32(t, "if "+show(a)+" < "+show(b), IfLess(a, b), c.less)
	}
	wantInt32(t, "<=", IfLessEqual(val("5"), val(5.0)), true)
	wantInt32(t, "<= of NaN", IfLessEqual(val(math.NaN()), val(1)), false)
	wantInt32(t, "<= of text", IfLessEqual(val("x"), val(1)), badNumber)
	for _, c := range []struct{ a, b, wanted any }{
		{"b", []any{"a", "b"}, true},
		{"5", []any{5}, true},
		{true, []any{1}, false},
		{3, []any{}, false},
		{"a", pairs{"a", 1}, true},
		{"1", pairs{1.0, 1}, true},
		{1, pairs{"1", 1}, true},
		{true, pairs{1, 1}, false},
		{[]any{}, pairs{"a", 1}, false},
		{"ell", "hello", true},
		{5, "a5", true},
		{nil, "None", true},
		{"x", "hello", false},
		{missing, []any{nil}, true},
		{1, 5, notIterable},
		{1, nil, notIterable},
	} {
		wantInt32(t, "if "+show(val(c.a))+" in "+show(val(c.b)), IfIn(val(c.a), val(c.b)), c.wanted)
	}
}

func TestLoopBound(t *testing.T) {
	start(t)
	for _, c := range []struct{ v, wanted any }{
		{5, 5},
		{"5", 5},
		{" -5 ", -5},
		{5.9, 5},
		{-5.9, -5},
		{"5.5", badNumber},
		{"abc", badNumber},
		{"", badNumber},
		{true, badNumber},
		{nil, badNumber},
		{missing, badNumber},
		{[]any{}, badNumber},
		{1e300, overflow},
		{"99999999999999999999", overflow},
		{maxInt, maxInt},
	} {
		want(t, "startLoop "+show(val(c.v)), LoopBound(val(c.v)), c.wanted)
	}
}

func TestFailures(t *testing.T) {
	start(t)
	store32(abi.Site, 3)
	store32(abi.ErrorFrame, 99)
	want(t, "raise", Raise(val("boom")), failsWith(abi.ErrRaised))
	if load32(abi.ErrorSite) != 3 || load32(abi.ErrorFrame) != 0 {
		t.Errorf("site %d, frame %d", load32(abi.ErrorSite), load32(abi.ErrorFrame))
	}
	cell := alloc(abi.CellSize)
	storeValue(cell, undefined())
	store32(cell+abi.CellExtra, 0)
	store32(abi.LastError, uint32(cell))
	store32(abi.Sequence, 4)
	store32(abi.Site, 9)
	want(t, "catch", Catch(), "boom")
	want(t, "last error", loadValue(cell), "boom")
	if load32(cell+abi.CellExtra) != 5 || load32(abi.Sequence) != 5 || load32(abi.ErrorCode) != 0 {
		t.Error("__last_error__ is not counted as assigned, or the error goes on")
	}
	fail1(abi.ErrCommand, val("f"))
	want(t, "catch", Catch(), "Command not found: f")
	if load32(cell+abi.CellExtra) != 5 {
		t.Error("__last_error__ is counted twice")
	}
	want(t, "logs", loadValue(abi.Logs), []any{[]any{abi.LogFailure, 3, "boom"}, []any{abi.LogFailure, 9, "Command not found: f"}})
	want(t, "name", NameError(val("x")), failsWith(abi.ErrName))
	wantInt32(t, "error is", ErrorIs(abi.ErrName), true)
	Failure()
	want(t, "message", loadValue(abi.Message), "name 'x' is not defined")
	DropError()
	wantInt32(t, "error is", ErrorIs(abi.ErrName), false)
	LogDone(1, 0.5)
	LogFailed(2, 1.5, val("m"))
	want(t, "logs", Slice(loadValue(abi.Logs), val(2), val(nil), val(nil)), []any{[]any{abi.LogDone, 1, 0.5}, []any{abi.LogFailed, 2, 1.5, "m"}})
	ReturnTop(val([]any{1}))
	want(t, "return", loadValue(abi.Return), []any{1})
}

func TestErrorMessages(t *testing.T) {
	start(t)
	for _, c := range []struct {
		message string
		fails   func()
	}{
		{"division by zero", func() { Div(val(1), val(0)) }},
		{"division by zero", func() { Pow(val(0), val(-1)) }},
		{"unsupported operand type(s) for +: 'int' and 'str'", func() { Add(val(1), val("a")) }},
		{"'<' not supported between instances of 'int' and 'str'", func() { Less(val(1), val("a"), abi.OperatorLess) }},
		{"list index out of range", func() { Index(val([]any{}), val(0)) }},
		{"'in <string>' requires string as left operand, not int", func() { Contains(val(1), val("a")) }},
		{"argument of type 'int' is not iterable", func() { Contains(val(1), val(1)) }},
		{"'int' object is not iterable", func() { Iterable(val(1)) }},
		{"unhashable type: 'list'", func() { DictSet(NewDict(0), val([]any{}), val(1)) }},
		{"invalid literal for int() with base 10: '5.5'", func() { Int(val("5.5"), missingValue) }},
		{"could not convert string to float: 'x'", func() { Float(val("x")) }},
		{"object of type 'int' has no len()", func() { Len(val(1)) }},
		{"'a' is not in list", func() { MethodIndex(val([]any{}), val("a"), missingValue, missingValue) }},
		{"'int' object has no attribute 'append'", func() { MethodAppend(val(1), val(1)) }},
		{"'str' object cannot be interpreted as an integer", func() { Range(val("1"), missingValue, missingValue) }},
		{"min() arg is an empty sequence", func() { Min(val([]any{}), missingValue) }},
		{"bad operand type for unary -: 'str'", func() { Neg(val("a")) }},
		{"negative shift count", func() { Shl(val(1), val(-1)) }},
	} {
		c.fails()
		want(t, "message", Catch(), c.message)
	}
}

func TestMemoryGrowsUpToTheCap(t *testing.T) {
	start(t)
	limit := memoryCap
	t.Cleanup(func() { memoryCap = limit })
	memoryCap = memorySize() + 3
	for load32(abi.HeapEnd) < memoryCap*65536 || load32(abi.HeapEnd)-load32(abi.HeapTop) >= 65536 {
		alloc(65536)
	}
	if memorySize() != memoryCap {
		t.Errorf("memory of %d pages, want %d", memorySize(), memoryCap)
	}
	halts(t, abi.HaltMemory, func() { alloc(65536) })
	halts(t, abi.HaltMemory, func() { alloc(math.MaxUint32) })
}
