package otlp

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"github.com/avapd/avapd/internal/tracing"
)

// The spans are written in the form that they have on the wire, without values of
// the generated types in between: those would be most of what tracing costs.
// The numbers are those of opentelemetry/proto/trace/v1/trace.proto.
const (
	fieldScopeSpans = 2 // of ResourceSpans

	fieldScope = 1 // of ScopeSpans
	fieldSpans = 2

	fieldScopeName = 1 // of InstrumentationScope

	fieldTrace      = 1 // of Span
	fieldID         = 2
	fieldState      = 3
	fieldParent     = 4
	fieldName       = 5
	fieldKind       = 6
	fieldStart      = 7
	fieldEnd        = 8
	fieldAttributes = 9
	fieldStatus     = 15
	fieldFlags      = 16

	fieldStatusCode = 3 // of Status

	fieldKey    = 1 // of KeyValue
	fieldValue  = 2
	fieldString = 1 // of AnyValue
	fieldInt    = 3
)

// Values of fields.
const (
	statusError    = 2
	flagChosen     = 0x01
	flagHasRemote  = 0x100 // the next one says something
	flagRemote     = 0x200
	scopeName      = "github.com/avapd/avapd"
	spanSizeGuess  = 256
	lengthOfLength = 4 // of 28 bits: a batch is far smaller
)

// How a field is written.
const (
	asVarint  = 0
	asFixed64 = 1
	asBytes   = 2
	asFixed32 = 5
)

// encode writes the spans of records as what ResourceSpans has of them.
func encode(records []*tracing.Record, spans int) []byte {
	b := make([]byte, 0, spans*spanSizeGuess)
	return message(b, fieldScopeSpans, func(b []byte) []byte {
		b = message(b, fieldScope, func(b []byte) []byte { return text(b, fieldScopeName, scopeName) })
		for _, r := range records {
			for i := range r.Len() {
				b = message(b, fieldSpans, func(b []byte) []byte { return span(b, r, i) })
			}
		}
		return b
	})
}

func span(b []byte, r *tracing.Record, number int) []byte {
	s := r.At(number)
	b = append(tag(b, fieldTrace, asBytes), byte(len(r.Trace)))
	b = append(b, r.Trace[:]...)
	b = append(tag(b, fieldID, asBytes), byte(len(s.ID)))
	b = append(b, s.ID[:]...)
	if r.State != "" {
		b = text(b, fieldState, r.State)
	}
	if s.Parent != [8]byte{} {
		b = append(tag(b, fieldParent, asBytes), byte(len(s.Parent)))
		b = append(b, s.Parent[:]...)
	}
	b = text(b, fieldName, s.Name)
	b = binary.AppendUvarint(tag(b, fieldKind, asVarint), uint64(s.Kind))
	b = binary.LittleEndian.AppendUint64(tag(b, fieldStart, asFixed64), uint64(s.Start))
	b = binary.LittleEndian.AppendUint64(tag(b, fieldEnd, asFixed64), uint64(s.End))
	for i := range r.Attributes() {
		if a := &r.Attributes()[i]; int(a.Span) == number {
			b = message(b, fieldAttributes, func(b []byte) []byte { return fact(b, a) })
		}
	}
	if s.Failed {
		b = message(b, fieldStatus, func(b []byte) []byte { return binary.AppendUvarint(tag(b, fieldStatusCode, asVarint), statusError) })
	}
	flags := uint32(flagChosen | flagHasRemote)
	if s.Remote {
		flags |= flagRemote
	}
	return binary.LittleEndian.AppendUint32(tag(b, fieldFlags, asFixed32), flags)
}

func fact(b []byte, a *tracing.Attribute) []byte {
	b = text(b, fieldKey, string(a.Key))
	return message(b, fieldValue, func(b []byte) []byte {
		if a.IsNumber {
			return binary.AppendUvarint(tag(b, fieldInt, asVarint), uint64(a.Number))
		}
		return text(b, fieldString, a.Text)
	})
}

func tag(b []byte, field, form uint64) []byte { return binary.AppendUvarint(b, field<<3|form) }

// text writes a field of text, which has to be UTF-8: else nobody could read the
// spans beside it.
func text(b []byte, field uint64, value string) []byte {
	if !utf8.ValidString(value) {
		value = strings.ToValidUTF8(value, "\uFFFD")
	}
	b = binary.AppendUvarint(tag(b, field, asBytes), uint64(len(value)))
	return append(b, value...)
}

// message writes a field that has fields itself. Its length is known when they
// are written, so it has room for as many digits as it can need.
func message(b []byte, field uint64, fields func([]byte) []byte) []byte {
	b = tag(b, field, asBytes)
	at := len(b)
	b = fields(append(b, make([]byte, lengthOfLength)...))
	length := len(b) - at - lengthOfLength
	for i := range lengthOfLength {
		b[at+i] = byte(length>>(7*i))&0x7f | 0x80
	}
	b[at+lengthOfLength-1] &= 0x7f
	return b
}
