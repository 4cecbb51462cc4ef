package ir

import (
	"math"
	"slices"
)

// Share finds operations that were made before with the same operands, and has
// what they gave kept instead, in a variable that has it anyway or in a hidden
// one. It looks where code runs often: in loops and functions. What was made on
// every way to a point is there; what is made in a branch, in a turn of a loop
// or behind an operand that may decide alone is not there afterwards.
//
// Operations get numbers, the same where the value is the same: an operation has
// that of its operator and its operands' numbers, and a variable a new one with
// every assignment. What is read of lists counts as an operand, too: a number
// for the items of all lists of a class, and one for their lengths, renewed by
// whatever may change them.
//
// Only what costs no fuel in the library is shared, so that no price depends on
// it, and what fails does so the first time. It comes behind Split, as nothing is
// kept from one part to another.
func Share(p *Program) {
	for _, fn := range p.Functions {
		if fn.Reached {
			(&sharer{prog: p, fn: fn}).function()
		}
	}
}

const (
	// maxKept is how many values a function keeps at most, and maxShareWork how
	// many statements and expressions of it are looked at.
	maxKept      = 64
	maxShareWork = 50_000
	// worthKeeping is the least weight of what is kept: about as many
	// instructions.
	worthKeeping = 3
)

// sharer looks at a function.
type sharer struct {
	prog *Program
	fn   *Func
	work int

	// versions are numbers of what variables hold, by slot, and behind them of
	// what is in memory. The trail has what they were before a change.
	versions []valueNumber
	trail    []version
	last     valueNumber // the number given last
	// noted says in which of the branches looked at a slot was changed.
	noted   []int
	stamp   int
	held    []holding
	classes map[*items]int // their first slots

	table map[operation]*value
	order []operation // those in the table, in the order they were added
	// constants are numbers of what is the same everywhere.
	constants map[constant]valueNumber
	reuses    []reuse
}

type version struct {
	slot   int
	number valueNumber
}

// holding says that a variable holds the value of a number in a version.
type holding struct{ version, value valueNumber }

// valueNumber stands for a value: two that have the same are the same.
type valueNumber int32

// operation is what a value is made of: numbers of operands and of what lies in
// memory. Of the library's functions, the length of a list has one operand, and
// an item two.
type operation struct {
	op       Op
	operator Operator
	kinds    Kinds
	operands [2]valueNumber
	memory   [2]valueNumber
}

// constant is a number in the script.
type constant struct {
	op   Op
	bits uint64
}

// value is one that was computed.
type value struct {
	number valueNumber
	weight int
	first  *Expr
	// A variable that holds it as well, in a version.
	in   *Var
	when valueNumber
	kept *Var
}

// reuse is an operation that has been made before.
type reuse struct {
	x    *Expr
	v    *value
	from *Var
}

// What lies in memory has slots behind those of variables.
const (
	allLists = iota // everything in any list or dict
	unknownItems
	unknownLengths
	memorySlots
)

func (s *sharer) function() {
	if s.fn.Number == 0 {
		s.cold(s.fn.Body)
	} else {
		s.prepare()
		s.stmts(s.fn.Body)
	}
	if s.work <= maxShareWork {
		s.apply()
	}
}

// prepare comes before the first code that is looked at. Most scripts have none.
func (s *sharer) prepare() {
	if s.table != nil {
		return
	}
	s.table, s.constants = map[operation]*value{}, map[constant]valueNumber{}
	slots := len(s.fn.Vars) + memorySlots
	s.held = make([]holding, len(s.fn.Vars))
	s.versions = make([]valueNumber, 0, slots)
	s.trail = make([]version, 0, slots)
	s.grow(slots)
}

// grow adds slots.
func (s *sharer) grow(n int) {
	for range n {
		s.versions = append(s.versions, s.fresh())
	}
	s.noted = append(s.noted, make([]int, n)...)
}

func (s *sharer) fresh() valueNumber {
	s.last++
	return s.last
}

// cold looks for loops in code that runs once.
func (s *sharer) cold(list []*Stmt) {
	for _, st := range list {
		switch st.Op {
		case StmtCount, StmtEach:
			s.coldExpr(st.X)
			s.coldExpr(st.Y)
			fallthrough
		case StmtWhile:
			s.prepare()
			s.turns(st)
			continue
		}
		s.coldExpr(st.X)
		s.coldExpr(st.Y)
		s.cold(st.Then)
		s.cold(st.Else)
	}
}

func (s *sharer) coldExpr(x *Expr) {
	if x == nil {
		return
	}
	for _, a := range x.Args {
		s.coldExpr(a)
	}
	s.cold(x.Body)
}

// change gives a slot a new number.
func (s *sharer) change(slot int) {
	s.trail = append(s.trail, version{slot, s.versions[slot]})
	s.versions[slot] = s.fresh()
}

func (s *sharer) changeLists() { s.change(len(s.fn.Vars) + allLists) }

