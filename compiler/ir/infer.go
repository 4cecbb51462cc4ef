package ir

import "slices"

// Infer finds, for every expression and every point of the program, the kinds
// of values that can be there. It follows the flow of control: branches are
// joined, loops are repeated until nothing grows. Functions are taken up when
// somebody calls them, with the kinds of the arguments they are called with,
// and again whenever those or a callee's result grow.
//
// The state at a point is one slice; what a branch changes is kept on a trail
// and undone, so the work depends on the number of assignments and not on the
// number of variables. A budget bounds it for hostile scripts: when it is used
// up, everything is taken to be unknown, which is always right.
func Infer(p *Program) { newInferer(p).run() }

func (in *inferer) run() {
	p := in.prog
	p.unknown = false
	in.budget = 200_000 + 40*countNodes(p)
	in.reach(p.Functions[0])
	for _, fn := range p.Functions {
		if fn.IsHandler {
			in.reach(fn)
			for i := range fn.ParamKinds {
				fn.ParamKinds[i] = Any
			}
		}
	}
	for len(in.queue) > 0 && in.budget > 0 {
		fn := in.queue[0]
		in.queue = in.queue[1:]
		in.queued[fn.Number] = false
		in.function(fn)
	}
	if in.budget <= 0 {
		in.surrender()
	}
}

// KnowNothing notes in a program that every value is unknown, which is what
// Infer improves upon.
func KnowNothing(p *Program) { newInferer(p).surrender() }

func newInferer(p *Program) *inferer {
	return &inferer{prog: p, callers: map[*Func]map[*Func]bool{}, heads: map[*Stmt]map[int]Kinds{}}
}

// surrender takes every value for unknown.
func (in *inferer) surrender() {
	in.unknown, in.prog.unknown, in.items = true, true, false
	for _, fn := range in.prog.Functions {
		in.reach(fn)
		fn.Result = Any
		for i := range fn.ParamKinds {
			fn.ParamKinds[i] = Any
		}
	}
	for _, fn := range in.prog.Functions {
		in.function(fn)
	}
}

func countNodes(p *Program) int {
	n := 0
	for _, fn := range p.Functions {
		WalkStmts(fn.Body, func(*Stmt) { n++ })
	}
	return n
}

type change struct {
	slot int
	old  Kinds
}

type inferer struct {
	prog    *Program
	queue   []*Func
	queued  []bool
	callers map[*Func]map[*Func]bool
	heads   map[*Stmt]map[int]Kinds
	budget  int
	unknown bool

	// Of Items: whether classes count, whether what is stored in one grew in
	// this round, whether it may not, and which ones were read that had nothing.
	items, grown, last bool
	empty              []*items

	// The function at hand.
	fn        *Func
	cur       []Kinds
	dead      bool
	trail     []change
	loops     []*loopFlow
	tries     []map[int]Kinds // kinds assigned inside each open try
	killable  []int           // slots of globals that calls may assign
	lastError int             // slot of __last_error__, or -1
}

// loopFlow collects the states of the jumps out of one turn of a loop.
type loopFlow struct {
	mark              int
	breaks, continues map[int]Kinds
	// exit is the state behind the condition of a while loop.
	exit map[int]Kinds
}

func (in *inferer) reach(fn *Func) {
	if in.queued == nil {
		in.queued = make([]bool, len(in.prog.Functions))
	}
	if !fn.Reached {
		fn.Reached = true
		if fn.ParamKinds == nil {
			fn.ParamKinds = make([]Kinds, len(fn.Params))
		}
	}
	if !in.queued[fn.Number] {
		in.queued[fn.Number] = true
		in.queue = append(in.queue, fn)
	}
}

