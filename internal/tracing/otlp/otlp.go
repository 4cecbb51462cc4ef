// Package otlp sends spans to a collector, by OTLP over gRPC or HTTP.
package otlp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/avapd/avapd/internal/tracing"
)

// Options say where spans go, and which.
type Options struct {
	// Endpoint is the URL of the collector. HTTP adds /v1/traces to one without
	// a path; https means TLS.
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

	valueBytes = 256
	attributes = 32
	// few of what we do not use: events and links.
	few = 8
	// complainEvery is between two lines of log about exports that fail.
	complainEvery = time.Minute
)

// Exporter records spans and sends them away.
type Exporter struct {
	provider *sdktrace.TracerProvider
	sender   *sender
	// recorded counts spans that ended.
	recorded atomic.Int64
}

// Open makes an exporter. It does not wait for the collector, which need not be
// up. What the options do not say, certificates for example, is taken from the
// variables of OpenTelemetry (OTEL_EXPORTER_OTLP_…, OTEL_RESOURCE_ATTRIBUTES).
func Open(ctx context.Context, o Options) (*Exporter, error) {
	inner, err := newSender(ctx, &o)
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	about, err := describe(ctx, o.Version)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("tracing: %w", err), inner.Shutdown(ctx))
	}
	e := &Exporter{sender: &sender{SpanExporter: inner, log: o.Log}}
	sampler := sdktrace.TraceIDRatioBased(float64(o.PerMillion) / 1_000_000)
	if o.ParentBased {
		sampler = sdktrace.ParentBased(sampler)
	}
	batches := sdktrace.NewBatchSpanProcessor(e.sender, sdktrace.WithMaxQueueSize(queueSpans), sdktrace.WithMaxExportBatchSize(batchSpans),
		sdktrace.WithBatchTimeout(batchTime), sdktrace.WithExportTimeout(exportTime))
	e.provider = sdktrace.NewTracerProvider(sdktrace.WithResource(about), sdktrace.WithSampler(sampler), sdktrace.WithSpanProcessor(&counting{batches, &e.recorded}),
		sdktrace.WithRawSpanLimits(sdktrace.SpanLimits{
			AttributeValueLengthLimit: valueBytes, AttributeCountLimit: attributes,
			EventCountLimit: few, LinkCountLimit: few, AttributePerEventCountLimit: few, AttributePerLinkCountLimit: few,
		}))
	return e, nil
}

func newSender(ctx context.Context, o *Options) (*otlptrace.Exporter, error) {
	u, err := url.Parse(o.Endpoint)
	if err != nil {
		return nil, errors.New("the endpoint is no URL") // the cause quotes it
	}
	if !o.HTTP {
		options := []otlptracegrpc.Option{otlptracegrpc.WithEndpointURL(u.String()), otlptracegrpc.WithTimeout(exportTime)}
		if len(o.Headers) > 0 {
			options = append(options, otlptracegrpc.WithHeaders(o.Headers))
		}
		return otlptracegrpc.New(ctx, options...)
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = "/v1/traces"
	}
	options := []otlptracehttp.Option{otlptracehttp.WithEndpointURL(u.String()), otlptracehttp.WithTimeout(exportTime)}
	if len(o.Headers) > 0 {
		options = append(options, otlptracehttp.WithHeaders(o.Headers))
	}
	return otlptracehttp.New(ctx, options...)
}

// describe says who sends the spans. OTEL_SERVICE_NAME and
// OTEL_RESOURCE_ATTRIBUTES win, as they do in other programs.
func describe(ctx context.Context, version string) (*resource.Resource, error) {
	host, _ := os.Hostname()
	return resource.New(ctx, resource.WithAttributes(
		semconv.ServiceName("avapd"), semconv.ServiceVersion(version), semconv.ServiceInstanceID(fmt.Sprintf("%s-%d", host, os.Getpid())),
	), resource.WithTelemetrySDK(), resource.WithFromEnv())
}

// Tracer begins spans that are sent.
func (e *Exporter) Tracer() *tracing.Tracer { return tracing.New(e.provider) }

// Close sends what is left, until ctx ends.
func (e *Exporter) Close(ctx context.Context) error {
	if err := e.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("send the last spans: %w", err)
	}
	return nil
}

// Stats counts spans since the start.
type Stats struct {
	// Recorded have ended. Exported were taken by the collector, Failed were
	// not. The others wait, or found the queue full.
	Recorded, Exported, Failed int64
}

// Stats tells how many spans there were.
func (e *Exporter) Stats() Stats {
	return Stats{Exported: e.sender.exported.Load(), Failed: e.sender.failed.Load(), Recorded: e.recorded.Load()}
}

// counting counts the spans that a processor is given.
type counting struct {
	sdktrace.SpanProcessor

	n *atomic.Int64
}

// OnEnd implements sdktrace.SpanProcessor.
func (c *counting) OnEnd(s sdktrace.ReadOnlySpan) {
	if s.SpanContext().IsSampled() {
		c.n.Add(1)
	}
	c.SpanProcessor.OnEnd(s)
}

// sender counts what is exported, and tells the log of failures from time to
// time: nobody else is told of them.
type sender struct {
	sdktrace.SpanExporter

	log              *slog.Logger
	exported, failed atomic.Int64
	// complained is when the log was told, in Unix nanoseconds.
	complained atomic.Int64
}

// ExportSpans implements sdktrace.SpanExporter.
func (s *sender) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := s.SpanExporter.ExportSpans(ctx, spans)
	if err == nil {
		s.exported.Add(int64(len(spans)))
		return nil
	}
	s.failed.Add(int64(len(spans)))
	now, before := time.Now().UnixNano(), s.complained.Load()
	if now-before > int64(complainEvery) && s.complained.CompareAndSwap(before, now) {
		s.log.Warn("spans could not be sent to the collector", "error", err.Error(), "failed", s.failed.Load())
	}
	return nil
}
