package emit

import (
	"github.com/avapd/avapd/compiler/ir"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

// Items of lists are read, replaced and appended in place, where code runs
// often. Whatever is not the plain case goes to the library: another kind of
// container or index, an index from the end or beyond it, a list without room,
// and one that has to be remembered for the next collection. The plain case
// costs no fuel in the library, so it makes no difference to the price. Headers
// are read at each access, or before a loop that moves no cells (steady.go), and
// the address of a cell lives no longer than an access: anything else may move it.

// fastEffect writes a call that is made for its effect in place. It reports
// whether it could; if not, it writes nothing.
func (u *unit) fastEffect(x *ir.Expr) bool {
	if x.Op != ir.OpLib || !u.hot() {
		return false
	}
	switch x.Lib.Name {
	case "SetIndex":
		if !isPlainItem(x) {
			return false
		}
		u.fastSetIndex(x)
	case "MethodAppend", "Push":
		if x.Args[0].Type&ir.List == 0 {
			return false
		}
		u.fastAppend(x)
	default:
		return false
	}
	return true
}

// fastResult does the same for a call whose result counts.
func (u *unit) fastResult(x *ir.Expr) bool {
	if !u.hot() {
		return false
	}
	switch x.Lib.Name {
	case "Index":
		if !isPlainItem(x) {
			return false
		}
		u.fastIndex(x)
	case "Len":
		if repOfKinds(x.Type) != integer {
			return false
		}
		return u.fastLen(x)
	default:
		return false
	}
	return true
}

// isPlainItem reports whether the first two arguments may be a list and a
// number.
func isPlainItem(x *ir.Expr) bool {
	return x.Args[0].Type&ir.List != 0 && x.Args[1].Type&ir.Int != 0
}

func (u *unit) fastIndex(x *ir.Expr) {
	f := u.f
	list, index := u.hold(x.Args[0]), u.hold(x.Args[1])
	site := u.site
	r := repOfKinds(x.Type)
	done := f.Block(r.types()...)
	slow := f.Block()
	cell := f.Temp(wasm.I32)
	u.findCell(list, index, cell, slow)
	u.loadCellAs(cell, r)
	f.Br(done)
	f.Release(cell)
	f.End()
	u.settled(func() {
		u.pushOperand(list)
		u.pushOperand(index)
		u.setSite(x.Site)
		f.Call(u.e.lib(x.Lib))
	})
	u.pairResult(x.Type, true)
	f.End()
	u.mergeSite(site)
	u.release(list)
	u.release(index)
}

// loadCellAs leaves what a cell holds in the form that its kinds have.
func (u *unit) loadCellAs(cell wasm.Local, r rep) {
	f := u.f
	switch r {
	case integer:
		f.LocalGet(cell)
		f.Mem(wasm.OpI64Load, 3, abi.CellPayload)
	case float:
		f.LocalGet(cell)
		f.Mem(wasm.OpF64Load, 3, abi.CellPayload)
	case boolean:
		f.LocalGet(cell)
		f.Mem(wasm.OpI32Load, 2, abi.CellPayload)
	default:
		p := f.Temp(wasm.I64)
		f.LocalGet(cell) // the far end first, as in storeCell
		f.Mem(wasm.OpI64Load, 3, abi.CellPayload)
		f.LocalSet(p)
		f.LocalGet(cell)
		f.Mem(wasm.OpI32Load, 2, abi.CellTag)
		f.LocalGet(p)
		f.Release(p)
	}
}

// findCell finds the cell of an item, or leaves for slow.
func (u *unit) findCell(list, index operand, cell wasm.Local, slow wasm.Label) {
	f := u.f
	cells := cell
	if l := u.steadyList(list.x); l != nil {
		u.unless(index, ir.Int, slow)
		u.pushOperandPayload(index)
		f.LocalGet(l.length)
		cells = l.cells
	} else {
		header := f.Temp(wasm.I32)
		u.unless(list, ir.List, slow)
		u.unless(index, ir.Int, slow)
		u.listHeader(list, header, cell)
		u.pushOperandPayload(index)
		f.LocalGet(header)
		f.Mem(wasm.OpI64Load32U, 2, abi.ListLen)
		f.Release(header)
	}
	f.Op(wasm.OpI64GeU)
	f.BrIf(slow)
	f.LocalGet(cells)
	u.pushOperandPayload(index)
	f.Op(wasm.OpI32WrapI64)
	u.toCell()
	f.LocalSet(cell)
}

// listHeader finds where the header of a list lies, and its cells. The cells
// come first, because then the rest of the header needs no check of the
// address.
func (u *unit) listHeader(list operand, header, cells wasm.Local) {
	f := u.f
	u.pushOperandPayload(list)
	f.Op(wasm.OpI32WrapI64)
	f.LocalTee(header)
	f.Mem(wasm.OpI32Load, 2, abi.ListCells)
	f.LocalSet(cells)
}

// toCell adds as many cells as the number on the stack says to the address
// below it.
func (u *unit) toCell() {
	u.f.I32Const(4) // cells are 16 bytes
	u.f.Op(wasm.OpI32Shl, wasm.OpI32Add)
}

// unless leaves when an operand is not of a kind.
func (u *unit) unless(o operand, k ir.Kinds, slow wasm.Label) {
	if o.x.Type.Is(k) {
		return
	}
	tag, _ := singleKind(k)
	u.f.LocalGet(o.tag)
	u.f.I32Const(tag)
	u.f.Op(wasm.OpI32Ne)
	u.f.BrIf(slow)
}

func (u *unit) fastSetIndex(x *ir.Expr) {
	f := u.f
	list, index, v := u.hold(x.Args[0]), u.hold(x.Args[1]), u.hold(x.Args[2])
	site := u.site
	done := f.Block()
	slow := f.Block()
	cell := f.Temp(wasm.I32)
	u.findCell(list, index, cell, slow)
	u.unlessForgotten(list, v, slow)
	if x.Facts.Has(ir.SameKind) && !v.x.Type.Is(ir.Text) { // the tag of a text has flags
		u.storePayloadOf(cell, v)
	} else {
		u.storeCell(cell, v)
	}
	f.Br(done)
	f.Release(cell)
	f.End()
	u.slowEffect(x, list, index, v)
	f.End()
	u.mergeSite(site)
}

// slowEffect calls the library and releases the operands.
func (u *unit) slowEffect(x *ir.Expr, operands ...operand) {
	u.settled(func() {
		for _, o := range operands {
			u.pushOperand(o)
		}
		u.setSite(x.Site)
		u.f.Call(u.e.lib(x.Lib))
	})
	switch {
	case x.Lib.Name == "MethodAppend":
		u.f.Op(wasm.OpDrop)
		u.failIfNegative()
	case x.Lib.Fallible:
		u.failIfNegative()
	}
	for _, o := range operands {
		u.release(o)
	}
}

// unlessForgotten leaves when a list that is older than the loop would come to
// point at memory of the loop.
func (u *unit) unlessForgotten(list, v operand, slow wasm.Label) {
	f := u.f
	if !v.x.Type.May(pointers) {
		return
	}
	u.pushOperandPayload(list)
	f.Op(wasm.OpI32WrapI64)
	u.loadControl(abi.RegionMark)
	f.Op(wasm.OpI32LtU)
	if !v.x.Type.Is(pointers) {
		u.pushOperandTag(v)
		f.I32Const(abi.KindMask)
		f.Op(wasm.OpI32And)
		f.I32Const(abi.KindText)
		f.Op(wasm.OpI32Sub)
		f.I32Const(3) // text, list and dict are neighbours
		f.Op(wasm.OpI32LtU, wasm.OpI32And)
	}
	f.BrIf(slow)
}

// storeCell writes a cell, the far end first, which makes the check of the
// address do for both ends.
func (u *unit) storeCell(cell wasm.Local, v operand) {
	f := u.f
	u.storePayloadOf(cell, v)
	f.LocalGet(cell)
	u.pushOperandTag(v)
	f.Mem(wasm.OpI32Store, 2, abi.CellTag)
}

func (u *unit) storePayloadOf(cell wasm.Local, v operand) {
	u.f.LocalGet(cell)
	u.pushOperandPayload(v)
	u.f.Mem(wasm.OpI64Store, 3, abi.CellPayload)
}

func (u *unit) fastAppend(x *ir.Expr) {
	f := u.f
	list, v := u.hold(x.Args[0]), u.hold(x.Args[1])
	site := u.site
	done := f.Block()
	slow := f.Block()
	header, cell, n := f.Temp(wasm.I32), f.Temp(wasm.I32), f.Temp(wasm.I32)
	u.unless(list, ir.List, slow)
	u.listHeader(list, header, cell)
	f.LocalGet(header)
	f.Mem(wasm.OpI32Load, 2, abi.ListLen)
	f.LocalTee(n)
	f.LocalGet(header)
	f.Mem(wasm.OpI32Load, 2, abi.ListCap)
	f.Op(wasm.OpI32GeU)
	f.BrIf(slow)
	u.unlessForgotten(list, v, slow)
	f.LocalGet(cell)
	f.LocalGet(n)
	u.toCell()
	f.LocalSet(cell)
	u.storeCell(cell, v)
	f.LocalGet(header)
	f.LocalGet(n)
	f.I32Const(1)
	f.Op(wasm.OpI32Add)
	f.Mem(wasm.OpI32Store, 2, abi.ListLen)
	f.Br(done)
	f.Release(header, cell, n)
	f.End()
	u.slowEffect(x, list, v)
	f.End()
	u.mergeSite(site)
}

// fastLen leaves the length of what is known to be a list, a dict or a text.
func (u *unit) fastLen(x *ir.Expr) bool {
	f, a := u.f, x.Args[0]
	offset := uint32(abi.ListLen)
	switch {
	case a.Type.Is(ir.List):
	case a.Type.Is(ir.Dict):
		offset = abi.DictCount
	case a.Type.Is(ir.Text):
		u.fastTextLen(x)
		return true
	default:
		return false
	}
	if l := u.steadyList(a); l != nil && !a.Before.May(ir.Undef) {
		f.LocalGet(l.length)
		return true
	}
	u.value(a)
	u.keepPayload()
	f.Op(wasm.OpI32WrapI64)
	f.Mem(wasm.OpI64Load32U, 2, offset)
	return true
}

// fastTextLen counts the characters of a text, which are its bytes if it is
// known to be ASCII.
func (u *unit) fastTextLen(x *ir.Expr) {
	f := u.f
	o := u.hold(x.Args[0])
	site := u.site
	u.pushOperandTag(o)
	f.I32Const(abi.FlagASCII)
	f.Op(wasm.OpI32And)
	f.If(wasm.I64)
	u.pushOperandPayload(o)
	f.I64Const(32)
	f.Op(wasm.OpI64ShrU)
	f.Else()
	u.pushOperand(o)
	u.setSite(x.Site)
	f.Call(u.e.lib(x.Lib))
	u.pairResult(ir.Int, true)
	f.End()
	u.mergeSite(site)
	u.release(o)
}
