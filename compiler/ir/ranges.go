package ir

import (
	"math"
	"slices"
)

// Facts are what Ranges found about the operands of an integer operation.
type Facts uint16

// The facts. Those about an operand hold in every evaluation.
const (
	// NoOverflow says that the result is always within 64 bits.
	NoOverflow Facts = 1 << iota
	LeftNotNegative
	LeftNotPositive
	RightNotNegative
	RightNotPositive
	// LeftSmall says that the left operand is at least 0 and below 1<<31.
	LeftSmall
	// LeftShort and RightShort say that an operand is within 32 bits.
	LeftShort
	RightShort
	// SameKind says that an item is replaced by one of the same kind.
	SameKind

	seen // the operation was evaluated at all
)

// Has reports whether all facts of a set hold.
func (f Facts) Has(want Facts) bool { return f&want == want }

// Ranges finds between which bounds integers are, by the flow of control in
// each function, and notes in operations what follows for them. Loops are
// repeated until the bounds at their head stay, with ends that move made to
// jump, so that this happens soon. It knows nothing of what other functions do:
// parameters and results are any integer.
//
// A fact is noted at the first evaluation and withdrawn at a later one that
// contradicts it; so what is left at the end holds for the last one, which
// covers all others. A budget bounds the work; a function for which it does not
// suffice has no facts.
func Ranges(p *Program) {
	for _, fn := range p.Functions {
		if !fn.Reached {
			continue
		}
		r := &ranger{prog: p, fn: fn, budget: 20_000}
		WalkStmts(fn.Body, func(*Stmt) { r.budget += 20 })
		r.env = &env{changed: map[int]interval{}}
		for _, v := range fn.Vars {
			if v.Scope == Global && p.WrittenByCalls[v.Global] {
				r.killable = append(r.killable, v.Slot)
			}
		}
		r.stmts(fn.Body)
		if r.budget <= 0 {
			WalkExprs(fn.Body, func(x *Expr) { x.Facts = 0 })
		}
	}
}

// env is the state at a point: what changed since the point outside.
type env struct {
	outer   *env
	changed map[int]interval
	dead    bool
}

type ranger struct {
	prog     *Program
	fn       *Func
	budget   int
	env      *env
	loops    []*rangeLoop
	killable []int
}

// rangeLoop collects the states of the jumps in a turn: of continues what
// changed since its head, of breaks since before the loop.
type rangeLoop struct {
	head              *env
	breaks, continues []map[int]interval
}

// get gives the bounds of a variable. Of one that nothing is noted of, they are
// those of any integer: a global or parameter, or an undefined local.
func (r *ranger) get(slot int) interval { return r.env.get(slot) }

func (e *env) get(slot int) interval {
	for ; e != nil; e = e.outer {
		if i, ok := e.changed[slot]; ok {
			return i
		}
	}
	return everything
}

func (r *ranger) set(slot int, i interval) { r.env.changed[slot] = i }

// enter goes on in a state of its own, leave comes back from it.
func (r *ranger) enter() *env {
	r.budget--
	r.env = &env{outer: r.env, changed: map[int]interval{}, dead: r.env.dead}
	return r.env
}

func (r *ranger) leave() { r.env = r.env.outer }

// join goes on with what is common to states that start at the present one.
func (r *ranger) join(states ...*env) {
	var live []map[int]interval
	for _, e := range states {
		if !e.dead {
			live = append(live, e.changed)
		}
	}
	r.env.dead = len(live) == 0
	r.merge(live)
}

// merge takes the union of what the states changed.
func (r *ranger) merge(states []map[int]interval) {
	for _, slot := range r.slots(states) {
		u := empty
		for _, m := range states {
			i, ok := m[slot]
			if !ok {
				i = r.get(slot)
			}
			u = u.union(i)
		}
		r.set(slot, u)
	}
}

func (r *ranger) slots(states []map[int]interval) []int {
	var slots []int
	for _, m := range states {
		r.budget -= len(m)
		for slot := range m {
			slots = append(slots, slot)
		}
	}
	slices.Sort(slots)
	return slices.Compact(slots)
}

// since collects what changed after an outer state.
func (r *ranger) since(outer *env) map[int]interval {
	all := map[int]interval{}
	for e := r.env; e != outer; e = e.outer {
		r.budget -= len(e.changed)
		for slot, i := range e.changed {
			if _, ok := all[slot]; !ok {
				all[slot] = i
			}
		}
	}
	return all
}

func (r *ranger) stmts(list []*Stmt) {
	for _, s := range list {
		if r.env.dead || r.budget <= 0 {
			return
		}
		r.budget--
		r.stmt(s)
	}
}

