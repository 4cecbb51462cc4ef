package link

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tetratelabs/wazero"

	"github.com/avapd/avapd/internal/wasm"
)

var (
	unary  = wasm.FuncType{Params: []wasm.ValType{wasm.I32}, Results: []wasm.ValType{wasm.I32}}
	plain  = wasm.FuncType{Results: []wasm.ValType{wasm.I32}}
	two    = wasm.FuncType{Results: []wasm.ValType{wasm.I32, wasm.I32}}
	source = wasm.ImportName{Module: "host", Field: "f"}
	own    = wasm.ImportName{Module: "host", Field: "library_f"}

	testOptions = Options{
		Library: "lib",
		Imports: map[wasm.ImportName]wasm.ImportName{source: own},
		Exports: map[string]string{"memory": "memory", "count": "library_count"},
	}
)

// testLibrary exports Double, which calls an inner function and the host, and
// Unused, which nobody calls.
func testLibrary() *wasm.Module {
	m := &wasm.Module{Name: "lib", Memory: &wasm.Memory{Limits: wasm.Limits{Min: 1, Max: 9, HasMax: true}, Exports: []string{"memory"}}}
	host := m.ImportFunc(source.Module, source.Field, unary)
	m.ImportFunc("host", "unneeded", unary)
	count := m.NewGlobal("count", wasm.I64, 5)
	count.Exports = []string{"count"}
	m.Data = []wasm.Data{{Offset: 16, Bytes: []byte{7, 0, 0, 0}}}

	inner := m.NewFunc("inner", unary)
	inner.LocalGet(inner.Param(0))
	inner.Call(host)
	inner.I32Const(2)
	inner.Op(wasm.OpI32Mul)

	unused := m.NewFunc("unused", plain)
	unused.Exports = []string{"Unused"}
	unused.I32Const(1)

	double := m.NewFunc("Double", unary)
	double.Exports = []string{"Double"}
	double.GlobalGet(count)
	double.I64Const(1)
	double.Op(wasm.OpI64Add)
	double.GlobalSet(count)
	double.LocalGet(double.Param(0))
	double.Call(inner)
	return m
}

// testScript calls Double on what the library has in memory, through a table
// and a block of two results, and adds what itself has there.
func testScript() *wasm.Module {
	m := &wasm.Module{Name: "script", Memory: &wasm.Memory{Import: &wasm.ImportName{Module: "lib", Field: "memory"}, Limits: wasm.Limits{Min: 1}}}
	double := m.ImportFunc("lib", "Double", unary)
	host := m.ImportFunc(source.Module, source.Field, unary)
	count := m.NewGlobal("count", wasm.I64, 0)
	count.Exports = []string{"count"}
	m.Data = []wasm.Data{{Offset: 3 * wasm.PageSize, Bytes: []byte{1, 0, 0, 0}}}
	m.Table = &wasm.Table{Limits: wasm.Limits{Min: 2}, Elements: []*wasm.Func{host, double}}
	m.Customs = []wasm.Custom{{Name: "kept", Bytes: []byte("x")}, {Name: ".debug_line"}, {Name: "sourceMappingURL"}}

	run := m.NewFunc("run", plain)
	run.Exports = []string{"run"}
	run.Mark(11)
	run.Block(wasm.I32, wasm.I32)
	run.I32Const(0)
	run.Mem(wasm.OpI32Load, 2, 16)
	run.I32Const(1)
	run.CallIndirect(unary)
	run.Mark(12)
	run.I32Const(0)
	run.Mem(wasm.OpI32Load, 2, 3*wasm.PageSize)
	run.End()
	run.Op(wasm.OpI32Add)
	run.GlobalGet(count)
	run.Op(wasm.OpI32WrapI64)
	run.Op(wasm.OpI32Add)
	return m
}

func merge(t *testing.T, library, script *wasm.Module) (*Merged, wasm.Layout) {
	t.Helper()
	code, layout := script.EncodeLayout()
	merged, err := Merge(library.Encode(), code, testOptions)
	if err != nil {
		t.Fatal(err)
	}
	translated, err := merged.Layout(&layout)
	if err != nil {
		t.Fatal(err)
	}
	return merged, translated
}