func (in *inferer) function(fn *Func) {
	in.fn, in.dead = fn, false
	in.trail, in.loops, in.tries, in.killable = in.trail[:0], nil, nil, nil
	in.cur, in.lastError = make([]Kinds, len(fn.Vars)), -1
	for i, v := range fn.Vars {
		in.cur[i] = Undef
		if v.Scope == Global {
			in.cur[i] = Unknown
			if in.prog.WrittenByCalls[v.Global] {
				in.killable = append(in.killable, i)
			}
			if v.Global == in.prog.LastError {
				in.lastError = i
			}
		}
		if in.unknown {
			in.cur[i] = Unknown
		}
	}
	for i, v := range fn.Params {
		in.cur[v.Slot] = fn.ParamKinds[i]
	}
	in.stmts(fn.Body)
	if !in.dead {
		in.result(Null)
	}
}

func (in *inferer) result(k Kinds) {
	if in.fn.Result|k == in.fn.Result {
		return
	}
	in.fn.Result |= k
	for caller := range in.callers[in.fn] {
		in.reach(caller)
	}
}

// set changes the state at the present point.
func (in *inferer) set(slot int, k Kinds) {
	if in.unknown {
		return
	}
	if n := len(in.tries); n > 0 {
		in.tries[n-1][slot] |= k
	}
	if in.cur[slot] != k {
		in.trail = append(in.trail, change{slot, in.cur[slot]})
		in.cur[slot] = k
	}
}

// snapshot lists the variables changed since a mark, with their kinds now.
func (in *inferer) snapshot(mark int) map[int]Kinds {
	in.budget -= len(in.trail) - mark
	m := make(map[int]Kinds, len(in.trail)-mark)
	for _, c := range in.trail[mark:] {
		m[c.slot] = in.cur[c.slot]
	}
	return m
}

func (in *inferer) rollback(mark int) {
	for i := len(in.trail) - 1; i >= mark; i-- {
		in.cur[in.trail[i].slot] = in.trail[i].old
	}
	in.trail = in.trail[:mark]
}

// path is the end of one way through a branching statement.
type path struct {
	changed map[int]Kinds
	dead    bool
}

func (in *inferer) endPath(mark int) path {
	p := path{in.snapshot(mark), in.dead}
	in.rollback(mark)
	return p
}

// join goes on with what is common to both paths, which start at the present
// state.
func (in *inferer) join(a, b path) {
	in.dead = a.dead && b.dead
	switch {
	case a.dead && !b.dead:
		a = b
	case b.dead && !a.dead:
		b = a
	}
	for _, slot := range in.ordered(a.changed, b.changed) {
		x, ok := a.changed[slot]
		if !ok {
			x = in.cur[slot]
		}
		y, ok := b.changed[slot]
		if !ok {
			y = in.cur[slot]
		}
		in.set(slot, x|y)
	}
}

func (in *inferer) ordered(maps ...map[int]Kinds) []int {
	var slots []int
	for _, m := range maps {
		for slot := range m {
			slots = append(slots, slot)
		}
	}
	slices.Sort(slots)
	return slices.Compact(slots)
}

func (in *inferer) stmts(list []*Stmt) {
	for _, s := range list {
		if in.dead || in.budget <= 0 && !in.unknown {
			return
		}
		in.budget--
		in.stmt(s)
	}
}

func (in *inferer) stmt(s *Stmt) {
	switch s.Op {
	case StmtAssign:
		k := in.expr(s.X)
		in.assign(s, k)
	case StmtEval:
		in.expr(s.X)
	case StmtReturn:
		in.result(in.expr(s.X))
		in.dead = true
	case StmtIf:
		in.branches(s.X, func() { in.stmts(s.Then) }, func() { in.stmts(s.Else) })
	case StmtWhile:
		in.loop(s, func(flow *loopFlow) {
			in.expr(s.X)
			flow.exit = in.snapshot(flow.mark)
			in.assume(s.X, true)
		})
		in.dead = s.isEndless()
	case StmtCount:
		in.expr(s.X)
		in.expr(s.Y)
		in.set(s.Counter.Slot, Int)
		in.set(s.Limit.Slot, Int)
		in.loop(s, func(*loopFlow) { in.assign(s, Int) })
	case StmtEach:
		in.expr(s.X)
		in.set(s.Counter.Slot, Int)
		in.set(s.List.Slot, List)
		in.loop(s, func(*loopFlow) { in.assign(s, in.read(s.X)) })
	case StmtBreak:
		in.jump(in.loops[len(in.loops)-1].breaks)
	case StmtContinue:
		in.jump(in.loops[len(in.loops)-1].continues)
	case StmtTry:
		in.try(s)
	case StmtBlock, StmtSplit:
		in.stmts(s.Then)
	}
}

