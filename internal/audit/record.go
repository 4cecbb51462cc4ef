package audit

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Kind says what a record is about.
type Kind string

// The kinds of records.
const (
	Execution Kind = "execution"
	Change    Kind = "change"
	Start     Kind = "start"
	Stop      Kind = "stop"
	Reload    Kind = "reload"
	Denied    Kind = "denied"
)

// Kinds are all of them.
var Kinds = []Kind{Execution, Change, Start, Stop, Reload, Denied}

// kindCount is how many there are.
const kindCount = 6

// Begun is the outcome of a change that was let begin. Another record tells what
// came of it.
const Begun = "begun"

// Digest is a SHA-256; all zero is none.
type Digest [32]byte

// ParseDigest reads hexadecimal digits. What is no digest is none.
func ParseDigest(text string) (d Digest) {
	if len(text) != 2*len(d) {
		return Digest{}
	}
	for i := range d {
		high, low := digit(text[2*i]), digit(text[2*i+1])
		if high > 15 || low > 15 {
			return Digest{}
		}
		d[i] = high<<4 | low
	}
	return d
}

func digit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 16
}

// MarshalText writes hexadecimal digits, none for no digest.
func (d Digest) MarshalText() ([]byte, error) {
	if d == (Digest{}) {
		return nil, nil
	}
	return hex.AppendEncode(nil, d[:]), nil
}

// UnmarshalText reads what MarshalText writes.
func (d *Digest) UnmarshalText(text []byte) error {
	*d = ParseDigest(string(text))
	if *d == (Digest{}) && len(text) > 0 {
		return fmt.Errorf("%q is no digest", text)
	}
	return nil
}

// ID is the identifier of an execution or a trace; all zero is none.
type ID [16]byte

// MarshalText writes hexadecimal digits, none for no identifier.
func (id ID) MarshalText() ([]byte, error) {
	if id == (ID{}) {
		return nil, nil
	}
	return hex.AppendEncode(nil, id[:]), nil
}

// UnmarshalText reads what MarshalText writes.
func (id *ID) UnmarshalText(text []byte) error {
	*id = ID{}
	if len(text) == 0 {
		return nil
	}
	if n, err := hex.Decode(id[:], text[:min(len(text), 2*len(id))]); err != nil || n != len(id) || len(text) != 2*len(id) {
		return fmt.Errorf("%q is no identifier", text)
	}
	return nil
}

// Record is what is known about one event. Its texts are the caller's to leave
// as they are.
type Record struct {
	Sequence  int64     `json:"sequence"`
	Time      time.Time `json:"time"`
	Kind      Kind      `json:"kind"`
	Principal string    `json:"principal,omitzero"`
	// Address is the client's.
	Address     netip.Addr `json:"address,omitzero"`
	RequestID   string     `json:"request_id,omitzero"`
	ExecutionID ID         `json:"execution_id,omitzero"`
	TraceID     ID         `json:"trace_id,omitzero"`
	Action      string     `json:"action,omitzero"`
	// Target is what is executed or changed, and Version which of a command.
	Target       string   `json:"target,omitzero"`
	Version      int      `json:"version,omitzero"`
	Digest       Digest   `json:"digest,omitzero"`
	Capabilities []string `json:"capabilities,omitempty"`
	Outcome      string   `json:"outcome,omitzero"`
	Status       int      `json:"status,omitzero"`
	Code         string   `json:"code,omitzero"`
	Fuel         int64    `json:"fuel,omitzero"`
	MemoryBytes  int64    `json:"memory_bytes,omitzero"`
	// DurationUS is in microseconds.
	DurationUS  int64  `json:"duration_us,omitzero"`
	InputDigest Digest `json:"input_digest,omitzero"`
	Input       string `json:"input,omitzero"`
	Detail      string `json:"detail,omitzero"`
	// Count is how many events the record stands for; 0 counts as 1.
	Count int64 `json:"count,omitzero"`
}

// ParseID reads hexadecimal digits. What is no identifier is none.
func ParseID(text string) (id ID) {
	if len(text) == 2*len(id) {
		if _, err := hex.Decode(id[:], []byte(text)); err == nil {
			return id
		}
	}
	return ID{}
}

// IsKnown tells whether there are records of the kind.
func (k Kind) IsKnown() bool { return slices.Contains(Kinds, k) }

// KindNames are the names of all kinds.
func KindNames() []string {
	names := make([]string, len(Kinds))
	for i, k := range Kinds {
		names[i] = string(k)
	}
	return names
}
