package guest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/avapd/avapd/runtime/abi"
)

// goldenFunctions are what testdata/text.json refers to. Each row there is a
// name, arguments, and what Python 3.11 gives for them (number, json, literal
// and param: what the language's definition gives): a value, or
// {"error": message}. Values that JSON does not have are {"float": text},
// {"dict": [[key, value], …]} and {"missing": true}.
var goldenFunctions = map[string]func(a []Value) Value{
	"repr":       func(a []Value) Value { return Repr(a[0]) },
	"str":        func(a []Value) Value { return Str(a[0]) },
	"upper":      func(a []Value) Value { return MethodUpper(a[0]) },
	"lower":      func(a []Value) Value { return MethodLower(a[0]) },
	"title":      func(a []Value) Value { return MethodTitle(a[0]) },
	"capitalize": func(a []Value) Value { return MethodCapitalize(a[0]) },
	"isdigit":    func(a []Value) Value { return MethodIsDigit(a[0]) },
	"isalpha":    func(a []Value) Value { return MethodIsAlpha(a[0]) },
	"isalnum":    func(a []Value) Value { return MethodIsAlnum(a[0]) },
	"strip":      func(a []Value) Value { return MethodStrip(a[0], a[1]) },
	"lstrip":     func(a []Value) Value { return MethodLStrip(a[0], a[1]) },
	"rstrip":     func(a []Value) Value { return MethodRStrip(a[0], a[1]) },
	"split":      func(a []Value) Value { return MethodSplit(a[0], a[1], a[2]) },
	"join":       func(a []Value) Value { return MethodJoin(a[0], a[1]) },
	"replace":    func(a []Value) Value { return MethodReplace(a[0], a[1], a[2], a[3]) },
	"find":       func(a []Value) Value { return MethodFind(a[0], a[1], a[2], a[3]) },
	"count":      func(a []Value) Value { return textCount(a[0], a[1], a[2], a[3]) },
	"startswith": func(a []Value) Value { return MethodStartsWith(a[0], a[1], a[2], a[3]) },
	"endswith":   func(a []Value) Value { return MethodEndsWith(a[0], a[1], a[2], a[3]) },
	"zfill":      func(a []Value) Value { return MethodZFill(a[0], a[1]) },
	"format":     func(a []Value) Value { return FormatValue(a[0], a[1]) },
	"textformat": func(a []Value) Value { return MethodFormat(a[0], a[1]) },
	"percent":    func(a []Value) Value { return PercentFormat(a[0], a[1]) },
	"number":     func(a []Value) Value { return parseNumberText(a[0]) },
	"json":       func(a []Value) Value { return parseJSON(a[0]) },
	"literal":    func(a []Value) Value { return parseLiteral(a[0]) },
	"param":      func(a []Value) Value { return parseParamText(a[0]) },
	"slice":      func(a []Value) Value { return Slice(a[0], a[1], a[2], a[3]) },
	"chars":      func(a []Value) Value { return textChars(a[0]) },
}

