// Package apps holds the deployed scripts: what they are, where they are kept,
// and which of them answers a request.
//
// All of it is one immutable value behind an atomic pointer. A change makes a
// new value from the old one, beside the traffic, and swaps the pointer: a
// request sees either all of an app or nothing of it, and one that has begun
// ends on the script it began with, which stays compiled as long as someone
// holds it.
//
// Invariants:
//
//   - A stored app is written before it is routed, and its file is gone before
//     it stops being routed: a restart never brings back what was answered to
//     be gone.
//   - A file that cannot be served does not keep the others from being served.
//   - Two apps never have routes between which nothing but chance decides.
package apps
