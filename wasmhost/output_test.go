package wasmhost

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/runtime/abi"
)

// offline is an execution over a hand-made memory, for readers without a
// guest.
func offline(mem []byte, globals []string) *execution {
	m := &Module{Manifest: abi.Manifest{Globals: globals, DataEnd: abi.ScriptBase, Sites: []abi.SourceSite{{}, {Line: 4, Command: "assign"}}}}
	m.index()
	s := &slot{base: mem, limitBytes: uint64(len(mem)), sizeBytes: uint64(len(mem))}
	return &execution{module: m, slot: s, limits: testLimits}
}

func newMemory() memory { return make(memory, 4*abi.PageBytes) }

func TestValuesAsJSON(t *testing.T) {
	g := &image{base: abi.ScriptBase}
	deleted := cell{}
	for _, c := range []struct {
		value cell
		want  string
	}{
		{null(), "null"},
		{boolean(0), "false"},
		{boolean(1), "true"},
		{integer(math.MinInt64), "-9223372036854775808"},
		{floating(4), "4.0"},
		{floating(math.Copysign(0, -1)), "-0.0"},
		{floating(1e16), "1e+16"},
		{floating(9999999999999998), "9999999999999998.0"},
		{floating(0.0001), "0.0001"},
		{floating(0.00001), "1e-05"},
		{floating(0.1), "0.1"},
		{floating(5e-324), "5e-324"},
		{floating(1.7976931348623157e308), "1.7976931348623157e+308"},
		{floating(math.NaN()), "null"},
		{floating(math.Inf(-1)), "null"},
		{g.text("é\"\\\n\x01\u007f"), `"é\"\\\n\u0001` + "\x7f" + `"`},
		{g.list(), "[]"},
		{g.list(integer(1), g.list(null())), "[1,[null]]"},
		{g.dict(), "{}"},
		{g.dict(g.text("a"), integer(1), integer(1), integer(2), boolean(1), null(), null(), null(), floating(1.5), null(), floating(math.NaN()), null()), `{"a":1,"1":2,"true":null,"null":null,"1.5":null,"NaN":null}`},
		{g.dict(deleted, null(), g.text("a"), null(), deleted, null()), `{"a":null}`},
	} {
		mem := newMemory()
		copy(mem[g.base:], g.b)
		r := &reader{}
		r.start(mem, nil, 1000)
		if err := r.value(c.value); err != nil || string(r.out) != c.want {
			t.Errorf("got %s, %v; want %s", r.out, err, c.want)
		}
		if r.left > 1000-len(c.want) {
			t.Errorf("%s: %d bytes were charged", c.want, 1000-r.left)
		}
	}
}

func TestHostileValues(t *testing.T) {
	g := &image{base: abi.ScriptBase}
	self := g.list(integer(1))
	selfCells := uint32(self.bits) - abi.CellSize
	pair := g.list(null(), null())
	header := func(words ...uint32) uint64 { return uint64(g.words(words...)) }
	for name, c := range map[string]struct {
		value cell
		want  error
	}{
		"undefined":            {cell{}, errCorrupt},
		"unknown kind":         {cell{tag: 9}, errCorrupt},
		"failed":               {cell{tag: 0xffffffff}, errCorrupt},
		"unknown flag":         {cell{tag: abi.KindInt | 0x80}, errCorrupt},
		"text behind the end":  {textCell(4*abi.PageBytes-1, 2, 0), errCorrupt},
		"text of 4 GiB":        {textCell(16, math.MaxUint32, 0), errOutputLimit},
		"list behind the end":  {cell{abi.KindList, 4*abi.PageBytes - 8}, errCorrupt},
		"list far away":        {cell{abi.KindList, 1 << 40}, errCorrupt},
		"list too long":        {cell{abi.KindList, header(1<<28, 1<<28, 1024, 0)}, errCorrupt},
		"list at the very end": {cell{abi.KindList, header(1, 1, 4*abi.PageBytes-8, 0)}, errCorrupt},
		"dict too long":        {cell{abi.KindDict, header(1, math.MaxUint32, 1, 1024, 0, 0, 0, 0)}, errCorrupt},
		"list as dict key":     {g.dict(pair, null()), errCorrupt},
		"list in itself":       {self, errCycle},
		"dict in itself":       {g.list(pair), nil},
	} {
		mem := newMemory()
		copy(mem[g.base:], g.b)
		mem.putCell(selfCells, self)
		r := &reader{}
		r.start(mem, nil, 1000)
		if err := r.value(c.value); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		if len(r.path) != 0 || len(r.deep) != 0 {
			t.Errorf("%s: the path was not taken back", name)
		}
	}
}

