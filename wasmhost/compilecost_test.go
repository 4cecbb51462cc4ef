package wasmhost

import (
	"context"
	"os"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/library"
)

// BenchmarkDiskCache compares what a cache of machine code on disk would take
// with compiling: for the library, which is compiled at every start, and for a
// module of a hundred calls.
func BenchmarkDiskCache(b *testing.B) {
	for name, module := range map[string][]byte{"library": library.Module, "script": manyCalls()} {
		b.Run(name+"/compile", func(b *testing.B) { compileWith(b, module, "", false) })
		b.Run(name+"/write", func(b *testing.B) { compileWith(b, module, b.TempDir(), true) })
		b.Run(name+"/read", func(b *testing.B) { compileWith(b, module, b.TempDir(), false) })
	}
}

// compileWith measures compiling alone, without what comes before and after.
func compileWith(b *testing.B, module []byte, dir string, fresh bool) {
	ctx := context.Background()
	once := func() {
		config := runtimeConfig(EngineCompiler)
		if dir != "" {
			cache, err := wazero.NewCompilationCacheWithDir(dir)
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = cache.Close(ctx) }()
			config = config.WithCompilationCache(cache)
		}
		runtime := wazero.NewRuntimeWithConfig(ctx, config)
		defer func() { _ = runtime.Close(ctx) }()
		b.StartTimer()
		_, err := runtime.CompileModule(ctx, module)
		b.StopTimer()
		if err != nil {
			b.Fatal(err)
		}
	}
	once() // fills the directory
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		if fresh {
			if err := os.RemoveAll(dir); err != nil {
				b.Fatal(err)
			}
		}
		once()
	}
}

func manyCalls() []byte {
	m := &wasm.Module{Memory: &wasm.Memory{Limits: wasm.Limits{Min: 2}}}
	sum := m.ImportFunc("rt", "Sum", wasm.FuncType{Params: []wasm.ValType{wasm.I32, wasm.I64}, Results: []wasm.ValType{wasm.I32}})
	f := m.NewFunc("run", wasm.FuncType{Results: []wasm.ValType{wasm.I32}})
	failed := f.Block()
	for i := range int32(100) {
		f.I32Const(i)
		f.I64Const(7)
		f.Call(sum)
		f.BrIf(failed)
	}
	f.End()
	f.I32Const(0)
	return m.Encode()
}

// BenchmarkAddresses compiles a hundred stores, each after a call, whose
// address is a constant or a local.
func BenchmarkAddresses(b *testing.B) {
	for name, local := range map[string]bool{"constant": false, "local": true} {
		m := &wasm.Module{Memory: &wasm.Memory{Limits: wasm.Limits{Min: 2}}}
		other := m.ImportFunc("rt", "Other", wasm.FuncType{})
		f := m.NewFunc("run", wasm.FuncType{})
		zero := f.NewLocal(wasm.I32)
		for range 100 {
			f.Call(other)
			if local {
				f.LocalGet(zero)
			} else {
				f.I32Const(0)
			}
			f.I32Const(7)
			f.Mem(wasm.OpI32Store, 2, 1024)
		}
		module := m.Encode()
		b.Run(name, func(b *testing.B) { compileWith(b, module, "", false) })
	}
}
