package tracing

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Kind is on which side of a call the work is done.
type Kind = trace.SpanKind

// The kinds.
const (
	Internal = trace.SpanKindInternal
	Server   = trace.SpanKindServer
	Client   = trace.SpanKindClient
)

// maxSpans bounds the spans of one request: a script can make any number of
// calls. What comes later is not recorded.
const maxSpans = 512

// Tracer begins the spans of requests.
type Tracer struct{ tracer trace.Tracer }

// New makes a tracer of what records the spans.
func New(provider trace.TracerProvider) *Tracer {
	return &Tracer{provider.Tracer("github.com/avapd/avapd")}
}

// Headers are what is sent along with a request, as "W3C Trace Context" has it.
// Baggage is neither taken nor sent: it may hold anything of whoever asked, and
// those whom a script asks are others.
type Headers struct{ Parent, State string }

// The names of the headers.
const (
	HeaderParent = "traceparent"
	HeaderState  = "tracestate"
)

// Interface guard.
var _ propagation.TextMapCarrier = (*Headers)(nil)

// Get implements propagation.TextMapCarrier.
func (h *Headers) Get(name string) string {
	switch name {
	case HeaderParent:
		return h.Parent
	case HeaderState:
		return h.State
	}
	return ""
}

// Set implements propagation.TextMapCarrier.
func (h *Headers) Set(name, value string) {
	switch name {
	case HeaderParent:
		h.Parent = value
	case HeaderState:
		h.State = value
	}
}

// Keys implements propagation.TextMapCarrier.
func (*Headers) Keys() []string { return []string{HeaderParent, HeaderState} }

// Span is a piece of work that a trace shows. A nil one is one that nobody
// records.
type Span struct {
	tracer trace.Tracer
	inner  trace.Span
	// left counts what the request may still record, and id is its trace's.
	left *atomic.Int32
	id   string
}

// Request begins the span of a request that came with headers. Ill-formed ones
// count as none. The span of a nil tracer is nil. Where the request is not
// recorded there is a span still, to be passed on.
func (t *Tracer) Request(from Headers) *Span {
	if t == nil { // which allocates nothing
		return nil
	}
	return t.request(from)
}

func (t *Tracer) request(from Headers) *Span {
	ctx := propagation.TraceContext{}.Extract(context.Background(), &from)
	_, inner := t.tracer.Start(ctx, "request", trace.WithSpanKind(Server)) //nolint:spancheck // End ends it
	s := &Span{tracer: t.tracer, inner: inner, left: new(atomic.Int32), id: inner.SpanContext().TraceID().String()}
	s.left.Store(maxSpans)
	return s //nolint:spancheck // as above
}

// Child begins a part of the work. It is nil where nobody records.
func (s *Span) Child(name string, kind Kind) *Span {
	if s == nil || !s.inner.IsRecording() || s.left.Add(-1) < 0 {
		return nil
	}
	_, inner := s.tracer.Start(trace.ContextWithSpan(context.Background(), s.inner), name, trace.WithSpanKind(kind)) //nolint:spancheck // as above
	return &Span{tracer: s.tracer, inner: inner, left: s.left, id: s.id}                                             //nolint:spancheck // as above
}

// Name renames the span, where what it is about becomes known late.
func (s *Span) Name(name string) {
	if s != nil {
		s.inner.SetName(name)
	}
}

// Recording reports whether attributes go anywhere.
func (s *Span) Recording() bool { return s != nil && s.inner.IsRecording() }

// Text notes a text.
func (s *Span) Text(key Key, value string) {
	if s.Recording() {
		s.inner.SetAttributes(key.String(value))
	}
}

// Number notes a number.
func (s *Span) Number(key Key, value int64) {
	if s.Recording() {
		s.inner.SetAttributes(key.Int64(value))
	}
}

// Fail notes that the work failed, and of which kind the failure is: a word of
// few, and not the message, which may quote anything.
func (s *Span) Fail(kind string) {
	if s.Recording() {
		s.inner.SetAttributes(ErrorType.String(kind))
		s.inner.SetStatus(codes.Error, "")
	}
}

// End ends the span.
func (s *Span) End() {
	if s != nil {
		s.inner.End()
	}
}

// TraceID is the identifier of the trace in hexadecimal, empty for a nil span.
func (s *Span) TraceID() string {
	if s == nil {
		return ""
	}
	return s.id
}

// Headers are what to send along with a request that is part of the work.
func (s *Span) Headers() Headers {
	if s == nil {
		return Headers{}
	}
	return s.headers()
}

func (s *Span) headers() (h Headers) {
	propagation.TraceContext{}.Inject(trace.ContextWithSpan(context.Background(), s.inner), &h)
	return h
}

// Key names an attribute.
type Key = attribute.Key

type key struct{}

// Value is what a context that carries the span has for a key.
func (s *Span) Value(k any) any {
	if s != nil && k == (key{}) {
		return s
	}
	return nil
}

// From is the span that a context carries, or nil.
func From(ctx context.Context) *Span {
	s, _ := ctx.Value(key{}).(*Span)
	return s
}

// With makes a context carry a span. A nil span leaves it as it is, with the
// span of what this is part of.
func With(ctx context.Context, s *Span) context.Context {
	if s == nil {
		return ctx
	}
	return context.WithValue(ctx, key{}, s)
}

// Begin begins a part of the work that a context stands for, and gives the
// context for its own parts.
func Begin(ctx context.Context, name string, kind Kind) (context.Context, *Span) {
	s := From(ctx).Child(name, kind)
	return With(ctx, s), s
}
