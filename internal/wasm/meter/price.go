package meter

import "github.com/avapd/avapd/internal/wasm"

// A unit of fuel is about a nanosecond or less of an engine's work.
const (
	// entryPrice is what a call costs the function that is called, with one
	// unit for every localsPerUnit locals that are set to zero.
	entryPrice    = 4
	localsPerUnit = 8
	// turnPrice is what a turn of a loop costs beside its instructions.
	turnPrice = 1

	// localsPerLevel is how many locals make a call count as one more.
	localsPerLevel = 64
)

// prices are those of the instructions of one byte.
var prices = oneByte()

func oneByte() [256]uint8 {
	var p [256]uint8
	set := func(price uint8, from, to wasm.Opcode) {
		for op := from; op <= to; op++ {
			p[op] = price
		}
	}
	// Everything that moves a value or computes a simple one.
	set(1, wasm.OpBr, wasm.OpReturn)
	set(1, wasm.OpDrop, wasm.OpGlobalSet)
	set(1, wasm.OpI32Const, wasm.OpI64Extend32S)
	set(1, wasm.OpIf, wasm.OpIf)
	set(4, wasm.OpBrTable, wasm.OpBrTable)
	set(4, wasm.OpCall, wasm.OpCall)
	set(8, wasm.OpCallIndirect, wasm.OpCallIndirect)
	set(3, wasm.OpTableGet, wasm.OpTableSet)
	set(2, wasm.OpI32Load, wasm.OpI64Store32)
	set(2, wasm.OpMemorySize, wasm.OpMemorySize)
	set(64, wasm.OpMemoryGrow, wasm.OpMemoryGrow)
	set(8, wasm.OpI32DivS, wasm.OpI32RemU)
	set(12, wasm.OpI64DivS, wasm.OpI64RemU)
	set(2, wasm.OpF32Abs, wasm.OpF64Copysign)
	set(6, wasm.OpF32Div, wasm.OpF32Div)
	set(6, wasm.OpF64Div, wasm.OpF64Div)
	set(8, wasm.OpF32Sqrt, wasm.OpF32Sqrt)
	set(8, wasm.OpF64Sqrt, wasm.OpF64Sqrt)
	set(3, wasm.OpI32TruncF32S, wasm.OpF64PromoteF32)
	set(2, wasm.OpRefNull, wasm.OpRefFunc)
	return p
}

// prefixed are the prices of the instructions behind the prefix 0xfc, by their
// number: truncations that saturate, then memory and tables.
var prefixed = [...]uint8{3, 3, 3, 3, 3, 3, 3, 3, 16, 4, 16, 16, 16, 4, 16, 64, 2, 16}

// operandPrice is what an instruction costs for its last operand, in shifts of
// it to the left, or to the right if negative.
var operandPrice = map[wasm.Opcode]int{
	wasm.OpMemoryGrow: 12, // a page is 65536 bytes, and 16 of them are a unit
	wasm.OpMemoryCopy: -4,
	wasm.OpMemoryFill: -4,
	wasm.OpMemoryInit: -4,
	wasm.OpTableGrow:  3,
	wasm.OpTableInit:  1,
	wasm.OpTableCopy:  1,
	wasm.OpTableFill:  1,
}

func price(op wasm.Opcode) int64 {
	if number, ok := op.Prefixed(); ok {
		return int64(prefixed[number])
	}
	return int64(prices[byte(op)])
}
