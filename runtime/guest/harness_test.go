package guest

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/avapd/avapd/runtime/abi"
)

// The tests of this package write values as Go has them: nil, bool, int,
// float64, string, []any, and pairs for a dict. missing is the undefined value.

type pairs []any // key, value, key, value, …

type missingType struct{}

var missing missingType

func TestMain(m *testing.M) {
	memoryCap = 16384
	store32(abi.HeapTop, abi.ScriptBase)
	store32(abi.HeapEnd, memorySize()*65536)
	store64(abi.HashSeed, 0x0123456789abcdef)
	os.Exit(m.Run())
}

// start gives a test a control block as the host would, and takes the memory
// back at the end.
func start(t testing.TB) {
	mark := load32(abi.HeapTop)
	storeValue(abi.Results, NewDict(0))
	storeValue(abi.Logs, NewList(0))
	for _, cell := range []Ptr{abi.Path, abi.Query, abi.Body, abi.Form, abi.Return, abi.Message, abi.ErrorA, abi.ErrorB} {
		storeValue(cell, undefined())
	}
	for _, word := range []Ptr{abi.Site, abi.ErrorCode, abi.ErrorDetail, abi.ErrorFrame, abi.ErrorSite, abi.Halt, abi.Sequence, abi.LastError} {
		store32(word, 0)
	}
	t.Cleanup(func() { reset(mark) })
}

// reset makes the arena as it was when it ended at mark, before anything was
// taken from it.
func reset(mark uint32) {
	clear(memory[mark:load32(abi.HeapTop)])
	store32(abi.HeapTop, mark)
	freeHeads, digitRoom = 0, 0
	outBase, outCap, outLen = 0, 0, 0
	rememberedCount, rememberedLast, lastDict = 0, 0, 0
	clear(memory[abi.Remembered : abi.Remembered+abi.RememberedBytes])
	store32(abi.RegionMark, 0)
	append0, append1, append2, append3, append4, append5 = 0, 0, 0, 0, 0, 0
}

func val(x any) Value {
	switch x := x.(type) {
	case nil:
		return null()
	case missingType:
		return undefined()
	case Value:
		return x
	case bool:
		return boolean(x)
	case int:
		return integer(int64(x))
	case int64:
		return integer(x)
	case float64:
		return floating(x)
	case string:
		return textOf(x)
	case []any:
		l := NewList(0)
		for _, item := range x {
			Push(l, val(item))
		}
		return l
	case pairs:
		d := NewDict(0)
		for i := 0; i < len(x); i += 2 {
			DictSet(d, val(x[i]), val(x[i+1]))
		}
		return d
	}
	panic(fmt.Sprintf("no value for a %T", x))
}

func textOf(s string) Value {
	p := newText(uint64(len(s)))
	copy(memory[p:], s)
	return textFrom(p, uint32(len(s)))
}

func stringOf(v Value) string {
	return string(memory[v.textPtr() : uint32(v.textPtr())+v.textLen()])
}

// show writes a value so that type and content are plain to see.
func show(v Value) string {
	switch {
	case v.Tag < 0:
		return "error " + strconv.Itoa(int(load32(abi.ErrorCode)))
	case v.Tag == abi.KindUndefined:
		return "undefined"
	case v.Tag == abi.KindNull:
		return "null"
	case v.Tag == abi.KindBool:
		return strconv.FormatBool(v.Bits != 0)
	case v.Tag == abi.KindInt:
		return strconv.FormatInt(v.int(), 10)
	case v.Tag == abi.KindFloat:
		return showFloat(v.float())
	case v.isText():
		return strconv.Quote(stringOf(v))
	case v.Tag == abi.KindList:
		var items []string
		for i := range v.list().len() {
			items = append(items, show(v.list().at(i)))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case v.Tag == abi.KindDict:
		var items []string
		for i := range v.dict().used() {
			if key := v.dict().key(i); key.Tag != abi.KindUndefined {
				items = append(items, show(key)+": "+show(v.dict().value(i)))
			}
		}
		return "{" + strings.Join(items, ", ") + "}"
	}
	return fmt.Sprintf("tag %d", v.Tag)
}

func showFloat(f float64) string {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if math.IsNaN(f) || math.IsInf(f, 0) || strings.ContainsAny(s, ".e") {
		return s
	}
	return s + ".0"
}

// want checks what an operation gave; wanted is a value, or an error code as
// failsWith.
func want(t testing.TB, what string, got Value, wanted any) {
	t.Helper()
	if code, ok := wanted.(failsWith); ok {
		if got.Tag >= 0 || load32(abi.ErrorCode) != uint32(code) {
			t.Errorf("%s = %s, want error %d", what, show(got), code)
		}
		return
	}
	if w := show(val(wanted)); show(got) != w {
		t.Errorf("%s = %s, want %s", what, show(got), w)
	}
}

type failsWith uint32

// wantInt32 checks a function that gives 0 or 1, or fails.
func wantInt32(t testing.TB, what string, got int32, wanted any) {
	t.Helper()
	v := boolean(got == 1)
	if got < 0 {
		v = failure()
	}
	want(t, what, v, wanted)
}

// halts checks that f ends the run for a reason.
func halts(t testing.TB, reason uint32, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if r := recover(); r != "guest trap" || load32(abi.Halt) != reason {
			t.Errorf("got %v and halt code %d, want a trap with %d", r, load32(abi.Halt), reason)
		}
		store32(abi.Halt, 0)
	}()
	f()
}
