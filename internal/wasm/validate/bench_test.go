package validate

import (
	"os"
	"slices"
	"testing"

	"github.com/avapd/avapd/internal/wasm"
)

// wide calls a function that takes and gives as many values as a type may
// have: nothing makes a body more work to validate for its size.
func wide(calls int) []byte {
	values := slices.Repeat([]wasm.ValType{wasm.I64}, Default.TypeValues)
	m := &wasm.Module{}
	f := m.NewFunc("f", wasm.FuncType{Params: values, Results: values})
	for i := range values {
		f.LocalGet(f.Param(i))
	}
	for range calls {
		f.Call(f)
	}
	return m.Encode()
}

// BenchmarkModule validates the guest library, and the worst body at two
// sizes, which must take the same time per byte.
func BenchmarkModule(b *testing.B) {
	library, err := os.ReadFile("../../../runtime/library/rt.wasm")
	if err != nil {
		b.Fatal(err)
	}
	for name, module := range map[string][]byte{"library": library, "wide_10k": wide(10_000), "wide_100k": wide(100_000)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(module)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Module(module, Default); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
