package wasmhost

import (
	"strings"
	"testing"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
	"github.com/avapd/avapd/runtime/library"
)

// These tests run on the real guest library: they hold both sides of the
// contract together.

// guest is a script whose body calls the library.
type guest struct {
	*script
	image
	imports map[string]*wasm.Func
}

func newGuest(globals ...string) *guest {
	s := newScript(globals, nil)
	s.module.Funcs = []*wasm.Func{s.refuel, s.run}
	return &guest{script: s, image: image{base: s.manifest.DataEnd}, imports: make(map[string]*wasm.Func)}
}

// call calls a function of the library; the arguments are on the stack.
func (g *guest) call(t *testing.T, name string) {
	t.Helper()
	f := g.imports[name]
	if f == nil {
		decl, ok := library.Lookup(name)
		if !ok {
			t.Fatalf("the library has no %s", name)
		}
		f = g.module.ImportFunc(abi.LibraryModule, name, decl.Type())
		g.imports[name] = f
	}
	g.run.Call(f)
}

func (g *guest) push(c cell) {
	g.run.I32Const(int32(c.tag))
	g.run.I64Const(int64(c.bits))
}

// pushGlobal pushes the value of a global.
func (g *guest) pushGlobal(i int) {
	for _, op := range []wasm.Opcode{wasm.OpI32Load, wasm.OpI64Load} {
		g.run.I32Const(int32(globalCell(i)))
		if op == wasm.OpI32Load {
			g.run.Mem(op, 2, abi.CellTag)
		} else {
			g.run.Mem(op, 3, abi.CellPayload)
		}
	}
}

// store pops a value into a global.
func (g *guest) store(i int) {
	tag, bits := g.run.Temp(wasm.I32), g.run.Temp(wasm.I64)
	g.run.LocalSet(bits)
	g.run.LocalSet(tag)
	g.run.I32Const(int32(globalCell(i)))
	g.run.LocalGet(tag)
	g.run.Mem(wasm.OpI32Store, 2, abi.CellTag)
	g.run.I32Const(int32(globalCell(i)))
	g.run.LocalGet(bits)
	g.run.Mem(wasm.OpI64Store, 3, abi.CellPayload)
	g.run.Release(tag, bits)
}

func (g *guest) done(t *testing.T, h *Host, result int32) *Module {
	g.module.Data = dataAt(&g.image)
	g.manifest.DataEnd += uint32(len(g.b))
	return g.finish(t, h, result)
}

func withLibrary(c *Config) { c.Library = library.Module }

func TestLibraryComputes(t *testing.T) {
	onBothEngines(t, withLibrary, func(t *testing.T, h *Host) {
		g := newGuest("in", "out")
		name := g.text("sum")
		g.pushGlobal(0)
		g.push(floating(0.25))
		g.call(t, "Add")
		g.store(1)
		g.push(name)
		g.pushGlobal(1)
		g.call(t, "Str") // needs float_digits
		g.call(t, "AddResult")
		g.run.Op(wasm.OpDrop)
		g.store32(abi.Site, 1)
		g.run.I32Const(1)
		g.call(t, "NewList")
		g.store(0)
		g.pushGlobal(0)
		g.push(g.text("ñandú"))
		g.call(t, "MethodUpper") // needs unicode_case
		g.call(t, "Push")
		g.pushGlobal(0)
		g.call(t, "Print")
		g.run.Op(wasm.OpDrop, wasm.OpDrop)
		out := mustRun(t, h, g.done(t, h, 0), Input{Variables: []byte(`{"in":12}`), EchoVariables: true})
		want := `{"success":true,"result":{"sum":"12.25"},"variables":{"in":["ÑANDÚ"],"out":12.25},"logs":[{"command":"print","line":7,"message":"ÑANDÚ"}]}`
		if string(out.JSON) != want {
			t.Errorf("got  %s\nwant %s", out.JSON, want)
		}
	})
}

func TestLibraryFails(t *testing.T) {
	onBothEngines(t, withLibrary, func(t *testing.T, h *Host) {
		g := newGuest()
		g.store32(abi.Site, 2)
		g.push(integer(1))
		g.push(integer(0))
		g.call(t, "Div")
		g.run.Op(wasm.OpDrop, wasm.OpDrop)
		g.call(t, "Failure")
		failure := mustFail(t, h, g.done(t, h, 1), Input{}, testLimits, diag.DivisionByZero)
		if failure.Message != "division by zero" || failure.Span.Start.Line != 9 {
			t.Errorf("got %+v", failure.Diagnostic)
		}
	})
}

// Lists and dicts that the host wrote are the library's own: they grow, are
// looked up and sorted.
func TestLibraryTakesInputs(t *testing.T) {
	onBothEngines(t, withLibrary, func(t *testing.T, h *Host) {
		g := newGuest("list", "dict", "empty")
		for i, v := range []cell{integer(2), g.text("two"), null()} {
			g.pushGlobal(0)
			g.push(v)
			g.call(t, "MethodAppend")
			g.run.Op(wasm.OpDrop, wasm.OpDrop)
			g.pushGlobal(1)
			g.push(g.text("k" + strings.Repeat("x", i)))
			g.push(v)
			g.call(t, "DictSet")
			g.run.Op(wasm.OpDrop)
			g.pushGlobal(2)
			g.push(integer(int64(i)))
			g.push(v)
			g.call(t, "DictSet")
			g.run.Op(wasm.OpDrop)
		}
		in := `{"list":[1],"dict":{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"kx":"old"},"empty":{}}`
		out := mustRun(t, h, g.done(t, h, 0), Input{Variables: []byte(in), EchoVariables: true})
		want := `{"list":[1,2,"two",null],"dict":{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"kx":"two","k":2,"kxx":null},"empty":{"0":2,"1":"two","2":null}}`
		if got := string(out.Variables.Of(out.JSON)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

func TestLibraryKeepsToItsLimits(t *testing.T) {
	onBothEngines(t, withLibrary, func(t *testing.T, h *Host) {
		g := newGuest()
		g.store32(abi.Site, 1)
		g.push(integer(0))
		g.push(integer(100_000_000))
		g.push(cell{})
		g.call(t, "Range")
		g.run.Op(wasm.OpDrop, wasm.OpDrop)
		m := g.done(t, h, 0)
		if failure := mustFail(t, h, m, Input{}, testLimits, diag.OutOfMemory); failure.Span.Start.Line != 7 {
			t.Errorf("line %d", failure.Span.Start.Line)
		}

		g = newGuest("list")
		g.store32(abi.Site, 1)
		g.pushGlobal(0)
		g.push(cell{})
		g.call(t, "MethodSort")
		g.run.Op(wasm.OpDrop, wasm.OpDrop)
		m = g.done(t, h, 0)
		var list strings.Builder
		for i := range 20_000 {
			list.WriteString(strings.Repeat("9", 1+i*7919%15) + ",")
		}
		in := Input{Variables: []byte(`{"list":[` + list.String() + `0]}`)}
		limits := testLimits
		limits.Fuel = 100_000
		mustFail(t, h, m, in, limits, diag.OutOfFuel)
		mustRun(t, h, m, in)
	})
}
