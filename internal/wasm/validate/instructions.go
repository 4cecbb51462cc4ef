package validate

import "github.com/avapd/avapd/internal/wasm"

// singles are the result types of blocks that have one.
var singles = map[wasm.ValType][]wasm.ValType{
	wasm.I32:       {wasm.I32},
	wasm.I64:       {wasm.I64},
	wasm.F32:       {wasm.F32},
	wasm.F64:       {wasm.F64},
	wasm.FuncRef:   {wasm.FuncRef},
	wasm.ExternRef: {wasm.ExternRef},
}

// instruction checks one instruction.
func (f *function) instruction(in *wasm.Instruction) {
	if f.m.instructions++; f.m.instructions > f.m.limits.Instructions {
		f.refuse(wasm.TooLarge, "more than %d instructions in the module", f.m.limits.Instructions)
		return
	}
	if o, ok := operatorOf(in.Op); ok {
		f.operator(in, o)
		return
	}
	switch {
	case in.Op <= wasm.OpReturn:
		f.control(in)
	case in.Op <= wasm.OpCallIndirect:
		f.call(in)
	case in.Op <= wasm.OpSelectT:
		f.parametric(in)
	case in.Op <= wasm.OpGlobalSet:
		f.variable(in)
	case in.Op == wasm.OpRefNull, in.Op == wasm.OpRefIsNull, in.Op == wasm.OpRefFunc:
		f.reference(in)
	case in.Op >= wasm.OpMemoryInit && in.Op <= wasm.OpMemoryFill:
		f.memory(in)
	default:
		f.table(in)
	}
}

// operator checks an instruction whose type follows from its opcode.
func (f *function) operator(in *wasm.Instruction, o operator) {
	if in.Op >= wasm.OpI32Load && in.Op <= wasm.OpMemoryGrow {
		f.needsMemory(in.Op)
		if in.Op < wasm.OpMemorySize && in.Align > in.Op.NaturalAlign() {
			f.invalid("%s promises an alignment greater than its own", in.Op)
		}
	}
	if o.b != 0 {
		f.pop(o.b)
	}
	if o.a != 0 {
		f.pop(o.a)
	}
	if o.result != 0 {
		f.push(o.result)
	}
}

func (f *function) needsMemory(op wasm.Opcode) {
	if !f.m.hasMemory {
		f.invalid("%s without a memory", op)
	}
}

func (f *function) control(in *wasm.Instruction) {
	if in.Op != wasm.OpNop {
		f.branch(1)
	}
	switch in.Op {
	case wasm.OpUnreachable:
		f.never()
	case wasm.OpBlock, wasm.OpLoop, wasm.OpIf:
		f.block(in)
	case wasm.OpElse:
		if fr := f.leave(); fr.op == wasm.OpIf {
			f.frames = append(f.frames, frame{op: wasm.OpElse, params: fr.params, results: fr.results, height: fr.height})
			f.pushAll(fr.params)
		} else {
			f.invalid("else without if")
		}
	case wasm.OpEnd:
		f.end()
	case wasm.OpBr:
		f.popAll(f.target(in.Index))
		f.never()
	case wasm.OpBrIf:
		f.pop(wasm.I32)
		ts := f.target(in.Index)
		f.popAll(ts)
		f.pushAll(ts)
	case wasm.OpBrTable:
		f.branchTable(in)
	case wasm.OpReturn:
		f.popAll(f.frames[0].results)
		f.never()
	}
}

func (f *function) block(in *wasm.Instruction) {
	var params, results []wasm.ValType
	switch b := in.Block; {
	case !b.HasIndex:
		results = singles[b.Value]
	case int64(b.Index) < int64(len(f.m.Types)):
		params, results = f.m.Types[b.Index].Params, f.m.Types[b.Index].Results
	default:
		f.invalid("type %d does not exist", b.Index)
		return
	}
	if in.Op == wasm.OpIf {
		f.pop(wasm.I32)
	}
	f.open(in.Op, params, results)
}