// nested makes depth lists, one in the other; the innermost holds inner.
func nested(g *image, depth int, inner cell) cell {
	for range depth {
		inner = g.list(inner)
	}
	return inner
}

func TestDepthAndLongCycles(t *testing.T) {
	g := &image{base: abi.ScriptBase}
	inner := g.list(null())
	innerCells := uint32(inner.bits) - abi.CellSize
	outer := nested(g, 999, inner)
	tooDeep := g.list(outer)
	mem := newMemory()
	copy(mem[g.base:], g.b)
	r := &reader{}
	r.start(mem, nil, 10_000)
	if err := r.value(outer); err != nil {
		t.Errorf("1000 levels: %v", err)
	}
	r.start(mem, nil, 10_000)
	if err := r.value(tooDeep); !errors.Is(err, errOutputDepth) {
		t.Errorf("1001 levels: %v", err)
	}
	mem.putCell(innerCells, outer)
	r.start(mem, nil, 10_000)
	if err := r.value(outer); !errors.Is(err, errCycle) {
		t.Errorf("cycle over 1000 levels: %v", err)
	}
	if len(r.path) != 0 || len(r.deep) != 0 {
		t.Error("the path was not taken back")
	}
}

// Thirty lists that hold the next one twice stand for 2^30 values.
func TestSharedPartsEndAtTheLimit(t *testing.T) {
	g := &image{base: abi.ScriptBase}
	v := g.list()
	for range 30 {
		v = g.list(v, v)
	}
	mem := newMemory()
	copy(mem[g.base:], g.b)
	const limit = 8 << 20
	r := &reader{}
	r.start(mem, nil, limit)
	if err := r.value(v); !errors.Is(err, errOutputLimit) {
		t.Fatalf("got %v", err)
	}
	if cap(r.out) > 4*limit {
		t.Errorf("%d bytes were allocated for %d", cap(r.out), limit)
	}
}

// A variable that contains itself is null; the bytes that were written before
// that was found out are spent all the same.
func TestVariables(t *testing.T) {
	mem := newMemory()
	names := []string{"late", "cyclic", "undefined", "early", "brought", "deep"}
	g := &image{base: abi.ScriptBase + 1024}
	self := g.list(null())
	asideName, aside := g.text("aside"), g.text("kept")
	deep := nested(g, 2000, null())
	copy(mem[g.base:], g.b)
	mem.putCell(uint32(self.bits)-abi.CellSize, self)
	set := func(i int, v cell, sequence uint32) {
		mem.putCell(globalCell(i), v)
		mem.put32(globalCell(i)+abi.CellExtra, sequence)
	}
	set(0, integer(1), 7)
	set(1, self, 3)
	set(3, integer(2), 2)
	set(4, integer(3), 99)
	set(5, deep, 8)
	e := offline(mem, names)
	e.request = []requestVariable{{global: -1, name: asideName, value: aside}, {global: 4}}
	e.markBrought()
	e.reader.start(mem, nil, 100_000)
	if err := e.variables(); err != nil {
		t.Fatal(err)
	}
	want := `{"aside":"kept","brought":3,"early":2,"cyclic":null,"late":1,"deep":null}`
	if string(e.reader.out) != want {
		t.Errorf("got  %s\nwant %s", e.reader.out, want)
	}
	if spent := 100_000 - e.reader.left; spent <= len(want)+maxOutputDepth {
		t.Errorf("only %d bytes were charged", spent)
	}
}

