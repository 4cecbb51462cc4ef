package validate

import "github.com/avapd/avapd/internal/wasm"

// Limits say how much a module may hold. What they guard is less the format
// than what the engine makes of a module: the time and memory to compile a
// function grow with the square of the number of its basic blocks, and with
// that number times the number of its locals.
type Limits struct {
	wasm.Bounds

	MutableGlobals int // imported ones included; each is loaded again after every call
	Instructions   int // of the module
	Branches       int // of a function: instructions that start or end a basic block, and targets of br_table
	BranchTargets  int // of a br_table
	Nesting        int // open blocks of a function
	StackHeight    int // operands of a function
	CompileWork    int // of the module; function.account says of what it is made
}

// Default are the limits for modules of strangers. They leave room for some
// thousand functions as compilers of other languages write them.
var Default = Limits{
	Bounds: wasm.Bounds{
		ModuleBytes:     4 << 20,
		Types:           1_000,
		TypeValues:      64,
		Imports:         1_000,
		Functions:       10_000,
		Tables:          4,
		TableElements:   10_000,
		MemoryPages:     256,
		Globals:         1_000,
		Exports:         1_000,
		ElementSegments: 1_000,
		Elements:        20_000,
		DataSegments:    1_000,
		DataBytes:       4 << 20,
		Locals:          2_000,
		BodyBytes:       256 << 10,
		NameBytes:       1_000,
		Customs:         64,
		CustomBytes:     4 << 20,
	},
	MutableGlobals: 16,
	Instructions:   500_000,
	Branches:       2_000,
	BranchTargets:  1_000,
	Nesting:        250,
	StackHeight:    1_000,
	CompileWork:    25_000_000,
}

// Max are the highest limits that make sense. Beyond them one module takes more
// time and memory than anybody can spare.
var Max = Limits{
	Bounds:         wasm.MaxBounds,
	MutableGlobals: 1_000,
	Instructions:   100_000_000,
	Branches:       100_000,
	BranchTargets:  65_536,
	Nesting:        10_000,
	StackHeight:    100_000,
	CompileWork:    1_000_000_000_000,
}
