package otlp

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	about "go.opentelemetry.io/proto/otlp/resource/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/avapd/avapd/internal/tracing"
)

// Target is a collector, and what of the requests it is to get.
type Target struct {
	client   otlptrace.Client // nil where nothing is traced
	sender   *about.Resource
	sampling *tracing.Sampling
}

// Prepare makes a target of the options. It does not wait for the collector, which
// need not be up. What they do not say, certificates for example, is taken from the
// variables of OpenTelemetry (OTEL_EXPORTER_OTLP_…, OTEL_RESOURCE_ATTRIBUTES).
// Whoever prepares a target has to use it, or to discard it.
func Prepare(ctx context.Context, o Options) (*Target, error) {
	if o.Endpoint == "" {
		return &Target{}, nil
	}
	client, err := newClient(o)
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	sender, err := describe(ctx, o.Version)
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	if err := client.Start(ctx); err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	return &Target{client, sender, &tracing.Sampling{PerMillion: o.PerMillion, ParentBased: o.ParentBased}}, nil
}

// Discard ends a target that nobody uses.
func (t *Target) Discard(ctx context.Context) error {
	if t.client == nil {
		return nil
	}
	if err := t.client.Stop(ctx); err != nil {
		return fmt.Errorf("tracing: %w", err)
	}
	return nil
}

func newClient(o Options) (otlptrace.Client, error) {
	u, err := url.Parse(o.Endpoint)
	if err != nil {
		return nil, errors.New("the endpoint is no URL") // the cause quotes it
	}
	if !o.HTTP {
		options := []otlptracegrpc.Option{otlptracegrpc.WithEndpointURL(u.String()), otlptracegrpc.WithTimeout(exportTime)}
		if len(o.Headers) > 0 {
			options = append(options, otlptracegrpc.WithHeaders(o.Headers))
		}
		return otlptracegrpc.NewClient(options...), nil
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = "/v1/traces"
	}
	options := []otlptracehttp.Option{otlptracehttp.WithEndpointURL(u.String()), otlptracehttp.WithTimeout(exportTime)}
	if len(o.Headers) > 0 {
		options = append(options, otlptracehttp.WithHeaders(o.Headers))
	}
	return otlptracehttp.NewClient(options...), nil
}

// describe says who sends the spans. OTEL_SERVICE_NAME and
// OTEL_RESOURCE_ATTRIBUTES win, as they do in other programs.
func describe(ctx context.Context, version string) (*about.Resource, error) {
	host, _ := os.Hostname()
	found, err := resource.New(ctx, resource.WithAttributes(
		semconv.ServiceName("avapd"), semconv.ServiceVersion(version), semconv.ServiceInstanceID(fmt.Sprintf("%s-%d", host, os.Getpid())),
	), resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("describe the sender: %w", err)
	}
	sender := new(about.Resource)
	for _, a := range found.Attributes() {
		sender.Attributes = append(sender.Attributes, textual(a))
	}
	return sender, nil
}

func textual(a attribute.KeyValue) *common.KeyValue {
	return &common.KeyValue{Key: string(a.Key), Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: a.Value.String()}}}
}

// send gives records to the collector.
func (t *Target) send(ctx context.Context, records []*tracing.Record, spans int) error {
	if t.client == nil {
		return errors.New("nothing is traced any more")
	}
	list := &traces.ResourceSpans{Resource: t.sender}
	// What a message has besides the fields that are set is sent as it is.
	list.ProtoReflect().SetUnknown(encode(records, spans))
	return t.client.UploadTraces(ctx, []*traces.ResourceSpans{list}) //nolint:wrapcheck // the log says what it is about
}
