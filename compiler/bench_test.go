package compiler_test

import (
	"context"
	"testing"
	"time"

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

// BenchmarkMetering runs computations as they are and without charges, by
// turns, and reports how much longer the metered ones take.
func BenchmarkMetering(b *testing.B) {
	outer := limits
	defer func() { limits = outer }()
	limits.Fuel, limits.CallDepth = 1<<40, 1000
	for name, script := range map[string]string{
		"calls":    "function fib(n){\nif(n, 2, \"<\")\nreturn(n)\nend()\nreturn(fib(n - 1) + fib(n - 2))\n}\nr = fib(24)",
		"integers": "r = 0\nstartLoop(i, 1, 1000000)\nr = r + i % 7\nendLoop()",
		"floats":   "x = 0.5\nstartLoop(i, 1, 1000000)\nx = x * 1.000001 + 0.25\nendLoop()",
		"texts":    "s = \"\"\nstartLoop(i, 1, 100000)\ns = s + \"abc\"\nendLoop()",
		"dicts":    "d = {}\nstartLoop(i, 1, 50000)\nd[i] = i\nendLoop()",
	} {
		b.Run(name, func(b *testing.B) {
			h := newHost(b, wasmhost.EngineCompiler)
			run := [2]func() time.Duration{}
			for i := range run {
				a, findings := compiler.Compile(compiler.Source{Text: script}, compiler.Options{Unmetered: i == 1})
				if a == nil {
					b.Fatal(findings)
				}
				m, err := h.Load(a.Wasm, a.Manifest)
				if err != nil {
					b.Fatal(err)
				}
				defer m.Release()
				run[i] = func() time.Duration {
					began := time.Now()
					if _, _, failure := h.Run(context.Background(), m, &wasmhost.Input{}, limits, nil); failure != nil {
						b.Fatal(failure)
					}
					return time.Since(began)
				}
			}
			best := [2]time.Duration{time.Hour, time.Hour}
			for b.Loop() {
				for i := range run {
					best[i] = min(best[i], run[i]())
				}
			}
			b.ReportMetric(float64(best[0])/float64(best[1]), "metered/unmetered")
		})
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