// apart looks at what may not be done, or more than once. What is computed there is not there
// afterwards, and what it changes is as it was; it gives what that is.
func (s *sharer) apart(look func()) (changed []int) {
	mark, known := len(s.trail), len(s.order)
	look()
	s.forget(known)
	s.stamp++
	for _, v := range slices.Backward(s.trail[mark:]) {
		s.versions[v.slot] = v.number
		if s.noted[v.slot] != s.stamp {
			s.noted[v.slot] = s.stamp
			changed = append(changed, v.slot)
		}
	}
	s.trail = s.trail[:mark]
	return changed
}

// forget takes what was added to the table out again.
func (s *sharer) forget(known int) {
	for _, o := range s.order[known:] {
		delete(s.table, o)
	}
	s.order = s.order[:known]
}

func (s *sharer) changeAll(slots ...[]int) {
	for _, list := range slots {
		s.work += len(list)
		for _, slot := range list {
			s.change(slot)
		}
	}
}

func (s *sharer) stmts(list []*Stmt) {
	for _, st := range list {
		if s.work++; s.work > maxShareWork {
			return
		}
		s.stmt(st)
	}
}

func (s *sharer) stmt(st *Stmt) {
	switch st.Op {
	case StmtAssign:
		s.assign(st)
	case StmtEval, StmtReturn:
		s.expr(st.X)
	case StmtIf:
		s.ifStmt(st)
	case StmtWhile:
		s.turns(st)
	case StmtCount:
		s.expr(st.X)
		s.expr(st.Y)
		s.turns(st)
	case StmtEach:
		s.expr(st.X)
		s.turns(st)
	case StmtTry:
		s.try(st)
	case StmtBlock:
		s.stmts(st.Then)
	case StmtSplit:
		s.part(st)
	}
}

func (s *sharer) assign(st *Stmt) {
	n, v := s.expr(st.X)
	slot := st.Var.Slot
	s.change(slot)
	s.held[slot] = holding{s.versions[slot], n}
	if v != nil && !s.isHeld(v) && s.staysKnown(st.Var) {
		v.in, v.when = st.Var, s.versions[slot]
	}
}

// isHeld reports whether a variable holds a value at this point.
func (s *sharer) isHeld(v *value) bool { return v.in != nil && s.versions[v.in.Slot] == v.when }

// staysKnown reports whether a variable is worth to be read again instead of an
// operation.
func (s *sharer) staysKnown(v *Var) bool {
	return v.Scope == Local || v.Scope == Global && s.fn.Number == 0 && !s.mayBeCalls(v)
}

// mayBeCalls reports whether a global may be assigned by a call, or by the host.
func (s *sharer) mayBeCalls(v *Var) bool {
	return s.prog.WrittenByCalls[v.Global] || v.Global == s.prog.LastError
}

func (s *sharer) ifStmt(st *Stmt) {
	value, known := st.X.Decide()
	switch {
	case !known:
		s.expr(st.X)
		then := s.apart(func() { s.stmts(st.Then) })
		otherwise := s.apart(func() { s.stmts(st.Else) })
		s.changeAll(then, otherwise)
	case value:
		s.stmts(st.Then)
	default:
		s.stmts(st.Else)
	}
}

// turns looks at the turns of a loop, at whose head anything may have changed
// that the loop changes.
func (s *sharer) turns(st *Stmt) {
	changed := s.apart(func() {
		s.changeLoop(st)
		if st.Op == StmtWhile {
			s.expr(st.X)
		}
		s.stmts(st.Then)
	})
	s.changeAll(changed)
}

func (s *sharer) changeLoop(st *Stmt) {
	loop := []*Stmt{st}
	WalkStmts(loop, func(st *Stmt) {
		s.work++
		for _, v := range []*Var{st.Var, st.Caught} {
			if v != nil {
				s.change(v.Slot)
			}
		}
	})
	WalkExprs(loop, func(x *Expr) {
		s.work++
		s.effects(x)
	})
}

// try cannot know where an error came from.
func (s *sharer) try(st *Stmt) {
	normal := s.apart(func() { s.stmts(st.Then) })
	s.changeAll(normal)
	s.change(st.Caught.Slot)
	if st.Marker {
		s.stmts(st.Else)
		return
	}
	s.changeAll(s.apart(func() { s.stmts(st.Else) }))
}

// part looks at a part, which is a function of its own to the emitter.
func (s *sharer) part(st *Stmt) {
	s.prepare()
	table, order := s.table, s.order
	s.table, s.order = map[operation]*value{}, nil
	changed := s.apart(func() {
		if s.fn.Number == 0 {
			s.cold(st.Then)
		} else {
			s.stmts(st.Then)
		}
	})
	s.table, s.order = table, order
	s.changeAll(changed)
}

