package validate

import "github.com/avapd/avapd/internal/wasm"

// Limits say how much a module may hold. What they bound is not the format but
// what the engine makes of a module: its time and memory to compile a function
// grow with the square of the number of basic blocks, and with their number
// times that of locals or mutable globals.
type Limits struct {
	wasm.Bounds

	MutableGlobals int
	Instructions   int // of the module
	Branches       int // of a function: instructions where a basic block ends, and targets of br_table
	BranchTargets  int // of a br_table
	Nesting        int // open blocks of a function
	StackHeight    int // operands of a function
}

// Max are the limits that an operator can set at most.
var Max = Limits{
	Bounds:         wasm.MaxBounds,
	MutableGlobals: 1_000,
	Instructions:   100_000_000,
	Branches:       100_000,
	BranchTargets:  65_536,
	Nesting:        10_000,
	StackHeight:    100_000,
}