func TestLogs(t *testing.T) {
	mem := newMemory()
	g := &image{base: abi.ScriptBase}
	text := g.text(`say "hi"`)
	entries := g.list(
		g.list(integer(abi.LogPrint), integer(1), text),
		g.list(integer(abi.LogFailure), integer(1), text),
		g.list(integer(abi.LogDone), integer(1), floating(0.12345)),
		g.list(integer(abi.LogFailed), integer(77), floating(2), text),
	)
	copy(mem[g.base:], g.b)
	mem.putCell(abi.Logs, entries)
	e := offline(mem, nil)
	e.reader.start(mem, nil, 10_000)
	if err := e.logs(); err != nil {
		t.Fatal(err)
	}
	want := `[{"command":"print","line":4,"message":"say \"hi\""},` +
		`{"command":"assign","line":4,"success":false,"error":"say \"hi\""},` +
		`{"command":"assign","line":4,"duration_ms":0.123,"success":true},` +
		`{"command":"","line":0,"duration_ms":2.0,"success":false,"error":"say \"hi\""}]`
	if string(e.reader.out) != want {
		t.Errorf("got  %s\nwant %s", e.reader.out, want)
	}
}

func TestForgedLogs(t *testing.T) {
	for _, forge := range []func(*image) cell{
		func(*image) cell { return null() },
		func(g *image) cell { return g.list(null()) },
		func(g *image) cell { return g.list(g.list(integer(abi.LogPrint), integer(1))) },
		func(g *image) cell { return g.list(g.list(integer(9), integer(1), null())) },
		func(g *image) cell { return g.list(g.list(integer(abi.LogPrint), integer(1), null())) },
		func(g *image) cell { return g.list(g.list(integer(abi.LogDone), integer(1), null())) },
		func(g *image) cell { return g.list(g.list(integer(abi.LogDone), integer(1), floating(math.NaN()))) },
		func(g *image) cell { return g.list(g.list(integer(abi.LogFailed), integer(1), floating(1))) },
		func(g *image) cell { return cell{abi.KindList, uint64(g.words(1, 1, math.MaxUint32, 0))} },
	} {
		mem := newMemory()
		g := &image{base: abi.ScriptBase}
		c := forge(g)
		copy(mem[g.base:], g.b)
		mem.putCell(abi.Logs, c)
		e := offline(mem, nil)
		e.reader.start(mem, nil, 10_000)
		if err := e.logs(); !errors.Is(err, errCorrupt) {
			t.Errorf("%+v: got %v", c, err)
		}
	}
}

func TestStatus(t *testing.T) {
	g := &image{base: abi.ScriptBase + 1024}
	for _, c := range []struct {
		value cell
		want  int
	}{
		{cell{}, 200},
		{integer(404), 404},
		{integer(200), 200},
		{integer(599), 599},
		{integer(199), 200},
		{integer(600), 200},
		{integer(-404), 200},
		{floating(404), 404},
		{floating(404.5), 200},
		{floating(math.NaN()), 200},
		{boolean(1), 200},
		{null(), 200},
		{g.text("404"), 404},
		{g.text(" 4.04e2 "), 404},
		{g.text("404.0"), 404},
		{g.text("404.5"), 200},
		{g.text("abc"), 200},
		{g.text("0x194"), 200},
		{g.text(""), 200},
		{g.list(integer(404)), 200},
		{textCell(1<<30, 5, 0), 200},
	} {
		mem := newMemory()
		copy(mem[g.base:], g.b)
		mem.putCell(globalCell(0), c.value)
		e := offline(mem, []string{"_status"})
		e.reader.start(mem, nil, 0)
		if got := e.status(); got != c.want {
			t.Errorf("%+v: got %d, want %d", c.value, got, c.want)
		}
	}
}