func (r *ranger) stmt(s *Stmt) {
	switch s.Op {
	case StmtAssign:
		r.set(s.Var.Slot, r.expr(s.X))
	case StmtEval:
		r.expr(s.X)
	case StmtReturn:
		r.expr(s.X)
		r.env.dead = true
	case StmtIf:
		r.branches(s.X, func() { r.stmts(s.Then) }, func() { r.stmts(s.Else) })
	case StmtWhile:
		r.loop(s.X, func() { r.stmts(s.Then) })
	case StmtCount:
		from, to := r.expr(s.X), r.expr(s.Y)
		counter := interval{from.known().lo, to.known().hi}
		r.loop(nil, func() {
			r.set(s.Var.Slot, counter.known())
			r.stmts(s.Then)
		})
	case StmtEach:
		r.expr(s.X)
		r.loop(nil, func() {
			r.set(s.Var.Slot, everything)
			r.stmts(s.Then)
		})
	case StmtBreak:
		l := r.loops[len(r.loops)-1]
		l.breaks = append(l.breaks, r.since(l.head.outer))
		r.env.dead = true
	case StmtContinue:
		l := r.loops[len(r.loops)-1]
		l.continues = append(l.continues, r.since(l.head))
		r.env.dead = true
	case StmtTry:
		r.try(s)
	case StmtBlock, StmtSplit:
		r.stmts(s.Then)
	}
}

func (r *ranger) branches(test *Expr, then, otherwise func()) {
	r.expr(test)
	a := r.enter()
	r.assume(test, true)
	then()
	r.leave()
	b := r.enter()
	r.assume(test, false)
	otherwise()
	r.leave()
	r.join(a, b)
}

// maxTurns is how often a loop is repeated before ends that still move are
// given up.
const maxTurns = 6

// loop repeats a turn until the state at its head stays. A test is computed at
// the head and may leave there.
func (r *ranger) loop(test *Expr, turn func()) {
	head := r.enter()
	var l *rangeLoop
	for turns := 0; ; turns++ {
		l = &rangeLoop{head: head}
		r.loops = append(r.loops, l)
		end := r.enter()
		if test != nil {
			r.expr(test)
			r.assume(test, true)
		}
		turn()
		r.leave()
		r.loops = r.loops[:len(r.loops)-1]
		head.dead = false
		states := l.continues
		if !end.dead {
			states = append(states, end.changed)
		}
		if r.budget <= 0 || !r.grow(states, turns) {
			break
		}
	}
	if test != nil {
		r.expr(test)
		r.assume(test, false)
	}
	r.leave()
	r.merge(append(l.breaks, head.changed))
}

// grow adds the states at the end of a turn to that at the head.
func (r *ranger) grow(states []map[int]interval, turns int) bool {
	grown := false
	for _, slot := range r.slots(states) {
		before := r.get(slot)
		after := before
		for _, m := range states {
			if i, ok := m[slot]; ok {
				after = after.union(i)
			}
		}
		if after == before {
			continue
		}
		grown = true
		switch {
		case turns >= maxTurns:
			after = everything
		case turns > 0:
			after = before.widen(after)
		}
		r.set(slot, after)
	}
	return grown
}

// try cannot know where an error came from: what its body assigns may have been
// assigned or not.
func (r *ranger) try(s *Stmt) {
	normal := r.enter()
	r.stmts(s.Then)
	r.leave()
	failed := r.enter()
	failed.dead = false
	r.forgetAssigned(s.Then)
	r.killGlobals()
	if s.Marker {
		r.leave()
		r.join(normal, failed)
		r.set(s.Caught.Slot, everything)
		r.stmts(s.Else)
		return
	}
	r.set(s.Caught.Slot, everything)
	r.stmts(s.Else)
	r.leave()
	r.join(normal, failed)
}

func (r *ranger) forgetAssigned(list []*Stmt) {
	WalkStmts(list, func(s *Stmt) {
		r.budget--
		if s.Var != nil {
			r.set(s.Var.Slot, everything)
		}
	})
}

func (r *ranger) killGlobals() {
	r.budget -= len(r.killable)
	for _, slot := range r.killable {
		r.set(slot, everything)
	}
}

// expr gives the bounds of an expression's value if that is an integer.
func (r *ranger) expr(x *Expr) interval {
	r.budget--
	switch x.Op {
	case OpInt:
		return exactly(x.Int)
	case OpLoad:
		return r.load(x)
	case OpBinary:
		a, b := r.expr(x.Args[0]), r.expr(x.Args[1])
		if x.Args[0].Type == Int && x.Args[1].Type == Int {
			return r.binary(x, a, b)
		}
		return everything
	case OpUnary:
		return r.unary(x, r.expr(x.Args[0]))
	case OpCond:
		return r.cond(x)
	case OpAnd, OpOr:
		r.chain(x)
		return everything
	case OpSoft:
		return r.softly(x)
	case OpDo:
		r.stmts(x.Body)
		return r.expr(x.Args[0])
	case OpLib:
		return r.lib(x)
	}
	for _, a := range x.Args {
		r.expr(a)
	}
	if x.Op == OpCall || x.Op == OpHost {
		r.killGlobals()
	}
	return everything
}

func (r *ranger) load(x *Expr) interval {
	if x.Var.Fallback != nil && x.Before.May(Undef) {
		return everything
	}
	return r.get(x.Var.Slot).known()
}

