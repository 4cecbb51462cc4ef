package guestgo

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"

	"github.com/avapd/avapd/internal/wasm"
)

// Sizes in syntax nodes up to which functions are inlined. A function of one
// expression costs about what its call would; one with statements is worth it
// only when it is a leaf, because every return in it is a branch.
const (
	maxInlineExpr = 48
	maxInlineBody = 44
)

// shape says how a function can be inlined.
type shape struct {
	known bool
	// expr is the body of a function that only returns it.
	expr ast.Expr
	// yes and no are the constants of one that says if c { return yes };
	// return no.
	cond    ast.Expr
	yes, no ast.Expr
	// leaf is set for a small function without loops that calls only
	// functions of one expression and intrinsics.
	leaf bool
	// early is set when a return is not the last statement.
	early bool
	// assigned are parameters that the function changes.
	assigned map[types.Object]bool
}

func (c *compiler) shape(fn *types.Func) shape {
	if s, ok := c.shapes[fn]; ok {
		return s
	}
	c.shapes[fn] = shape{known: true} // a function that calls itself is not inlined
	s := shape{known: true}
	if d := c.decls[fn]; d != nil {
		s = c.shapeOf(d)
	}
	c.shapes[fn] = s
	return s
}

func (c *compiler) shapeOf(d *ast.FuncDecl) shape {
	s := shape{known: true}
	size := countNodes(d.Body)
	list := d.Body.List
	if len(list) == 1 && size <= maxInlineExpr {
		if r, ok := list[0].(*ast.ReturnStmt); ok && len(r.Results) == 1 {
			s.expr = r.Results[0]
			return s
		}
	}
	if size > maxInlineBody {
		return s
	}
	s.leaf, s.early = c.scan(d.Body)
	s.assigned = c.assignedIn(d.Body)
	s.cond, s.yes, s.no = c.choice(list)
	return s
}

func countNodes(n ast.Node) int {
	count := 0
	ast.Inspect(n, func(n ast.Node) bool {
		if n != nil {
			count++
		}
		return true
	})
	return count
}

// scan looks for what keeps a body from being inlined.
func (c *compiler) scan(b *ast.BlockStmt) (leaf, early bool) {
	leaf = true
	ast.Inspect(b, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ForStmt, *ast.RangeStmt, *ast.SwitchStmt, *ast.LabeledStmt:
			leaf = false
		case *ast.ReturnStmt:
			early = early || n != b.List[len(b.List)-1]
		case *ast.CallExpr:
			if fn, _ := c.callee(n); fn != nil && c.decls[fn] != nil && c.shape(fn).expr == nil && c.shape(fn).cond == nil {
				leaf = false
			}
		}
		return leaf
	})
	return leaf, early
}

// assignedIn lists the variables that statements assign.
func (c *compiler) assignedIn(b *ast.BlockStmt) map[types.Object]bool {
	assigned := map[types.Object]bool{}
	ast.Inspect(b, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, l := range n.Lhs {
				c.noteAssigned(assigned, l)
			}
		case *ast.IncDecStmt:
			c.noteAssigned(assigned, n.X)
		}
		return true
	})
	return assigned
}

func (c *compiler) noteAssigned(assigned map[types.Object]bool, l ast.Expr) {
	l = ast.Unparen(l)
	if s, ok := l.(*ast.SelectorExpr); ok {
		l = ast.Unparen(s.X)
	}
	if id, ok := l.(*ast.Ident); ok {
		assigned[c.info.Uses[id]] = true
	}
}

// choice recognises a body that only chooses between two constants.
func (c *compiler) choice(list []ast.Stmt) (cond, yes, no ast.Expr) {
	if len(list) != 2 {
		return nil, nil, nil
	}
	s, ok := list[0].(*ast.IfStmt)
	if !ok || s.Init != nil || s.Else != nil || len(s.Body.List) != 1 {
		return nil, nil, nil
	}
	yes, no = c.constReturn(s.Body.List[0]), c.constReturn(list[1])
	if yes == nil || no == nil {
		return nil, nil, nil
	}
	return s.Cond, yes, no
}

