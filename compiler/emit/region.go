package emit

import (
	"github.com/avapd/avapd/compiler/ir"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

// RegionBytes is by how much the heap grows in a loop before the loop gives
// back what its turns left behind.
const RegionBytes = 256 << 10

// maxRoots bounds the code that hands a loop's variables over.
const maxRoots = 64

const pointers = ir.Text | ir.List | ir.Dict

// region is a loop at whose head memory is given back; see the library's
// Collect. Behind the mark lies what was made since the loop began, and of this
// function's variables only those can point there that the loop assigns: what
// waits on the operand stack or in a register was computed before.
type region struct {
	mark, limit wasm.Local
	outer       wasm.Local // the mark of the loop around this one
	roots       []*place
}

// openRegion begins a loop that gives memory back, or gives nil for one that
// has no need to.
func (u *unit) openRegion(s *ir.Stmt) *region {
	if u.e.regionBytes == 0 || !s.Leaves || u.account.open {
		return nil
	}
	roots := u.roots(s)
	if len(roots) > maxRoots {
		return nil
	}
	f := u.f
	r := &region{mark: f.Temp(wasm.I32), limit: f.Temp(wasm.I32), outer: f.Temp(wasm.I32), roots: roots}
	u.loadControl(abi.RegionMark)
	f.LocalSet(r.outer)
	u.loadControl(abi.HeapTop)
	f.LocalTee(r.mark)
	f.I32Const(int32(u.e.regionBytes))
	f.Op(wasm.OpI32Add)
	f.LocalSet(r.limit)
	u.storeControl(abi.RegionMark, func() { f.LocalGet(r.mark) })
	return r
}

// roots lists the registers that may point behind the mark of a loop.
func (u *unit) roots(s *ir.Stmt) []*place {
	var roots []*place
	seen := map[int]bool{}
	add := func(v *ir.Var, k ir.Kinds) {
		if v == nil || seen[v.Slot] || !k.May(pointers) {
			return
		}
		if p := u.places[v.Slot]; p != nil && p.kind == register && !p.isFloat {
			seen[v.Slot] = true
			roots = append(roots, p)
		}
	}
	ir.WalkStmts([]*ir.Stmt{s}, func(s *ir.Stmt) {
		switch s.Op {
		case ir.StmtAssign:
			add(s.Var, s.X.Type)
		case ir.StmtEach:
			add(s.Var, ir.Any)
		case ir.StmtTry:
			add(s.Caught, ir.Text)
		}
	})
	return roots
}

// leaveIfFull leaves for the collection when the heap has grown enough.
func (u *unit) leaveIfFull(r *region, full wasm.Label) {
	u.loadControl(abi.HeapTop)
	u.f.LocalGet(r.limit)
	u.f.Op(wasm.OpI32GtU)
	u.f.BrIf(full)
}

// collect writes the collection, which is out of the way of the loop.
func (u *unit) collect(r *region) {
	f := u.f
	u.setFrame() // there may be no memory to hand the variables over
	u.storeControl(abi.Site, func() { f.I32Const(int32(u.stmtSite)) })
	for _, p := range r.roots {
		u.pushTag(p)
		u.pushPayload(p)
		u.call("KeepRoot")
	}
	f.LocalGet(r.mark)
	f.I32Const(int32(len(u.e.prog.Globals)))
	if u.fn.HasSplit && u.fn.Number != 0 {
		f.LocalGet(u.frame)
		f.I32Const(int32(u.e.frameSize[u.fn]))
	} else {
		f.I32Const(0)
		f.I32Const(0)
	}
	f.I32Const(int32(u.e.regionBytes))
	u.call("Collect")
	f.LocalSet(r.limit)
	for i, p := range r.roots {
		f.I32Const(int32(len(r.roots) - 1 - i)) // the library counts from the last one
		u.call("Root")
		f.LocalSet(p.payload)
		f.LocalSet(p.tag)
	}
}

// closeRegion ends such a loop. A jump further out leaves the mark as it is,
// which makes the library remember more than it has to.
func (u *unit) closeRegion(r *region) {
	u.storeControl(abi.RegionMark, func() { u.f.LocalGet(r.outer) })
	u.f.Release(r.mark, r.limit, r.outer)
}
