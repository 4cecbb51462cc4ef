package compiler

import "github.com/avapd/avapd/compiler/ir"

// SplitAll makes the compiler split wherever it can, until restore is called.
func SplitAll() (restore func()) {
	old := bounds
	bounds = ir.Bounds{List: 1, Part: 1, Loops: 0, Expr: 1 << 30}
	return func() { bounds = old }
}

// CollectEvery makes loops give memory back whenever the heap has grown by so
// many bytes, or never with 0, until restore is called.
func CollectEvery(bytes uint32) (restore func()) {
	old := regionBytes
	regionBytes = bytes
	return func() { regionBytes = old }
}

// WithoutSharing compiles as if no operation were made twice, and gives back
// what was.
func WithoutSharing() func() {
	outer := share
	share = func(*ir.Program) {}
	return func() { share = outer }
}