func (c *compiler) constReturn(s ast.Stmt) ast.Expr {
	r, ok := s.(*ast.ReturnStmt)
	if !ok || len(r.Results) != 1 || c.info.Types[r.Results[0]].Value == nil {
		return nil
	}
	return r.Results[0]
}

// callee gives the function that a call names and a method's receiver.
func (c *compiler) callee(e *ast.CallExpr) (fn *types.Func, recv ast.Expr) {
	switch f := ast.Unparen(e.Fun).(type) {
	case *ast.Ident:
		fn, _ = c.info.Uses[f].(*types.Func)
	case *ast.SelectorExpr:
		fn, _ = c.info.Uses[f.Sel].(*types.Func)
		recv = f.X
	}
	return fn, recv
}

func arguments(recv ast.Expr, args []ast.Expr) []ast.Expr {
	if recv == nil {
		return args
	}
	return append([]ast.Expr{recv}, args...)
}

// oneExpr gives the body of a function that only returns an expression and
// may be inlined here.
func (g *gen) oneExpr(fn *types.Func) ast.Expr {
	if g.isActive(fn) {
		return nil
	}
	return g.shape(fn).expr
}

func (g *gen) isActive(fn *types.Func) bool { return slices.Contains(g.scope.active, fn) }

func (g *gen) activeWith(fn *types.Func) []*types.Func {
	return append(slices.Clip(g.scope.active), fn)
}

// probe is a scope for looking at a function's expression without writing it.
func (g *gen) probe(fn *types.Func) *scope {
	s := newScope(g.activeWith(fn))
	for _, v := range paramVars(fn.Signature()) {
		s.vars[v] = binding{locals: []wasm.Local{}}
	}
	return s
}

// inlineExpr lets write put down the expression that a function returns, in
// the function's scope. It reports false when the function is no such one.
func (g *gen) inlineExpr(e *ast.CallExpr, write func(body ast.Expr)) bool {
	fn, recv := g.callee(e)
	if fn == nil {
		return false
	}
	body := g.oneExpr(fn)
	if body == nil {
		return false
	}
	s := g.bind(fn, recv, e.Args, nil)
	g.within(s, func() { write(body) })
	g.f.Release(s.owned...)
	return true
}

// inlineChoice writes a function that chooses between two constants.
func (g *gen) inlineChoice(fn *types.Func, recv ast.Expr, e *ast.CallExpr) bool {
	sh := g.shape(fn)
	if sh.cond == nil || g.isActive(fn) {
		return false
	}
	s := g.bind(fn, recv, e.Args, nil)
	g.within(s, func() {
		yes, no := g.info.Types[sh.yes], g.info.Types[sh.no]
		if constBits(yes.Type, yes.Value) == 1 && constBits(no.Type, no.Value) == 0 && scalar(yes.Type) != wasm.F64 {
			g.expr(sh.cond)
			if scalar(yes.Type) == wasm.I64 {
				g.out().Op(wasm.OpI64ExtendI32U)
			}
			return
		}
		g.expr(sh.yes)
		g.expr(sh.no)
		g.expr(sh.cond)
		g.out().Op(wasm.OpSelect)
	})
	g.f.Release(s.owned...)
	return true
}

// inlineBody writes a small function's statements in place of its call. Its
// returns leave the block around them.
func (g *gen) inlineBody(fn *types.Func, recv ast.Expr, e *ast.CallExpr) bool {
	sh := g.shape(fn)
	if !sh.leaf || g.isActive(fn) {
		return false
	}
	d := g.decls[fn]
	sig := fn.Signature()
	s := g.bind(fn, recv, e.Args, sh.assigned)
	g.within(s, func() {
		s.inlined = true
		if sh.early {
			s.exit = g.out().Block(parts(sig.Results())...)
		}
		g.results(sig)
		g.stmts(d.Body.List, true)
		if sh.early {
			if sig.Results().Len() > 0 && !endsInReturn(d.Body) {
				g.out().Op(wasm.OpUnreachable)
			}
			g.out().End()
		} else if sig.Results().Len() > 0 && !endsInReturn(d.Body) {
			g.out().Op(wasm.OpUnreachable)
		}
	})
	g.f.Release(s.owned...)
	return true
}

