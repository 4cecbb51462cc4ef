package meter

import "github.com/avapd/avapd/internal/wasm/validate"

// Limits gives the limits for what metering makes of a module within l. The
// work of compiling it is the same: what counts is what is compiled.
func Limits(l validate.Limits) validate.Limits {
	const (
		growth = 20 // of the code, in bytes and instructions
		blocks = 8  // for each block that there was
	)
	l.ModuleBytes *= growth
	l.BodyBytes *= growth
	l.Instructions *= growth
	l.Branches = blocks*l.Branches + blocks // and those of a function's entry
	l.Nesting = 4*l.Nesting + 2
	l.StackHeight += 4
	l.Locals++
	l.Types = 2*l.Types + 4 // results of functions as types of blocks
	l.Imports++
	l.Functions += 1 + len(operandPrice)
	l.Globals += 2
	l.MutableGlobals += 2
	l.Exports += 3
	return l
}
