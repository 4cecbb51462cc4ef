package compiler_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/avapd/avapd/compiler"
	"github.com/avapd/avapd/internal/bench/kernels"
	"github.com/avapd/avapd/runtime/abi"
	"github.com/avapd/avapd/wasmhost"
)

const fiveLines = `addParam("id", id)
if(id, None, "==")
    id = 1
end()
addVar(name, "n-" + str(id))
addResult(name)
`

// BenchmarkCompile is the compiler alone, with the manifest in the module and
// without; BenchmarkLoad is what the engine makes of it.
func BenchmarkCompile(b *testing.B) {
	for name, options := range map[string]compiler.Options{"whole": {}, "detached": {Detached: true}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if a, findings := compiler.Compile(compiler.Source{Text: fiveLines}, options); a == nil {
					b.Fatal(findings)
				}
			}
		})
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

// BenchmarkByHand runs scripts as they may be written and as an optimisation that
// the compiler does not have would make them, by turns, and reports how much longer
// the first ones take. Of a look-up in a dict it takes away one of two, which is
// more than an optimisation could. Copies of functions for kinds and what is computed
// once instead of twice the compiler does have: there is nothing left to be had by hand.
func BenchmarkByHand(b *testing.B) {
	outer := limits
	defer func() { limits = outer }()
	limits.Fuel = 1 << 40
	for _, c := range []struct{ name, script, want, have string }{
		{"index", "m = [1] * 90000\nstartLoop(i, 0, 299)\nstartLoop(j, 0, 299)\nk = i * 300 + j\nm[k] = m[PART] + m[PART] * 2\nendLoop()\nendLoop()", "k", "i * 300 + j"},
		{"kinds", "function f(x){\nreturn(x * x + 3 * x + 1)\n}\nfunction g(x){\nreturn(x * x + 3 * x + 1)\n}\na = 0\nb = 0.0\nstartLoop(i, 1, 50000)\na = a + f(i)\nb = b + PART(0.5)\nendLoop()", "g", "f"},
		{"lookups", "d = {}\nkeys = [str(i) for i in range(100)]\nstartLoop(i, 1, 50000)\nk = keys[i % 100]\nd[k] = PART + 1\nendLoop()", "i", "d.get(k, 0)"},
	} {
		b.Run(c.name, func(b *testing.B) {
			h := newHost(b, wasmhost.EngineCompiler)
			best := [2]time.Duration{time.Hour, time.Hour}
			var modules [2]*wasmhost.Module
			for i, part := range []string{c.have, c.want} {
				a, findings := compiler.Compile(compiler.Source{Text: strings.ReplaceAll(c.script, "PART", part)}, compiler.Options{})
				if a == nil {
					b.Fatal(findings)
				}
				m, err := h.Load(a.Wasm, a.Manifest)
				if err != nil {
					b.Fatal(err)
				}
				defer m.Release()
				modules[i] = m
			}
			for b.Loop() {
				for i, m := range modules {
					began := time.Now()
					if _, _, failure := h.Run(context.Background(), m, &wasmhost.Input{}, limits, nil); failure != nil {
						b.Fatal(failure)
					}
					best[i] = min(best[i], time.Since(began))
				}
			}
			b.ReportMetric(float64(best[0])/float64(best[1]), "written/byhand")
		})
	}
}

// BenchmarkSharing runs scripts without and with operations shared that were made
// before, by turns, and reports how much longer the first ones take.
func BenchmarkSharing(b *testing.B) {
	outer := limits
	defer func() { limits = outer }()
	limits.Fuel = 1 << 40
	scripts := map[string]string{
		"length": "l = [1] * 100000\ni = 0\nt = 0\nwhile(i < len(l))\nif(i % 3, 0, \"==\")\nt = t + len(l) - i\nend()\nt = t + l[i]\ni = i + 1\nend()",
		"index":  "m = [1] * 90000\nstartLoop(i, 0, 299)\nstartLoop(j, 0, 299)\nm[i * 300 + j] = m[i * 300 + j] + m[i * 300 + j] * 2\nendLoop()\nendLoop()",
		"sort":   "l = [i * 7919 % 401 for i in range(400)]\nstartLoop(i, 0, len(l) - 2)\nstartLoop(j, 0, len(l) - 2 - i)\nif(None, None, `l[j] > l[j + 1]`)\nt = l[j]\nl[j] = l[j + 1]\nl[j + 1] = t\nend()\nendLoop()\nendLoop()",
		"matrix": "n = 40\na = [[1.5] * 40 for i in range(n)]\nb = [[0.5] * 40 for i in range(n)]\nc = [[0.0] * 40 for i in range(n)]\nstartLoop(i, 0, n - 1)\nstartLoop(j, 0, n - 1)\nstartLoop(k, 0, n - 1)\nc[i][j] = c[i][j] + a[i][k] * b[k][j]\nendLoop()\nendLoop()\nendLoop()",
		"mixed":  "function f(l, i){\nif(None, None, `l[i] > 0 and l[i] < 10`)\nreturn(l[i] * 2)\nend()\nreturn(l[i])\n}\nl = [1, 2.5, 3, 40] * 1000\nt = 0\nstartLoop(i, 0, len(l) - 1)\nt = t + f(l, i)\nendLoop()",
	}
	for _, k := range kernels.All {
		if k.Name != "json" {
			scripts[k.Name] = k.Script()
		}
	}
	for _, name := range slices.Sorted(maps.Keys(scripts)) {
		b.Run(name, func(b *testing.B) {
			h := newHost(b, wasmhost.EngineCompiler)
			without := compileTimed(b, h, scripts[name], false)
			with := compileTimed(b, h, scripts[name], true)
			best := [2]time.Duration{time.Hour, time.Hour}
			for b.Loop() {
				for i, m := range []*wasmhost.Module{without, with} {
					began := time.Now()
					if _, _, failure := h.Run(context.Background(), m, &wasmhost.Input{}, limits, nil); failure != nil {
						b.Fatal(failure)
					}
					best[i] = min(best[i], time.Since(began))
				}
			}
			b.ReportMetric(float64(best[0])/float64(best[1]), "without/with")
		})
	}
}

func compileTimed(b *testing.B, h *wasmhost.Host, script string, share bool) *wasmhost.Module {
	b.Helper()
	if !share {
		defer compiler.WithoutSharing()()
	}
	a, findings := compiler.Compile(compiler.Source{Text: script}, compiler.Options{})
	if a == nil {
		b.Fatal(findings)
	}
	m, err := h.Load(a.Wasm, a.Manifest)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { m.Release() })
	return m
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

// BenchmarkFirstRun makes a module ready and runs it once: in machine code, and
// as a trial.
func BenchmarkFirstRun(b *testing.B) {
	h := newHost(b, wasmhost.EngineCompiler)
	a, findings := compiler.Compile(compiler.Source{Text: fiveLines}, compiler.Options{})
	if a == nil {
		b.Fatal(findings)
	}
	for _, way := range []struct {
		name string
		load func([]byte, abi.Manifest) (*wasmhost.Module, error)
	}{{"machine code", h.Load}, {"trial", h.LoadTrial}} {
		b.Run(way.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m, err := way.load(a.Wasm, a.Manifest)
				if err != nil {
					b.Fatal(err)
				}
				if _, _, failure := h.Run(context.Background(), m, &wasmhost.Input{}, limits, nil); failure != nil {
					b.Fatal(failure)
				}
				m.Release()
			}
		})
	}
}