func TestNumberText(t *testing.T) {
	for _, s := range []string{"1", "+1.", "-.5", "1e5", "1.5E-3", " 2\t", "1.e2"} {
		if !isNumberText([]byte(s)) {
			t.Errorf("%q is number text", s)
		}
	}
	for _, s := range []string{"", ".", "+", "1e", "1e+", "e5", "1_0", "inf", "nan", "0x1", "1 2", "--1", "1.2.3", "٣"} {
		if isNumberText([]byte(s)) {
			t.Errorf("%q is no number text", s)
		}
	}
}

// A cell that refers to a text of almost the whole limit, a million times.
func TestOutputLimit(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, h *Host) {
		g := &image{base: abi.ScriptBase}
		text := g.text(strings.Repeat("x", 60_000))
		items := make([]cell, 100)
		for i := range items {
			items[i] = text
		}
		results := g.dict(text, g.list(items...))
		s := newScript(nil, g.b)
		s.storeCell(abi.Results, results)
		failure := mustFail(t, h, s.finish(t, h, 0), Input{}, testLimits, diag.OutputLimit)
		if failure.Message != "output too large: the limit is 1048576 bytes" {
			t.Errorf("message %q", failure.Message)
		}
	})
}

func TestCyclicResultFails(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, h *Host) {
		g := &image{base: abi.ScriptBase}
		name := g.text("a")
		self := g.list(null())
		s := newScript(nil, nil)
		results := g.dict(name, self)
		s.module.Data = append(s.module.Data, dataAt(g)...)
		s.manifest.DataEnd += uint32(len(g.b))
		s.storeCell(uint32(self.bits)-abi.CellSize, self)
		s.storeCell(abi.Results, results)
		mustFail(t, h, s.finish(t, h, 0), Input{}, testLimits, diag.BadValue)
	})
}

// Whatever the guest leaves in memory, reading it ends soon, without a panic,
// in an error or in valid JSON within the limit.
func FuzzReader(f *testing.F) {
	g := &image{base: abi.ScriptBase}
	v := g.dict(g.text("a"), g.list(integer(1), floating(2.5)))
	f.Add(g.b, v.bits, v.tag, uint32(64))
	f.Add([]byte{1, 2, 3, 4}, uint64(math.MaxUint64), uint32(abi.KindText), uint32(0))
	f.Fuzz(func(t *testing.T, data []byte, bits uint64, tag, logs uint32) {
		mem := newMemory()
		// The same bytes everywhere make offsets into them likely to hit.
		for p := abi.ControlBase; p < len(mem) && len(data) > 0; p += len(data) {
			copy(mem[p:], data)
		}
		mem.putCell(abi.Results, cell{abi.KindDict, bits})
		mem.putCell(abi.Logs, cell{abi.KindList, uint64(logs)})
		mem.putCell(globalCell(0), cell{tag, bits})
		e := offline(mem, []string{"_status", "a", "b"})
		e.request = []requestVariable{{global: 1}, {global: -1, name: cell{abi.KindText, bits}, value: cell{tag, bits}}}
		e.markBrought()
		e.limits.OutputBytes = 4096
		for _, write := range []func() error{e.results, e.variables, e.logs} {
			e.reader.start(mem, nil, 4096)
			began := time.Now()
			if err := write(); err == nil && !json.Valid(e.reader.out) {
				t.Fatalf("not JSON: %q", e.reader.out)
			}
			if len(e.reader.out) > 4096+6*escapeChunk || time.Since(began) > 5*time.Second {
				t.Fatalf("%d bytes after %v", len(e.reader.out), time.Since(began))
			}
		}
		if status := e.status(); status < statusMin || status > statusMax {
			t.Fatalf("status %d", status)
		}
		e.readStack(&diag.Failure{}, binary.LittleEndian.Uint32(fmt.Appendf(nil, "%04d", tag%10000)), abi.ErrorFrame)
		_ = e.scriptError()
	})
}
