package emit

import (
	"slices"

	"github.com/avapd/avapd/compiler/ir"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

// A list gets other cells, or more or fewer of them, by what the library does
// and by appending. A loop that keeps its charges to itself does neither: where
// it needs the library, that only reads or replaces an item, or fails. So the
// header of a list is read before such a loop, if it assigns no other value to
// the list's variable, whatever other ways lead to the same list.

// steady is a list whose header was read.
type steady struct {
	// slots are the variables that hold it: that of the script, and hidden ones.
	slots  []int
	cells  wasm.Local
	length wasm.Local // 0 for what is no list
}

// maxSteady bounds the lists of a loop.
const maxSteady = 24

// readHeaders reads the headers of the lists that a loop uses and leaves as they are.
func (u *unit) readHeaders(s *ir.Stmt) {
	loop := []*ir.Stmt{s}
	origin := origins(loop)
	ir.WalkExprs(loop, func(x *ir.Expr) {
		if !isOfList(x) || x.Args[0].Op != ir.OpLoad {
			return
		}
		v := x.Args[0].Var
		from := origin(v)
		if from == nil || from.Fallback != nil || u.places[from.Slot] == nil {
			return
		}
		l := u.steadyOf(from)
		if l == nil && len(u.steady) < maxSteady {
			l = u.readHeader(from)
		}
		if l != nil && !slices.Contains(l.slots, v.Slot) {
			l.slots = append(l.slots, v.Slot)
		}
	})
}

// origins gives a function that tells which variable has the value of another one
// throughout a loop: itself if the loop does not assign it, what a hidden one is a
// copy of, or none.
func origins(loop []*ir.Stmt) func(*ir.Var) *ir.Var {
	assigned, copies := map[int]int{}, map[int]*ir.Var{}
	ir.WalkStmts(loop, func(s *ir.Stmt) {
		if s.Var == nil {
			return
		}
		assigned[s.Var.Slot]++
		if s.Op == ir.StmtAssign && s.Var.Scope == ir.Hidden && s.X.Op == ir.OpLoad {
			copies[s.Var.Slot] = s.X.Var
		}
	})
	return func(v *ir.Var) *ir.Var {
		if copied := copies[v.Slot]; copied != nil && assigned[v.Slot] == 1 {
			v = copied
		}
		if assigned[v.Slot] > 0 {
			return nil
		}
		return v
	}
}

// readHeader reads that of a list, if a variable holds one when the loop begins.
func (u *unit) readHeader(list *ir.Var) *steady {
	f, at := u.f, u.at(list)
	l := &steady{[]int{list.Slot}, f.Temp(wasm.I32), f.Temp(wasm.I64)}
	u.steady = append(u.steady, l)
	header := f.Temp(wasm.I32)
	f.I64Const(0)
	f.LocalSet(l.length)
	u.pushTag(at)
	f.I32Const(abi.KindList)
	f.Op(wasm.OpI32Eq)
	f.If()
	u.pushPayload(at)
	f.Op(wasm.OpI32WrapI64)
	f.LocalTee(header)
	f.Mem(wasm.OpI32Load, 2, abi.ListCells)
	f.LocalSet(l.cells)
	f.LocalGet(header)
	f.Mem(wasm.OpI64Load32U, 2, abi.ListLen)
	f.LocalSet(l.length)
	f.End()
	f.Release(header)
	return l
}

// forgetHeaders comes behind the loop.
func (u *unit) forgetHeaders() {
	for _, l := range u.steady {
		u.f.Release(l.cells, l.length)
	}
	u.steady = nil
}

// steadyOf gives the list that a variable holds if its header was read, or nil.
func (u *unit) steadyOf(v *ir.Var) *steady {
	for _, l := range u.steady {
		if slices.Contains(l.slots, v.Slot) {
			return l
		}
	}
	return nil
}

// steadyList gives the list that an expression is, or nil.
func (u *unit) steadyList(x *ir.Expr) *steady {
	if x.Op != ir.OpLoad {
		return nil
	}
	return u.steadyOf(x.Var)
}

// isOfList reports whether x is an item or the length of a list, or replaces an
// item, in code that has the library only do what is not the plain case.
func isOfList(x *ir.Expr) bool {
	if x.Op != ir.OpLib || len(x.Args) == 0 || !x.Args[0].Type.Is(ir.List) {
		return false
	}
	switch x.Lib.Name {
	case "Index", "SetIndex":
		return isPlainItem(x)
	case "Len":
		return x.Type == ir.Int
	}
	return false
}
