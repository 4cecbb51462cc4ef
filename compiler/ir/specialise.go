package ir

import (
	"slices"
	"strings"
)

// Bounds on the copies of functions.
const (
	// maxCopies is how many copies a function has at most.
	maxCopies = 4
	// maxSpareNodes is what all copies may have together, or as much as the rest
	// of the program has, and maxProgramNodes the size up to which a program has
	// any.
	maxSpareNodes   = 2_000
	maxProgramNodes = 20_000 // statements and expressions
	// maxInferences is how often kinds are inferred to find who calls what.
	maxInferences = 5
)

// Specialise makes copies of functions whose callers do not agree about the
// kinds of arguments: one for each set of numbers and truth values that spares
// it boxes. Only what is called in loops, or calls itself, is worth that. A copy
// has the prices, sites and name of the function, so nothing but time tells that
// it is there. Tasks and handlers, which the host calls, have none.
//
// Which copy a call means can be known only when the kinds around it are, so
// calls are sent to copies and kinds inferred by turns. A function that calls
// itself is at first taken to go on with the same kinds. It comes behind
// Regions and Join: neither memory nor fuel must depend on what is found here.
func Specialise(p *Program) {
	if p.unknown || !slices.ContainsFunc(p.Functions[1:], (*Func).isMixed) {
		return
	}
	s := newSpecialiser(p)
	if s == nil {
		return
	}
	for range maxInferences {
		if !s.send(true) && !s.send(false) {
			break
		}
		if p.inferAgain(); p.unknown {
			s.giveUp(func(*family, *Func) bool { return false })
			return
		}
	}
	s.giveUp((*family).gains)
}

// isBare reports whether values of a set need no tag.
func (k Kinds) isBare() bool { return k == Int || k == Float || k == Bool }

// isMixed reports whether a parameter may be a number or truth value, but of no
// kind that is known.
func (fn *Func) isMixed() bool {
	return fn.Reached && !fn.IsHandler && slices.ContainsFunc(fn.ParamKinds, func(k Kinds) bool {
		return !k.isBare() && k&(Int|Float|Bool) != 0
	})
}

// signature tells kinds apart that lie differently: a letter for each argument.
func signature(kinds []Kinds) string {
	var b strings.Builder
	for _, k := range kinds {
		switch k {
		case Int:
			b.WriteByte('i')
		case Float:
			b.WriteByte('f')
		case Bool:
			b.WriteByte('b')
		default:
			b.WriteByte('*')
		}
	}
	return b.String()
}

// specialiser makes copies.
type specialiser struct {
	prog     *Program
	families map[*Func]*family // by the function itself
	sites    []callSite
	spare    int // the nodes that copies may have yet

	// often has the functions that run often, recursive those of them that call
	// themselves or are called by one that does.
	often, recursive map[*Func]bool
}

// family is a function with its copies.
type family struct {
	original *Func
	copies   map[string]*Func // by signature
	nodes    int
	// What the function was without copies.
	signature string
	bare      int
	result    Kinds
}

// callSite is a call of a script function.
type callSite struct {
	call   *Expr
	in     *Func
	inLoop bool
}

// self is the function that fn is, or is a copy of.
func (fn *Func) self() *Func {
	if fn.CopyOf != nil {
		return fn.CopyOf
	}
	return fn
}

// newSpecialiser looks at a program, and gives nil if there is nothing to copy.
func newSpecialiser(p *Program) *specialiser {
	s := &specialiser{prog: p, families: map[*Func]*family{}, often: map[*Func]bool{}, recursive: map[*Func]bool{}}
	total := 0
	for _, fn := range p.Functions {
		if !fn.Reached {
			continue
		}
		n := s.look(fn)
		if total += n; total > maxProgramNodes {
			return nil
		}
		if f := newFamily(fn, n); f != nil {
			s.families[fn] = f
		}
	}
	for _, t := range p.Tasks {
		delete(s.families, t.Func)
	}
	if len(s.families) == 0 {
		return nil
	}
	s.spare = max(total, maxSpareNodes)
	s.findOften()
	return s
}

// newFamily gives nil for a function that would gain nothing, and for one that
// Split may cut: whether it does depends on kinds, and parts have a price.
func newFamily(fn *Func, nodes int) *family {
	bare, all := bareOperations(fn)
	if !fn.isMixed() || bare == all && fn.Result.isBare() || weighList(fn.Body) > DefaultBounds.List {
		return nil
	}
	return &family{
		original: fn, copies: map[string]*Func{}, nodes: nodes,
		signature: signature(fn.ParamKinds), bare: bare, result: fn.Result,
	}
}

func weighList(list []*Stmt) int {
	w := 0
	for _, s := range list {
		w += s.ownWeight() + weighList(s.Then) + weighList(s.Else)
	}
	return w
}

// look notes the calls of script functions in a function, and gives its size.
func (s *specialiser) look(fn *Func) int {
	nodes := 0
	var list func([]*Stmt, bool)
	var expr func(*Expr, bool)
	list = func(stmts []*Stmt, inLoop bool) {
		for _, st := range stmts {
			nodes++
			inner := inLoop || st.Op == StmtWhile || st.Op == StmtCount || st.Op == StmtEach
			expr(st.X, inLoop || st.Op == StmtWhile)
			expr(st.Y, inLoop)
			list(st.Then, inner)
			list(st.Else, inLoop)
		}
	}
	expr = func(x *Expr, inLoop bool) {
		if x == nil {
			return
		}
		nodes++
		if x.Op == OpCall {
			s.sites = append(s.sites, callSite{x, fn, inLoop})
		}
		for _, a := range x.Args {
			expr(a, inLoop)
		}
		list(x.Body, inLoop)
	}
	list(fn.Body, false)
	return nodes
}

