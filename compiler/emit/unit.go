package emit

import (
	"github.com/avapd/avapd/compiler/ir"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

// unit is one wasm function being written: the top level, a script function,
// or a part split off from either.
type unit struct {
	e  *emitter
	f  *wasm.Func
	fn *ir.Func

	fp     wasm.Local     // slot of this call in the call stack; see pushFrame
	frame  wasm.Local     // cells of the locals, in functions that were split
	zero   wasm.Local     // always 0; see base
	places map[int]*place // by slot; of the variables this unit mentions
	cached []*place       // registers that stand for globals
	live   []int          // slots of hidden variables that have locals
	// kept are the locals of what is kept, by slot; see ir.Share.
	kept map[int][]wasm.Local

	handler *handler
	loops   []loopLabels
	softs   []wasm.Label
	exit    wasm.Label // where the top level goes to end the run
	top     bool       // the top level itself
	part    bool       // split off: results are jump codes
	logging bool       // inside a logged statement

	stmtSite int // the statement at hand
	// site is what the site cell holds, 0 if that is not known; when it is, the
	// frame cell names this call. slot is what this call's slot of the call
	// stack holds.
	site, slot int
	// leaf units call no script function, so that the frame cell, once set,
	// stays as it is.
	leaf bool

	account account
	// steady are the lists whose headers were read before the loop at hand.
	steady []*steady
}

type placeKind uint8

const (
	register placeKind = iota
	cell
	framed
)

// place is where a variable lives.
type place struct {
	kind         placeKind
	tag, payload wasm.Local
	addr         uint32 // of a cell; offset of a framed one
	dirty        bool   // a register that is assigned in this unit
	isFloat      bool   // a register whose payload is an f64
}

type loopLabels struct{ out, next wasm.Label }

// handler is where errors go.
type handler struct {
	outer              *handler
	fail, cold         wasm.Label
	failUsed, coldUsed bool
	owing              bool // control may come from a loop that owes fuel
	// The cold exit finds the site and the name of an undefined variable here;
	// payload 0 stands for an overflow.
	coldSite, coldName wasm.Local
}

func (e *emitter) newUnit(f *wasm.Func, fn *ir.Func) *unit {
	e.units++
	return &unit{e: e, f: f, fn: fn, places: map[int]*place{}, kept: map[int][]wasm.Local{}, zero: f.NewLocal(wasm.I32)}
}

// base leaves 0, to which the offset of an access to the control block or to a
// global is added. It is the same local each time, because an engine checks an
// address against the size of memory once for each value that it knows and
// then for no lower offset: with a constant for each access, there would be a
// check for each.
func (u *unit) base() { u.f.LocalGet(u.zero) }

// reachGlobals touches the last byte of the globals, so that no later access to
// one is checked. Script functions seldom have one.
func (u *unit) reachGlobals() {
	u.base()
	u.f.Mem(wasm.OpI32Load8U, 0, u.e.reach-1)
	u.f.Op(wasm.OpDrop)
}

// callsScript reports whether a function calls others of the script.
func callsScript(fn *ir.Func) bool {
	calls := false
	ir.WalkExprs(fn.Body, func(x *ir.Expr) { calls = calls || x.Op == ir.OpCall })
	return calls
}

// usesLibrary reports whether a function may call what reads the frame cell.
func usesLibrary(fn *ir.Func) bool {
	uses := false
	ir.WalkExprs(fn.Body, func(x *ir.Expr) {
		uses = uses || x.Op == ir.OpHost || x.Op == ir.OpNewList || x.Op == ir.OpNewDict || x.Op == ir.OpConcat ||
			x.Op == ir.OpLib && !quiet[x.Lib.Name]
	})
	return uses || fn.HasSplit
}

// main writes the exported function.
func (e *emitter) main(fn *ir.Func) {
	f := e.mod.NewFunc("run", wasm.FuncType{Results: []wasm.ValType{wasm.I32}})
	f.Exports = []string{abi.RunExport}
	u := e.newUnit(f, fn)
	u.top, u.stmtSite, u.leaf = true, fn.Site, !callsScript(fn)
	u.mark(fn.Site)
	u.reachGlobals()
	e.loadStackLimit(f, u.zero)
	if e.prog.LastError >= 0 {
		u.storeControl(abi.LastError, func() { f.I32Const(int32(cellOf(e.prog.LastError))) })
	}
	e.entryFuel = fn.Fuel // which the host charges
	u.allocate(fn.Body)
	u.exit = f.Block()
	u.protect()
	u.stmts(fn.Body)
	early := f.Used(u.exit)
	if early {
		f.Br(u.exit)
	} else {
		u.succeed()
	}
	if u.unprotect() {
		u.ownFrame()
		u.call("FailRun")
		u.logFailure()
		f.I32Const(1)
		f.Op(wasm.OpReturn)
	} else {
		f.Op(wasm.OpUnreachable)
	}
	f.End()
	if early {
		u.succeed()
	} else {
		f.Op(wasm.OpUnreachable)
	}
	u.bound()
}

// succeed ends the run.
func (u *unit) succeed() {
	u.flush()
	u.f.I32Const(0)
	u.f.Op(wasm.OpReturn)
}

// function writes a script function.
func (e *emitter) function(fn *ir.Func) {
	f := e.funcs[fn.Number]
	u := e.newUnit(f, fn)
	u.stmtSite = fn.Site
	u.mark(fn.Site)
	u.leaf = !callsScript(fn)
	u.fp = f.Param(0)
	f.NameLocal(u.fp, "fp")
	u.checkDepth()
	if u.leaf && usesLibrary(fn) {
		u.setFrame()
	}
	u.enter(fn.Fuel, fn.Site)
	if fn.HasSplit {
		u.newFrame()
	}
	u.takeParams()
	u.allocate(fn.Body)
	u.protect()
	u.stmts(fn.Body)
	result := repOfKinds(fn.Result)
	if result == pair {
		f.I32Const(abi.KindNull)
		f.I64Const(0)
		f.Op(wasm.OpReturn)
	} else {
		f.Op(wasm.OpUnreachable) // or null would be among the results
	}
	if u.unprotect() {
		u.noteFrame()
		f.I32Const(abi.TagError)
		result.pushZero(f)
	} else {
		f.Op(wasm.OpUnreachable)
	}
	u.bound()
}

// maxLocals is far below what engines accept.
const maxLocals = 8000

func (u *unit) bound() {
	if u.f.NumLocals() > maxLocals {
		u.e.tooBig = "too many variables in one function"
	}
}

// beginStack starts an exported function: it leaves the first slot of the call
// stack.
func (e *emitter) beginStack(f *wasm.Func, zero wasm.Local) {
	e.loadStackLimit(f, zero)
	f.LocalGet(zero)
	f.Mem(wasm.OpI32Load, 2, abi.StackBase)
}

// loadStackLimit keeps the limit of the call stack where each call finds it
// faster than in memory.
func (e *emitter) loadStackLimit(f *wasm.Func, zero wasm.Local) {
	if e.stackLimit != nil {
		f.LocalGet(zero)
		f.Mem(wasm.OpI32Load, 2, abi.StackLimit)
		f.GlobalSet(e.stackLimit)
	}
}

// pushFrame leaves this call's slot of the call stack. The top level has the
// first one, and reads seldom which that is.
func (u *unit) pushFrame() {
	if u.top {
		u.loadControl(abi.StackBase)
		return
	}
	u.f.LocalGet(u.fp)
}

// checkDepth ends the run when the call stack is used up.
func (u *unit) checkDepth() {
	f := u.f
	f.LocalGet(u.fp)
	f.GlobalGet(u.e.stackLimit)
	f.Op(wasm.OpI32GeU)
	f.If()
	f.LocalGet(u.fp)
	u.call("TooDeep")
	f.Op(wasm.OpUnreachable)
	f.End()
}

// enter charges for a function. The way to get fuel is a loop that never turns, since
// an engine puts what goes back to the head of a loop behind the function's
// code, and what goes on from an if in between.
func (u *unit) enter(units int64, site int) {
	f := u.f
	if units == 0 {
		return // of a script that is not metered
	}
	u.charge(units)
	done := f.Block()
	again := f.Loop()
	empty := f.Block()
	f.GlobalGet(u.e.fuel)
	f.I64Const(0)
	f.Op(wasm.OpI64LtS)
	f.BrIf(empty)
	f.Br(done)
	f.End()
	u.refill(site)
	f.Br(again)
	f.End()
	f.End()
}

// refill gets fuel.
func (u *unit) refill(site int) {
	u.f.I32Const(int32(site))
	u.pushFrame()
	u.f.Call(u.e.refillFunc())
}

func (u *unit) loadControl(offset uint32) {
	u.base()
	u.f.Mem(wasm.OpI32Load, 2, offset)
}

func (u *unit) storeControl(offset uint32, value func()) {
	u.base()
	value()
	u.f.Mem(wasm.OpI32Store, 2, offset)
}

// setFrame says which frame runs, so that a limit that ends the run has a call
// stack. What can meet a limit says it before: a call of the library together
// with its site, the calls for fuel and depth by themselves.
func (u *unit) setFrame() {
	u.storeControl(abi.Frame, u.pushFrame)
}

// noteFrame tells the error where in the call stack it arose, if no inner call
// has done so.
func (u *unit) noteFrame() {
	u.pushFrame()
	u.call("InFrame")
}

// call calls a library function whose arguments are on the stack.
func (u *unit) call(name string) { u.f.Call(u.e.lib(ir.Library(name))) }

// ownFrame makes sure that the frame cell names this call.
func (u *unit) ownFrame() {
	if u.site == 0 && !u.leaf {
		u.setFrame()
	}
}

// forget ends what is known of the site, where ways meet on which it differs.
func (u *unit) forget() { u.site, u.slot = 0, 0 }

// mark attributes the code that follows to a site.
func (u *unit) mark(site int) { u.f.Mark(uint32(site)) }

// setSite stores where the script is, unless the cell says so already.
func (u *unit) setSite(site int) {
	if site == 0 {
		site = u.stmtSite
	}
	u.mark(site)
	if u.site == site {
		return
	}
	u.ownFrame()
	u.site = site
	u.storeControl(abi.Site, func() { u.f.I32Const(int32(site)) })
}

// protect opens a handler. The statements between protect and unprotect must
// not run into its end.
func (u *unit) protect() {
	u.handler = &handler{outer: u.handler, fail: u.f.Block(), cold: u.f.Block()}
}

// unprotect closes the innermost handler; what follows runs after an error. It
// reports whether there can be one.
func (u *unit) unprotect() bool {
	h, f := u.handler, u.f
	u.mark(u.stmtSite)
	f.End()
	if h.coldUsed {
		u.settleIn(h)
		u.describeCold(h)
	}
	f.End()
	u.settleIn(h)
	u.handler = h.outer
	u.forget()
	return h.failUsed || h.coldUsed
}

// describeCold raises the error the script found itself.
func (u *unit) describeCold(h *handler) {
	f := u.f
	if !u.top || !u.leaf {
		u.setFrame()
	}
	f.LocalGet(h.coldSite)
	f.I32Const(abi.KindText)
	f.LocalGet(h.coldName)
	u.call("FoundAt")
}

// failIf leaves to the handler when the i32 on the stack is not zero.
func (u *unit) failIf() {
	h, f := u.handler, u.f
	h.failUsed = true
	if !u.hot() {
		f.BrIf(h.fail)
		return
	}
	failed := f.Temp(wasm.I32)
	f.LocalSet(failed)
	u.aside(func() { f.LocalGet(failed) }, func(wasm.Label) {
		u.giveBack()
		f.Br(h.fail)
	})
	f.Release(failed)
}

// aside has code of its own for a way out of hot code, which test yields not
// zero for; on is where it would go on. An engine compares and branches in one go
// where the branch is the only one to its target; a target that handlers share
// gets code of its own anyway, but then the engine no longer sees the comparison.
func (u *unit) aside(test func(), leave func(on wasm.Label)) {
	f := u.f
	on := f.Block()
	off := f.Block()
	test()
	f.BrIf(off)
	f.Br(on)
	f.End()
	leave(on)
	f.End()
}

// coldIf leaves to the cold exit when test yields not zero; name is the
// undefined variable, or empty for an overflow.
func (u *unit) coldIf(site int, name string, test func()) {
	if u.hot() {
		u.aside(test, func(wasm.Label) { u.leaveCold(site, name) })
		return
	}
	u.describe(site, name)
	test()
	u.f.BrIf(u.handler.cold)
}

// leaveCold leaves to the cold exit.
func (u *unit) leaveCold(site int, name string) {
	u.giveBack()
	u.describe(site, name)
	u.f.Br(u.handler.cold)
}

// describe says what the cold exit will report.
func (u *unit) describe(site int, name string) {
	h, f := u.handler, u.f
	if !h.coldUsed {
		h.coldUsed = true
		h.coldSite, h.coldName = f.NewLocal(wasm.I32), f.NewLocal(wasm.I64)
	}
	if site == 0 {
		site = u.stmtSite
	}
	f.I32Const(int32(site))
	f.LocalSet(h.coldSite)
	payload := int64(0)
	if name != "" {
		_, payload = u.e.text(name)
	}
	f.I64Const(payload)
	f.LocalSet(h.coldName)
}
