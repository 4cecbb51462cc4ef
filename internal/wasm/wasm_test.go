package wasm

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
)

var update = flag.Bool("update", false, "write the golden files")

// addModule adds two numbers and nothing else.
func addModule() *Module {
	m := &Module{Name: "add"}
	f := m.NewFunc("add", FuncType{[]ValType{I32, I32}, []ValType{I32}})
	f.Exports = []string{"add"}
	f.NameLocal(f.Param(0), "a")
	f.NameLocal(f.Param(1), "b")
	f.LocalGet(f.Param(0))
	f.LocalGet(f.Param(1))
	f.Op(OpI32Add)
	return m
}

// everythingModule uses each section and each kind of instruction operand.
func everythingModule() *Module {
	m := &Module{Name: "everything"}
	m.Memory = &Memory{Limits: Limits{Min: 1, Max: 4, HasMax: true}, Exports: []string{"memory"}}
	counter := m.NewGlobal("counter", I64, 7)
	counter.Exports = []string{"counter"}
	m.NewGlobal("ratio", F64, math.Float64bits(0.5))
	m.NewGlobal("small", I32, 0xffffffff).Mutable = false
	log := m.ImportFunc("env", "log", FuncType{Params: []ValType{I32}})
	unary := FuncType{[]ValType{I32}, []ValType{I32}}

	double := m.NewFunc("double", unary)
	double.LocalGet(0)
	double.I32Const(1)
	double.Op(OpI32Shl)
	square := m.NewFunc("square", unary)
	square.LocalGet(0)
	square.LocalGet(0)
	square.Op(OpI32Mul)
	m.Table = &Table{Limits: Limits{Min: 2}, Elements: []*Func{double, square}}

	f := m.NewFunc("main (all)", FuncType{[]ValType{I32, F64}, []ValType{I32, I64}})
	f.Exports = []string{"main", "main \"quoted\""}
	sum := f.NewLocal(I64)
	f.NameLocal(sum, "sum")
	f.NewLocal(F64)
	controlFlow(f, sum)
	memoryUse(f)
	f.LocalGet(0)
	f.Call(log)
	f.GlobalGet(counter)
	f.F64Const(math.Inf(-1))
	f.Op(OpI64TruncSatF64S, OpI64Add)
	f.GlobalSet(counter)
	for _, c := range []float64{math.Inf(1), math.NaN(), math.Copysign(0, -1), 1e300, 0.1} {
		f.F64Const(c)
		f.Op(OpDrop)
	}
	f.LocalGet(0)
	f.I32Const(1)
	f.CallIndirect(unary)
	f.LocalGet(sum)

	start := m.NewFunc("start", FuncType{})
	m.Start = start
	m.Data = []Data{{Offset: 16, Bytes: []byte("hello \"wasm\"\x00\xff")}}
	m.Customs = []Custom{{Name: "first", Bytes: []byte{1, 2}, First: true}, {Name: "avap", Bytes: []byte("{}")}}
	return m
}

func controlFlow(f *Func, sum Local) {
	done := f.Block()
	loop := f.Loop()
	f.LocalGet(0)
	f.Op(OpI32Eqz)
	f.BrIf(done)
	f.LocalGet(sum)
	f.I64Const(math.MinInt64)
	f.Op(OpI64Add)
	f.LocalSet(sum)
	f.LocalGet(0)
	f.I32Const(-1)
	f.Op(OpI32Add)
	f.LocalTee(0)
	f.BrTable([]Label{done, loop}, done)
	f.End()
	f.End()
	f.LocalGet(0)
	f.If(I32, I64)
	f.I32Const(3)
	f.I64Const(4)
	f.Else()
	f.I32Const(5)
	f.I64Const(6)
	f.End()
	f.LocalSet(sum)
	f.LocalSet(0)
}

func memoryUse(f *Func) {
	f.I32Const(8)
	f.LocalGet(1)
	f.Mem(OpF64Store, 3, 1024)
	f.I32Const(0)
	f.Mem(OpI32Load8U, 0, 0)
	f.MemoryGrow()
	f.Op(OpDrop)
	f.MemorySize()
	f.Op(OpDrop)
	f.I32Const(0)
	f.I32Const(16)
	f.I32Const(4)
	f.MemoryCopy()
	f.I32Const(0)
	f.I32Const(255)
	f.I32Const(4)
	f.MemoryFill()
	f.I32Const(4)
	f.Mem(OpI64Load, 0, 4)
	f.Op(OpDrop)
}

