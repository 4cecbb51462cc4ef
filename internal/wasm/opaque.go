package wasm

// Opaque gives the instructions to write between a bitwise and (op) and the one
// behind it (next), which change no value: none, or an or with zero.
//
// wazero 1.12 compiles a comparison of an and with zero to one machine
// instruction that sets the flags of the and. It does so, too, where zero is the
// first operand, without turning the comparison round: 0 > (x & y) is computed as
// (x & y) > 0. An or in between is no and. Zero need not stand in the
// comparison, it can come by way of a local or a block; so the and is hidden where
// an order may be asked of it then or later.
func Opaque(op, next Opcode) (zero, or Opcode, needed bool) {
	if !mayOrder(next) {
		return 0, 0, false
	}
	switch op {
	case OpI32And:
		return OpI32Const, OpI32Or, true
	case OpI64And:
		return OpI64Const, OpI64Or, true
	}
	return 0, 0, false
}

// mayOrder tells whether an instruction asks for the order of the value on the
// top of the stack, or keeps it for others.
func mayOrder(op Opcode) bool {
	switch op {
	case OpLocalSet, OpLocalTee, OpElse, OpEnd, OpBr, OpBrTable:
		return true
	}
	return OpI32LtS <= op && op <= OpI32GeU || OpI64LtS <= op && op <= OpI64GeU
}
