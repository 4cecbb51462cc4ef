package meter

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/internal/wasm/spectest"
	"github.com/avapd/avapd/internal/wasm/validate"
)

// outcome is what one call shows: its results or the kind of its trap, and the
// memory afterwards.
type outcome struct {
	results []uint64
	trap    string
	memory  []byte
}

func observe(m api.Module, export string, hasMemory bool) (o outcome, err error) {
	f := m.ExportedFunction(export)
	o.results, err = f.Call(context.Background(), make([]uint64, len(f.Definition().ParamTypes()))...)
	if err != nil {
		o.trap, _, _ = strings.Cut(err.Error(), "\n")
	}
	if hasMemory {
		mem := m.Memory()
		o.memory, _ = mem.Read(0, min(mem.Size(), wasm.PageSize))
		o.memory = slices.Clone(o.memory)
	}
	return o, err
}

// fuzzLimits keep a module small enough to be instantiated a thousand times a
// second.
func fuzzLimits() validate.Limits {
	limits := validate.Max
	limits.TableElements, limits.MemoryPages, limits.Locals = 1000, 4, 1000
	return limits
}

// FuzzMeter meters valid modules: the outcome is valid, and where it ends
// within the fuel, the module without metering does the same.
func FuzzMeter(f *testing.F) {
	m := sample()
	m.Funcs[0].Import = nil
	m.Funcs[0].I32Const(1)
	f.Add(m.Encode())
	for i, module := range spectest.Binaries(f, 1000) {
		if i%7 == 0 {
			f.Add(module)
		}
	}
	f.Fuzz(func(t *testing.T, module []byte) {
		b, err := validate.Module(module, fuzzLimits())
		if err != nil {
			return
		}
		o := testOptions
		o.Calls = 100
		out, err := Module(b, o)
		if err != nil {
			return
		}
		if _, err := validate.Module(out, Limits(fuzzLimits())); err != nil {
			t.Fatalf("metered module: %v", err)
		}
		if len(b.Imports) > 0 || b.HasStart {
			return
		}
		b.Customs = nil // wazero refuses a wrong section of names, which says nothing
		plain := b.Encode()
		for _, e := range b.Exports[:min(len(b.Exports), 10)] {
			if e.Kind == wasm.KindFunc {
				compare(t, plain, out, e.Name, len(b.Memories) > 0)
			}
		}
	})
}

func compare(t *testing.T, plain, metered []byte, export string, hasMemory bool) {
	t.Helper()
	config := wazero.NewRuntimeConfigInterpreter().WithMemoryLimitPages(16)
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, config)
	defer func() { _ = r.Close(ctx) }()
	fuel := refueler{slice: 20_000}
	refuel := api.GoFunc(func(_ context.Context, stack []uint64) {
		if fuel.slices++; fuel.slices > 1 {
			panic(errOutOfFuel)
		}
		stack[0] = uint64(fuel.slice)
	})
	host := r.NewHostModuleBuilder("avap").NewFunctionBuilder().
		WithGoFunction(refuel, []api.ValueType{api.ValueTypeI32}, []api.ValueType{api.ValueTypeI64}).Export("refuel")
	if _, err := host.Instantiate(ctx); err != nil {
		t.Fatal(err)
	}
	config2 := wazero.NewModuleConfig().WithName("")
	with, err := r.InstantiateWithConfig(ctx, metered, config2)
	without, plainErr := r.InstantiateWithConfig(ctx, plain, config2)
	if (err == nil) != (plainErr == nil) {
		t.Fatalf("metered: %v, plain: %v", err, plainErr)
	}
	if err != nil {
		return
	}
	got, err := observe(with, export, hasMemory)
	left := int32(with.ExportedGlobal(testOptions.Depth).Get())
	if errors.Is(err, errOutOfFuel) || left < 0 {
		return
	}
	want, _ := observe(without, export, hasMemory)
	if !slices.Equal(got.results, want.results) || got.trap != want.trap || !slices.Equal(got.memory, want.memory) {
		t.Errorf("%q: metered %v %q, plain %v %q", export, got.results, got.trap, want.results, want.trap)
	}
}
