package emit

import (
	"slices"

	"github.com/avapd/avapd/compiler/ir"
	"github.com/avapd/avapd/internal/wasm"
)

// A loop that calls nothing keeps its charges to itself: owed counts them, and
// is compared with what the fuel was when the loop began. The fuel itself lies
// in memory, from where each turn would have to take it and put it back. Before
// anything can look at the fuel again, it is settled; outside such loops,
// nothing is owed.
type account struct {
	owed, had wasm.Local
	made      bool // the locals are there
	open      bool // charges are owed
}

// openAccount begins to owe charges, in a loop that is fit for it. It reports
// whether this is the outermost one.
func (u *unit) openAccount(s *ir.Stmt) bool {
	// The bounds of a counting loop are computed before it begins.
	fit := u.listCallsNothing(s.Then) && (s.Op != ir.StmtWhile || u.scalar(s.X))
	if u.account.open || len(u.softs) > 0 || !fit {
		return false
	}
	a := &u.account
	if !a.made {
		a.owed, a.had = u.f.NewLocal(wasm.I64), u.f.NewLocal(wasm.I64)
		u.f.NameLocal(a.owed, "owed")
		u.f.NameLocal(a.had, "fuel")
		a.made = true
	}
	a.open = true
	u.handler.owing = true
	u.lookAtFuel()
	return true
}

func (u *unit) closeAccount() {
	u.settle()
	u.account.open = false
}

// settle takes what is owed out of the fuel.
func (u *unit) settle() {
	if !u.account.open {
		return
	}
	f := u.f
	f.GlobalGet(u.e.fuel)
	f.LocalGet(u.account.owed)
	f.Op(wasm.OpI64Sub)
	f.GlobalSet(u.e.fuel)
	f.I64Const(0)
	f.LocalSet(u.account.owed)
}

// lookAtFuel notes how much fuel there is after it was settled.
func (u *unit) lookAtFuel() {
	if u.account.open {
		u.f.GlobalGet(u.e.fuel)
		u.f.LocalSet(u.account.had)
	}
}

// settleIn settles at the start of a handler, where control may have come from
// a loop.
func (u *unit) settleIn(h *handler) {
	if h.owing {
		open := u.account.open
		u.account.open = true
		u.settle()
		u.account.open = open
	}
}

// charge takes units out of the fuel.
func (u *unit) charge(units int64) {
	if units == 0 {
		return
	}
	f := u.f
	if u.account.open {
		u.owe(units)
		f.LocalSet(u.account.owed)
		return
	}
	f.GlobalGet(u.e.fuel)
	f.I64Const(units)
	f.Op(wasm.OpI64Sub)
	f.GlobalSet(u.e.fuel)
}

// owe leaves what is owed with units more.
func (u *unit) owe(units int64) {
	u.f.LocalGet(u.account.owed)
	u.f.I64Const(units)
	u.f.Op(wasm.OpI64Add)
}

// chargeTurn charges at the head of a loop and leaves for empty when there is
// not enough fuel.
func (u *unit) chargeTurn(units int64, empty wasm.Label) {
	f := u.f
	if u.account.open {
		u.owe(units)
		f.LocalTee(u.account.owed)
		f.LocalGet(u.account.had)
		f.Op(wasm.OpI64GtS)
		f.BrIf(empty)
		return
	}
	t := f.Temp(wasm.I64)
	f.GlobalGet(u.e.fuel)
	f.I64Const(units)
	f.Op(wasm.OpI64Sub)
	f.LocalTee(t)
	f.GlobalSet(u.e.fuel)
	f.LocalGet(t)
	f.I64Const(0)
	f.Op(wasm.OpI64LtS)
	f.BrIf(empty)
	f.Release(t)
}

// takeBack gets fuel at the head of a loop, for whose turn there was not enough:
// the turn is not paid for yet.
func (u *unit) takeBack(units int64) {
	u.charge(-units)
	u.settle()
	u.refill(u.stmtSite)
	u.lookAtFuel()
}

// callsNothing reports whether a statement of a loop is written without a call that may look
// at the fuel, except on its way out and where arithmetic needs the library,
// which settles for itself.
func (u *unit) callsNothing(s *ir.Stmt) bool {
	switch s.Op {
	case ir.StmtTry, ir.StmtSplit:
		return false
	case ir.StmtBlock:
		if s.Logged {
			return false
		}
	}
	for _, x := range []*ir.Expr{s.X, s.Y} {
		if x != nil && !u.scalar(x) {
			return false
		}
	}
	return u.listCallsNothing(s.Then) && u.listCallsNothing(s.Else)
}

func (u *unit) listCallsNothing(list []*ir.Stmt) bool {
	return !slices.ContainsFunc(list, func(s *ir.Stmt) bool { return !u.callsNothing(s) })
}

// scalar reports whether an expression is written without a call, in a loop.
func (u *unit) scalar(x *ir.Expr) bool {
	switch x.Op {
	case ir.OpHost, ir.OpCall, ir.OpNewList, ir.OpNewDict, ir.OpConcat:
		return false
	case ir.OpLib:
		if !isSpecial(x) {
			return false
		}
	case ir.OpBinary:
		if !inPlace(x, true) {
			return false
		}
	case ir.OpUnary:
		if !single(x.Args[0]) || x.Operator == ir.Invert && x.Args[0].Type != ir.Int {
			return false
		}
	case ir.OpCompare, ir.OpIfCompare:
		a, b := x.Args[0], x.Args[1]
		if (a.Type != ir.Int || b.Type != ir.Int) && (!floatLike(a) || !floatLike(b)) {
			return false
		}
	}
	return !slices.ContainsFunc(x.Args, func(a *ir.Expr) bool { return !u.scalar(a) }) && u.listCallsNothing(x.Body)
}