// expr looks at an expression and gives the number of its value, or 0, and the
// value if it is an operation.
func (s *sharer) expr(x *Expr) (valueNumber, *value) {
	s.work++
	switch x.Op {
	case OpInt:
		return s.constant(constant{op: OpInt, bits: uint64(x.Int)}), nil
	case OpFloat:
		return s.constant(constant{op: OpFloat, bits: math.Float64bits(x.Float)}), nil
	case OpLoad:
		return s.load(x), nil
	case OpBinary, OpUnary, OpLib:
		return s.operation(x)
	case OpIsKind:
		if _, known := x.Decide(); known {
			return 0, nil
		}
	case OpAnd, OpOr:
		s.expr(x.Args[0])
		s.changeAll(s.apart(func() {
			for _, a := range x.Args[1:] {
				s.expr(a)
			}
		}))
		return 0, nil
	case OpCond:
		return s.cond(x)
	case OpSoft:
		if !mayLeave(x.Args[0]) {
			return s.expr(x.Args[0])
		}
		s.changeAll(s.apart(func() { s.expr(x.Args[0]) }))
		s.changeAll(s.apart(func() { s.expr(x.Args[1]) }))
		return 0, nil
	}
	// What statements give has no number: they would be lost where it is read from
	// elsewhere.
	s.stmts(x.Body)
	for _, a := range x.Args {
		s.expr(a)
	}
	s.effects(x)
	return 0, nil
}

// mayLeave reports whether an undefined name may end an expression, or a loop in
// it.
func mayLeave(x *Expr) bool {
	leaves := false
	WalkExprs([]*Stmt{{X: x}}, func(x *Expr) { leaves = leaves || x.Op == OpLoad && x.Mode == Soft && x.Before.May(Undef) })
	return leaves
}

func (s *sharer) cond(x *Expr) (valueNumber, *value) {
	if one := x.decided(); one != x {
		return s.expr(one)
	}
	s.expr(x.Args[0])
	then := s.apart(func() { s.expr(x.Args[1]) })
	otherwise := s.apart(func() { s.expr(x.Args[2]) })
	s.changeAll(then, otherwise)
	return 0, nil
}

// constant gives the number of what is the same whenever it is computed.
func (s *sharer) constant(c constant) valueNumber {
	n, ok := s.constants[c]
	if !ok {
		n = s.fresh()
		s.constants[c] = n
	}
	return n
}

func (s *sharer) load(x *Expr) valueNumber {
	v := x.Var
	if v.Fallback != nil && x.Before.May(Undef) || x.Before.May(Undef) && x.Mode == Raw {
		return 0
	}
	if v.Scope == Global && s.mayBeCalls(v) {
		return 0
	}
	now := s.versions[v.Slot]
	if h := s.held[v.Slot]; h.version == now && h.value != 0 {
		return h.value
	}
	return now
}

// operation looks at one that may have been made before.
func (s *sharer) operation(x *Expr) (valueNumber, *value) {
	known, mark := len(s.order), len(s.reuses)
	o := operation{op: x.Op, operator: x.Operator, kinds: x.Type}
	weight, numbered := weightOf(x), true
	for i, a := range x.Args {
		n, v := s.expr(a)
		numbered = numbered && n != 0
		if i < len(o.operands) {
			o.operands[i] = n
		}
		if v != nil {
			weight += v.weight
		}
	}
	if weightOf(x) == 0 || !numbered {
		s.effects(x)
		return 0, nil
	}
	if x.Op == OpLib {
		o.memory = [2]valueNumber{s.versions[len(s.fn.Vars)+allLists], s.versions[s.memory(x.Args[0], x.Lib.Name == "Len")]}
	}
	v := s.table[o]
	if v == nil {
		v = &value{number: s.fresh(), first: x, weight: weight}
		s.table[o] = v
		s.order = append(s.order, o)
		return v.number, v
	}
	if v.weight < worthKeeping {
		return v.number, v
	}
	s.forget(known)
	s.reuses = s.reuses[:mark]
	r := reuse{x: x, v: v}
	if s.isHeld(v) {
		r.from = v.in
	}
	s.reuses = append(s.reuses, r)
	return v.number, v
}

// apply writes what was found. Where nothing holds a value already, it is kept
// where it is computed first.
func (s *sharer) apply() {
	kept := 0
	for _, r := range s.reuses {
		from := r.from
		if from == nil {
			if r.v.kept == nil {
				if kept++; kept > maxKept {
					continue
				}
				r.v.keep(s.fn)
			}
			from = r.v.kept
		}
		load := Expr{Op: OpKept, Var: from, Type: r.x.Type}
		if r.from != nil {
			load.Op, load.Before = OpLoad, r.x.Type
		}
		*r.x = load
	}
}

// keep makes the first computation of a value one that keeps it.
func (v *value) keep(fn *Func) {
	v.kept = &Var{Name: "kept", Scope: Hidden, Slot: len(fn.Vars)}
	fn.Vars = append(fn.Vars, v.kept)
	first := *v.first
	*v.first = Expr{Op: OpKeep, Args: []*Expr{&first}, Var: v.kept, Type: first.Type, items: first.items}
}