// end closes a block. An if without else leaves its parameters as its results.
func (f *function) end() {
	fr := f.leave()
	if fr.op == wasm.OpIf && !same(fr.params, fr.results) {
		f.invalid("if without else, with results that are not its parameters")
	}
	if len(f.frames) > 0 {
		f.pushAll(fr.results)
	}
}

func same(a, b []wasm.ValType) bool {
	return wasm.FuncType{Params: a}.Equal(wasm.FuncType{Params: b})
}

// branchTable checks that each target takes what is on the stack, and as many
// values as the default target.
func (f *function) branchTable(in *wasm.Instruction) {
	if len(in.Labels) > f.m.limits.BranchTargets {
		f.refuse(wasm.TooLarge, "a br_table of %d targets, at most %d are allowed", len(in.Labels), f.m.limits.BranchTargets)
		return
	}
	f.branch(len(in.Labels))
	f.pop(wasm.I32)
	last := f.target(in.Index)
	for _, label := range in.Labels {
		ts := f.target(label)
		if f.err == nil && len(ts) != len(last) {
			f.invalid("targets of a br_table take %d and %d values", len(ts), len(last))
		}
		f.peekAll(ts)
		if f.err != nil {
			return
		}
	}
	f.popAll(last)
	f.never()
}

// peekAll checks the values on the stack as popAll does, and leaves them there.
func (f *function) peekAll(ts []wasm.ValType) {
	fr := &f.frames[len(f.frames)-1]
	for i := range ts {
		at, want := len(f.stack)-1-i, ts[len(ts)-1-i]
		if at < fr.height {
			if !fr.unreachable {
				f.invalid("a value is missing")
			}
			return
		}
		if got := f.stack[at]; got != want && got != unknown {
			f.invalid("%s wanted, got %s", want, got)
			return
		}
	}
}

func (f *function) call(in *wasm.Instruction) {
	f.calls++
	var t *wasm.FuncType
	switch {
	case in.Op == wasm.OpCall && int64(in.Index) < int64(len(f.m.funcs)):
		t = &f.m.Types[f.m.funcs[in.Index]]
	case in.Op == wasm.OpCall:
		f.invalid("function %d does not exist", in.Index)
		return
	case f.tableType(in.Second) != wasm.FuncRef:
		f.invalid("call_indirect through a table that holds no functions")
		return
	case int64(in.Index) >= int64(len(f.m.Types)):
		f.invalid("type %d does not exist", in.Index)
		return
	default:
		f.pop(wasm.I32)
		t = &f.m.Types[in.Index]
	}
	f.popAll(t.Params)
	f.pushAll(t.Results)
}

func (f *function) parametric(in *wasm.Instruction) {
	switch in.Op {
	case wasm.OpDrop:
		f.pop(unknown)
	case wasm.OpSelectT:
		f.pop(wasm.I32)
		f.pop(in.Types[0])
		f.pop(in.Types[0])
		f.push(in.Types[0])
	case wasm.OpSelect:
		f.pop(wasm.I32)
		a, b := f.pop(unknown), f.pop(unknown)
		switch {
		case isRef(a) || isRef(b):
			f.invalid("select of references without a type")
		case a != b && a != unknown && b != unknown:
			f.invalid("select of %s and %s", b, a)
		}
		if a == unknown {
			a = b
		}
		f.push(a)
	}
}

func isRef(t wasm.ValType) bool { return t == wasm.FuncRef || t == wasm.ExternRef }

