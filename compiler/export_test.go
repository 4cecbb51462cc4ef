package compiler

import "github.com/avapd/avapd/compiler/ir"

// SplitAll makes the compiler split wherever it can, until restore is called.
func SplitAll() (restore func()) {
	old := bounds
	bounds = ir.Bounds{List: 1, Part: 1, Loops: 0, Expr: 1 << 30}
	return func() { bounds = old }
}
