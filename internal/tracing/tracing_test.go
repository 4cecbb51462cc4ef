package tracing

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// recording gives a tracer, and what it hands over.
func recording(sampling Sampling) (*Tracer, *[]*Record) {
	var mu sync.Mutex
	var records []*Record
	tracer := New(func(r *Record) {
		mu.Lock()
		defer mu.Unlock()
		records = append(records, r)
	})
	tracer.Sample(&sampling)
	return tracer, &records
}

var all = Sampling{PerMillion: 1_000_000, ParentBased: true}

// Nobody who does work need ask whether it is traced, and nothing is allocated
// where it is not.
func TestNobodyTraces(t *testing.T) {
	ctx := context.Background()
	for _, tracer := range []*Tracer{nil, New(nil)} {
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
}

// A request of the usual size takes one piece of memory and the name of its trace.
func TestAllocations(t *testing.T) {
	tracer := New(func(*Record) {})
	tracer.Sample(&all)
	n := testing.AllocsPerRun(100, func() {
		root := tracer.Request(Headers{})
		for range usualSpans - 1 {
			part := root.Child("part", Internal)
			part.Text(Tier, TierCode)
			part.Number(Fuel, 7)
			part.End()
		}
		root.End()
	})
	if n > 2 {
		t.Errorf("%v allocations", n)
	}
}

const someTrace, someSpan = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

// headers are some that are as W3C Trace Context says, and some that are not.
var headers = []string{
	"00-" + someTrace + "-" + someSpan + "-01", "00-" + someTrace + "-" + someSpan + "-00", "00-" + someTrace + "-" + someSpan + "-ff",
	"", "00-" + someTrace + "-" + someSpan, "00-" + strings.ToUpper(someTrace) + "-" + someSpan + "-01",
	"00-" + strings.Repeat("0", 32) + "-" + someSpan + "-01", "00-" + someTrace + "-" + strings.Repeat("0", 16) + "-01",
	"ff-" + someTrace + "-" + someSpan + "-01", "00-" + someTrace + "-" + someSpan + "-01-more", "01-" + someTrace + "-" + someSpan + "-01-more",
	"01-" + someTrace + "-" + someSpan + "-01more", "00-" + someTrace + "_" + someSpan + "-01", "0x-" + someTrace + "-" + someSpan + "-01",
	strings.Repeat("x", 10_000),
}

// Headers are taken as W3C Trace Context says, and what is ill-formed begins a
// trace of its own.
func TestHeaders(t *testing.T) {
	tracer, _ := recording(all)
	for i, want := range []struct{ same, sampled bool }{{true, true}, {true, false}, {true, true}, {false, true}, {false, true}, {false, true}, {false, true}} {
		header := headers[i]
		s := tracer.Request(Headers{Parent: header, State: "a=1,b=2"})
		if same := s.TraceID() == someTrace; same != want.same || s.Recording() != want.sampled {
			t.Errorf("%.80s: same %v, recorded %v", header, same, s.Recording())
		}
		sent := s.Headers()
		flags := map[bool]string{true: "-01", false: "-00"}[want.sampled]
		if !strings.HasPrefix(sent.Parent, "00-"+s.TraceID()+"-") || !strings.HasSuffix(sent.Parent, flags) || strings.Contains(sent.Parent, someSpan) {
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

// The header is read as the library of OpenTelemetry reads it, which refuses flags
// that it does not know.
func FuzzParent(f *testing.F) {
	for _, header := range headers {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		carrier := propagation.MapCarrier{HeaderParent: header}
		want := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(t.Context(), carrier))
		got, ok := parseParent(header)
		if strings.HasPrefix(header, "00-") && len(header) > parentBytes {
			// Of version 00 the library takes one with a dash behind it, which the
			// specification does not have.
			if ok {
				t.Errorf("%q is read as %+v", header, got)
			}
			return
		}
		if ok && !want.IsValid() && header[flagsAt:flagsAt+1] == "0" && header[flagsAt+1] < '3' || !ok && want.IsValid() ||
			ok && want.IsValid() && (got.trace != want.TraceID() || got.span != want.SpanID() || got.chosen != want.IsSampled()) {
			t.Errorf("%q is read as %+v, %v; the library says %+v", header, got, ok, want)
		}
	})
}

// Who sees a trace decides as everybody else does who samples by ratio.
func TestSampling(t *testing.T) {
	for _, perMillion := range []int64{0, 1, 250_000, 999_999, 1_000_000} {
		sampler := sdktrace.TraceIDRatioBased(float64(perMillion) / 1_000_000)
		for range 1000 {
			id := newTrace()
			want := sampler.ShouldSample(sdktrace.SamplingParameters{ParentContext: t.Context(), TraceID: id}).Decision == sdktrace.RecordAndSample
			if got := (&Sampling{PerMillion: perMillion}).chooses(id); got != want {
				t.Fatalf("%d of a million: %x is chosen: %v", perMillion, id, got)
			}
		}
	}
	tracer, _ := recording(Sampling{PerMillion: 0})
	if tracer.Request(Headers{Parent: headers[0]}).Recording() {
		t.Error("the caller's decision stands although it should not")
	}
	tracer.Sample(&all)
	if !tracer.Request(Headers{Parent: headers[0]}).Recording() {
		t.Error("a new choice does not hold")
	}
	tracer.Sample(nil)
	if tracer.Request(Headers{Parent: headers[0]}) != nil {
		t.Error("what is off passes something on")
	}
}

// However much a request does, it has no more than so many spans and attributes,
// and what comes later is passed on as part of what is there.
func TestRecordsAreBounded(t *testing.T) {
	tracer, records := recording(all)
	root := tracer.Request(Headers{})
	ctx := With(context.Background(), root)
	for range 3 * maxSpans {
		inner, part := Begin(ctx, "part", Internal)
		if From(inner) == nil {
			t.Fatal("the rest is part of nothing")
		}
		part.End()
	}
	for i := range 2 * maxAttributes {
		root.Text(Key(fmt.Sprint(i)), strings.Repeat("ü", 2*maxCharacters))
	}
	root.End()
	r := (*records)[0]
	if r.Len() != maxSpans+1 || len(r.Attributes()) != maxAttributes || r.Attributes()[0].Text != strings.Repeat("ü", maxCharacters) {
		t.Errorf("%d spans, %d attributes, %d bytes", r.Len(), len(r.Attributes()), len(r.Attributes()[0].Text))
	}
	if late := root.Child("late", Internal); late != nil {
		t.Error("there is a span after the last")
	}
}

// A record is handed over once, by whichever span ends last, and is not changed by
// those who come too late.
func TestEndsOnce(t *testing.T) {
	tracer, records := recording(all)
	root := tracer.Request(Headers{})
	var parts sync.WaitGroup
	for range 8 {
		part := root.Child("part", Internal)
		parts.Go(func() {
			part.Number(Fuel, 1)
			part.Number(Fuel, 2)
			part.Fail("word")
			part.End()
			part.End()
			part.Name("late")
			part.Text(Command, "late")
		})
	}
	root.End()
	parts.Wait()
	if len(*records) != 1 {
		t.Fatalf("%d records", len(*records))
	}
	r := (*records)[0]
	for i := range r.Len() {
		s := r.At(i)
		if s.End < s.Start || i > 0 && (s.Name != "part" || !s.Failed || s.Parent != r.At(0).ID) {
			t.Errorf("%d: %+v", i, s)
		}
	}
	for _, a := range r.Attributes() {
		if a.Key == Fuel && a.Number != 2 || a.Key == Command {
			t.Errorf("%+v", a)
		}
	}
}

func TestFailWith(t *testing.T) {
	tracer, records := recording(all)
	for _, err := range []error{nil, context.Canceled, context.DeadlineExceeded, context.Cause(context.Background()), strings.NewReader("").UnreadByte()} {
		s := tracer.Request(Headers{})
		s.FailWith(err)
		s.End()
	}
	var got []string
	for _, r := range *records {
		kind := "none"
		for _, a := range r.Attributes() {
			kind = a.Text
		}
		got = append(got, kind)
	}
	if text := strings.Join(got, " "); text != "none cancelled timeout none _OTHER" {
		t.Error(text)
	}
}
