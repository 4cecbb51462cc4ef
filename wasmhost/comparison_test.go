package wasmhost

import (
	"context"
	"fmt"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/avapd/avapd/internal/wasm"
)

// orders are the comparisons that tell more than whether two integers are equal.
var orders = []struct {
	narrow, wide wasm.Opcode
	holds        func(a, b int64) bool
}{
	{wasm.OpI32LtS, wasm.OpI64LtS, func(a, b int64) bool { return a < b }},
	{wasm.OpI32LtU, wasm.OpI64LtU, func(a, b int64) bool { return uint64(a) < uint64(b) }},
	{wasm.OpI32GtS, wasm.OpI64GtS, func(a, b int64) bool { return a > b }},
	{wasm.OpI32GtU, wasm.OpI64GtU, func(a, b int64) bool { return uint64(a) > uint64(b) }},
	{wasm.OpI32LeS, wasm.OpI64LeS, func(a, b int64) bool { return a <= b }},
	{wasm.OpI32LeU, wasm.OpI64LeU, func(a, b int64) bool { return uint64(a) <= uint64(b) }},
	{wasm.OpI32GeS, wasm.OpI64GeS, func(a, b int64) bool { return a >= b }},
	{wasm.OpI32GeU, wasm.OpI64GeU, func(a, b int64) bool { return uint64(a) >= uint64(b) }},
}

// zeroAndMask writes functions of x that push zero and x & -8, in ways that are
// one to the engine.
var zeroAndMask = map[string]func(f *wasm.Func, narrow bool){
	"at once": func(f *wasm.Func, narrow bool) {
		constant(f, narrow, 0)
		mask(f, narrow)
	},
	"in locals": func(f *wasm.Func, narrow bool) {
		zero, masked := f.NewLocal(f.LocalType(0)), f.NewLocal(f.LocalType(0))
		mask(f, narrow)
		f.LocalSet(masked)
		f.LocalGet(zero)
		f.LocalGet(masked)
	},
	"out of a block": func(f *wasm.Func, narrow bool) {
		constant(f, narrow, 0)
		f.Block(f.LocalType(0))
		mask(f, narrow)
		f.End()
	},
}

func mask(f *wasm.Func, narrow bool) {
	f.LocalGet(0)
	constant(f, narrow, -8)
	if narrow {
		f.Op(wasm.OpI32And)
	} else {
		f.Op(wasm.OpI64And)
	}
}

func constant(f *wasm.Func, narrow bool, v int64) {
	if narrow {
		f.I32Const(int32(v))
	} else {
		f.I64Const(v)
	}
}

// TestZeroAgainstAnd holds the engines to 0 < (x & m) and its like, which wazero
// compiles as (x & m) < 0 unless the and is hidden. docs/rationale.md has the story.
func TestZeroAgainstAnd(t *testing.T) {
	ctx := context.Background()
	for _, engine := range []Engine{EngineCompiler, EngineInterpreter} {
		runtime := wazero.NewRuntimeWithConfig(ctx, runtimeConfig(engine))
		defer runtime.Close(ctx)
		for way, push := range zeroAndMask {
			for i, o := range orders {
				for _, narrow := range []bool{true, false} {
					module, typ, op := &wasm.Module{}, wasm.I64, o.wide
					if narrow {
						typ, op = wasm.I32, o.narrow
					}
					f := module.NewFunc("f", wasm.FuncType{Params: []wasm.ValType{typ}, Results: []wasm.ValType{wasm.I32}})
					f.Exports = []string{"f"}
					push(f, narrow)
					f.Op(op)
					f.If(wasm.I32) // what wazero joins with the comparison
					f.I32Const(1)
					f.Else()
					f.I32Const(0)
					f.End()
					instance, err := runtime.InstantiateWithConfig(ctx, module.Encode(), wazero.NewModuleConfig().WithName(""))
					if err != nil {
						t.Fatal(err)
					}
					for _, x := range []int64{0, 7, 8, -1, -9, 1 << 20} {
						name := fmt.Sprintf("engine %d, %s, order %d, narrow %v, x %d", engine, way, i, narrow, x)
						got, err := instance.ExportedFunction("f").Call(ctx, uint64(x))
						if err != nil {
							t.Fatal(name, err)
						}
						if want := o.holds(0, x&^7); (uint32(got[0]) == 1) != want {
							t.Errorf("%s: %d, want %v", name, uint32(got[0]), want)
						}
					}
				}
			}
		}
	}
}
