package tracing

import (
	"context"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

func recording(t *testing.T, sampler sdktrace.Sampler) (*Tracer, *tracetest.SpanRecorder) {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	return New(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder), sdktrace.WithSampler(sampler))), recorder
}

// Nobody who does work need ask whether it is traced, and nothing is allocated
// where it is not.
func TestNobodyTraces(t *testing.T) {
	ctx := context.Background()
	var tracer *Tracer
	work := func() {
		s := tracer.Request(Headers{})
		if s.Value(key{}) != nil || s.TraceID() != "" || s.Headers() != (Headers{}) {
			t.Error("a nil span says something")
		}
		child, part := Begin(ctx, "part", Client)
		if child != ctx || part != nil {
			t.Error("there is a part of nothing")
		}
		part.Text(HTTPMethod, "GET")
		part.Number(HTTPStatus, 200)
		part.Name("other")
		part.FailWith(context.Canceled)
		part.End()
	}
	if n := testing.AllocsPerRun(100, work); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Headers are taken as W3C Trace Context says, and what is ill-formed begins a
// trace of its own.
func TestHeaders(t *testing.T) {
	const trace, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	tracer, _ := recording(t, sdktrace.ParentBased(sdktrace.AlwaysSample()))
	for header, want := range map[string]struct{ same, sampled bool }{
		"00-" + trace + "-" + span + "-01": {true, true},
		"00-" + trace + "-" + span + "-00": {true, false},
		"":                                 {false, true},
		"00-" + trace + "-" + span:         {false, true},
		"00-" + strings.ToUpper(trace) + "-" + span + "-01":  {false, true},
		"00-" + strings.Repeat("0", 32) + "-" + span + "-01": {false, true},
		"ff-" + trace + "-" + span + "-01":                   {false, true},
		"00-" + trace + "-" + span + "-01-more":              {false, true},
		strings.Repeat("x", 10_000):                          {false, true},
	} {
		s := tracer.Request(Headers{Parent: header, State: "a=1,b=2"})
		if same := s.TraceID() == trace; same != want.same || s.Recording() != want.sampled {
			t.Errorf("%.80s: same %v, recorded %v", header, same, s.Recording())
		}
		sent := s.Headers()
		flags := map[bool]string{true: "-01", false: "-00"}[want.sampled]
		if !strings.HasPrefix(sent.Parent, "00-"+s.TraceID()+"-") || !strings.HasSuffix(sent.Parent, flags) || strings.Contains(sent.Parent, span) {
			t.Errorf("%.80s: sends %s", header, sent.Parent)
		}
		if got := sent.State == "a=1,b=2"; got != want.same {
			t.Errorf("%.80s: sends the state %q", header, sent.State)
		}
		if part := s.Child("part", Internal); (part != nil) != want.sampled {
			t.Errorf("%.80s: its part is %v", header, part)
		}
	}
}

// However much a request does, it has no more than so many spans, and what comes
// later is passed on as part of what is there.
func TestSpansAreBounded(t *testing.T) {
	tracer, recorder := recording(t, sdktrace.AlwaysSample())
	root := tracer.Request(Headers{})
	ctx := With(context.Background(), root)
	for range 3 * maxSpans {
		inner, part := Begin(ctx, "part", Internal)
		if From(inner) == nil {
			t.Fatal("the rest is part of nothing")
		}
		part.End()
	}
	root.End()
	if got := len(recorder.Ended()); got != maxSpans+1 {
		t.Errorf("%d spans", got)
	}
}

func TestFailWith(t *testing.T) {
	tracer, recorder := recording(t, sdktrace.AlwaysSample())
	for _, err := range []error{nil, context.Canceled, context.DeadlineExceeded, context.Cause(context.Background()), strings.NewReader("").UnreadByte()} {
		s := tracer.Request(Headers{})
		s.FailWith(err)
		s.End()
	}
	var got []string
	for _, s := range recorder.Ended() {
		kind := "none"
		for _, a := range s.Attributes() {
			kind = a.Value.AsString()
		}
		got = append(got, kind)
	}
	if text := strings.Join(got, " "); text != "none cancelled timeout none _OTHER" {
		t.Error(text)
	}
}