var modules = map[string]func() *Module{"add": addModule, "everything": everythingModule}

func rtModule(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("../../runtime/library/rt.wasm")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEnginesAccept(t *testing.T) {
	ctx := context.Background()
	for name, build := range modules {
		for _, config := range []wazero.RuntimeConfig{wazero.NewRuntimeConfigInterpreter(), wazero.NewRuntimeConfigCompiler()} {
			r := wazero.NewRuntimeWithConfig(ctx, config)
			if _, err := r.CompileModule(ctx, build().Encode()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			r.Close(ctx)
		}
	}
}

// tool finds a program of wabt, the WebAssembly binary toolkit.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed (Debian package wabt)", name)
	}
	return path
}

func TestToolkitAccepts(t *testing.T) {
	validate := tool(t, "wasm-validate")
	binaries := map[string][]byte{"rt": rtModule(t)}
	for name, build := range modules {
		binaries[name] = build().Encode()
	}
	for name, b := range binaries {
		path := filepath.Join(t.TempDir(), name+".wasm")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(validate, path).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	m := everythingModule()
	encoded := m.Encode()
	b, err := Decode(encoded)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, got, want any) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	var defined []*Func
	for _, f := range m.Funcs {
		if f.Import == nil {
			defined = append(defined, f)
		}
	}
	check("functions", len(b.Funcs), len(defined))
	for i, f := range defined {
		ft, ok := b.FuncTypeOf(uint32(i + 1))
		check(f.Name+" exists", ok, true)
		check(f.Name+" type", ft.Equal(f.Type), true)
		check(f.Name+" offset", encoded[b.Bodies[i].Offset], b.Bodies[i].Code[0])
	}
	check("imports", b.Imports, []Import{{ImportName: ImportName{"env", "log"}, Type: b.Imports[0].Type}})
	check("memories", b.Memories, []Limits{{1, 4, true}})
	check("tables", b.Tables, []TableType{{FuncRef, Limits{Min: 2}}})
	check("globals", len(b.Globals), 3)
	check("global type", b.Globals[2].GlobalType, GlobalType{I32, false})
	check("exports", b.Exports, []Export{{"main", KindFunc, 3}, {"main \"quoted\"", KindFunc, 3}, {"memory", KindMemory, 0}, {"counter", KindGlobal, 0}})
	check("start", b.Start, uint32(4))
	check("elements", b.Elements[0].Funcs, []uint32{1, 2})
	check("data", b.Segments[0].Bytes, m.Data[0].Bytes)
	check("locals", b.Bodies[2].Locals, []LocalRun{{1, I64}, {1, F64}})
	check("encoded again", b.Encode(), encoded)
	check("customs", []string{b.Customs[0].Name, b.Customs[1].Name, b.Customs[2].Name}, []string{"first", "name", "avap"})
	names := b.Names()
	check("module name", names.Module, "everything")
	check("function names", names.Funcs[3], "main (all)")
	check("local names", names.Locals[3], map[uint32]string{2: "sum"})
}

// TestDecodeWithin takes one thing too many of each kind.
func TestDecodeWithin(t *testing.T) {
	binary := everythingModule().Encode()
	for _, c := range []struct {
		change func(*Bounds)
		want   string
	}{
		{func(b *Bounds) { b.ModuleBytes = len(binary) - 1 }, "bytes of a module"},
		{func(b *Bounds) { b.Types = 1 }, "types"},
		{func(b *Bounds) { b.TypeValues = 1 }, "values in a type"},
		{func(b *Bounds) { b.Imports = 0 }, "imports"},
		{func(b *Bounds) { b.Functions = 2 }, "functions"},
		{func(b *Bounds) { b.Tables = 0 }, "tables"},
		{func(b *Bounds) { b.TableElements = 1 }, "elements of a table"},
		{func(b *Bounds) { b.MemoryPages = 0 }, "pages of memory"},
		{func(b *Bounds) { b.Globals = 2 }, "globals"},
		{func(b *Bounds) { b.Exports = 3 }, "exports"},
		{func(b *Bounds) { b.ElementSegments = 0 }, "element segments"},
		{func(b *Bounds) { b.Elements = 1 }, "elements"},
		{func(b *Bounds) { b.DataSegments = 0 }, "data segments"},
		{func(b *Bounds) { b.DataBytes = 4 }, "bytes of data"},
		{func(b *Bounds) { b.Locals = 1 }, "locals"},
		{func(b *Bounds) { b.BodyBytes = 10 }, "bytes of a body"},
		{func(b *Bounds) { b.NameBytes = 2 }, "bytes of a name"},
		{func(b *Bounds) { b.Customs = 2 }, "custom sections"},
		{func(b *Bounds) { b.CustomBytes = 10 }, "bytes of custom sections"},
	} {
		bounds := MaxBounds
		c.change(&bounds)
		_, err := DecodeWithin(binary, bounds)
		var refused *Error
		if !errors.As(err, &refused) || refused.Reason != TooLarge || !strings.Contains(refused.Message, c.want) {
			t.Errorf("%s: got %v", c.want, err)
		}
	}
}

