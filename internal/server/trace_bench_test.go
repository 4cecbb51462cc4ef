//go:build unix

package server

import (
	"context"
	"log/slog"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/testservices"
	"github.com/avapd/avapd/internal/tracing"
	"github.com/avapd/avapd/internal/tracing/otlp"
)

// tracedWay is a way to ask a server: without tracing, by requests that are not
// chosen, or by ones that are.
type tracedWay struct {
	ask      func()
	exporter *otlp.Exporter // nil without tracing
	costs    []float64
}

// BenchmarkTracing tells what tracing costs: how much more of the processor a
// request takes that is traced, exported and received, all in this process, and one
// that is not chosen, than without tracing. The ways take turns, so that what else
// the machine does hits all alike.
func BenchmarkTracing(b *testing.B) {
	collector := testservices.StartCollector(b)
	ways := []*tracedWay{{}, {exporter: openExporter(b, collector, 0)}, {exporter: openExporter(b, collector, 1_000_000)}}
	for _, w := range ways {
		var tracer *tracing.Tracer
		if w.exporter != nil {
			tracer = w.exporter.Tracer()
		}
		w.ask = paths(b)[1].open(b, tracer, nil)
		w.turn(b) // until machine code is there
		w.costs = nil
	}
	for b.Loop() {
		for _, w := range ways {
			w.turn(b)
		}
	}
	off := median(ways[0].costs)
	b.ReportMetric(off, "µs-off/request")
	b.ReportMetric(100*(median(ways[1].costs)/off-1), "%-not-chosen")
	b.ReportMetric(100*(median(ways[2].costs)/off-1), "%-traced")
}

func openExporter(b *testing.B, collector *testservices.Collector, perMillion int64) *otlp.Exporter {
	b.Helper()
	e, err := otlp.Open(b.Context(), otlp.Options{Endpoint: collector.URL(), PerMillion: perMillion, ParentBased: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	return e
}

// turn makes requests, waits until their spans are away, and notes what it cost.
func (w *tracedWay) turn(b *testing.B) {
	b.Helper()
	const requests = 500
	before := processorTime(b)
	for range requests {
		w.ask()
	}
	for w.exporter != nil {
		if now := w.exporter.Stats(); now.Exported+now.Failed >= now.Recorded {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	w.costs = append(w.costs, float64((processorTime(b)-before).Nanoseconds())/1000/requests)
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}
