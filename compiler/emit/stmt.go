package emit

import (
	"github.com/avapd/avapd/compiler/ir"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

func (u *unit) stmts(list []*ir.Stmt) {
	for _, s := range list {
		mark, outer := len(u.live), u.stmtSite
		u.stmtSite = s.Site
		u.mark(s.Site)
		u.stmt(s)
		if s.Whole {
			u.releaseHidden(mark)
		}
		u.stmtSite = outer
	}
	u.mark(u.stmtSite)
}

func (u *unit) stmt(s *ir.Stmt) {
	switch s.Op {
	case ir.StmtAssign:
		u.assign(s.Var, s.X, s.Before)
	case ir.StmtEval:
		u.drop(s.X)
	case ir.StmtIf:
		u.ifStmt(s)
	case ir.StmtWhile:
		u.while(s)
	case ir.StmtCount:
		u.count(s)
	case ir.StmtEach:
		u.each(s)
	case ir.StmtBreak:
		u.jump(ir.JumpBreak)
	case ir.StmtContinue:
		u.jump(ir.JumpContinue)
	case ir.StmtReturn:
		u.returnStmt(s)
	case ir.StmtTry:
		u.try(s)
	case ir.StmtBlock:
		u.block(s)
	case ir.StmtSplit:
		u.callPart(s)
	}
}

func (u *unit) ifStmt(s *ir.Stmt) {
	if value, known := s.X.Decide(); known {
		if value {
			u.charge(s.Fuel)
			u.stmts(s.Then)
		} else {
			u.charge(s.ElseFuel)
			u.stmts(s.Else)
		}
		return
	}
	u.truth(s.X)
	u.f.If()
	site := u.site
	u.charge(s.Fuel)
	u.stmts(s.Then)
	after := u.site
	u.site = site
	if len(s.Else) > 0 || s.ElseFuel > 0 {
		u.f.Else()
		u.slot = 0
		u.charge(s.ElseFuel)
		u.stmts(s.Else)
	}
	u.f.End()
	u.mergeSite(after)
}

// loop writes the frame of a loop. The head charges for a turn; when the fuel
// is used up, control leaves for a place outside the loop proper, where the
// charge is taken back, fuel is got, and the head is entered again. So nothing
// about the loop is disturbed, and the price does not depend on when that
// happens. turn is written behind the head, step at the end of a turn.
func (u *unit) loop(s *ir.Stmt, carried []wasm.Local, turn func(out wasm.Label), step func()) {
	f, metered := u.f, u.e.metered
	r := u.openRegion(s)
	out := f.Block()
	again := f.Loop()
	var empty, full wasm.Label
	if metered {
		empty = f.Block()
	}
	if r != nil {
		full = f.Block()
	}
	head := f.Loop()
	u.forget()
	if r != nil {
		u.leaveIfFull(r, full)
	}
	if metered {
		u.chargeTurn(s.Fuel, empty)
	}
	u.turn(out, turn, step)
	f.Br(head)
	f.End()
	if r != nil {
		f.End()
		u.collect(r)
		f.Br(again)
	}
	if metered {
		f.End()
		u.takeBack(s.Fuel, carried)
		f.Br(again)
	}
	f.End()
	f.End()
	if r != nil {
		u.closeRegion(r)
	}
	u.forget()
}

func (u *unit) turn(out wasm.Label, turn func(out wasm.Label), step func()) {
	next := u.f.Block()
	u.loops = append(u.loops, loopLabels{out: out, next: next})
	turn(out)
	u.loops = u.loops[:len(u.loops)-1]
	u.f.End()
	if step != nil {
		step()
	}
}

func (u *unit) while(s *ir.Stmt) {
	carried := u.carried(s)
	outermost := u.openAccount(s)
	u.loop(s, carried, func(out wasm.Label) {
		u.truth(s.X)
		u.f.Op(wasm.OpI32Eqz)
		u.f.BrIf(out)
		u.stmts(s.Then)
	}, nil)
	if outermost {
		u.closeAccount(carried)
	}
}

// count counts with a counter of its own, and never beyond the last turn, so
// that any bound works.
func (u *unit) count(s *ir.Stmt) {
	f := u.f
	counter, limit := f.Temp(wasm.I64), f.Temp(wasm.I64)
	u.int(s.X)
	f.LocalSet(counter)
	u.int(s.Y)
	f.LocalSet(limit)
	skip := f.Block()
	f.LocalGet(counter)
	f.LocalGet(limit)
	f.Op(wasm.OpI64GtS)
	f.BrIf(skip)
	at := u.at(s.Var)
	u.first(s.Var, at, s.Before) // there is a first turn now
	begin := func() {
		if s.Before != ir.Int {
			u.storeTag(at, func() { f.I32Const(abi.KindInt) })
		}
		u.storePayload(at, func() { f.LocalGet(counter) })
		u.stmts(s.Then)
	}
	carried := u.carried(s)
	outermost := u.openAccount(s)
	if u.account.open && u.e.metered && isEven(s.Then) {
		u.countAhead(s, counter, limit, append(carried, counter), begin)
	} else {
		var out wasm.Label
		u.loop(s, append(carried, counter), func(l wasm.Label) {
			out = l
			begin()
		}, func() { u.step(counter, limit, out) })
	}
	if outermost {
		u.closeAccount(carried)
	}
	f.End()
	f.Release(counter, limit)
}

// step counts, or leaves for out behind the last turn.
func (u *unit) step(counter, last wasm.Local, out wasm.Label) {
	f := u.f
	f.LocalGet(counter)
	f.LocalGet(last)
	f.Op(wasm.OpI64Eq)
	f.BrIf(out)
	f.LocalGet(counter)
	f.I64Const(1)
	f.Op(wasm.OpI64Add)
	f.LocalSet(counter)
}

// countAhead writes a counting loop that pays for its turns before it begins
// them, so that the end of what is paid for is all a turn looks for.
func (u *unit) countAhead(s *ir.Stmt, counter, limit wasm.Local, carried []wasm.Local, turn func()) {
	f := u.f
	a := &ahead{counter: counter, stop: f.Temp(wasm.I64), units: s.Fuel}
	out := f.Block()
	again := f.Loop()
	empty := f.Block()
	u.payAhead(a, limit, empty)
	stopped := f.Block()
	head := f.Loop()
	u.forget()
	u.account.ahead = a
	u.turn(out, func(wasm.Label) { turn() }, nil)
	u.account.ahead = nil
	u.step(counter, a.stop, stopped)
	f.Br(head)
	f.End()
	f.End()
	u.step(counter, limit, out)
	f.End()
	u.takeBack(0, carried)
	f.Br(again)
	f.End()
	f.End()
	u.forget()
	f.Release(a.stop)
}

// each walks a list, which may grow or shrink meanwhile.
func (u *unit) each(s *ir.Stmt) {
	f := u.f
	list, at, item := f.Temp(wasm.I32), f.Temp(wasm.I32), f.Temp(wasm.I32)
	u.value(s.X)
	f.Op(wasm.OpI32WrapI64)
	f.LocalSet(list)
	f.Op(wasm.OpDrop)
	f.I32Const(0)
	f.LocalSet(at)
	carried := u.carried(s)
	outermost := u.openAccount(s)
	u.loop(s, append(carried, at), func(out wasm.Label) {
		f.LocalGet(at)
		f.LocalGet(list)
		f.Mem(wasm.OpI32Load, 2, abi.ListLen)
		f.Op(wasm.OpI32GeU)
		f.BrIf(out)
		f.LocalGet(list)
		f.Mem(wasm.OpI32Load, 2, abi.ListCells)
		f.LocalGet(at)
		f.I32Const(4) // cells are 16 bytes
		f.Op(wasm.OpI32Shl, wasm.OpI32Add)
		f.LocalSet(item)
		f.LocalGet(at)
		f.I32Const(1)
		f.Op(wasm.OpI32Add)
		f.LocalSet(at)
		v := u.at(s.Var)
		u.first(s.Var, v, s.Before)
		u.storeTag(v, func() {
			f.LocalGet(item)
			f.Mem(wasm.OpI32Load, 2, abi.CellTag)
		})
		u.storePayload(v, func() {
			f.LocalGet(item)
			f.Mem(wasm.OpI64Load, 3, abi.CellPayload)
		})
		u.stmts(s.Then)
	}, nil)
	if outermost {
		u.closeAccount(carried)
	}
	f.Release(list, at, item)
}

// jump leaves or repeats the innermost loop; a part whose loop is outside says
// so to its caller.
func (u *unit) jump(j ir.Jumps) {
	if len(u.loops) == 0 {
		u.leavePart(j)
		return
	}
	l := u.loops[len(u.loops)-1]
	if j == ir.JumpBreak {
		u.giveBack()
		u.f.Br(l.out)
	} else {
		u.f.Br(l.next)
	}
}

func (u *unit) returnStmt(s *ir.Stmt) {
	f := u.f
	if r := repOfKinds(u.fn.Result); u.fn.Number != 0 && !u.part && r != pair {
		f.I32Const(r.tag())
		u.unboxed(s.X, r)
		u.settle()
		f.Op(wasm.OpReturn)
		return
	}
	u.value(s.X)
	u.settle()
	switch {
	case u.fn.Number == 0:
		u.ownFrame()
		u.call("ReturnTop")
		u.logDone()
		if u.part {
			u.leavePart(ir.JumpReturn)
			return
		}
		f.Br(u.exit)
	case u.part:
		u.keepResult()
		u.leavePart(ir.JumpReturn)
	default:
		f.Op(wasm.OpReturn)
	}
}

// noError is what the marker form of try stores when nothing went wrong.
const noError = "No error detected"

func (u *unit) try(s *ir.Stmt) {
	f := u.f
	done := f.Block()
	u.protect()
	u.stmts(s.Then)
	if s.Marker {
		u.assign(s.Caught, &ir.Expr{Op: ir.OpText, Text: noError, Type: ir.Text}, ir.Undef)
	}
	f.Br(done)
	if u.unprotect() {
		t, p := f.Temp(wasm.I32), f.Temp(wasm.I64)
		u.setFrame()
		u.call("Catch")
		f.LocalSet(p)
		f.LocalSet(t)
		u.assignPair(s.Caught, t, p, ir.Undef)
		f.Release(t, p)
		if !s.Marker {
			u.charge(s.ElseFuel)
			u.stmts(s.Else)
		}
	} else {
		f.Op(wasm.OpUnreachable)
	}
	f.End()
	u.forget()
	if s.Marker {
		u.stmts(s.Else)
	}
}

// block writes a statement of the script as a whole, and its log entry.
func (u *unit) block(s *ir.Stmt) {
	if !s.Logged {
		u.stmts(s.Then)
		return
	}
	f := u.f
	u.storeControl(u.e.logState, func() { f.I32Const(int32(s.Site)) })
	u.base()
	f.Call(u.e.clock)
	f.Mem(wasm.OpF64Store, 3, u.e.logState+8)
	u.logging = true
	u.stmts(s.Then)
	u.logDone()
	u.logging = false
}

// logDone writes the entry of the statement under way.
func (u *unit) logDone() {
	if u.logging {
		u.ownFrame()
		u.logArguments()
		u.call("LogDone")
	}
}

func (u *unit) logArguments() {
	f := u.f
	u.loadControl(u.e.logState)
	f.Call(u.e.clock)
	u.base()
	f.Mem(wasm.OpF64Load, 3, u.e.logState+8)
	f.Op(wasm.OpF64Sub)
}

// logFailure writes the entry of the statement that ended the run.
func (u *unit) logFailure() {
	if !u.e.logs {
		return
	}
	f := u.f
	u.logArguments()
	u.loadControl(abi.Message + abi.CellTag)
	u.base()
	f.Mem(wasm.OpI64Load, 3, abi.Message+abi.CellPayload)
	u.call("LogFailed")
}