func (in *inferer) assign(s *Stmt, k Kinds) {
	s.Before |= in.cur[s.Var.Slot]
	in.set(s.Var.Slot, k&^Undef)
}

// branches follows both ways of a condition, or one if it is decided.
func (in *inferer) branches(test *Expr, then, otherwise func()) {
	in.expr(test)
	if value, known := test.Decide(); known {
		if value {
			in.assume(test, true)
			then()
		} else {
			otherwise()
		}
		return
	}
	mark, dead := len(in.trail), in.dead
	in.assume(test, true)
	then()
	a := in.endPath(mark)
	in.dead = dead
	in.assume(test, false)
	otherwise()
	in.join(a, in.endPath(mark))
}

// jump records the state of a break or continue.
func (in *inferer) jump(into map[int]Kinds) {
	mark := in.loops[len(in.loops)-1].mark
	in.budget -= len(in.trail) - mark
	for _, c := range in.trail[mark:] {
		into[c.slot] |= in.cur[c.slot]
	}
	in.dead = true
}

// loop repeats the body until the state at its head stops growing. enter is
// what happens at the start of each turn, behind the way out.
func (in *inferer) loop(s *Stmt, enter func(*loopFlow)) {
	head := in.heads[s]
	if head == nil {
		head = map[int]Kinds{}
		in.heads[s] = head
	}
	for _, slot := range in.ordered(head) {
		in.set(slot, in.cur[slot]|head[slot])
	}
	for {
		mark := len(in.trail)
		flow := &loopFlow{mark: mark, breaks: map[int]Kinds{}, continues: map[int]Kinds{}}
		in.loops = append(in.loops, flow)
		enter(flow)
		in.stmts(s.Then)
		in.loops = in.loops[:len(in.loops)-1]
		end := in.endPath(mark)
		in.dead = false
		if !in.grow(head, end, flow.continues) || in.budget <= 0 {
			for _, slot := range in.ordered(flow.breaks, flow.exit) {
				in.set(slot, in.cur[slot]|flow.breaks[slot]|flow.exit[slot])
			}
			return
		}
	}
}

// grow adds the state at the end of a turn to the state at the head.
func (in *inferer) grow(head map[int]Kinds, end path, continues map[int]Kinds) bool {
	grown := false
	for _, slot := range in.ordered(end.changed, continues) {
		k := in.cur[slot] | continues[slot]
		if !end.dead {
			k |= end.changed[slot]
		}
		if k != in.cur[slot] {
			grown = true
			head[slot] |= k
			in.set(slot, k)
		}
	}
	return grown && !in.unknown
}

func (in *inferer) try(s *Stmt) {
	mark, assigned := len(in.trail), map[int]Kinds{}
	in.tries = append(in.tries, assigned)
	in.stmts(s.Then)
	in.tries = in.tries[:len(in.tries)-1]
	normal := in.endPath(mark)
	in.dead = false
	for _, slot := range in.ordered(assigned) {
		in.set(slot, in.cur[slot]|assigned[slot])
	}
	if in.lastError >= 0 {
		in.set(in.lastError, Text)
	}
	if s.Marker {
		in.join(normal, in.endPath(mark))
	}
	in.set(s.Caught.Slot, Text)
	in.stmts(s.Else)
	if !s.Marker {
		in.join(normal, in.endPath(mark))
	}
}

// killGlobals forgets what calls of script functions may have changed.
func (in *inferer) killGlobals() {
	for _, slot := range in.killable {
		in.set(slot, Any|in.cur[slot]&Undef)
	}
}
