package tracing

import (
	"encoding/binary"
	"encoding/hex"
	"sync/atomic"

	"go.opentelemetry.io/otel/trace"
)

// Sampling says which requests are recorded.
type Sampling struct {
	// PerMillion is how many of a million, and ParentBased lets the caller's
	// decision stand where there is one.
	PerMillion  int64
	ParentBased bool
}

// Tracer begins the spans of requests.
type Tracer struct {
	sampling atomic.Pointer[Sampling]
	sink     func(*Record)
}

// New makes a tracer that traces nothing until it is told what. It hands over what
// was recorded of a request when the last span of it ends.
func New(sink func(*Record)) *Tracer { return &Tracer{sink: sink} }

// Sample replaces the choice of requests; nil means that nothing is traced, not
// even passed on.
func (t *Tracer) Sample(s *Sampling) { t.sampling.Store(s) }

// On reports whether anything is traced or passed on.
func (t *Tracer) On() bool { return t != nil && t.sampling.Load() != nil }

// Headers are what is sent along with a request, as "W3C Trace Context" has it.
// Baggage is neither taken nor sent: it may hold anything of whoever asked, and
// those whom a script asks are others.
type Headers struct{ Parent, State string }

// The names of the headers.
const (
	HeaderParent = "traceparent"
	HeaderState  = "tracestate"
)

// Request begins the span of a request that came with headers. Ill-formed ones
// count as none. The span of a nil tracer is nil. Where the request is not
// recorded there is a span still, to be passed on.
func (t *Tracer) Request(from Headers) *Span {
	if t == nil { // which allocates nothing
		return nil
	}
	sampling := t.sampling.Load()
	if sampling == nil {
		return nil
	}
	return t.request(from, sampling)
}

func (t *Tracer) request(from Headers, sampling *Sampling) *Span {
	caller, isPart := parseParent(from.Parent)
	if !isPart {
		caller.trace, from.State = newTrace(), ""
	}
	chosen := sampling.chooses(caller.trace)
	if isPart && sampling.ParentBased {
		chosen = caller.chosen
	}
	if from.State != "" {
		state, _ := trace.ParseTraceState(from.State) // none, if it is ill-formed
		from.State = state.String()
	}
	about := Finished{Name: "request", Kind: Server, Parent: caller.span, Remote: isPart}
	name := identity{Trace: caller.trace, State: from.State, name: nameOf(caller.trace)}
	if !chosen {
		about.ID = newID()
		passed := &struct {
			identity
			span Span
		}{identity: name}
		passed.span = Span{Finished: about, trace: &passed.identity}
		return &passed.span
	}
	r := &Record{identity: name, sink: t.sink}
	r.attributes = r.usual[:0]
	return r.add(about)
}

// chooses decides as samplers by ratio of OpenTelemetry do, so that all who see a
// trace decide alike.
func (s *Sampling) chooses(trace [16]byte) bool {
	bound := uint64(float64(s.PerMillion) / 1_000_000 * (1 << 63))
	return binary.BigEndian.Uint64(trace[8:])>>1 < bound
}

// parent is what a caller says of its span.
type parent struct {
	trace  [16]byte
	span   [8]byte
	chosen bool
}

// The parts of the header stand at these places.
const (
	parentBytes = 55
	traceAt     = 3
	spanAt      = 36
	flagsAt     = 53
)

// parseParent reads the header traceparent. Versions to come may have more behind
// what is known.
func parseParent(text string) (p parent, ok bool) {
	if len(text) < parentBytes || text[traceAt-1] != '-' || text[spanAt-1] != '-' || text[flagsAt-1] != '-' {
		return p, false
	}
	if version := text[:2]; version == "00" && len(text) > parentBytes || version == "ff" || len(text) > parentBytes && text[parentBytes] != '-' {
		return p, false
	}
	var version, flags [1]byte
	ok = unhex(version[:], text) && unhex(p.trace[:], text[traceAt:]) && unhex(p.span[:], text[spanAt:]) && unhex(flags[:], text[flagsAt:]) &&
		p.trace != [16]byte{} && p.span != [8]byte{}
	p.chosen = flags[0]&1 != 0
	return p, ok
}

// unhex reads as many bytes as there is room for. Capital letters are none of the
// header's.
func unhex(into []byte, text string) bool {
	for i := range into {
		high, low := digit(text[2*i]), digit(text[2*i+1])
		if high|low > 0xf {
			return false
		}
		into[i] = high<<4 | low
	}
	return true
}

func digit(b byte) byte {
	switch {
	case '0' <= b && b <= '9':
		return b - '0'
	case 'a' <= b && b <= 'f':
		return b - 'a' + 10
	}
	return 0xff
}

// parentOf writes the header.
func parentOf(trace string, span [8]byte, chosen bool) string {
	var b [parentBytes]byte
	copy(b[:], "00-")
	copy(b[traceAt:], trace)
	b[spanAt-1] = '-'
	hex.Encode(b[spanAt:], span[:])
	copy(b[flagsAt-1:], "-00")
	if chosen {
		b[parentBytes-1] = '1'
	}
	return string(b[:])
}

func nameOf(trace [16]byte) string {
	var b [32]byte
	hex.Encode(b[:], trace[:])
	return string(b[:])
}