func (r *ranger) binary(x *Expr, a, b interval) interval {
	result, fits := operate(x.Operator, a, b)
	f := signs(a, LeftNotNegative, LeftNotPositive) | signs(b, RightNotNegative, RightNotPositive)
	if fits {
		f |= NoOverflow
	}
	if a.within(0, math.MaxInt32) {
		f |= LeftSmall
	}
	if a.within(math.MinInt32, math.MaxInt32) {
		f |= LeftShort
	}
	if b.within(math.MinInt32, math.MaxInt32) {
		f |= RightShort
	}
	x.note(f)
	return result
}

func signs(a interval, notNegative, notPositive Facts) Facts {
	f := Facts(0)
	if a.within(0, math.MaxInt64) {
		f |= notNegative
	}
	if a.within(math.MinInt64, 0) {
		f |= notPositive
	}
	return f
}

func (x *Expr) note(f Facts) {
	if x.Facts&seen == 0 {
		x.Facts = f | seen
	} else {
		x.Facts &= f | seen
	}
}

func (r *ranger) unary(x *Expr, a interval) interval {
	if x.Args[0].Type != Int {
		return everything
	}
	a = a.known()
	switch {
	case x.Operator == Pos:
		return a
	case x.Operator == Neg && a.lo > math.MinInt64:
		x.note(NoOverflow)
		return interval{-a.hi, -a.lo}
	case x.Operator == Neg:
		x.note(0)
	}
	return everything
}

func (r *ranger) cond(x *Expr) interval {
	if one := x.decided(); one != x {
		r.expr(x.Args[0])
		return r.expr(one)
	}
	result := empty
	r.branches(x.Args[0],
		func() { result = result.union(r.expr(x.Args[1])) },
		func() { result = result.union(r.expr(x.Args[2])) })
	return result
}

// decided gives what a choice with a known outcome chooses, or x itself.
func (x *Expr) decided() *Expr {
	for x.Op == OpCond {
		value, known := x.Args[0].Decide()
		switch {
		case !known:
			return x
		case value:
			x = x.Args[1]
		default:
			x = x.Args[2]
		}
	}
	return x
}

func (r *ranger) chain(x *Expr) {
	r.expr(x.Args[0])
	skipped := &env{}
	rest := r.enter()
	r.assume(x.Args[0], x.Op == OpAnd)
	for _, a := range x.Args[1:] {
		r.expr(a)
		r.assume(a, x.Op == OpAnd)
	}
	r.leave()
	if slices.ContainsFunc(x.Args, changesState) {
		r.join(skipped, rest)
		// Operands between may have been left out too.
		for slot := range rest.changed {
			r.set(slot, everything)
		}
	}
}

func (r *ranger) softly(x *Expr) interval {
	a := r.expr(x.Args[0])
	if changesState(x.Args[0]) {
		walkInside(x.Args[0], func(s *Stmt) { r.forgetAssigned([]*Stmt{s}) })
		r.killGlobals()
	}
	r.env.dead = false
	return a.union(r.expr(x.Args[1]))
}

func (r *ranger) lib(x *Expr) interval {
	first := everything
	for i, a := range x.Args {
		if k := r.expr(a); i == 0 {
			first = k
		}
	}
	switch x.Lib.Name {
	case "Len", "ListLen", "ListLength", "MethodCount":
		return sizes
	case "LoopBound", "CommandAddVar":
		if x.Args[0].Type == Int {
			return first
		}
	}
	return everything
}

// assume narrows variables by the outcome of a test that has just been made.
func (r *ranger) assume(test *Expr, outcome bool) {
	if changesState(test) {
		return
	}
	switch test.Op {
	case OpNot:
		r.assume(test.Args[0], !outcome)
	case OpTruth:
		r.assume(test.Args[0], outcome)
	case OpSoft:
		if outcome || !readsSoftly(test.Args[0]) {
			r.assume(test.Args[0], outcome)
		}
	case OpAnd, OpOr:
		if outcome == (test.Op == OpAnd) {
			for _, a := range test.Args {
				r.assume(a, outcome)
			}
		}
	case OpCompare, OpIfCompare:
		a, b := test.Args[0], test.Args[1]
		if a.Type != Int || b.Type != Int {
			return
		}
		o := test.Operator
		if !outcome {
			o = negated[o]
		}
		left, right := r.expr(a), r.expr(b)
		r.narrow(a, left.when(o, right))
		r.narrow(b, right.when(mirrored[o], left))
	}
}

func (r *ranger) narrow(x *Expr, i interval) {
	x = x.decided()
	if x.Op == OpLoad && (x.Var.Fallback == nil || !x.Before.May(Undef)) {
		r.set(x.Var.Slot, i)
	}
}

// readsSoftly reports whether an undefined name may end an expression.
func readsSoftly(x *Expr) bool {
	return x.Op == OpLoad && x.Mode == Soft && x.Before.May(Undef) || slices.ContainsFunc(x.Args, readsSoftly)
}
