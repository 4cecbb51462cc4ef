// Package tracing holds the spans of a request: what was done for it, for how
// long, and what each part was part of.
//
// A [Span] goes with the context of the work. Where nobody records, it is nil,
// and every method of a nil Span does nothing: who does work need not ask.
// Package otlp sends spans away.
//
// Attributes have the names of OpenTelemetry's semantic conventions, and our own
// begin with "avap.". None of them holds a secret, the text of a script or of a
// statement, or a URL.
package tracing
