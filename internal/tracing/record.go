package tracing

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"time"
	"unicode/utf8"
)

// Bounds of what is kept of a request: a script can make any number of calls.
// What comes later is not recorded.
const (
	maxSpans      = 512
	maxAttributes = 32 // of one span
	maxCharacters = 256
)

// A request as most are needs no more memory than one piece of this size.
const (
	usualSpans      = 6
	usualAttributes = 24
)

// Record is what was recorded of a request: one tree of spans. It is handed over
// when all of them have ended, and does not change from then on.
type Record struct {
	identity

	sink func(*Record)

	mu         sync.Mutex
	count      uint16 // of spans
	open       uint16
	done       bool
	first      [usualSpans]Span
	more       []*Span
	attributes []Attribute
	usual      [usualAttributes]Attribute
}

// identity is what all spans of a trace have in common.
type identity struct {
	// Trace is the identifier of the trace, State what its caller says of it.
	Trace [16]byte
	State string

	name string // Trace in hexadecimal
}

// Attribute is a fact about a span.
type Attribute struct {
	Key    Key
	Text   string
	Number int64
	// Span is the number of the span.
	Span     uint16
	IsNumber bool
}

// Len is the number of spans.
func (r *Record) Len() int { return int(r.count) }

// At is a span by its number.
func (r *Record) At(number int) *Finished {
	if number < usualSpans {
		return &r.first[number].Finished
	}
	return &r.more[number-usualSpans].Finished
}

// Attributes are those of all spans.
func (r *Record) Attributes() []Attribute { return r.attributes }

// add begins a span, if there is room for it.
func (r *Record) add(about Finished) *Span {
	about.ID, about.Start = newID(), time.Now().UnixNano()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done || r.count > maxSpans {
		return nil
	}
	var s *Span
	if r.count < usualSpans {
		s = &r.first[r.count]
	} else {
		s = new(Span)
		r.more = append(r.more, s)
	}
	s.Finished, s.trace, s.record, s.number = about, &r.identity, r, r.count
	r.count++
	r.open++
	return s
}

// note keeps an attribute; a later one with the same key wins.
func (r *Record) note(s *Span, a Attribute) {
	a.Span = s.number
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.Finished.End != 0 {
		return
	}
	for i := range r.attributes {
		if b := &r.attributes[i]; b.Span == a.Span && b.Key == a.Key {
			*b = a
			return
		}
	}
	if s.attributes < maxAttributes {
		s.attributes++
		r.attributes = append(r.attributes, a)
	}
}

// end ends a span, and hands the record over with the last.
func (r *Record) end(s *Span, at int64) {
	r.mu.Lock()
	if s.Finished.End != 0 {
		r.mu.Unlock()
		return
	}
	s.Finished.End = at
	r.open--
	r.done = r.open == 0
	last := r.done
	r.mu.Unlock()
	if last {
		r.sink(r)
	}
}

// newID makes the identifier of a span, which is not zero.
func newID() (id [8]byte) {
	binary.BigEndian.PutUint64(id[:], rand.Uint64()|1) //nolint:gosec // it names, and keeps nothing secret
	return id
}

// newTrace makes the identifier of a trace.
func newTrace() (id [16]byte) {
	binary.BigEndian.PutUint64(id[:8], rand.Uint64()|1) //nolint:gosec // as above
	binary.BigEndian.PutUint64(id[8:], rand.Uint64())   //nolint:gosec // as above
	return id
}

// shorten leaves so many characters of a text.
func shorten(text string) string {
	if len(text) <= maxCharacters {
		return text
	}
	end := 0
	for range maxCharacters {
		_, size := utf8.DecodeRuneInString(text[end:])
		if end += size; end >= len(text) {
			return text
		}
	}
	return text[:end]
}