// bind gives an inlined function's parameters their arguments. Locals do not
// change while an expression is evaluated, so an argument made of locals and
// constants may stand wherever the parameter does; any other, and that of a
// parameter which the function assigns, goes to locals first, from left to
// right.
func (g *gen) bind(fn *types.Func, recv ast.Expr, args []ast.Expr, assigned map[types.Object]bool) *scope {
	s := newScope(g.activeWith(fn))
	params := paramVars(fn.Signature())
	exprs := arguments(recv, args)
	if len(exprs) == 1 && len(params) > 1 { // f(g()) with several results
		locals := g.temps(parts(g.info.TypeOf(exprs[0])))
		s.owned = locals
		g.expr(exprs[0])
		g.setAll(locals)
		for _, v := range params {
			n := len(parts(v.Type()))
			s.vars[v] = binding{locals: locals[:n]}
			locals = locals[n:]
		}
		return s
	}
	for i, v := range params {
		if !assigned[v] {
			if b, ok := g.substitute(exprs[i]); ok {
				s.vars[v] = b
				continue
			}
		}
		g.expr(exprs[i])
		locals := g.temps(parts(v.Type()))
		s.owned = append(s.owned, locals...)
		g.setAll(locals)
		s.vars[v] = binding{locals: locals}
	}
	return s
}

// substitute gives the binding of an argument that needs no locals.
func (g *gen) substitute(e ast.Expr) (binding, bool) {
	if id, ok := ast.Unparen(e).(*ast.Ident); ok {
		if b, ok := g.scope.vars[g.info.Uses[id]]; ok {
			return b, true
		}
	}
	budget := 12
	if !g.stable(e, &budget) {
		return binding{}, false
	}
	return binding{expr: e, scope: g.scope}, true
}

// stable reports whether an expression is made of locals and constants with
// so little arithmetic that writing it twice does no harm.
func (g *gen) stable(e ast.Expr, budget *int) bool {
	if g.info.Types[e].Value != nil {
		return true
	}
	if *budget--; *budget < 0 {
		return false
	}
	switch x := e.(type) {
	case *ast.ParenExpr:
		return g.stable(x.X, budget)
	case *ast.Ident:
		_, ok := g.scope.vars[g.info.Uses[x]]
		return ok
	case *ast.SelectorExpr:
		return g.stable(x.X, budget)
	case *ast.BinaryExpr:
		return x.Op == token.ADD && g.info.Types[x.Y].Value != nil && g.stable(x.X, budget)
	case *ast.CompositeLit:
		for _, part := range g.elements(x) {
			if part.expr != nil && !g.stable(part.expr, budget) {
				return false
			}
		}
		return true
	case *ast.CallExpr:
		if g.info.Types[x.Fun].IsType() {
			return g.stable(x.Args[0], budget)
		}
		return g.stableCall(x, budget)
	}
	return false
}

func (g *gen) stableCall(e *ast.CallExpr, budget *int) bool {
	fn, recv := g.callee(e)
	if fn == nil {
		return false
	}
	if g.decls[fn] == nil {
		return fn.Name() == "literal"
	}
	for _, a := range arguments(recv, e.Args) {
		if !g.stable(a, budget) {
			return false
		}
	}
	body := g.oneExpr(fn)
	if body == nil || len(arguments(recv, e.Args)) != len(paramVars(fn.Signature())) {
		return false
	}
	ok := false
	g.within(g.probe(fn), func() { ok = g.stable(body, budget) })
	return ok
}
