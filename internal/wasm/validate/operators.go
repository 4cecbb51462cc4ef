package validate

import "github.com/avapd/avapd/internal/wasm"

// operator is the type of an instruction that only moves values: it pops b,
// then a, and pushes result. Zero stands for none.
type operator struct{ a, b, result wasm.ValType }

// operators holds the numeric instructions, loads and stores.
var operators = makeOperators()

func makeOperators() *[256]operator {
	const i32, i64, f32, f64 = wasm.I32, wasm.I64, wasm.F32, wasm.F64
	var table [256]operator
	for _, r := range []struct {
		from, to wasm.Opcode
		operator
	}{
		{wasm.OpI32Load, wasm.OpI32Load, operator{i32, 0, i32}},
		{wasm.OpI64Load, wasm.OpI64Load, operator{i32, 0, i64}},
		{wasm.OpF32Load, wasm.OpF32Load, operator{i32, 0, f32}},
		{wasm.OpF64Load, wasm.OpF64Load, operator{i32, 0, f64}},
		{wasm.OpI32Load8S, wasm.OpI32Load16U, operator{i32, 0, i32}},
		{wasm.OpI64Load8S, wasm.OpI64Load32U, operator{i32, 0, i64}},
		{wasm.OpI32Store, wasm.OpI32Store, operator{i32, i32, 0}},
		{wasm.OpI64Store, wasm.OpI64Store, operator{i32, i64, 0}},
		{wasm.OpF32Store, wasm.OpF32Store, operator{i32, f32, 0}},
		{wasm.OpF64Store, wasm.OpF64Store, operator{i32, f64, 0}},
		{wasm.OpI32Store8, wasm.OpI32Store16, operator{i32, i32, 0}},
		{wasm.OpI64Store8, wasm.OpI64Store32, operator{i32, i64, 0}},
		{wasm.OpMemorySize, wasm.OpMemorySize, operator{0, 0, i32}},
		{wasm.OpMemoryGrow, wasm.OpMemoryGrow, operator{i32, 0, i32}},
		{wasm.OpI32Const, wasm.OpI32Const, operator{0, 0, i32}},
		{wasm.OpI64Const, wasm.OpI64Const, operator{0, 0, i64}},
		{wasm.OpF32Const, wasm.OpF32Const, operator{0, 0, f32}},
		{wasm.OpF64Const, wasm.OpF64Const, operator{0, 0, f64}},
		{wasm.OpI32Eqz, wasm.OpI32Eqz, operator{i32, 0, i32}},
		{wasm.OpI32Eq, wasm.OpI32GeU, operator{i32, i32, i32}},
		{wasm.OpI64Eqz, wasm.OpI64Eqz, operator{i64, 0, i32}},
		{wasm.OpI64Eq, wasm.OpI64GeU, operator{i64, i64, i32}},
		{wasm.OpF32Eq, wasm.OpF32Ge, operator{f32, f32, i32}},
		{wasm.OpF64Eq, wasm.OpF64Ge, operator{f64, f64, i32}},
		{wasm.OpI32Clz, wasm.OpI32Popcnt, operator{i32, 0, i32}},
		{wasm.OpI32Add, wasm.OpI32Rotr, operator{i32, i32, i32}},
		{wasm.OpI64Clz, wasm.OpI64Popcnt, operator{i64, 0, i64}},
		{wasm.OpI64Add, wasm.OpI64Rotr, operator{i64, i64, i64}},
		{wasm.OpF32Abs, wasm.OpF32Sqrt, operator{f32, 0, f32}},
		{wasm.OpF32Add, wasm.OpF32Copysign, operator{f32, f32, f32}},
		{wasm.OpF64Abs, wasm.OpF64Sqrt, operator{f64, 0, f64}},
		{wasm.OpF64Add, wasm.OpF64Copysign, operator{f64, f64, f64}},
		{wasm.OpI32WrapI64, wasm.OpI32WrapI64, operator{i64, 0, i32}},
		{wasm.OpI32TruncF32S, wasm.OpI32TruncF32U, operator{f32, 0, i32}},
		{wasm.OpI32TruncF64S, wasm.OpI32TruncF64U, operator{f64, 0, i32}},
		{wasm.OpI64ExtendI32S, wasm.OpI64ExtendI32U, operator{i32, 0, i64}},
		{wasm.OpI64TruncF32S, wasm.OpI64TruncF32U, operator{f32, 0, i64}},
		{wasm.OpI64TruncF64S, wasm.OpI64TruncF64U, operator{f64, 0, i64}},
		{wasm.OpF32ConvertI32S, wasm.OpF32ConvertI32U, operator{i32, 0, f32}},
		{wasm.OpF32ConvertI64S, wasm.OpF32ConvertI64U, operator{i64, 0, f32}},
		{wasm.OpF32DemoteF64, wasm.OpF32DemoteF64, operator{f64, 0, f32}},
		{wasm.OpF64ConvertI32S, wasm.OpF64ConvertI32U, operator{i32, 0, f64}},
		{wasm.OpF64ConvertI64S, wasm.OpF64ConvertI64U, operator{i64, 0, f64}},
		{wasm.OpF64PromoteF32, wasm.OpF64PromoteF32, operator{f32, 0, f64}},
		{wasm.OpI32ReinterpretF32, wasm.OpI32ReinterpretF32, operator{f32, 0, i32}},
		{wasm.OpI64ReinterpretF64, wasm.OpI64ReinterpretF64, operator{f64, 0, i64}},
		{wasm.OpF32ReinterpretI32, wasm.OpF32ReinterpretI32, operator{i32, 0, f32}},
		{wasm.OpF64ReinterpretI64, wasm.OpF64ReinterpretI64, operator{i64, 0, f64}},
		{wasm.OpI32Extend8S, wasm.OpI32Extend16S, operator{i32, 0, i32}},
		{wasm.OpI64Extend8S, wasm.OpI64Extend32S, operator{i64, 0, i64}},
	} {
		for op := r.from; op <= r.to; op++ {
			table[op] = r.operator
		}
	}
	return &table
}

// saturating holds the conversions behind the prefix, from the first on.
var saturating = [8]operator{
	{wasm.F32, 0, wasm.I32},
	{wasm.F32, 0, wasm.I32},
	{wasm.F64, 0, wasm.I32},
	{wasm.F64, 0, wasm.I32},
	{wasm.F32, 0, wasm.I64},
	{wasm.F32, 0, wasm.I64},
	{wasm.F64, 0, wasm.I64},
	{wasm.F64, 0, wasm.I64},
}

// operatorOf finds the type of an instruction; false for those that depend on
// more than their opcode.
func operatorOf(op wasm.Opcode) (operator, bool) {
	var o operator
	switch {
	case op < 256:
		o = operators[op]
	case op >= wasm.OpI32TruncSatF32S && op <= wasm.OpI64TruncSatF64U:
		o = saturating[op-wasm.OpI32TruncSatF32S]
	}
	return o, o != operator{}
}