func (f *function) variable(in *wasm.Instruction) {
	switch in.Op {
	case wasm.OpLocalGet:
		f.push(f.local(in.Index))
	case wasm.OpLocalSet:
		f.pop(f.local(in.Index))
	case wasm.OpLocalTee:
		t := f.local(in.Index)
		f.pop(t)
		f.push(t)
	case wasm.OpGlobalGet, wasm.OpGlobalSet:
		if int64(in.Index) >= int64(len(f.m.globals)) {
			f.invalid("global %d does not exist", in.Index)
			return
		}
		g := f.m.globals[in.Index]
		switch {
		case in.Op == wasm.OpGlobalGet:
			f.push(g.Type)
		case !g.Mutable:
			f.invalid("global %d is constant", in.Index)
		default:
			f.pop(g.Type)
		}
	}
}

func (f *function) reference(in *wasm.Instruction) {
	switch in.Op {
	case wasm.OpRefNull:
		f.push(in.Types[0])
	case wasm.OpRefIsNull:
		if t := f.pop(unknown); t != unknown && !isRef(t) {
			f.invalid("a reference wanted, got %s", t)
		}
		f.push(wasm.I32)
	case wasm.OpRefFunc:
		switch {
		case int64(in.Index) >= int64(len(f.m.funcs)):
			f.invalid("function %d does not exist", in.Index)
		case !f.m.declared[in.Index]:
			f.invalid("ref.func of function %d, which is not declared outside of bodies", in.Index)
		}
		f.push(wasm.FuncRef)
	}
}

// memory checks the bulk instructions on memory.
func (f *function) memory(in *wasm.Instruction) {
	if in.Op == wasm.OpMemoryInit || in.Op == wasm.OpDataDrop {
		switch {
		case !f.m.HasDataCount:
			f.refuse(wasm.Malformed, "%s without a section that counts data segments", in.Op)
		case int64(in.Index) >= int64(len(f.m.Segments)):
			f.invalid("data segment %d does not exist", in.Index)
		}
	}
	if in.Op == wasm.OpDataDrop {
		return
	}
	f.needsMemory(in.Op)
	f.popAll(threeIndices)
}

// tableType gives what a table holds.
func (f *function) tableType(index uint32) wasm.ValType {
	if int64(index) >= int64(len(f.m.tables)) {
		f.invalid("table %d does not exist", index)
		return unknown
	}
	return f.m.tables[index].Elem
}

// table checks the instructions on tables.
func (f *function) table(in *wasm.Instruction) {
	switch in.Op {
	case wasm.OpElemDrop:
		f.elements(in.Index)
	case wasm.OpTableInit:
		if t, e := f.tableType(in.Second), f.elements(in.Index); f.err == nil && t != e {
			f.invalid("table.init of %s from %s", t, e)
		}
		f.popAll(threeIndices)
	case wasm.OpTableCopy:
		if to, from := f.tableType(in.Index), f.tableType(in.Second); f.err == nil && to != from {
			f.invalid("table.copy of %s from %s", to, from)
		}
		f.popAll(threeIndices)
	case wasm.OpTableGet:
		t := f.tableType(in.Index)
		f.pop(wasm.I32)
		f.push(t)
	case wasm.OpTableSet:
		f.pop(f.tableType(in.Index))
		f.pop(wasm.I32)
	case wasm.OpTableSize:
		f.tableType(in.Index)
		f.push(wasm.I32)
	case wasm.OpTableGrow:
		f.pop(wasm.I32)
		f.pop(f.tableType(in.Index))
		f.push(wasm.I32)
	case wasm.OpTableFill:
		f.pop(wasm.I32)
		f.pop(f.tableType(in.Index))
		f.pop(wasm.I32)
	default:
		f.invalid("%s has no rule", in.Op) // and is refused, whatever it is
	}
}

var threeIndices = []wasm.ValType{wasm.I32, wasm.I32, wasm.I32}

// elements gives what a segment holds.
func (f *function) elements(index uint32) wasm.ValType {
	if int64(index) >= int64(len(f.m.Elements)) {
		f.invalid("element segment %d does not exist", index)
		return unknown
	}
	return f.m.Elements[index].Elem
}
