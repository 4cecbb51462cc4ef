package compiler_test

import (
	"testing"

	"github.com/avapd/avapd/compiler"
	"github.com/avapd/avapd/wasmhost"
)

const fiveLines = `addParam("id", id)
if(id, None, "==")
    id = 1
end()
addVar(name, "n-" + str(id))
addResult(name)
`

// BenchmarkCompile is the compiler alone, BenchmarkLoad what the engine makes
// of its module.
func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		if a, findings := compiler.Compile(compiler.Source{Text: fiveLines}, compiler.Options{}); a == nil {
			b.Fatal(findings)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	h := newHost(b, wasmhost.EngineCompiler)
	a, findings := compiler.Compile(compiler.Source{Text: fiveLines}, compiler.Options{})
	if a == nil {
		b.Fatal(findings)
	}
	for b.Loop() {
		m, err := h.Load(a.Wasm, a.Manifest)
		if err != nil {
			b.Fatal(err)
		}
		m.Release()
	}
}
