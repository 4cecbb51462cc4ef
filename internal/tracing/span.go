package tracing

import (
	"context"
	"time"
)

// Kind is on which side of a call the work is done.
type Kind uint8

// The kinds, with the numbers that they have in OTLP.
const (
	Internal Kind = 1
	Server   Kind = 2
	Client   Kind = 3
)

// Span is a piece of work that a trace shows. A nil one is one that nobody
// records.
type Span struct {
	Finished

	trace *identity
	// record is that of the request, nil where it was not chosen.
	record *Record
	number uint16
	// attributes counts those that the span has.
	attributes uint16
}

// Finished is what is told of a span. It does not change any more when it is told.
type Finished struct {
	Name       string
	ID, Parent [8]byte
	// Start and End are in Unix nanoseconds.
	Start, End int64
	Kind       Kind
	Failed     bool
	// Remote tells that the parent is in another process.
	Remote bool
}

// Child begins a part of the work. It is nil where nobody records.
func (s *Span) Child(name string, kind Kind) *Span {
	if !s.Recording() {
		return nil
	}
	return s.record.add(Finished{Name: name, Kind: kind, Parent: s.ID})
}

// Name renames the span, where what it is about becomes known late.
func (s *Span) Name(name string) {
	if s.Recording() {
		s.change(func() { s.Finished.Name = name })
	}
}

// Recording reports whether attributes go anywhere.
func (s *Span) Recording() bool { return s != nil && s.record != nil }

// Text notes a text.
func (s *Span) Text(key Key, value string) {
	if s.Recording() {
		s.record.note(s, Attribute{Key: key, Text: shorten(value)})
	}
}

// Number notes a number.
func (s *Span) Number(key Key, value int64) {
	if s.Recording() {
		s.record.note(s, Attribute{Key: key, Number: value, IsNumber: true})
	}
}

// Fail notes that the work failed, and of which kind the failure is: a word of
// few, and not the message, which may quote anything.
func (s *Span) Fail(kind string) {
	if s.Recording() {
		s.Text(ErrorType, kind)
		s.change(func() { s.Failed = true })
	}
}

// change changes a span that has not ended.
func (s *Span) change(how func()) {
	s.record.mu.Lock()
	defer s.record.mu.Unlock()
	if s.Finished.End == 0 {
		how()
	}
}

// End ends the span.
func (s *Span) End() {
	if s.Recording() {
		s.record.end(s, time.Now().UnixNano())
	}
}

// TraceID is the identifier of the trace in hexadecimal, empty for a nil span.
func (s *Span) TraceID() string {
	if s == nil {
		return ""
	}
	return s.trace.name
}

// Headers are what to send along with a request that is part of the work.
func (s *Span) Headers() Headers {
	if s == nil {
		return Headers{}
	}
	return Headers{Parent: parentOf(s.trace.name, s.ID, s.record != nil), State: s.trace.State}
}

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
