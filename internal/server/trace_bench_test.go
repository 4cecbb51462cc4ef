//go:build unix

package server

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"syscall"
	"testing"
	"time"

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
// request takes that is traced and sent to a collector, and one that is not chosen,
// than without tracing. The collector does no more than to take what comes. The ways
// take turns, so that what else the machine does hits all alike.
func BenchmarkTracing(b *testing.B) {
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	b.Cleanup(collector.Close)
	ways := []*tracedWay{{}, {exporter: openExporter(b, collector.URL, 0)}, {exporter: openExporter(b, collector.URL, 1_000_000)}}
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

func openExporter(b *testing.B, url string, perMillion int64) *otlp.Exporter {
	b.Helper()
	e, err := otlp.Open(b.Context(), otlp.Options{Endpoint: url, HTTP: true, PerMillion: perMillion, ParentBased: true, Log: slog.New(slog.DiscardHandler)})
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

// turn makes requests, sends their spans, and notes what it cost.
func (w *tracedWay) turn(b *testing.B) {
	b.Helper()
	const requests, few = 5000, 100
	before := processorTime(b)
	for range requests / few {
		for range few {
			w.ask()
		}
		w.await()
	}
	w.costs = append(w.costs, float64((processorTime(b)-before).Nanoseconds())/1000/requests)
}

// await waits until few spans are to be sent, so that none finds the queue full. The
// last of them are sent in the next turn: to wait for their time would be measured, too.
func (w *tracedWay) await() {
	const few = 2000
	for w.exporter != nil {
		if now := w.exporter.Stats(); now.Recorded-now.Exported-now.Failed <= few {
			return
		}
		time.Sleep(time.Millisecond)
	}
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
