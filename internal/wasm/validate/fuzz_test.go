package validate

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/internal/wasm/spectest"
)

// maxSeedBytes keeps the seeds to those that a mutation can still steer.
const maxSeedBytes = 2_000

// fuzzLimits keep what the engine does with an accepted module short.
func fuzzLimits() Limits {
	l := Default
	l.TableElements, l.MemoryPages, l.CompileWork = 1_000, 16, 1_000_000
	return l
}

// engine tells what wazero thinks of modules.
type engine struct{ runtime wazero.Runtime }

func newEngine(f *testing.F) engine {
	f.Helper()
	r := wazero.NewRuntimeWithConfig(f.Context(), wazero.NewRuntimeConfigCompiler())
	f.Cleanup(func() { r.Close(f.Context()) })
	return engine{r}
}

// mustAccept compiles a module that we accepted.
func (e engine) mustAccept(t *testing.T, b []byte) {
	t.Helper()
	compiled, err := e.runtime.CompileModule(t.Context(), b)
	if err != nil {
		t.Fatalf("the engine refuses what we accept: %v", err)
	}
	compiled.Close(t.Context())
}

// mustRefuse compiles a module that we refused as not valid.
func (e engine) mustRefuse(t *testing.T, b []byte, ours error) {
	t.Helper()
	if compiled, err := e.runtime.CompileModule(t.Context(), b); err == nil {
		compiled.Close(t.Context())
		t.Fatalf("the engine accepts what we refuse: %v", ours)
	}
}

// FuzzValidate validates anything: it must not panic, and what it accepts the
// engine must accept. The engine gets the module without its custom sections,
// whose contents are not validated.
func FuzzValidate(f *testing.F) {
	for _, b := range spectest.Binaries(f, maxSeedBytes) {
		f.Add(b)
	}
	ours, err := filepath.Glob("../../../wasmhost/testdata/foreign/*.wasm")
	if err != nil || len(ours) == 0 {
		f.Fatalf("%d modules, %v", len(ours), err)
	}
	for _, path := range append(ours, "../../../runtime/library/rt.wasm") {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	e := newEngine(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := Module(data, fuzzLimits())
		if err != nil {
			return
		}
		b.Customs = nil
		e.mustAccept(t, b.Encode())
	})
}

// FuzzBody is FuzzValidate for a module of which only the body of one function
// varies. Everything that a body can refer to is there. Here the engine must
// refuse, too, what is not valid; with bits of numbers that are to repeat the
// sign it is less strict than the format.
func FuzzBody(f *testing.F) {
	for _, b := range spectest.Binaries(f, maxSeedBytes) {
		m, err := wasm.Decode(b)
		if err != nil {
			continue
		}
		for i := range m.Bodies {
			f.Add(byte(i), m.Bodies[i].Code)
		}
	}
	e := newEngine(f)
	f.Fuzz(func(t *testing.T, signature byte, code []byte) {
		b := surroundings()
		b.Funcs = append(b.Funcs, uint32(signature)%uint32(len(b.Types)))
		locals := []wasm.LocalRun{{Count: 2, Type: wasm.I32}, {Count: 1, Type: wasm.I64}, {Count: 1, Type: wasm.F32}, {Count: 1, Type: wasm.F64}, {Count: 1, Type: wasm.FuncRef}, {Count: 1, Type: wasm.ExternRef}}
		b.Bodies = append(b.Bodies, wasm.Body{Locals: locals, Code: code})
		encoded := b.Encode()
		_, err := Module(encoded, fuzzLimits())
		var refused *wasm.Error
		switch {
		case err == nil:
			e.mustAccept(t, encoded)
		case bytes.Contains(code, []byte{byte(wasm.OpSelectT)}):
			// The engine takes the type of a typed select from its operands, and
			// accepts one that says another.
		case errors.As(err, &refused) && refused.Reason == wasm.Invalid:
			e.mustRefuse(t, encoded, err)
		}
	})
}

// surroundings gives a module with some of everything.
func surroundings() *wasm.Binary {
	const i32, i64, f32, f64, funcRef, externRef = wasm.I32, wasm.I64, wasm.F32, wasm.F64, wasm.FuncRef, wasm.ExternRef
	types := func(ts ...wasm.ValType) []wasm.ValType { return ts }
	zero := []byte{byte(wasm.OpI32Const), 0, byte(wasm.OpEnd)}
	b := &wasm.Binary{
		Types: []wasm.FuncType{
			{},
			{Results: types(i32)},
			{Params: types(i32), Results: types(i32)},
			{Params: types(i64), Results: types(f64, i32)},
			{Params: types(f32, f64), Results: types(f32)},
			{Params: types(externRef), Results: types(funcRef, externRef)},
		},
		Tables:   []wasm.TableType{{Elem: funcRef, Limits: wasm.Limits{Min: 4}}, {Elem: externRef, Limits: wasm.Limits{Min: 4, Max: 8, HasMax: true}}},
		Memories: []wasm.Limits{{Min: 1, Max: 2, HasMax: true}},
		Elements: []wasm.ElementSegment{
			{Mode: wasm.SegmentPassive, Elem: funcRef, Funcs: []uint32{0, 1}},
			{Mode: wasm.SegmentPassive, Elem: externRef, Exprs: [][]byte{{byte(wasm.OpRefNull), byte(externRef), byte(wasm.OpEnd)}}},
		},
		Segments:     []wasm.DataSegment{{Mode: wasm.SegmentPassive, Bytes: []byte("data")}, {Offset: zero, Bytes: []byte("x")}},
		HasDataCount: true,
	}
	for i, imp := range []uint32{0, 1, 2, 3, 4, 5} {
		b.Imports = append(b.Imports, wasm.Import{ImportName: wasm.ImportName{Module: "m", Field: string(rune('a' + i))}, Type: imp})
	}
	for _, mutable := range []bool{false, true} {
		for _, g := range []struct {
			typ  wasm.ValType
			init []byte
		}{
			{i32, zero},
			{i64, []byte{byte(wasm.OpI64Const), 0, byte(wasm.OpEnd)}},
			{f32, []byte{byte(wasm.OpF32Const), 0, 0, 0, 0, byte(wasm.OpEnd)}},
			{f64, []byte{byte(wasm.OpF64Const), 0, 0, 0, 0, 0, 0, 0, 0, byte(wasm.OpEnd)}},
			{funcRef, []byte{byte(wasm.OpRefFunc), 0, byte(wasm.OpEnd)}},
			{externRef, []byte{byte(wasm.OpRefNull), byte(externRef), byte(wasm.OpEnd)}},
		} {
			b.Globals = append(b.Globals, wasm.GlobalDef{GlobalType: wasm.GlobalType{Type: g.typ, Mutable: mutable}, Init: g.init})
		}
	}
	return b
}

// TestSurroundings checks that the module around fuzzed bodies is right, or
// FuzzBody would find nothing.
func TestSurroundings(t *testing.T) {
	if _, err := Module(surroundings().Encode(), fuzzLimits()); err != nil {
		t.Error(err)
	}
}
