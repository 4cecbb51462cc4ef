package validate

import (
	"os"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/avapd/avapd/internal/wasm/spectest"
)

// fuzzLimits keep what the engine does with an accepted module short.
func fuzzLimits() Limits {
	l := Default
	l.TableElements, l.MemoryPages, l.CompileWork = 1_000, 16, 1_000_000
	return l
}

// FuzzValidate validates anything: it must not panic, and what it accepts the
// engine must accept. The engine gets the module without its custom sections,
// whose contents are not validated.
func FuzzValidate(f *testing.F) {
	for _, b := range spectest.Binaries(f, 2_000) {
		f.Add(b)
	}
	for _, path := range []string{"../../../runtime/library/rt.wasm"} {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	runtime := wazero.NewRuntimeWithConfig(f.Context(), wazero.NewRuntimeConfigCompiler())
	f.Cleanup(func() { runtime.Close(f.Context()) })
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := Module(data, fuzzLimits())
		if err != nil {
			return
		}
		b.Customs = nil
		compiled, err := runtime.CompileModule(t.Context(), b.Encode())
		if err != nil {
			t.Fatalf("the engine refuses what we accept: %v", err)
		}
		compiled.Close(t.Context())
	})
}