// findOften finds the functions that run often: they are called in a loop, call
// themselves by some way, or are called by a function that runs often. Those that
// neither call themselves nor are called by one that does are what is left over
// when all callers of a function are done with before it.
func (s *specialiser) findOften() {
	callees, callers := map[*Func][]*Func{}, map[*Func]int{}
	for _, c := range s.sites {
		callees[c.in] = append(callees[c.in], c.call.Callee)
		callers[c.call.Callee]++
		s.often[c.call.Callee] = s.often[c.call.Callee] || c.inLoop
	}
	var done []*Func
	for _, fn := range s.prog.Functions {
		if callers[fn] == 0 {
			done = append(done, fn)
		}
	}
	for ; len(done) > 0; done = done[1:] {
		for _, callee := range callees[done[0]] {
			s.often[callee] = s.often[callee] || s.often[done[0]]
			if callers[callee]--; callers[callee] == 0 {
				done = append(done, callee)
			}
		}
	}
	for fn, n := range callers {
		s.recursive[fn] = n > 0
		s.often[fn] = s.often[fn] || n > 0
	}
}

// send makes calls mean the copies that their arguments fit, and reports whether
// any means another function now. A call in a copy that meant the copy itself
// and fits none goes on doing so as long as patience lasts.
func (s *specialiser) send(patience bool) bool {
	changed := false
	for _, c := range s.sites { // copies add theirs, for the next time
		f := s.families[c.call.Callee.self()]
		if f == nil || !c.in.Reached {
			continue
		}
		kinds := make([]Kinds, len(c.call.Args))
		for i, a := range c.call.Args {
			kinds[i] = a.Type
		}
		if slices.Contains(kinds, 0) {
			continue // it never runs
		}
		target := s.target(f, signature(kinds), c)
		if target == nil {
			if patience && c.call.Callee == c.in {
				continue
			}
			target = f.original
		}
		changed = changed || target != c.call.Callee
		c.call.Callee = target
	}
	return changed
}

// target gives the copy for a call, which is made if it pays; or nil.
func (s *specialiser) target(f *family, signature string, c callSite) *Func {
	if fn := f.copies[signature]; fn != nil {
		return fn
	}
	often := c.inLoop || s.often[c.in.self()] || s.recursive[f.original]
	if !often || !spares(f.signature, signature) || len(f.copies) == maxCopies || f.nodes > s.spare {
		return nil
	}
	s.spare -= f.nodes
	fn := f.copyFor(s.prog)
	f.copies[signature] = fn
	s.look(fn)
	return fn
}

// spares reports whether a signature has a bare value where another has a box.
func spares(before, after string) bool {
	for i := range before {
		if before[i] == '*' && after[i] != '*' {
			return true
		}
	}
	return false
}

// copyFor adds a copy to the program. It calls itself where the function does.
func (f *family) copyFor(p *Program) *Func {
	o := f.original
	fn := &Func{
		Name: o.Name, Number: len(p.Functions), Params: o.Params, Vars: o.Vars,
		Fuel: o.Fuel, Site: o.Site, CopyOf: o, Body: copyStmts(o.Body),
	}
	WalkExprs(fn.Body, func(x *Expr) {
		if x.Op == OpCall && x.Callee.self() == o {
			x.Callee = fn
		}
	})
	p.Functions = append(p.Functions, fn)
	return fn
}

func copyStmts(list []*Stmt) []*Stmt {
	if list == nil {
		return nil
	}
	out := make([]*Stmt, len(list))
	for i, s := range list {
		c := *s
		c.X, c.Y, c.Then, c.Else = copyExpr(s.X), copyExpr(s.Y), copyStmts(s.Then), copyStmts(s.Else)
		out[i] = &c
	}
	return out
}

func copyExpr(x *Expr) *Expr {
	if x == nil {
		return nil
	}
	c := *x
	c.BeforeAll, c.Body = slices.Clone(x.BeforeAll), copyStmts(x.Body)
	if x.Args != nil {
		c.Args = make([]*Expr, len(x.Args))
		for i, a := range x.Args {
			c.Args[i] = copyExpr(a)
		}
	}
	return &c
}

// gains reports whether a copy computes with bare values where the function
// without copies did not.
func (f *family) gains(fn *Func) bool {
	bare, _ := bareOperations(fn)
	return fn.Result.isBare() && !f.result.isBare() || bare > f.bare
}

// bareOperations counts the operations and calls that take bare values only, and
// all of them.
func bareOperations(fn *Func) (bare, all int) {
	WalkExprs(fn.Body, func(x *Expr) {
		switch x.Op {
		case OpBinary, OpUnary, OpCompare, OpIfCompare, OpCall:
			all++
			if !slices.ContainsFunc(x.Args, func(a *Expr) bool { return !a.Type.isBare() }) {
				bare++
			}
		}
	})
	return bare, all
}

// giveUp takes back the copies that need not stay.
func (s *specialiser) giveUp(stays func(*family, *Func) bool) {
	changed := false
	for _, c := range s.sites {
		fn := c.call.Callee
		if fn.CopyOf != nil && fn.Reached && !stays(s.families[fn.CopyOf], fn) {
			c.call.Callee = fn.CopyOf
			changed = true
		}
	}
	if changed {
		s.prog.inferAgain()
	}
}
