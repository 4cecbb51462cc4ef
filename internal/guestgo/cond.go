package guestgo

import (
	"go/ast"
	"go/token"

	"github.com/avapd/avapd/internal/wasm"
)

// comparison gives the instruction that decides op, or its opposite. There is
// none for the opposite of an ordering of floats, because of NaN.
func (g *gen) comparison(e *ast.BinaryExpr, want bool) (op wasm.Opcode, ok bool) {
	typ := g.info.TypeOf(e.X)
	if v := g.info.Types[e.X].Value; v != nil {
		typ = g.info.TypeOf(e.Y)
	}
	t := scalar(typ)
	tok := e.Op
	if !want {
		if t == wasm.F64 && tok != token.EQL && tok != token.NEQ {
			return 0, false
		}
		tok = map[token.Token]token.Token{
			token.EQL: token.NEQ, token.NEQ: token.EQL, token.LSS: token.GEQ,
			token.GEQ: token.LSS, token.GTR: token.LEQ, token.LEQ: token.GTR,
		}[tok]
	}
	switch tok {
	case token.EQL:
		return pick(t, wasm.OpI32Eq, wasm.OpI64Eq, wasm.OpF64Eq), true
	case token.NEQ:
		return pick(t, wasm.OpI32Ne, wasm.OpI64Ne, wasm.OpF64Ne), true
	case token.LSS:
		return pick(t, signed(typ, wasm.OpI32LtS, wasm.OpI32LtU), signed(typ, wasm.OpI64LtS, wasm.OpI64LtU), wasm.OpF64Lt), true
	case token.LEQ:
		return pick(t, signed(typ, wasm.OpI32LeS, wasm.OpI32LeU), signed(typ, wasm.OpI64LeS, wasm.OpI64LeU), wasm.OpF64Le), true
	case token.GTR:
		return pick(t, signed(typ, wasm.OpI32GtS, wasm.OpI32GtU), signed(typ, wasm.OpI64GtS, wasm.OpI64GtU), wasm.OpF64Gt), true
	}
	return pick(t, signed(typ, wasm.OpI32GeS, wasm.OpI32GeU), signed(typ, wasm.OpI64GeS, wasm.OpI64GeU), wasm.OpF64Ge), true
}

// compare pushes a comparison, or its opposite, as 0 or 1.
func (g *gen) compare(e *ast.BinaryExpr, want bool) {
	if e.Op == token.EQL || e.Op == token.NEQ {
		if x, ok := g.againstZero(e); ok {
			if (e.Op == token.EQL) == want {
				g.expr(x)
				g.out().Op(pick(scalar(g.info.TypeOf(x)), wasm.OpI32Eqz, wasm.OpI64Eqz, 0))
				return
			}
		}
	}
	op, ok := g.comparison(e, want)
	if !ok {
		op, _ = g.comparison(e, true)
	}
	g.expr(e.X)
	g.expr(e.Y)
	g.out().Op(op)
	if !ok {
		g.out().Op(wasm.OpI32Eqz)
	}
}

// againstZero recognises a comparison of an integer or bool with zero.
func (g *gen) againstZero(e *ast.BinaryExpr) (ast.Expr, bool) {
	for _, s := range [2][2]ast.Expr{{e.X, e.Y}, {e.Y, e.X}} {
		tv := g.info.Types[s[1]]
		if tv.Value != nil && scalar(g.info.TypeOf(s[0])) != wasm.F64 && constBits(tv.Type, tv.Value) == 0 {
			return s[0], true
		}
	}
	return nil, false
}

// negated pushes !e.
func (g *gen) negated(e ast.Expr) {
	if b, ok := ast.Unparen(e).(*ast.BinaryExpr); ok && g.info.Types[e].Value == nil && b.Op != token.LAND && b.Op != token.LOR {
		g.compare(b, false)
		return
	}
	g.expr(e)
	g.out().Op(wasm.OpI32Eqz)
}

// logical pushes && or || as a value. A right side that is cheap and cannot
// trap is evaluated always, which saves the branch.
func (g *gen) logical(e *ast.BinaryExpr) {
	g.expr(e.X)
	if g.cheap(e.Y) {
		g.expr(e.Y)
		if e.Op == token.LAND {
			g.out().Op(wasm.OpI32And)
		} else {
			g.out().Op(wasm.OpI32Or)
		}
		return
	}
	g.out().If(wasm.I32)
	if e.Op == token.LAND {
		g.expr(e.Y)
		g.out().Else()
		g.out().I32Const(0)
	} else {
		g.out().I32Const(1)
		g.out().Else()
		g.expr(e.Y)
	}
	g.out().End()
}

