// Package conformance runs cases of the language definition against a running server, over HTTP only.
//
// A case is a request to POST /api/v1/execute and what must come back. The cases in testdata/conformance are part of the
// definition; those in testdata/conformance/extra were derived from its sentences, each named in the case's "why".
//
// The server under test is a process of its own, built from cmd/avap or named by CONFORMANCE_BINARY, so the suite sees exactly
// what a caller sees.
package conformance
