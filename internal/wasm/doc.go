// Package wasm holds the project's model of a WebAssembly 2.0 module: types,
// an encoder, a section decoder, and a builder for function bodies.
//
// A module is built by naming things, not by counting them: functions and
// globals are pointers while the module grows, and get their indices only when
// Encode lays the sections out. So an import may be added after the first
// function that calls it was written, and a function that nothing reaches can
// be left out without renumbering by hand.
//
// Source for every byte format: the WebAssembly Core Specification 2.0.
package wasm
