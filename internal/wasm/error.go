package wasm

import "fmt"

// Reason says in what way a module is refused.
type Reason byte

// The reasons.
const (
	Malformed   Reason = iota // the bytes do not follow the format
	Invalid                   // the format is right, and what it says is not
	Unsupported               // it takes a feature that is not admitted
	TooLarge                  // it goes beyond a bound
)

// Error says why a binary is refused, and where in it.
type Error struct {
	Offset  int
	Reason  Reason
	Message string
}

// Error gives the message with the offset.
func (e *Error) Error() string { return fmt.Sprintf("wasm: offset %#x: %s", e.Offset, e.Message) }

// Features that are not admitted, by the names of their proposals.
const (
	featureVectors    = "simd"
	featureThreads    = "threads"
	featureTailCalls  = "tail-call"
	featureExceptions = "exception-handling"
	featureMemories   = "multi-memory"
	featureMemory64   = "memory64"
	featureReferences = "function-references"
	featureGC         = "gc"
	featureConstants  = "extended-const"
)

// unsupportedOp gives the feature that the first byte of an instruction stands
// for, or nothing.
func unsupportedOp(first byte) string {
	switch {
	case first == 0xfd:
		return featureVectors
	case first == 0xfe:
		return featureThreads
	case first == 0x12, first == 0x13:
		return featureTailCalls
	case first >= 0x06 && first <= 0x0a, first == 0x18, first == 0x19, first == 0x1f:
		return featureExceptions
	case first == 0x14, first == 0x15, first >= 0xd4 && first <= 0xd6:
		return featureReferences
	case first == 0xd3, first == 0xfb:
		return featureGC
	}
	return ""
}

// unsupportedType is unsupportedOp for the first byte of a type.
func unsupportedType(first byte) string {
	switch {
	case first == 0x7b:
		return featureVectors
	case first == 0x69, first == 0x74:
		return featureExceptions
	case first == 0x63, first == 0x64:
		return featureReferences
	case first >= 0x4e && first <= 0x50, first >= 0x5e && first <= 0x5f, first >= 0x6a && first <= 0x6e, first >= 0x71 && first <= 0x73:
		return featureGC
	}
	return ""
}