// goldenValue turns a decoded JSON value into what val takes.
func goldenValue(t testing.TB, x any) any {
	switch x := x.(type) {
	case json.Number:
		if i, err := strconv.ParseInt(x.String(), 10, 64); err == nil {
			return i
		}
		f, err := x.Float64()
		if err != nil {
			t.Fatal(err)
		}
		return f
	case []any:
		for i := range x {
			x[i] = goldenValue(t, x[i])
		}
	case map[string]any:
		if text, ok := x["float"].(string); ok {
			f, err := strconv.ParseFloat(text, 64)
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
		if entries, ok := x["dict"].([]any); ok {
			var d pairs
			for _, entry := range entries {
				d = append(d, goldenValue(t, entry.([]any)[0]), goldenValue(t, entry.([]any)[1]))
			}
			return d
		}
		return missing
	}
	return x
}

func readGoldenRows(t *testing.T) [][]any {
	t.Helper()
	data, err := os.ReadFile("testdata/text.json")
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var rows [][]any
	if err := decoder.Decode(&rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestTextGolden(t *testing.T) {
	start(t)
	for _, row := range readGoldenRows(t) {
		name := row[0].(string)
		var args []Value
		for _, x := range row[1 : len(row)-1] {
			args = append(args, val(goldenValue(t, x)))
		}
		text, _ := json.Marshal(row)
		got := goldenFunctions[name](args)
		checkGolden(t, string(text), got, row[len(row)-1])
		if outLen != 0 {
			t.Fatalf("%s leaves %d bytes in the scratch buffer", text, outLen)
		}
	}
}

func checkGolden(t *testing.T, row string, got Value, wanted any) {
	t.Helper()
	result := show(got)
	if got.failed() {
		result = "error: " + stringOf(errorMessage())
		store32(abi.ErrorCode, 0)
	} else {
		checkFlag(t, got)
	}
	if failure, ok := wanted.(map[string]any); ok && failure["error"] != nil {
		if w := "error: " + failure["error"].(string); result != w {
			t.Errorf("%s\n\tgives %s", row, result)
		}
		return
	}
	if w := show(val(goldenValue(t, wanted))); result != w {
		t.Errorf("%s\n\tgives %s", row, result)
	}
}

// checkFlag holds that the flag of texts tells the truth.
func checkFlag(t *testing.T, v Value) {
	t.Helper()
	switch {
	case v.isText():
		if v.isASCII() && asciiFlag(v.textPtr(), v.textLen()) == 0 {
			t.Errorf("%s is not ASCII, but has the flag", show(v))
		}
	case v.Tag == abi.KindList:
		for i := range v.list().len() {
			checkFlag(t, v.list().at(i))
		}
	}
}

func TestReprOfCycles(t *testing.T) {
	start(t)
	l := NewList(1)
	Push(l, l)
	want(t, "list", Repr(l), "[[...]]")
	d := NewDict(1)
	DictSet(d, val("l"), l)
	DictSet(d, val("d"), d)
	want(t, "dict", Repr(d), "{'l': [[...]], 'd': {...}}")
	want(t, "dict again", Repr(d), "{'l': [[...]], 'd': {...}}")
	deep := NewList(0)
	for range maxNesting {
		outer := NewList(1)
		Push(outer, deep)
		deep = outer
	}
	halts(t, abi.HaltDepth, func() { Repr(deep) })
	outLen = 0
}

func TestHugeCounts(t *testing.T) {
	start(t)
	saved := memoryCap
	memoryCap = memorySize()
	defer func() { memoryCap = saved }()
	huge := int64(math.MaxInt64)
	for _, f := range []func(){
		func() { FormatValue(val(1), val("1000000000000000000d")) },
		func() { FormatValue(val(1), val("01000000000000000000,d")) },
		func() { FormatValue(val(1.5), val(".1000000000000000000f")) },
		func() { FormatValue(val("é"), val("é<2147483647")) },
		func() { PercentFormat(val("%*d"), val([]any{huge, 1})) },
		func() { PercentFormat(val("%.*f"), val([]any{huge, 1})) },
		func() { PercentFormat(val("%.*d"), val([]any{huge, 1})) },
		func() { MethodZFill(val("x"), val(huge)) },
		func() { textRepeat(val("ab"), huge) },
		func() { textRepeat(val("a"), 1<<32) },
	} {
		halts(t, abi.HaltMemory, f)
		outLen = 0
	}
}

// TestConcatGrows holds that growing several texts by turns takes memory in
// proportion to their size.
func TestConcatGrows(t *testing.T) {
	start(t)
	before := load32(abi.HeapTop)
	a, b := val("a"), val("é")
	for i := range 50000 {
		a = Concat(a, Concat(val("x"), val("yz")))
		if i%2 == 0 {
			b = Concat(b, val("ß"))
		}
	}
	if n := a.textLen(); n != 150001 || !a.isASCII() {
		t.Errorf("%d bytes", n)
	}
	if n := textCharCount(b); n != 25001 || b.isASCII() {
		t.Errorf("%d characters", n)
	}
	if used := load32(abi.HeapTop) - before; used > 4<<20 {
		t.Errorf("%d bytes of memory taken", used)
	}
	fork := Concat(a, val("1"))
	other := Concat(a, val("2"))
	if stringOf(fork)[150001:] != "1" || stringOf(other)[150001:] != "2" {
		t.Error("two texts grown from one share their ends")
	}
}

// TestJoinGrows holds the same of texts that grow by several parts at once, and
// that room which no part took is free again.
func TestJoinGrows(t *testing.T) {
	start(t)
	item, comma, stop, accent := val("item "), val(","), val("."), val("é")
	before := load32(abi.HeapTop)
	a, want := val(""), ""
	for i := range 5000 {
		a = Join6(a, item, val(i), comma, val(-i), stop)
		a = Join3(a, textValue(a.textPtr(), 1, abi.FlagASCII), accent)
		want += fmt.Sprintf("item %d,%d.", i, -i)
		want += want[:1] + "é"
	}
	if stringOf(a) != want || a.isASCII() {
		t.Errorf("%d bytes differ", a.textLen())
	}
	if used := load32(abi.HeapTop) - before; int(used) > 4*len(want) {
		t.Errorf("%d bytes of memory taken for %d", used, len(want))
	}
	fork, other := Join3(a, val(1), val("")), Join3(a, val(2), val("x"))
	if stringOf(fork)[len(want):] != "1" || stringOf(other)[len(want):] != "2x" {
		t.Error("two texts grown from one share their ends")
	}
	before = load32(abi.HeapTop)
	Join6(val(1), val(2), val(3), val("abc"), val(4), val(5))
	if used := load32(abi.HeapTop) - before; used != 16 {
		t.Errorf("a text of 8 bytes took %d", used)
	}
}

// TestLongCase changes the case of a text that goes to the host in parts.
func TestLongCase(t *testing.T) {
	start(t)
	long := strings.Repeat("ΟΔΟΣ ", 20000)
	if got := stringOf(MethodLower(val(long))); got != strings.Repeat("οδος ", 20000) {
		t.Error("lower case of a long text differs")
	}
	unbroken := strings.Repeat("é", 200000)
	if got := stringOf(MethodCapitalize(val(unbroken))); got != "É"+unbroken[2:] {
		t.Error("capitalizing a long text differs")
	}
}
