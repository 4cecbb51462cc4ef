package wasm

// Renumbering says what indices become when a module is put together anew. A
// nil function leaves the indices of its kind alone.
type Renumbering struct {
	Func, Type, Global, Data func(uint32) uint32
}

// appendIndexed writes an instruction's opcode and its first index.
func appendIndexed(out []byte, op Opcode, index uint32) []byte {
	return AppendUleb(appendOpcode(out, op), uint64(index))
}

// AppendInstruction appends an instruction whose bytes are raw, with its
// indices changed. Where nothing changes the bytes stay as they are.
func (r *Renumbering) AppendInstruction(out []byte, in *Instruction, raw []byte) []byte {
	switch {
	case (in.Op == OpCall || in.Op == OpRefFunc) && r.Func != nil:
		return appendIndexed(out, in.Op, r.Func(in.Index))
	case (in.Op == OpGlobalGet || in.Op == OpGlobalSet) && r.Global != nil:
		return appendIndexed(out, in.Op, r.Global(in.Index))
	case in.Op == OpCallIndirect && r.Type != nil:
		return AppendUleb(appendIndexed(out, in.Op, r.Type(in.Index)), uint64(in.Second))
	case (in.Op == OpBlock || in.Op == OpLoop || in.Op == OpIf) && in.Block.HasIndex && r.Type != nil:
		return AppendSleb(append(out, byte(in.Op)), int64(r.Type(in.Block.Index)))
	case in.Op == OpMemoryInit && r.Data != nil:
		return append(appendIndexed(out, in.Op, r.Data(in.Index)), 0)
	case in.Op == OpDataDrop && r.Data != nil:
		return appendIndexed(out, in.Op, r.Data(in.Index))
	}
	return append(out, raw...)
}

// Code gives code with its indices changed, and calls moved with the offset of
// every instruction before and after.
func (r *Renumbering) Code(code []byte, moved func(from, to int)) ([]byte, error) {
	out := make([]byte, 0, len(code)+len(code)/8)
	c := NewCodeReader(code, 0)
	for {
		in, ok := c.Next()
		if !ok {
			return out, c.Err()
		}
		if moved != nil {
			moved(in.Offset, len(out))
		}
		out = r.AppendInstruction(out, &in, code[in.Offset:c.Offset()])
	}
}

// ConstExpr gives a constant expression with its indices changed.
func (r *Renumbering) ConstExpr(expr []byte) ([]byte, error) {
	if len(expr) == 0 {
		return expr, nil
	}
	return r.Code(expr, nil)
}
