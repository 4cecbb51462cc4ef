// Package server answers HTTP. It is the only package that knows Fiber.
//
// A request goes through these stations:
//
//	observe    identifier, panics, the problem document of an error, one log line
//	guard      refuses what another web site makes a browser send
//	auth       who asks, and how often that client may
//	route      execute, check, apps, probes; then the paths of apps
//	body       content type, content encoding, size
//	decode     one walk over the JSON tokens; members stay slices of the body
//	admission  quota, a place among the executions, room in the audit log
//	engine     compile or fetch, run, and the answer as JSON
//	problem    whatever went wrong, as one kind of document
//
// Invariants:
//
//   - Strings that Fiber hands out are views of buffers that the next request
//     overwrites: what outlives the handler is cloned.
//   - A body is read with BodyRaw only. Body would decompress without a limit.
//   - Every answer that is not a success is a problem document made in
//     problem.go, also those for requests that never reach a handler.
//   - An execution ends when its client is gone; see watch.go.
package server
