package audit

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"
)

// The limits of what a record holds; more is cut off.
const (
	// MaxTextBytes bounds each text but the input.
	MaxTextBytes = 1 << 10
	// MaxInputBytes bounds the input.
	MaxInputBytes   = 64 << 10
	maxCapabilities = 64
)

const (
	formVersion = 1
	hashBytes   = 32
)

// settle makes a record what its bytes can say: texts are clean and bounded,
// numbers not negative.
func (r *Record) settle() {
	for _, text := range []*string{&r.Principal, &r.RequestID, &r.Action, &r.Target, &r.Outcome, &r.Code, &r.Detail} {
		*text = clean(*text, MaxTextBytes)
	}
	r.Address = r.Address.WithZone("").Unmap()
	r.Input = clean(r.Input, MaxInputBytes)
	if len(r.Capabilities) > maxCapabilities {
		r.Capabilities = r.Capabilities[:maxCapabilities]
	}
	for _, n := range []*int64{&r.Fuel, &r.MemoryBytes, &r.DurationUS} {
		*n = max(*n, 0)
	}
	r.Status, r.Version = max(r.Status, 0), max(r.Version, 0)
	r.Count = max(r.Count, 1)
}

// clean makes a text valid UTF-8 of bounded length.
func clean(text string, most int) string {
	if len(text) > most {
		for least := most - utf8.UTFMax; most > least && !utf8.RuneStart(text[most]); {
			most--
		}
		text = text[:most]
	}
	if utf8.ValidString(text) {
		return text
	}
	return strings.ToValidUTF8(text, "?")
}

// appendBody writes the body of a settled record; see the package's comment.
func appendBody(b []byte, r *Record) []byte {
	return appendContent(appendPlace(b, r.Sequence, r.Time.UnixMicro()), r)
}

// appendPlace writes the part of a body that depends on what is before it in the
// chain.
func appendPlace(b []byte, sequence, micros int64) []byte {
	b = binary.AppendUvarint(b, formVersion)
	b = binary.AppendUvarint(b, uint64(sequence))
	return binary.AppendUvarint(b, uint64(micros))
}

// appendContent writes the rest of it.
func appendContent(b []byte, r *Record) []byte {
	b = appendText(b, string(r.Kind))
	b = appendText(b, r.Principal)
	b = appendAddress(b, r.Address)
	b = appendText(b, r.RequestID)
	b = appendFixed(b, r.ExecutionID[:], r.ExecutionID == ID{})
	b = appendFixed(b, r.TraceID[:], r.TraceID == ID{})
	b = appendText(b, r.Action)
	b = appendText(b, r.Target)
	b = binary.AppendUvarint(b, uint64(r.Version))
	b = appendFixed(b, r.Digest[:], r.Digest == Digest{})
	b = binary.AppendUvarint(b, uint64(len(r.Capabilities)))
	for _, name := range r.Capabilities {
		b = appendText(b, name)
	}
	b = appendText(b, r.Outcome)
	b = binary.AppendUvarint(b, uint64(r.Status))
	b = appendText(b, r.Code)
	b = binary.AppendUvarint(b, uint64(r.Fuel))
	b = binary.AppendUvarint(b, uint64(r.MemoryBytes))
	b = binary.AppendUvarint(b, uint64(r.DurationUS))
	b = appendFixed(b, r.InputDigest[:], r.InputDigest == Digest{})
	b = appendText(b, r.Input)
	b = appendText(b, r.Detail)
	return binary.AppendUvarint(b, uint64(r.Count))
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

func appendAddress(b []byte, address netip.Addr) []byte {
	if !address.IsValid() {
		return append(b, 0)
	}
	at := len(b)
	b = address.AppendTo(append(b, 0))
	b[at] = byte(len(b) - at - 1) // at most 39
	return b
}

func appendFixed(b, content []byte, none bool) []byte {
	if none {
		return append(b, 0)
	}
	return append(binary.AppendUvarint(b, uint64(len(content))), content...)
}

var errBody = errors.New("the bytes are no record")

// bodyReader takes a body apart. After a mistake it gives nothing.
type bodyReader struct {
	rest []byte
	bad  bool
}

func (r *bodyReader) number() uint64 {
	if len(r.rest) > 0 && r.rest[0] < 0x80 { // most are
		n := r.rest[0]
		r.rest = r.rest[1:]
		return uint64(n)
	}
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || size > 1 && r.rest[size-1] == 0 || n > 1<<63-1 { // not in the fewest bytes
		r.bad = true
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *bodyReader) bytes(most int) []byte {
	n := r.number()
	if r.bad || n > uint64(most) || n > uint64(len(r.rest)) {
		r.bad = true
		return nil
	}
	content := r.rest[:n]
	r.rest = r.rest[n:]
	return content
}

func (r *bodyReader) text(most int) string {
	content := r.bytes(most)
	r.bad = r.bad || !utf8.Valid(content)
	return string(content)
}

// address reads one in the only way in which it is written.
func (r *bodyReader) address() netip.Addr {
	text := string(r.bytes(MaxTextBytes))
	if text == "" {
		return netip.Addr{}
	}
	address, err := netip.ParseAddr(text)
	r.bad = r.bad || err != nil || address.WithZone("").Unmap().String() != text
	return address
}

// fixed reads what has a size, or is none.
func (r *bodyReader) fixed(into []byte) {
	content := r.bytes(len(into))
	r.bad = r.bad || len(content) != 0 && len(content) != len(into)
	copy(into, content)
}

// decodeBody reads what appendBody wrote, and nothing else.
func decodeBody(body []byte) (r Record, err error) {
	b := bodyReader{rest: body}
	if b.number() != formVersion {
		return Record{}, errBody
	}
	r.Sequence = int64(b.number())
	r.Time = time.UnixMicro(int64(b.number())).UTC()
	r.Kind = Kind(b.text(MaxTextBytes))
	r.Principal, r.Address, r.RequestID = b.text(MaxTextBytes), b.address(), b.text(MaxTextBytes)
	b.fixed(r.ExecutionID[:])
	b.fixed(r.TraceID[:])
	r.Action, r.Target, r.Version = b.text(MaxTextBytes), b.text(MaxTextBytes), int(b.number())
	b.fixed(r.Digest[:])
	for n := b.number(); n > 0 && !b.bad && len(r.Capabilities) < maxCapabilities; n-- {
		r.Capabilities = append(r.Capabilities, b.text(MaxTextBytes))
	}
	r.Outcome, r.Status, r.Code = b.text(MaxTextBytes), int(b.number()), b.text(MaxTextBytes)
	r.Fuel, r.MemoryBytes, r.DurationUS = int64(b.number()), int64(b.number()), int64(b.number())
	b.fixed(r.InputDigest[:])
	r.Input, r.Detail, r.Count = b.text(MaxInputBytes), b.text(MaxTextBytes), int64(b.number())
	if b.bad || len(b.rest) > 0 {
		return Record{}, errBody
	}
	return r, nil
}