// branch goes to a label when e has the wanted outcome, and on otherwise.
func (g *gen) branch(e ast.Expr, to wasm.Label, want bool) {
	if tv := g.info.Types[e]; tv.Value != nil {
		if (constBits(tv.Type, tv.Value) != 0) == want {
			g.out().Br(to)
		}
		return
	}
	switch x := e.(type) {
	case *ast.ParenExpr:
		g.branch(x.X, to, want)
		return
	case *ast.UnaryExpr:
		g.branch(x.X, to, !want)
		return
	case *ast.CallExpr:
		if !g.info.Types[x.Fun].IsType() && g.inlineExpr(x, func(body ast.Expr) { g.branch(body, to, want) }) {
			return
		}
	case *ast.BinaryExpr:
		if !g.simple(x) {
			g.branchLogical(x, to, want)
			return
		}
	}
	g.condition(e, want)
	g.out().BrIf(to)
}

// branchLogical decides && and || part by part.
func (g *gen) branchLogical(e *ast.BinaryExpr, to wasm.Label, want bool) {
	// The outcome that the left side alone can decide.
	decided := e.Op == token.LOR
	if decided == want {
		g.branch(e.X, to, want)
		g.branch(e.Y, to, want)
		return
	}
	skip := g.out().Block()
	g.branch(e.X, skip, decided)
	g.branch(e.Y, to, want)
	g.out().End()
}

// condition pushes an i32 that is not zero when e has the wanted outcome.
func (g *gen) condition(e ast.Expr, want bool) {
	if tv := g.info.Types[e]; tv.Value != nil {
		g.constant(wasm.I32, constBits(tv.Type, tv.Value)^(1-truth(want)))
		return
	}
	e = ast.Unparen(e)
	b, ok := e.(*ast.BinaryExpr)
	if ok && (b.Op == token.EQL || b.Op == token.NEQ) {
		x, zero := g.againstZero(b)
		if zero && (b.Op == token.EQL) != want && scalar(g.info.TypeOf(x)) == wasm.I32 {
			g.expr(x)
			return
		}
	}
	switch {
	case ok && b.Op != token.LAND && b.Op != token.LOR:
		g.compare(b, want)
	case want:
		g.expr(e)
	default:
		g.negated(e)
	}
}

func truth(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// simple reports whether a condition needs no branches of its own.
func (g *gen) simple(e ast.Expr) bool {
	switch x := ast.Unparen(e).(type) {
	case *ast.UnaryExpr:
		return g.simple(x.X)
	case *ast.BinaryExpr:
		return x.Op != token.LAND && x.Op != token.LOR || g.cheap(x.Y) && g.simple(x.X)
	}
	return true
}

// cheap reports whether an expression is a few instructions that can neither
// trap nor have an effect.
func (g *gen) cheap(e ast.Expr) bool {
	return g.eager(e, &effort{nodes: 6})
}

// effort bounds a look at an expression, and says whether loads, which can
// trap, are allowed.
type effort struct {
	nodes int
	loads bool
}

func (g *gen) eager(e ast.Expr, budget *effort) bool {
	if g.info.Types[e].Value != nil {
		return true
	}
	if budget.nodes--; budget.nodes < 0 {
		return false
	}
	switch x := e.(type) {
	case *ast.ParenExpr:
		return g.eager(x.X, budget)
	case *ast.Ident:
		b, ok := g.scope.vars[g.info.Uses[x]]
		if ok && b.locals == nil {
			g.within(b.scope, func() { ok = g.eager(b.expr, budget) })
		}
		return ok
	case *ast.SelectorExpr:
		return g.eager(x.X, budget)
	case *ast.UnaryExpr:
		return g.eager(x.X, budget)
	case *ast.BinaryExpr:
		if x.Op == token.QUO || x.Op == token.REM {
			return false
		}
		return g.eager(x.X, budget) && g.eager(x.Y, budget)
	case *ast.CompositeLit:
		for _, part := range g.elements(x) {
			if part.expr != nil && !g.eager(part.expr, budget) {
				return false
			}
		}
		return true
	case *ast.CallExpr:
		if g.info.Types[x.Fun].IsType() {
			return g.eager(x.Args[0], budget)
		}
		return g.eagerCall(x, budget)
	}
	return false
}

// eagerCall looks into functions of one expression. Parameters count as
// locals there, and the arguments on their own.
func (g *gen) eagerCall(e *ast.CallExpr, budget *effort) bool {
	fn, recv := g.callee(e)
	if fn == nil {
		return false
	}
	for _, a := range arguments(recv, e.Args) {
		if !g.eager(a, budget) {
			return false
		}
	}
	if g.decls[fn] == nil {
		in, ok := intrinsics[fn.Name()]
		return ok && (in.free || in.load && budget.loads)
	}
	body := g.oneExpr(fn)
	if body == nil {
		return false
	}
	ok := false
	g.within(g.probe(fn), func() { ok = g.eager(body, budget) })
	return ok
}

// pure reports whether an expression has no effect, so that it may be left
// out when its value is not used.
func (g *gen) pure(e ast.Expr) bool {
	return g.eager(e, &effort{nodes: 64, loads: true})
}