func TestTextGolden(t *testing.T) {
	for name, build := range modules {
		got := text(t, build().Encode())
		path := filepath.Join("testdata", name+".wat")
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs; run the test with -update and look at the difference", path)
		}
	}
}

func text(t *testing.T, binary []byte) []byte {
	t.Helper()
	b, err := Decode(binary)
	if err != nil {
		t.Fatal(err)
	}
	return binaryText(t, b)
}

// TestTextAssembles has wat2wasm assemble the text again: the standard
// sections must come out the same.
func TestTextAssembles(t *testing.T) {
	assemble := tool(t, "wat2wasm")
	binaries := map[string][]byte{"rt": rtModule(t)}
	for name, build := range modules {
		binaries[name] = build().Encode()
	}
	for name, b := range binaries {
		dir := t.TempDir()
		in, out := filepath.Join(dir, "m.wat"), filepath.Join(dir, "m.wasm")
		if err := os.WriteFile(in, text(t, b), 0o644); err != nil {
			t.Fatal(err)
		}
		if msg, err := exec.Command(assemble, in, "-o", out).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, msg)
			continue
		}
		again, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again, withoutCustoms(b)) {
			t.Errorf("%s: assembled again, the sections differ", name)
		}
	}
}

// withoutCustoms drops custom sections.
func withoutCustoms(b []byte) []byte {
	r := &reader{b: b, at: len(Header)}
	out := []byte(Header)
	for r.left() > 0 {
		start := r.at
		id := r.byte()
		r.bytes(int(r.u32()))
		if id != sectionCustom {
			out = append(out, b[start:r.at]...)
		}
	}
	return out
}

func TestWalkLibrary(t *testing.T) {
	binary := rtModule(t)
	b, err := Decode(binary)
	if err != nil {
		t.Fatal(err)
	}
	allocs := testing.AllocsPerRun(1, func() {
		for i := range b.Bodies {
			r := NewCodeReader(b.Bodies[i].Code, b.Bodies[i].Offset)
			for {
				if _, ok := r.Next(); !ok {
					break
				}
			}
			if r.Err() != nil {
				t.Fatal(r.Err())
			}
		}
	})
	if most := float64(2 * len(b.Bodies)); allocs > most {
		t.Errorf("%v allocations for %d bodies", allocs, len(b.Bodies))
	}
}

