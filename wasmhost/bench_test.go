package wasmhost

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/fairqueue"
	"github.com/avapd/avapd/runtime/abi"
	"github.com/avapd/avapd/runtime/library"
)

func realHost(t testing.TB) *Host {
	return newHost(t, EngineCompiler, func(c *Config) {
		c.Library = library.Module
		c.Gate = fairqueue.New(fairqueue.Limits{Slots: 1, Queued: 1})
	})
}

// BenchmarkRun is a whole execution of a script that does nothing: what the
// sandbox itself costs.
func BenchmarkRun(b *testing.B) {
	for name, in := range map[string]*Input{
		"bare": {},
		"variables": {
			Variables:     []byte(`{"name":"Ana","count":3,"price":9.5,"tags":["a","b"],"unknown":{"k":null}}`),
			EchoVariables: true,
		},
		"body": {
			Variables: []byte(`{"level":3}`), Body: []byte(`{"name":"Ana","variables":{"level":3}}`),
			EchoVariables: true,
		},
	} {
		b.Run(name, func(b *testing.B) {
			h := realHost(b)
			s := plain([]string{"name", "count", "price", "tags"}, nil)
			s.manifest.Needs.Body = true
			m := s.finish(b, h, 0)
			dst := make([]byte, 0, 4096)
			var times []time.Duration
			b.ReportAllocs()
			for b.Loop() {
				began := time.Now()
				if _, _, failure := h.Run(context.Background(), m, in, testLimits, dst); failure != nil {
					b.Fatal(failure)
				}
				times = append(times, time.Since(began))
			}
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)/2]), "p50-ns")
		})
	}
}

func BenchmarkInput(b *testing.B) {
	raw, _ := json.Marshal(map[string]any{"rows": benchRows(200)})
	builder := newBuilder(64)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		builder.start(builder.slot, grower{slot: builder.slot}, 4096)
		if _, err := builder.object(raw, nil); err != nil {
			b.Fatal(err)
		}
		clear(builder.mem[:builder.top])
	}
}

func BenchmarkOutput(b *testing.B) {
	raw, _ := json.Marshal(map[string]any{"rows": benchRows(200)})
	builder := newBuilder(64)
	pairs, err := builder.object(raw, nil)
	if err != nil {
		b.Fatal(err)
	}
	v, err := builder.dict(pairs)
	if err != nil {
		b.Fatal(err)
	}
	r, dst := &reader{}, make([]byte, 0, 2*len(raw))
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		r.start(builder.mem, dst, 1<<20)
		if err := r.value(v); err != nil {
			b.Fatal(err)
		}
	}
}

func benchRows(n int) []map[string]any {
	rows := make([]map[string]any, n)
	for i := range rows {
		rows[i] = map[string]any{"id": i, "name": "row", "price": float64(i) / 7, "ok": i%2 == 0, "note": nil, "text": "línea\n" + abi.RunExport}
	}
	return rows
}

// The request path's allocations are wazero's: two instances and a call
// engine. A change that adds some of ours shows here.
func TestAllocationsPerRun(t *testing.T) {
	h := realHost(t)
	m := plain([]string{"name", "count"}, nil).finish(t, h, 0)
	in := &Input{Variables: []byte(`{"name":"Ana","count":3,"unknown":[1,2.5,"x"]}`), EchoVariables: true}
	dst := make([]byte, 0, 4096)
	const most = 60
	got := testing.AllocsPerRun(200, func() {
		if _, _, failure := h.Run(context.Background(), m, in, testLimits, dst); failure != nil {
			t.Fatal(failure)
		}
	})
	if got > most {
		t.Errorf("%v allocations per run, want at most %v", got, most)
	}
}
