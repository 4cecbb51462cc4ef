package emit

import (
	"maps"
	"slices"

	"github.com/avapd/avapd/compiler/ir"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

// maxRegisters bounds the globals kept in locals by one unit.
const maxRegisters = 48

// allocate decides where the variables of a unit live and loads those globals
// that become registers. Hidden variables get their locals when they are first
// assigned.
func (u *unit) allocate(body []*ir.Stmt) {
	direct, split := mentions{}, mentions{}
	direct.stmts(body, 0, split)
	registers := 0
	for _, slot := range slices.Sorted(maps.Keys(direct)) {
		v := u.fn.Vars[slot]
		switch v.Scope {
		case ir.Local:
			switch {
			case u.places[slot] != nil: // a parameter
			case u.fn.HasSplit:
				u.place(v, place{kind: framed, addr: u.e.frameOffset(v)})
			default:
				u.newRegister(v, direct[slot].isFloat())
			}
		case ir.Global:
			pays := direct[slot].loops > 0 && split[slot].all == 0
			if u.fn.Number != 0 || !pays || u.e.shared[v.Global] || registers == maxRegisters {
				u.place(v, place{kind: cell, addr: cellOf(v.Global)})
				continue
			}
			registers++
			p := u.newRegister(v, direct[slot].isFloat())
			p.addr, p.dirty = cellOf(v.Global), direct[slot].writes > 0
			u.loadCell(p)
		}
	}
}

func (u *unit) place(v *ir.Var, p place) *place {
	u.places[v.Slot] = &p
	return &p
}

// newRegister makes the locals of a variable. One that is assigned floats only
// has its payload in an f64: that is where it is computed. Any other payload
// that it may hold before that keeps its bits there.
func (u *unit) newRegister(v *ir.Var, isFloat bool) *place {
	t := wasm.I64
	if isFloat {
		t = wasm.F64
	}
	p := u.place(v, place{kind: register, tag: u.f.NewLocal(wasm.I32), payload: u.f.NewLocal(t), isFloat: isFloat})
	u.f.NameLocal(p.tag, v.Name+".tag")
	u.f.NameLocal(p.payload, v.Name)
	if v.Scope == ir.Global {
		u.cached = append(u.cached, p)
	}
	return p
}

// loadCell reads a register's global.
func (u *unit) loadCell(p *place) {
	f := u.f
	u.base()
	f.Mem(wasm.OpI32Load, 2, p.addr+abi.CellTag)
	f.LocalSet(p.tag)
	u.base()
	if p.isFloat {
		f.Mem(wasm.OpF64Load, 3, p.addr+abi.CellPayload)
	} else {
		f.Mem(wasm.OpI64Load, 3, p.addr+abi.CellPayload)
	}
	f.LocalSet(p.payload)
}

// flush writes assigned registers back to their globals.
func (u *unit) flush() {
	f := u.f
	for _, p := range u.cached {
		if !p.dirty {
			continue
		}
		u.base()
		f.LocalGet(p.tag)
		f.Mem(wasm.OpI32Store, 2, p.addr+abi.CellTag)
		u.base()
		f.LocalGet(p.payload)
		if p.isFloat {
			f.Mem(wasm.OpF64Store, 3, p.addr+abi.CellPayload)
		} else {
			f.Mem(wasm.OpI64Store, 3, p.addr+abi.CellPayload)
		}
	}
}

// takeParams makes parameters registers of their own, or cells of the frame.
// What comes without its tag, because its kind is known, gets it here, as the
// variable may be assigned another kind.
func (u *unit) takeParams() {
	f := u.f
	assigned := mentions{}
	assigned.stmts(u.fn.Body, 0, assigned)
	next := 1
	for i, v := range u.fn.Params {
		r := repOfKinds(u.fn.ParamKinds[i])
		first := f.Param(next)
		next += len(r.types())
		if !u.fn.HasSplit && r == pair {
			f.NameLocal(first+1, v.Name)
			u.place(v, place{kind: register, tag: first, payload: first + 1})
			continue
		}
		p := u.paramPlace(v, r, first, assigned[v.Slot])
		switch {
		case r == pair:
			u.storeTag(p, func() { f.LocalGet(first) })
			u.storePayload(p, func() { f.LocalGet(first + 1) })
			continue
		case p.kind == framed || assigned[v.Slot].writes > 0:
			u.storeTag(p, func() { f.I32Const(r.tag()) })
		}
		if p.payload != first {
			u.storePayload(p, func() {
				f.LocalGet(first)
				u.toPayload(r)
			})
		}
	}
}

// paramPlace gives a parameter its place: the local it comes in, if that suits.
func (u *unit) paramPlace(v *ir.Var, r rep, first wasm.Local, m mention) *place {
	switch {
	case u.fn.HasSplit:
		return u.place(v, place{kind: framed, addr: u.e.frameOffset(v)})
	case r == integer, r == float && m.floats == m.writes:
		u.f.NameLocal(first, v.Name)
		return u.place(v, place{kind: register, tag: u.f.NewLocal(wasm.I32), payload: first, isFloat: r == float})
	}
	return u.newRegister(v, false)
}

// mentions counts uses of variables in the code of one unit.
type mentions map[int]mention

// mention counts the assignments of floats among the writes.
type mention struct{ all, loops, writes, floats int }

func (m mention) isFloat() bool { return m.floats > 0 && m.floats == m.writes }

func (m mentions) add(v *ir.Var, loop int, write bool) {
	if v == nil {
		return
	}
	c := m[v.Slot]
	c.all++
	if loop > 0 {
		c.loops++
	}
	if write {
		c.writes++
	}
	m[v.Slot] = c
}

// stmts counts the statements of this unit; those of parts that were split off
// are counted in split.
func (m mentions) stmts(list []*ir.Stmt, loop int, split mentions) {
	for _, s := range list {
		inner := loop
		switch s.Op {
		case ir.StmtSplit:
			if split != nil {
				split.stmts(s.Then, 0, split)
			}
			continue
		case ir.StmtWhile:
			inner++
			m.expr(s.X, inner, split)
		case ir.StmtCount, ir.StmtEach:
			inner++
			m.expr(s.X, loop, split)
			m.expr(s.Y, loop, split)
		default:
			m.expr(s.X, loop, split)
		}
		m.add(s.Var, inner, true)
		if s.Op == ir.StmtAssign && s.X.Type == ir.Float {
			c := m[s.Var.Slot]
			c.floats++
			m[s.Var.Slot] = c
		}
		m.stmts(s.Then, inner, split)
		m.stmts(s.Else, loop, split)
	}
}

func (m mentions) expr(x *ir.Expr, loop int, split mentions) {
	if x == nil {
		return
	}
	m.add(x.Var, loop, false)
	if x.Var != nil && x.Before.May(ir.Undef) {
		m.add(x.Var.Fallback, loop, false)
	}
	for i, v := range x.Vars {
		m.add(v, loop, false)
		if mayBeUndefined(x, i) {
			m.add(v.Fallback, loop, false)
		}
	}
	m.stmts(x.Body, loop, split)
	for _, a := range x.Args {
		m.expr(a, loop, split)
	}
}

// frameOffset gives a local's cell in the frame of a function that was split.
func (e *emitter) frameOffset(v *ir.Var) uint32 { return e.frameCells[v] * abi.CellSize }

// numberLocals gives the locals of a function their cells in the frame, and
// counts them.
func (e *emitter) numberLocals(fn *ir.Func) uint32 {
	n := uint32(0)
	for _, v := range fn.Vars {
		if v.Scope == ir.Local {
			e.frameCells[v] = n
			n++
		}
	}
	return n
}

// at gives a variable's place; a hidden one gets its locals here.
func (u *unit) at(v *ir.Var) *place {
	p := u.places[v.Slot]
	if p == nil {
		p = u.place(v, place{kind: register, tag: u.f.Temp(wasm.I32), payload: u.f.Temp(wasm.I64)})
		u.live = append(u.live, v.Slot)
	}
	return p
}

// releaseHidden gives back the locals of hidden variables made since a mark.
func (u *unit) releaseHidden(mark int) {
	for _, slot := range u.live[mark:] {
		p := u.places[slot]
		u.f.Release(p.tag, p.payload)
		delete(u.places, slot)
	}
	u.live = u.live[:mark]
}

func (u *unit) pushTag(p *place) {
	switch p.kind {
	case register:
		u.f.LocalGet(p.tag)
	case cell:
		u.base()
		u.f.Mem(wasm.OpI32Load, 2, p.addr+abi.CellTag)
	case framed:
		u.f.LocalGet(u.frame)
		u.f.Mem(wasm.OpI32Load, 2, p.addr+abi.CellTag)
	}
}

func (u *unit) pushPayload(p *place) {
	switch p.kind {
	case register:
		u.f.LocalGet(p.payload)
		if p.isFloat {
			u.f.Op(wasm.OpI64ReinterpretF64)
		}
	case cell:
		u.base()
		u.f.Mem(wasm.OpI64Load, 3, p.addr+abi.CellPayload)
	case framed:
		u.f.LocalGet(u.frame)
		u.f.Mem(wasm.OpI64Load, 3, p.addr+abi.CellPayload)
	}
}

// storeTag and storePayload write what push leaves on the stack.
func (u *unit) storeTag(p *place, push func()) {
	switch p.kind {
	case register:
		push()
		u.f.LocalSet(p.tag)
	case cell:
		u.base()
		push()
		u.f.Mem(wasm.OpI32Store, 2, p.addr+abi.CellTag)
	case framed:
		u.f.LocalGet(u.frame)
		push()
		u.f.Mem(wasm.OpI32Store, 2, p.addr+abi.CellTag)
	}
}

func (u *unit) storePayload(p *place, push func()) {
	switch p.kind {
	case register:
		push()
		if p.isFloat {
			u.f.Op(wasm.OpF64ReinterpretI64)
		}
		u.f.LocalSet(p.payload)
	case cell:
		u.base()
		push()
		u.f.Mem(wasm.OpI64Store, 3, p.addr+abi.CellPayload)
	case framed:
		u.f.LocalGet(u.frame)
		push()
		u.f.Mem(wasm.OpI64Store, 3, p.addr+abi.CellPayload)
	}
}

// singleKind is the tag of values of exactly one kind whose tag has no flags.
func singleKind(k ir.Kinds) (int32, bool) {
	switch k {
	case ir.Null:
		return abi.KindNull, true
	case ir.Bool:
		return abi.KindBool, true
	case ir.Int:
		return abi.KindInt, true
	case ir.Float:
		return abi.KindFloat, true
	case ir.List:
		return abi.KindList, true
	case ir.Dict:
		return abi.KindDict, true
	}
	return 0, false
}

// assign computes x and stores it in v, which may hold the kinds in before.
func (u *unit) assign(v *ir.Var, x *ir.Expr, before ir.Kinds) {
	if at := u.at(v); at.kind == cell && before.May(ir.Undef) && !u.hot() {
		u.keep(at, x)
		return
	}
	tag, known := singleKind(x.Type)
	isScalar := u.rep(x) != pair
	if !isScalar || !known {
		t, p := u.f.Temp(wasm.I32), u.f.Temp(wasm.I64)
		u.value(x)
		u.f.LocalSet(p)
		u.f.LocalSet(t)
		u.assignPair(v, t, p, before)
		u.f.Release(t, p)
		return
	}
	at := u.at(v)
	if at.isFloat && u.rep(x) == float {
		u.natural(x)
		u.f.LocalSet(at.payload)
	} else {
		u.storePayload(at, func() { u.payload(x) })
	}
	u.first(v, at, before)
	if before != x.Type {
		u.storeTag(at, func() { u.f.I32Const(tag) })
	}
}

// keep is the compact form of assign, for globals: the library notes that this
// is the first assignment, if it is, and passes a failure on.
func (u *unit) keep(at *place, x *ir.Expr) {
	untested := u.untested(x)
	if !untested {
		u.value(x)
	}
	u.f.I32Const(int32(at.addr))
	u.call("Keep")
	if untested {
		u.failIf()
	} else {
		u.f.Op(wasm.OpDrop)
	}
}

// assignPair stores a value held in locals.
func (u *unit) assignPair(v *ir.Var, tag, payload wasm.Local, before ir.Kinds) {
	at := u.at(v)
	u.first(v, at, before)
	u.storeTag(at, func() { u.f.LocalGet(tag) })
	u.storePayload(at, func() { u.f.LocalGet(payload) })
}

// first notes the first assignment of a global, as long as that may be it.
func (u *unit) first(v *ir.Var, at *place, before ir.Kinds) {
	if v.Scope != ir.Global || !before.May(ir.Undef) {
		return
	}
	if at.kind == register {
		u.f.LocalGet(at.tag)
		u.f.Op(wasm.OpI32Eqz)
		u.f.If()
		u.f.I32Const(int32(cellOf(v.Global)))
		u.call("First")
		u.f.End()
		return
	}
	u.f.I32Const(int32(at.addr))
	u.call("First")
}
