package emit

import (
	"fmt"

	"github.com/avapd/avapd/compiler/ir"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

// A part is a list of statements that runs in a helper function, because the
// function it belongs to would be too large. It takes the call-stack slot and,
// in script functions, the frame; it gives how it ended: 0 by its end, -1 with
// an error, or a jump code.

// callPart calls a helper and goes where it says.
func (u *unit) callPart(s *ir.Stmt) {
	g := u.e.part(u, s)
	f := u.f
	u.pushFrame()
	if u.fn.HasSplit && u.fn.Number != 0 {
		f.LocalGet(u.frame)
	}
	f.Call(g)
	u.forget()
	t := f.Temp(wasm.I32)
	f.LocalTee(t)
	u.failIfNegative()
	for _, j := range []ir.Jumps{ir.JumpReturn, ir.JumpBreak, ir.JumpContinue} {
		if s.Jumps&j == 0 {
			continue
		}
		f.LocalGet(t)
		f.I32Const(int32(j))
		f.Op(wasm.OpI32Eq)
		f.If()
		if j == ir.JumpReturn {
			u.passReturn()
		} else {
			u.jump(j)
		}
		f.End()
	}
	f.Release(t)
}

// passReturn goes on with a return that a part has begun.
func (u *unit) passReturn() {
	f := u.f
	switch {
	case u.part:
		u.leavePart(ir.JumpReturn)
	case u.top:
		f.Br(u.exit)
	default:
		f.LocalGet(u.frame)
		f.Mem(wasm.OpI32Load, 2, u.resultCell()+abi.CellTag)
		f.LocalGet(u.frame)
		f.Mem(wasm.OpI64Load, 3, u.resultCell()+abi.CellPayload)
		repOfKinds(u.fn.Result).fromPayload(f)
		f.Op(wasm.OpReturn)
	}
}

// resultCell is the frame's cell for the value of a return inside a part.
func (u *unit) resultCell() uint32 { return u.e.frameSize[u.fn] * abi.CellSize }

// keepResult stores the pair on the stack in the frame.
func (u *unit) keepResult() {
	f := u.f
	t, p := f.Temp(wasm.I32), f.Temp(wasm.I64)
	f.LocalSet(p)
	f.LocalSet(t)
	f.LocalGet(u.frame)
	f.LocalGet(t)
	f.Mem(wasm.OpI32Store, 2, u.resultCell()+abi.CellTag)
	f.LocalGet(u.frame)
	f.LocalGet(p)
	f.Mem(wasm.OpI64Store, 3, u.resultCell()+abi.CellPayload)
	f.Release(t, p)
}

// leavePart ends a part early.
func (u *unit) leavePart(j ir.Jumps) {
	u.flush()
	u.f.I32Const(int32(j))
	u.f.Op(wasm.OpReturn)
}

// newFrame makes the cells of a function's locals: the cells of a list, since
// calls may nest and memory has no other owner.
func (u *unit) newFrame() {
	f := u.f
	u.frame = f.NewLocal(wasm.I32)
	cells := u.e.numberLocals(u.fn)
	u.e.frameSize[u.fn] = cells
	cells++ // for the value of a return
	f.I32Const(int32(cells))
	u.setFrame()
	u.call("NewList")
	f.Op(wasm.OpI32WrapI64)
	f.LocalSet(u.frame)
	f.Op(wasm.OpDrop)
	f.LocalGet(u.frame)
	f.Mem(wasm.OpI32Load, 2, abi.ListCells)
	f.LocalTee(u.frame)
	f.I32Const(0)
	f.I32Const(int32(cells) * abi.CellSize)
	f.MemoryFill()
}

// part writes the helper of a statement list.
func (e *emitter) part(owner *unit, s *ir.Stmt) *wasm.Func {
	t := wasm.FuncType{Params: []wasm.ValType{wasm.I32}, Results: []wasm.ValType{wasm.I32}}
	framed := owner.fn.HasSplit && owner.fn.Number != 0
	if framed {
		t.Params = append(t.Params, wasm.I32)
	}
	f := e.mod.NewFunc(fmt.Sprintf("%s.part%d", owner.fn.Name, e.units), t)
	u := e.newUnit(f, owner.fn)
	u.part, u.stmtSite, u.logging, u.leaf = true, s.Site, owner.logging, owner.leaf
	u.mark(s.Site)
	u.fp = f.Param(0)
	if framed {
		u.frame = f.Param(1)
	}
	if u.fn.Number == 0 {
		u.reachGlobals()
	}
	u.allocate(s.Then)
	u.protect()
	u.stmts(s.Then)
	u.flush()
	f.I32Const(0)
	f.Op(wasm.OpReturn)
	if u.unprotect() {
		u.flush()
		u.noteFrame()
		f.I32Const(abi.TagError)
	} else {
		f.Op(wasm.OpUnreachable)
	}
	u.bound()
	return f
}
