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
	ahead     *ahead
}

// ahead is a counting loop that owes as many turns as the fuel is enough for
// before it begins them: stop is the last of them.
type ahead struct {
	counter, stop wasm.Local
	units         int64
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
	a.open = true
	u.readHeaders(s)
	if !u.e.metered {
		return true
	}
	if !a.made {
		a.owed, a.had = u.f.NewLocal(wasm.I64), u.f.NewLocal(wasm.I64)
		u.f.NameLocal(a.owed, "owed")
		u.f.NameLocal(a.had, "fuel")
		a.made = true
	}
	u.handler.owing = true
	u.lookAtFuel()
	return true
}

func (u *unit) closeAccount(carried []wasm.Local) {
	u.settle()
	u.account.open = false
	u.forgetHeaders()
	u.renew(carried)
}

// settle takes what is owed out of the fuel.
func (u *unit) settle() {
	if !u.account.open || !u.e.metered {
		return
	}
	u.giveBack()
	u.moveOwed(wasm.OpI64Sub)
	u.f.I64Const(0)
	u.f.LocalSet(u.account.owed)
}

func (u *unit) moveOwed(op wasm.Opcode) {
	f := u.f
	f.GlobalGet(u.e.fuel)
	f.LocalGet(u.account.owed)
	f.Op(op)
	f.GlobalSet(u.e.fuel)
}

// settled writes a call of the library after which the turn goes on. What is owed
// is taken out of the fuel for as long as the call takes, and stays owed: an engine
// has to join whatever differs between the ways to what follows. The call may use
// up the fuel of both modules.
func (u *unit) settled(call func()) {
	if !u.account.open || !u.e.metered {
		call()
		return
	}
	u.moveOwed(wasm.OpI64Sub)
	call()
	u.moveOwed(wasm.OpI64Add)
	u.lookAtFuel()
}