func TestMerge(t *testing.T) {
	merged, _ := merge(t, testLibrary(), testScript())
	b, err := wasm.Decode(merged.Wasm)
	if err != nil {
		t.Fatal(err)
	}
	names := b.Names()
	var imports, exports, customs []string
	for _, i := range b.Imports {
		imports = append(imports, i.Module+"."+i.Field)
	}
	for _, e := range b.Exports {
		exports = append(exports, e.Name)
	}
	for _, c := range b.Customs {
		customs = append(customs, c.Name)
	}
	for what, diff := range map[string]string{
		"imports": cmp.Diff([]string{"host.f", "host.library_f"}, imports),
		"exports": cmp.Diff([]string{"run", "count", "memory", "library_count"}, exports),
		"customs": cmp.Diff([]string{"name", "kept"}, customs),
		"names":   cmp.Diff(map[uint32]string{0: "f", 1: "f", 2: "run", 3: "inner", 4: "Double"}, names.Funcs),
		"module":  cmp.Diff("script", names.Module),
		"memory":  cmp.Diff([]wasm.Limits{{Min: 4, Max: 9, HasMax: true}}, b.Memories),
	} {
		if diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	if again, _ := merge(t, testLibrary(), testScript()); !slices.Equal(again.Wasm, merged.Wasm) {
		t.Error("the same modules gave other bytes")
	}
}

func TestMergedRuns(t *testing.T) {
	merged, _ := merge(t, testLibrary(), testScript())
	for name, config := range map[string]wazero.RuntimeConfig{
		"compiled": wazero.NewRuntimeConfigCompiler(), "interpreted": wazero.NewRuntimeConfigInterpreter(),
	} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			r := wazero.NewRuntimeWithConfig(ctx, config)
			defer func() { _ = r.Close(ctx) }()
			b := r.NewHostModuleBuilder("host")
			b.NewFunctionBuilder().WithFunc(func(n uint32) uint32 { return n + 100 }).Export("f")
			b.NewFunctionBuilder().WithFunc(func(n uint32) uint32 { return n + 10 }).Export("library_f")
			if _, err := b.Instantiate(ctx); err != nil {
				t.Fatal(err)
			}
			m, err := r.Instantiate(ctx, merged.Wasm)
			if err != nil {
				t.Fatal(err)
			}
			got, err := m.ExportedFunction("run").Call(ctx)
			if err != nil || got[0] != (7+10)*2+1 {
				t.Errorf("got %v, %v", got, err)
			}
			if n := m.ExportedGlobal("library_count").Get(); n != 6 {
				t.Errorf("the library's global is %d", n)
			}
			if n := m.ExportedGlobal("count").Get(); n != 0 {
				t.Errorf("the script's global is %d", n)
			}
		})
	}
}

// Every mark lies on the instruction that it lay on before.
func TestMergedLayout(t *testing.T) {
	merged, layout := merge(t, testLibrary(), testScript())
	b, err := wasm.Decode(merged.Wasm)
	if err != nil {
		t.Fatal(err)
	}
	var positions []uint32
	for _, mark := range layout.Marks {
		positions = append(positions, mark.Position)
	}
	if diff := cmp.Diff([]uint32{11, 12, 0, 0}, positions); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	code := wasm.NewCodeReader(b.Bodies[0].Code, b.Bodies[0].Offset)
	found := false
	for in, ok := code.Next(); ok; in, ok = code.Next() {
		if uint32(in.Offset) == layout.CodeStart+layout.Marks[1].Offset {
			found = in.Op == wasm.OpI32Const && in.Bits == 0
		}
	}
	if !found {
		t.Error("the second mark is not on its instruction")
	}
	if last := layout.Marks[3].Offset; last >= layout.CodeSize || layout.Marks[2].Offset >= last {
		t.Errorf("marks %v in code of %d bytes", layout.Marks, layout.CodeSize)
	}
}

func TestMergeRefuses(t *testing.T) {
	type change struct {
		what   string
		change func(library, script *wasm.Module)
		want   string
	}
	for _, c := range []change{
		{"signature", func(l, _ *wasm.Module) { l.Funcs[4].Type = two; l.Funcs[4].I32Const(1) }, "another signature"},
		{"missing", func(l, _ *wasm.Module) { l.Funcs[4].Exports = nil }, `does not export "Double"`},
		{"export", func(_, s *wasm.Module) { s.Globals[0].Exports = []string{"library_count"} }, `exports "library_count" itself`},
		{"start", func(l, _ *wasm.Module) { l.Start = l.NewFunc("start", wasm.FuncType{}) }, "start function"},
		{"memory", func(_, s *wasm.Module) { s.Memory.Import = nil }, "the only memory"},
		{"memory size", func(_, s *wasm.Module) { s.Memory.Limits.Min = 10 }, "more memory than the library may have"},
		{"data behind the end", func(l, s *wasm.Module) { l.Memory.Limits.HasMax = false; s.Data[0].Offset = 1<<32 - 1 }, "more memory than the library may have"},
		{"global", func(_, s *wasm.Module) { s.Globals[0].Import = &source }, "imports a global"},
	} {
		t.Run(c.what, func(t *testing.T) {
			library, script := testLibrary(), testScript()
			c.change(library, script)
			_, err := Merge(library.Encode(), script.Encode(), testOptions)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	if _, err := Merge([]byte("no"), testScript().Encode(), testOptions); err == nil {
		t.Error("no library")
	}
	if _, err := Merge(testLibrary().Encode(), []byte("no"), testOptions); err == nil {
		t.Error("no script")
	}
}

// FuzzMerge merges what may be no script at all: no panic, and what comes out
// decodes.
func FuzzMerge(f *testing.F) {
	library := testLibrary().Encode()
	f.Add(testScript().Encode())
	f.Fuzz(func(t *testing.T, script []byte) {
		merged, err := Merge(library, script, testOptions)
		if err != nil {
			return
		}
		if _, err := wasm.Decode(merged.Wasm); err != nil {
			t.Error(err)
		}
	})
}
