package engine

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/avapd/avapd/compiler"
)

// mergedSources are a script that needs little of the library, one that needs
// much, and one whose memory grows.
var mergedSources = map[string]string{
	"2 lines":  "total = price * count\naddResult(total)",
	"60 KiB":   "text = name * 20000\ntotal = len(text)\naddResult(total)",
	"50 lines": strings.Repeat("if(count, 3, >)\ntotal = total + price * count\nelse()\nname = name + str(total)\nend()\n", 10),
}

// BenchmarkForms is an execution in each of the forms that it could have, by
// turns, so that what disturbs one disturbs all: with a kept pair of instances,
// with a fresh pair, and with a fresh instance of the script merged with its
// part of the library. kept-ns, pair-ns and merged-ns are medians.
func BenchmarkForms(b *testing.B) {
	in := []byte(`{"price":9.5,"count":3,"total":0,"name":"Ana"}`)
	for name, source := range mergedSources {
		b.Run(name, func(b *testing.B) {
			// There is one memory, and what is kept in it is one pair.
			e := newEngine(b, nil, func(c *Config) { c.MaxInstances = 1 })
			run := func(wasm []byte) time.Duration {
				began := time.Now()
				if _, err := e.RunArtifact(context.Background(), wasm, &Request{Variables: in}); err != nil {
					b.Fatal(err)
				}
				return time.Since(began)
			}
			pair, _ := compiler.Compile(compiler.Source{Text: source}, compiler.Options{})
			other, _ := compiler.Compile(compiler.Source{Text: source + "\n"}, compiler.Options{})
			merged, _ := compiler.Compile(compiler.Source{Text: source}, compiler.Options{Standalone: true})
			var times [3][]time.Duration
			for b.Loop() {
				run(other.Wasm)
				times[1] = append(times[1], run(pair.Wasm))
				times[0] = append(times[0], run(pair.Wasm))
				run(merged.Wasm)
				times[2] = append(times[2], run(merged.Wasm))
			}
			for i, form := range []string{"kept-ns", "pair-ns", "merged-ns"} {
				slices.Sort(times[i])
				b.ReportMetric(float64(times[i][len(times[i])/2]), form)
			}
		})
	}
}

// BenchmarkMergedLoad is what it takes to make a module ready, in both forms:
// pair-ns and merged-ns.
func BenchmarkMergedLoad(b *testing.B) {
	for name, source := range mergedSources {
		b.Run(name, func(b *testing.B) {
			e := newEngine(b, nil, nil)
			load := func(standalone bool) time.Duration {
				artifact, findings := compiler.Compile(compiler.Source{Text: source}, compiler.Options{Standalone: standalone})
				if artifact == nil {
					b.Fatal(findings)
				}
				began := time.Now()
				m, err := e.host.Load(artifact.Wasm, artifact.Manifest)
				if err != nil {
					b.Fatal(err)
				}
				took := time.Since(began)
				m.Release()
				return took
			}
			var pairs, merged []time.Duration
			for b.Loop() {
				pairs, merged = append(pairs, load(false)), append(merged, load(true))
			}
			slices.Sort(pairs)
			slices.Sort(merged)
			b.ReportMetric(float64(pairs[len(pairs)/2]), "pair-ns")
			b.ReportMetric(float64(merged[len(merged)/2]), "merged-ns")
		})
	}
}
