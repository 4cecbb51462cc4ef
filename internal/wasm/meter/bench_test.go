package meter

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/avapd/avapd/internal/wasm"
)

// kernels are a loop of small turns and a recursion of small calls, the two
// shapes that metering costs most.
var kernels = map[string]func(m *wasm.Module){
	"loop": func(m *wasm.Module) {
		f := m.NewFunc("f", unary)
		f.Exports = []string{"f"}
		sum := f.NewLocal(wasm.I32)
		head := f.Loop()
		f.LocalGet(sum)
		f.LocalGet(f.Param(0))
		f.Op(wasm.OpI32Xor)
		f.I32Const(3)
		f.Op(wasm.OpI32Mul)
		f.LocalSet(sum)
		f.LocalGet(f.Param(0))
		f.I32Const(1)
		f.Op(wasm.OpI32Sub)
		f.LocalTee(f.Param(0))
		f.BrIf(head)
		f.End()
		f.LocalGet(sum)
	},
	"fib": func(m *wasm.Module) {
		f := m.NewFunc("f", unary)
		f.Exports = []string{"f"}
		f.LocalGet(f.Param(0))
		f.I32Const(2)
		f.Op(wasm.OpI32LtS)
		f.If(wasm.I32)
		f.LocalGet(f.Param(0))
		f.Else()
		for i := range int32(2) {
			f.LocalGet(f.Param(0))
			f.I32Const(i + 1)
			f.Op(wasm.OpI32Sub)
			f.Call(f)
		}
		f.Op(wasm.OpI32Add)
		f.End()
	},
}

// BenchmarkMetering runs kernels as they are and metered, by turns; ratio is
// what metering costs, of the fastest runs.
func BenchmarkMetering(b *testing.B) {
	for name, kernel := range kernels {
		b.Run(name, func(b *testing.B) {
			m := &wasm.Module{}
			kernel(m)
			module := m.Encode()
			out, err := metered(module, testOptions)
			if err != nil {
				b.Fatal(err)
			}
			argument := map[string]uint64{"loop": 1_000_000, "fib": 24}[name]
			run := func(i api.Module) time.Duration {
				began := time.Now()
				if _, err := i.ExportedFunction("f").Call(context.Background(), argument); err != nil {
					b.Fatal(err)
				}
				return time.Since(began)
			}
			plain := instance(b, wazero.NewRuntimeConfigCompiler(), module, 0)
			counted := instance(b, wazero.NewRuntimeConfigCompiler(), out, 1<<60)
			var times [2][]time.Duration
			for b.Loop() {
				times[0], times[1] = append(times[0], run(plain)), append(times[1], run(counted))
			}
			b.ReportMetric(float64(slices.Min(times[1]))/float64(slices.Min(times[0])), "ratio")
		})
	}
}