// TestDecodeRefuses holds modules that are wrong: what follows the header,
// and the message with its offset.
func TestDecodeRefuses(t *testing.T) {
	section := func(id byte, body ...byte) []byte { return append([]byte{id, byte(len(body))}, body...) }
	types := section(sectionType, 1, 0x60, 0, 0)
	funcs := section(sectionFunction, 1, 0)
	for _, c := range []struct {
		name string
		b    []byte
		want string
	}{
		{"unknown section", section(14), "offset 0x8: unknown section 14"},
		{"tags", section(13), "offset 0x8: the feature exception-handling is not admitted"},
		{"cut section", []byte{1, 9, 0}, "offset 0xa: section of 9 bytes, 1 left"},
		{"repeated section", slices.Concat(types, types), "offset 0xe: section 1 is repeated or out of order"},
		{"wrong order", slices.Concat(section(sectionMemory, 1, 0, 1), types), "offset 0xd: section 1 is repeated or out of order"},
		{"rest in section", section(sectionType, 0, 0), "offset 0xb: section 1 is longer than its contents"},
		{"count beyond section", section(sectionType, 0xff, 0xff, 0x03), "offset 0xa: 65535 types do not fit"},
		{"huge count", section(sectionType, 0xff, 0xff, 0xff, 0xff, 0x0f), "offset 0xa: 4294967295 types, at most 100000 are allowed"},
		{"33-bit number", section(sectionType, 0xff, 0xff, 0xff, 0xff, 0x1f), "offset 0xf: number of more than 32 bits"},
		{"six-byte number", section(sectionType, 0x80, 0x80, 0x80, 0x80, 0x80, 0), "offset 0xf: number of more than 32 bits"},
		{"no such type", slices.Concat(types, section(sectionFunction, 1, 1)), "offset 0x11: type 1 does not exist"},
		{"bad value type", section(sectionType, 1, 0x60, 1, 0x7a, 0), "offset 0xd: 0x7a is no value type"},
		{"vectors", section(sectionType, 1, 0x60, 1, 0x7b, 0), "offset 0xd: the feature simd is not admitted"},
		{"struct", section(sectionType, 1, 0x5f, 0, 0), "offset 0xb: the feature gc is not admitted"},
		{"no bodies", slices.Concat(types, funcs), "offset 0x12: 1 functions declared, 0 bodies"},
		{"body without end", slices.Concat(types, funcs, section(sectionCode, 1, 2, 0, 1)), "offset 0x17: body has no end"},
		{"too many locals", slices.Concat(types, funcs, section(sectionCode, 1, 7, 1, 0xff, 0xff, 0xff, 0x07, 0x7f, 0x0b)), "offset 0x17: more than 50000 locals"},
		{"two memories", section(sectionMemory, 2, 0, 1, 0, 1), "offset 0xa: the feature multi-memory is not admitted"},
		{"two imported memories", section(sectionImport, 2, 0, 0, 2, 0, 1, 0, 0, 2, 0, 1), "offset 0x15: the feature multi-memory is not admitted"},
		{"memory too large", section(sectionMemory, 1, 0, 0x81, 0x80, 0x04), "offset 0xb: limits out of range"},
		{"shared memory", section(sectionMemory, 1, 3, 1, 1), "offset 0xb: the feature threads is not admitted"},
		{"64-bit memory", section(sectionMemory, 1, 4, 1), "offset 0xb: the feature memory64 is not admitted"},
		{"bad limits", section(sectionMemory, 1, 8, 1), "offset 0xb: bad limits"},
		{"no memory for data", section(sectionData, 1, 0, 0x41, 0, 0x0b, 0), "offset 0xb: memory 0 does not exist"},
		{"no table for elements", section(sectionElement, 1, 0, 0x41, 0, 0x0b, 0), "offset 0xb: table 0 does not exist"},
		{"repeated export", slices.Concat(section(sectionMemory, 1, 0, 1), section(sectionExport, 2, 1, 'm', 2, 0, 1, 'm', 2, 0)), "offset 0x14: export \"m\" is repeated"},
		{"name no UTF-8", section(sectionExport, 1, 1, 0xff, 2, 0), "offset 0xb: name is not UTF-8"},
		{"init without end", section(sectionGlobal, 1, 0x7f, 0, 0x41, 0), "offset 0xd: constant expression has no end"},
		{"init not constant", section(sectionGlobal, 1, 0x7f, 0, 0x20, 0, 0x0b), "offset 0xd: local.get in a constant expression"},
		{"sum in init", section(sectionGlobal, 1, 0x7f, 0, 0x6a, 0x0b), "offset 0xd: the feature extended-const is not admitted"},
		{"data count", section(sectionDataCount, 3), "offset 0xb: 3 data segments declared, 0 present"},
	} {
		_, err := Decode(append([]byte(Header), c.b...))
		if err == nil || err.Error() != "wasm: "+c.want {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
	if _, err := Decode([]byte("\x00asm\x02\x00\x00\x00")); err == nil {
		t.Error("accepted version 2")
	}
}

// TestUnsupportedInstructions holds the first bytes of instructions of later
// proposals, and of none.
func TestUnsupportedInstructions(t *testing.T) {
	for _, c := range []struct {
		code []byte
		want string
	}{
		{[]byte{0x12, 0}, "the feature tail-call"},
		{[]byte{0x13, 0, 0}, "the feature tail-call"},
		{[]byte{0x14, 0}, "the feature function-references"},
		{[]byte{0xd4}, "the feature function-references"},
		{[]byte{0x06, 0x40}, "the feature exception-handling"},
		{[]byte{0x08, 0}, "the feature exception-handling"},
		{[]byte{0x1f, 0x40, 0}, "the feature exception-handling"},
		{[]byte{0xd3}, "the feature gc"},
		{[]byte{0xfb, 0, 0}, "the feature gc"},
		{[]byte{0xfd, 0x0c}, "the feature simd"},
		{[]byte{0xfe, 0x10, 2, 0}, "the feature threads"},
		{[]byte{0x02, 0x7b}, "the feature simd"},
		{[]byte{0x1c, 1, 0x7b}, "the feature simd"},
		{[]byte{0xd0, 0x6e}, "the feature gc"},
		{[]byte{0x28, 0x42, 1, 0}, "the feature multi-memory"},
		{[]byte{0x3f, 1}, "the feature multi-memory"},
		{[]byte{0xfc, 0x0a, 0, 1}, "the feature multi-memory"},
		{[]byte{0x28, 0x80, 0x01, 0}, "bad alignment"},
		{[]byte{0x02, 0x5f}, "the feature gc"},
		{[]byte{0x02, 0x41}, "bad block type"},
		{[]byte{0x1c, 2, 0x7f, 0x7f}, "select of 2 types"},
		{[]byte{0xfc, 0x12}, "unknown instruction 0xfc12"},
		{[]byte{0xff}, "unknown instruction 0xff"},
	} {
		r := NewCodeReader(c.code, 0)
		if _, ok := r.Next(); ok || r.Err() == nil || !strings.Contains(r.Err().Error(), c.want) {
			t.Errorf("% x: got %v, want %s", c.code, r.Err(), c.want)
		}
	}
}

func TestSignedNumbers(t *testing.T) {
	for _, v := range []int64{0, 1, -1, 63, 64, -64, -65, math.MaxInt32, math.MinInt32, math.MaxInt64, math.MinInt64} {
		r := &reader{b: AppendSleb(nil, v)}
		if got := r.signed(64); got != v || r.err != nil || r.left() != 0 {
			t.Errorf("%d read as %d, %v", v, got, r.err)
		}
		if int64(int32(v)) == v {
			r = &reader{b: AppendSleb(nil, v)}
			if got := r.signed(32); got != v || r.err != nil {
				t.Errorf("%d read as %d in 32 bits, %v", v, got, r.err)
			}
		}
	}
	for _, b := range [][]byte{{0xff, 0xff, 0xff, 0xff, 0x4f}, {0x82, 0x80, 0x80, 0x80, 0x40}, {0x80, 0x80, 0x80, 0x80, 0x08}, {0x80, 0x80, 0x80, 0x80, 0x80, 0}} {
		if r := (&reader{b: b}); r.signed(32) != 0 || r.err == nil {
			t.Errorf("%x was accepted", b)
		}
	}
}

// TestEncodeBinary writes decoded modules again: those of our encoder come out
// byte for byte.
func TestEncodeBinary(t *testing.T) {
	binaries := map[string][]byte{"rt": rtModule(t)}
	for name, build := range modules {
		binaries[name] = build().Encode()
	}
	for name, encoded := range binaries {
		b, err := Decode(encoded)
		if err != nil {
			t.Fatal(err)
		}
		out, placed := b.Encode(), b.Placement()
		if !bytes.Equal(out, encoded) {
			t.Errorf("%s: %d bytes became %d others", name, len(encoded), len(out))
		}
		for i := range b.Bodies {
			if got := placed.CodeStart + placed.Bodies[i].Code; int(got) != b.Bodies[i].Offset {
				t.Errorf("%s: body %d lies at %d, not %d", name, i, b.Bodies[i].Offset, got)
			}
		}
	}
}

func TestIntegerConstant(t *testing.T) {
	for _, c := range []struct {
		expression []byte
		want       uint64
		ok         bool
	}{
		{[]byte{0x41, 5, 0x0b}, 5, true},
		{[]byte{0x41, 0x7f, 0x0b}, 1<<32 - 1, true},
		{[]byte{0x42, 0x7f, 0x0b}, 1<<64 - 1, true},
		{[]byte{0x23, 0, 0x0b}, 0, false},
		{[]byte{0x43, 0, 0, 0, 0, 0x0b}, 0, false},
		{[]byte{0x41, 5, 0x41, 5, 0x0b}, 0, false},
		{[]byte{0x41, 5}, 0, false},
		{nil, 0, false},
	} {
		if got, ok := IntegerConstant(c.expression); ok != c.ok || ok && got != c.want {
			t.Errorf("%x: got %d, %t", c.expression, got, ok)
		}
	}
}