// lookAtFuel notes how much fuel there is, what is owed included.
func (u *unit) lookAtFuel() {
	if u.account.open && u.e.metered {
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
func (u *unit) takeBack(units int64, carried []wasm.Local) {
	u.charge(-units)
	u.settle()
	if u.account.open {
		u.renew(carried)
	}
	u.refill(u.stmtSite)
	u.lookAtFuel()
}

// payAhead owes the turns of a counting loop from the counter on, up to its limit or
// as far as the fuel goes, and leaves for empty when that is not even one turn.
func (u *unit) payAhead(a *ahead, limit wasm.Local, empty wasm.Label) {
	f := u.f
	more, rest := f.Temp(wasm.I64), f.Temp(wasm.I64)
	f.LocalGet(u.account.had)
	f.LocalGet(u.account.owed)
	f.Op(wasm.OpI64Sub)
	f.LocalTee(more)
	f.I64Const(a.units)
	f.Op(wasm.OpI64LtS)
	f.BrIf(empty)
	f.LocalGet(more)
	f.I64Const(a.units)
	f.Op(wasm.OpI64DivU)
	f.I64Const(1)
	f.Op(wasm.OpI64Sub)
	f.LocalSet(more)
	f.LocalGet(limit)
	f.LocalGet(a.counter)
	f.Op(wasm.OpI64Sub)
	f.LocalSet(rest) // turns after the first one, of which there may be 2^64-1
	f.LocalGet(more)
	f.LocalGet(rest)
	f.LocalGet(more)
	f.LocalGet(rest)
	f.Op(wasm.OpI64LtU, wasm.OpSelect)
	f.LocalTee(more)
	f.LocalGet(a.counter)
	f.Op(wasm.OpI64Add)
	f.LocalSet(a.stop)
	f.LocalGet(more)
	f.I64Const(1)
	f.Op(wasm.OpI64Add)
	f.I64Const(a.units)
	f.Op(wasm.OpI64Mul)
	f.LocalGet(u.account.owed)
	f.Op(wasm.OpI64Add)
	f.LocalSet(u.account.owed)
	f.Release(more, rest)
}

// giveBack no longer owes the turns that were not begun, on the way out of one.
func (u *unit) giveBack() {
	a, f := u.account.ahead, u.f
	if a == nil {
		return
	}
	f.LocalGet(u.account.owed)
	f.LocalGet(a.stop)
	f.LocalGet(a.counter)
	f.Op(wasm.OpI64Sub)
	f.I64Const(a.units)
	f.Op(wasm.OpI64Mul, wasm.OpI64Sub)
	f.LocalSet(u.account.owed)
}

// isEven reports whether every turn of a loop costs the same and looks at the fuel
// only on a way out.
func isEven(body []*ir.Stmt) bool {
	even := true
	ir.WalkStmts(body, func(s *ir.Stmt) {
		switch s.Op {
		case ir.StmtWhile, ir.StmtCount, ir.StmtEach:
			even = false
		case ir.StmtIf:
			even = even && s.Fuel == 0 && s.ElseFuel == 0
		}
	})
	ir.WalkExprs(body, func(x *ir.Expr) { even = even && !mayNeedLibrary(x) })
	return even
}

// mayNeedLibrary reports whether an operation that is written in place may need
// the library and go on: for integers that are too large, roots of what is not
// above zero, and indexes from the end.
func mayNeedLibrary(x *ir.Expr) bool {
	switch {
	case x.Op == ir.OpLib:
		return isOfList(x)
	case x.Op != ir.OpBinary:
		return false
	case isRoot(x):
		return true
	case x.Args[0].Type != ir.Int || x.Args[1].Type != ir.Int:
		return false
	}
	switch x.Operator {
	case ir.Mod:
		return !smallDivisor(x.Args[1])
	case ir.Div:
		return true
	}
	return false
}

// renew computes locals that a loop carries from turn to turn into values of
// their own, before a call that they outlive. An engine keeps what outlives a
// call in memory, and what it carries in a loop it would write there at every
// turn.
func (u *unit) renew(locals []wasm.Local) {
	f := u.f
	for _, l := range locals {
		f.LocalGet(l)
		switch f.LocalType(l) {
		case wasm.I32:
			f.I32Const(0)
			f.Op(wasm.OpI32Or)
		case wasm.I64:
			f.I64Const(0)
			f.Op(wasm.OpI64Or)
		default: // by its bits, as adding 0 changes -0
			f.Op(wasm.OpI64ReinterpretF64, wasm.OpF64ReinterpretI64)
		}
		f.LocalSet(l)
	}
}

// carried lists the registers that turns of a loop assign and that a later turn,
// or what comes after the loop, may look at.
func (u *unit) carried(s *ir.Stmt) []wasm.Local {
	var locals []wasm.Local
	add := func(l wasm.Local) {
		if !slices.Contains(locals, l) && len(locals) < maxRegisters {
			locals = append(locals, l)
		}
	}
	fresh := map[int]bool{}
	if s.Op == ir.StmtCount { // others end before their turn
		renewed(s.Then, mentions{}, fresh)
	}
	ir.WalkStmts(s.Then, func(t *ir.Stmt) {
		if t.Var == nil || fresh[t.Var.Slot] {
			return
		}
		p := u.places[t.Var.Slot]
		if p == nil || p.kind != register {
			return
		}
		add(p.payload)
		if t.Op != ir.StmtAssign || t.Before != t.X.Type {
			add(p.tag)
		}
	})
	return locals
}

// renewed finds the variables that each turn of a loop assigns before it looks at
// them and before it can end. It reports whether it came to the end of the list.
func renewed(list []*ir.Stmt, seen mentions, fresh map[int]bool) bool {
	for _, s := range list {
		if s.Op == ir.StmtBlock {
			if !renewed(s.Then, seen, fresh) {
				return false
			}
			continue
		}
		one := []*ir.Stmt{s}
		jumps := false
		ir.WalkStmts(one, func(s *ir.Stmt) {
			jumps = jumps || s.Op == ir.StmtBreak || s.Op == ir.StmtContinue
		})
		if jumps {
			return false
		}
		if s.Op == ir.StmtAssign {
			seen.expr(s.X, 0, seen)
			fresh[s.Var.Slot] = fresh[s.Var.Slot] || seen[s.Var.Slot].all == 0
		}
		seen.stmts(one, 0, seen)
	}
	return true
}

// callsNothing reports whether a statement of a loop is written without a call that may look
// at the fuel, except on its way out and where arithmetic or an item of a list needs
// the library, which is settled for.
func (u *unit) callsNothing(s *ir.Stmt) bool {
	switch s.Op {
	case ir.StmtTry, ir.StmtSplit:
		return false
	case ir.StmtBlock:
		if s.Logged {
			return false
		}
	}
	if s.Op == ir.StmtEval && isOfList(s.X) && s.X.Lib.Name != "SetIndex" {
		return false // it is not written in place
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

// scalar reports the same of an expression in a loop.
func (u *unit) scalar(x *ir.Expr) bool {
	switch x.Op {
	case ir.OpHost, ir.OpCall, ir.OpNewList, ir.OpNewDict, ir.OpConcat:
		return false
	case ir.OpLib:
		if !isSpecial(x) && !isOfList(x) {
			return false
		}
	case ir.OpBinary:
		if !inPlace(x, true) && !isRoot(x) {
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
