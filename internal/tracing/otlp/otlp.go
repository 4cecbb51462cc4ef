// Package otlp sends spans to a collector, by OTLP over gRPC or HTTP.
package otlp

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/avapd/avapd/internal/tracing"
)

// Options say where spans go, and which.
type Options struct {
	// Endpoint is the URL of the collector, empty for none. HTTP adds /v1/traces to
	// one without a path; https means TLS.
	Endpoint string
	HTTP     bool // gRPC otherwise
	// Headers go with every export.
	Headers map[string]string
	// PerMillion is how many of a million requests are recorded, and
	// ParentBased lets the caller's decision stand where there is one.
	PerMillion  int64
	ParentBased bool
	Version     string
	Log         *slog.Logger
}

// Bounds of what is held and sent.
const (
	queueSpans = 4096
	batchSpans = 512
	batchTime  = time.Second
	exportTime = 5 * time.Second

	// complainEvery is between two lines of log about exports that fail.
	complainEvery = time.Minute
)

// Exporter records spans and sends them away.
type Exporter struct {
	tracer *tracing.Tracer
	log    *slog.Logger

	mu      sync.Mutex
	queue   []*tracing.Record
	waiting int // spans in the queue
	turns   []turn

	// began tells of the first record in the queue, full of a whole batch and
	// turned of another target.
	began, full, turned chan struct{}
	closing, done       chan struct{}
	cancel              context.CancelFunc

	recorded, exported, failed atomic.Int64
	complained                 time.Time
}

// turn is a change of the target: what ended before goes to the former one.
type turn struct {
	before []*tracing.Record
	next   *Target
}

// Open makes an exporter that uses a target. Whoever makes one must close it.
func Open(ctx context.Context, o Options) (*Exporter, error) {
	target, err := Prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	e := &Exporter{
		log: o.Log, began: make(chan struct{}, 1), full: make(chan struct{}, 1), turned: make(chan struct{}, 1),
		closing: make(chan struct{}), done: make(chan struct{}),
	}
	e.tracer = tracing.New(e.take)
	e.tracer.Sample(target.sampling)
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	e.cancel = cancel
	go e.run(work, target)
	return e, nil
}

// Tracer begins spans that are sent.
func (e *Exporter) Tracer() *tracing.Tracer { return e.tracer }

// Use replaces the target. Spans that have ended go to the former one, others to
// the new one.
func (e *Exporter) Use(t *Target) {
	e.tracer.Sample(t.sampling)
	e.mu.Lock()
	e.turns = append(e.turns, turn{e.queue, t})
	e.queue, e.waiting = nil, 0
	e.mu.Unlock()
	poke(e.turned)
}

// Close sends what is left, until ctx ends.
func (e *Exporter) Close(ctx context.Context) error {
	close(e.closing)
	defer e.cancel()
	select {
	case <-e.done:
		return nil
	case <-ctx.Done():
		e.cancel()
		<-e.done
		return fmt.Errorf("send the last spans: %w", ctx.Err())
	}
}

// Stats counts spans since the start.
type Stats struct {
	// Recorded have ended. Exported were taken by the collector, Failed were
	// not. The others wait, or found the queue full.
	Recorded, Exported, Failed int64
}

// Stats tells how many spans there were.
func (e *Exporter) Stats() Stats {
	return Stats{Exported: e.exported.Load(), Failed: e.failed.Load(), Recorded: e.recorded.Load()}
}

// take puts a record into the queue, if there is room.
func (e *Exporter) take(r *tracing.Record) {
	e.recorded.Add(int64(r.Len()))
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.waiting+r.Len() > queueSpans {
		return
	}
	if e.queue = append(e.queue, r); len(e.queue) == 1 {
		poke(e.began)
	}
	if e.waiting += r.Len(); e.waiting >= batchSpans {
		poke(e.full)
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is known already
	}
}

// run sends what comes, a batch at a time.
func (e *Exporter) run(ctx context.Context, target *Target) {
	defer close(e.done)
	late := time.NewTimer(batchTime)
	late.Stop()
	defer late.Stop()
	for {
		select {
		case <-e.began:
			late.Reset(batchTime)
			continue
		case <-e.full:
		case <-late.C:
		case <-e.turned:
		case <-e.closing:
			target = e.turn(ctx, target)
			e.flush(ctx, target)
			e.discard(ctx, target)
			return
		}
		target = e.turn(ctx, target)
		e.flush(ctx, target)
	}
}

// turn goes over to the last target there is.
func (e *Exporter) turn(ctx context.Context, target *Target) *Target {
	e.mu.Lock()
	turns := e.turns
	e.turns = nil
	e.mu.Unlock()
	for _, turn := range turns {
		for len(turn.before) > 0 {
			n, spans := batchOf(turn.before)
			e.send(ctx, target, turn.before[:n], spans)
			turn.before = turn.before[n:]
		}
		e.discard(ctx, target)
		target = turn.next
	}
	return target
}

func (e *Exporter) discard(ctx context.Context, target *Target) {
	if err := target.Discard(ctx); err != nil {
		e.log.Warn("the connection to the collector was not closed", "error", err.Error())
	}
}

// flush sends all that is in the queue.
func (e *Exporter) flush(ctx context.Context, target *Target) {
	for {
		batch, spans := e.batch()
		if len(batch) == 0 {
			return
		}
		e.send(ctx, target, batch, spans)
	}
}

func (e *Exporter) send(ctx context.Context, target *Target, batch []*tracing.Record, spans int) {
	sending, cancel := context.WithTimeout(ctx, exportTime)
	defer cancel()
	if err := target.send(sending, batch, spans); err != nil {
		e.failed.Add(int64(spans))
		e.complain(err)
		return
	}
	e.exported.Add(int64(spans))
}

// batchOf is how many of the records are sent at once, and their spans.
func batchOf(records []*tracing.Record) (n, spans int) {
	for n < len(records) && spans < batchSpans {
		spans += records[n].Len()
		n++
	}
	return n, spans
}

// batch takes records out of the queue, with as many spans as are sent at once.
func (e *Exporter) batch() (batch []*tracing.Record, spans int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n, spans := batchOf(e.queue)
	batch = e.queue[:n:n]
	e.queue = e.queue[n:]
	if e.waiting -= spans; len(e.queue) == 0 {
		e.queue = nil
	}
	return batch, spans
}

// complain tells the log of failures from time to time: nobody else is told.
func (e *Exporter) complain(err error) {
	if time.Since(e.complained) > complainEvery {
		e.complained = time.Now()
		e.log.Warn("spans could not be sent to the collector", "error", err.Error(), "failed", e.failed.Load())
	}
}
