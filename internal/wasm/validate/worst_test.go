package validate_test

import (
	"runtime"
	"sort"
	"strconv"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/internal/wasm/meter"
	"github.com/avapd/avapd/internal/wasm/validate"
)

// worst are the shapes of functions that are known to cost the engine the
// most, by a size.
var worst = map[string]func(f *wasm.Func, m *wasm.Module, size int){
	"conditional branches": func(f *wasm.Func, _ *wasm.Module, size int) {
		out := f.Block()
		for range size {
			f.LocalGet(f.Param(0))
			f.Mem(wasm.OpI32Load, 2, 0)
			f.LocalTee(f.Param(0))
			f.BrIf(out)
		}
		f.End()
	},
	"a table of targets that merge many locals": func(f *wasm.Func, _ *wasm.Module, size int) {
		locals := newLocals(f, validate.Default.Locals)
		targets := make([]wasm.Label, size)
		for i := range targets {
			targets[i] = f.Block()
		}
		f.LocalGet(f.Param(0))
		f.BrTable(targets, targets[0])
		for i := range targets {
			f.End()
			increment(f, locals[i%len(locals)])
		}
		for _, l := range locals {
			increment(f, l)
		}
	},
	"nested loops": func(f *wasm.Func, _ *wasm.Module, size int) {
		loops := make([]wasm.Label, size)
		for i := range loops {
			loops[i] = f.Loop()
		}
		for i := range loops {
			increment(f, f.Param(0))
			f.LocalGet(f.Param(0))
			f.BrIf(loops[size-1-i])
			f.End()
		}
	},
	"live locals in a loop": func(f *wasm.Func, _ *wasm.Module, size int) {
		head := f.Loop()
		for _, l := range newLocals(f, size) {
			increment(f, l)
		}
		f.LocalGet(f.Param(0))
		f.BrIf(head)
		f.End()
	},
	"calls that reload globals": func(f *wasm.Func, m *wasm.Module, size int) {
		for range validate.Default.MutableGlobals {
			m.NewGlobal("", wasm.I64, 0)
		}
		for range size {
			f.LocalGet(f.Param(0))
			f.Call(f)
			f.LocalSet(f.Param(0))
		}
	},
}

func newLocals(f *wasm.Func, n int) []wasm.Local {
	locals := make([]wasm.Local, n)
	for i := range locals {
		locals[i] = f.NewLocal(wasm.I32)
	}
	return locals
}

func increment(f *wasm.Func, l wasm.Local) {
	f.LocalGet(l)
	f.I32Const(1)
	f.Op(wasm.OpI32Add)
	f.LocalSet(l)
}

// TestWorstCompiles has the engine compile the largest function of each shape
// that the default limits admit, once it is metered, and bounds what it
// allocates for it.
func TestWorstCompiles(t *testing.T) {
	r := wazero.NewRuntimeWithConfig(t.Context(), wazero.NewRuntimeConfigCompiler())
	defer r.Close(t.Context())
	for name, shape := range worst {
		size := sort.Search(validate.Default.BodyBytes, func(n int) bool {
			_, err := validate.Module(functions(shape, n+1, 1), validate.Default)
			return err != nil
		})
		metered := withMeter(t, functions(shape, size, 1))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		compiled, err := r.CompileModule(t.Context(), metered)
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		compiled.Close(t.Context())
		used := (after.TotalAlloc - before.TotalAlloc) >> 20
		t.Log(name + ", " + strconv.Itoa(size) + ": " + strconv.FormatUint(used, 10) + " MiB")
		if size == 0 || used > 256 {
			t.Errorf("%s: %d MiB allocated to compile size %d", name, used, size)
		}
	}
}

// functions makes a module of functions of one shape and size.
func functions(shape func(*wasm.Func, *wasm.Module, int), size, count int) []byte {
	m := &wasm.Module{Memory: &wasm.Memory{Limits: wasm.Limits{Min: 1}}}
	for range count {
		f := m.NewFunc("f", wasm.FuncType{Params: []wasm.ValType{wasm.I32}, Results: []wasm.ValType{wasm.I32}})
		shape(f, m, size)
		f.LocalGet(f.Param(0))
	}
	return m.Encode()
}

// BenchmarkWorstModules has the engine compile as many functions of each shape
// as the default limits admit in a module, few large ones or many small.
func BenchmarkWorstModules(b *testing.B) {
	r := wazero.NewRuntimeWithConfig(b.Context(), wazero.NewRuntimeConfigCompiler())
	defer r.Close(b.Context())
	for name, shape := range worst {
		for _, size := range []int{50, 200, 1_000} {
			count := sort.Search(validate.Default.Functions, func(n int) bool {
				_, err := validate.Module(functions(shape, size, n+1), validate.Default)
				return err != nil
			})
			if count == 0 {
				continue
			}
			metered := withMeter(b, functions(shape, size, count))
			b.Run(name+"/"+strconv.Itoa(size), func(b *testing.B) {
				for b.Loop() {
					compiled, err := r.CompileModule(b.Context(), metered)
					if err != nil {
						b.Fatal(err)
					}
					compiled.Close(b.Context())
				}
			})
		}
	}
}

func withMeter(t testing.TB, module []byte) []byte {
	t.Helper()
	b, err := validate.Module(module, validate.Default)
	if err != nil {
		t.Fatal(err)
	}
	metered, err := meter.Module(b, meter.Options{Refuel: wasm.ImportName{Module: "avap", Field: "refuel"}, Fuel: "fuel", Depth: "depth", Start: "start"})
	if err != nil {
		t.Fatal(err)
	}
	return metered
}
