package guestgo

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"slices"

	"github.com/avapd/avapd/internal/wasm"
)

// stmts writes statements. With tail set the last one is the function's last,
// whose results may just stay on the stack.
func (g *gen) stmts(list []ast.Stmt, tail bool) {
	for i, s := range list {
		g.stmt(s, "", tail && i == len(list)-1)
	}
}

func (g *gen) stmt(s ast.Stmt, label string, tail bool) {
	switch s := s.(type) {
	case *ast.ExprStmt:
		e := ast.Unparen(s.X).(*ast.CallExpr)
		g.expr(e)
		if t := g.info.TypeOf(e); t != nil {
			for range parts(t) {
				g.out().Op(wasm.OpDrop)
			}
		}
	case *ast.AssignStmt:
		g.assign(s)
	case *ast.IncDecStmt:
		g.incDec(s)
	case *ast.DeclStmt:
		g.declare(s)
	case *ast.ReturnStmt:
		g.returns(s, tail)
	case *ast.BlockStmt:
		g.block(func() { g.stmts(s.List, false) })
	case *ast.IfStmt:
		g.block(func() { g.ifStmt(s) })
	case *ast.ForStmt:
		g.block(func() { g.forStmt(s, label) })
	case *ast.RangeStmt:
		g.block(func() { g.rangeStmt(s, label) })
	case *ast.SwitchStmt:
		g.block(func() { g.switchStmt(s, label) })
	case *ast.LabeledStmt:
		g.stmt(s.Stmt, s.Label.Name, false)
	case *ast.BranchStmt:
		g.jump(s)
	}
}

// jump writes break and continue.
func (g *gen) jump(s *ast.BranchStmt) {
	for _, t := range slices.Backward(g.targets) {
		if s.Label != nil && t.label != s.Label.Name || s.Tok == token.CONTINUE && !t.isLoop {
			continue
		}
		if s.Tok == token.BREAK {
			g.out().Br(t.end)
		} else {
			g.out().Br(t.repeat)
		}
		return
	}
}

func (g *gen) returns(s *ast.ReturnStmt, tail bool) {
	for _, e := range s.Results {
		g.expr(e)
	}
	if len(s.Results) == 0 {
		for _, v := range g.scope.results {
			g.getAll(g.scope.vars[v].locals)
		}
	}
	switch {
	case tail:
	case g.scope.inlined:
		g.out().Br(g.scope.exit)
	default:
		g.out().Op(wasm.OpReturn)
	}
}

func (g *gen) declare(s *ast.DeclStmt) {
	d := s.Decl.(*ast.GenDecl)
	if d.Tok != token.VAR {
		return
	}
	for _, spec := range d.Specs {
		v := spec.(*ast.ValueSpec)
		for _, e := range v.Values {
			g.expr(e)
		}
		for _, name := range slices.Backward(v.Names) {
			switch {
			case len(v.Values) == 0 && name.Name != "_":
				g.zero(g.define(g.info.Defs[name]))
			case len(v.Values) > 0:
				g.assignTop(name)
			}
		}
	}
}

// assignTop pops a value into the target of an assignment.
func (g *gen) assignTop(l ast.Expr) {
	switch l := ast.Unparen(l).(type) {
	case *ast.Ident:
		if l.Name == "_" {
			g.dropTop(l)
			return
		}
		obj := g.info.Defs[l]
		if obj != nil {
			g.setAll(g.define(obj))
			return
		}
		obj = g.info.Uses[l]
		if b, ok := g.scope.vars[obj]; ok {
			g.setAll(b.locals)
			return
		}
		g.storeTop(obj.(*types.Var))
	case *ast.SelectorExpr:
		g.setAll(g.fieldLocals(l))
	}
}

// dropTop drops the value for a blank; its type stands at the other side of
// the assignment, so the checker's record of the blank is asked.
func (g *gen) dropTop(l *ast.Ident) {
	t := g.info.TypeOf(l)
	if t == nil {
		g.out().Op(wasm.OpDrop)
		return
	}
	for range parts(t) {
		g.out().Op(wasm.OpDrop)
	}
}

func (g *gen) storeTop(v *types.Var) {
	t := scalar(v.Type())
	tmp := g.f.Temp(t)
	g.set(tmp)
	g.out().I32Const(int32(g.vars[v]))
	g.get(tmp)
	g.store(t, 0)
	g.f.Release(tmp)
}

// fieldLocals gives the locals of a local variable's field.
func (g *gen) fieldLocals(e *ast.SelectorExpr) []wasm.Local {
	b := g.scope.vars[g.info.Uses[ast.Unparen(e.X).(*ast.Ident)]]
	from, n := fieldRange(g.info.TypeOf(e.X), g.info.Selections[e].Index()[0])
	return b.locals[from : from+n]
}

func (g *gen) assign(s *ast.AssignStmt) {
	if s.Tok != token.ASSIGN && s.Tok != token.DEFINE {
		g.update(s.Lhs[0], func() {
			g.operand(s.Tok, s.Lhs[0], s.Rhs[0])
			g.operate(s.Tok, g.info.TypeOf(s.Lhs[0]))
		})
		return
	}
	if len(s.Lhs) == 1 && len(s.Rhs) == 1 {
		g.assignOne(s.Lhs[0], s.Rhs[0])
		return
	}
	for _, e := range s.Rhs {
		g.expr(e)
	}
	for i, v := range slices.Backward(s.Lhs) {
		if id, ok := v.(*ast.Ident); ok && id.Name == "_" {
			g.dropBlank(s, i)
			continue
		}
		g.assignTop(v)
	}
}

// dropBlank drops the value assigned to a blank among several targets.
func (g *gen) dropBlank(s *ast.AssignStmt, i int) {
	var t types.Type
	if len(s.Rhs) == len(s.Lhs) {
		t = g.info.TypeOf(s.Rhs[i])
	} else {
		t = g.info.TypeOf(s.Rhs[0]).(*types.Tuple).At(i).Type()
	}
	for range parts(t) {
		g.out().Op(wasm.OpDrop)
	}
}

func (g *gen) assignOne(l, r ast.Expr) {
	id, ok := ast.Unparen(l).(*ast.Ident)
	if ok && id.Name == "_" {
		g.expr(r)
		for range parts(g.info.TypeOf(r)) {
			g.out().Op(wasm.OpDrop)
		}
		return
	}
	if ok && g.info.Defs[id] == nil {
		v := g.info.Uses[id].(*types.Var)
		if _, local := g.scope.vars[v]; !local {
			g.out().I32Const(int32(g.vars[v]))
			g.expr(r)
			g.store(scalar(v.Type()), 0)
			return
		}
	}
	g.expr(r)
	g.assignTop(l)
}

// update writes l = l op …; change turns the old value on the stack into the
// new one.
func (g *gen) update(l ast.Expr, change func()) {
	if id, ok := ast.Unparen(l).(*ast.Ident); ok {
		v := g.info.Uses[id].(*types.Var)
		if _, local := g.scope.vars[v]; !local {
			g.out().I32Const(int32(g.vars[v]))
			g.expr(l)
			change()
			g.store(scalar(v.Type()), 0)
			return
		}
	}
	g.expr(l)
	change()
	g.assignTop(l)
}

func (g *gen) incDec(s *ast.IncDecStmt) {
	typ := g.info.TypeOf(s.X)
	t := scalar(typ)
	op := token.ADD
	if s.Tok == token.DEC {
		op = token.SUB
	}
	g.update(s.X, func() {
		g.constantNumber(t, 1)
		g.operate(op, typ)
	})
}

// constantNumber pushes a small number of any type.
func (g *gen) constantNumber(t wasm.ValType, n int32) {
	if t == wasm.F64 {
		g.out().F64Const(float64(n))
		return
	}
	g.constant(t, uint64(n))
}

func (g *gen) ifStmt(s *ast.IfStmt) {
	if s.Init != nil {
		g.stmt(s.Init, "", false)
	}
	if tv := g.info.Types[s.Cond]; tv.Value != nil {
		if constBits(tv.Type, tv.Value) != 0 {
			g.stmt(s.Body, "", false)
		} else if s.Else != nil {
			g.stmt(s.Else, "", false)
		}
		return
	}
	if g.simple(s.Cond) {
		g.condition(s.Cond, true)
		g.out().If()
		g.stmt(s.Body, "", false)
		if s.Else != nil {
			g.out().Else()
			g.stmt(s.Else, "", false)
		}
		g.out().End()
		return
	}
	end := g.out().Block()
	if s.Else == nil {
		g.branch(s.Cond, end, false)
		g.stmt(s.Body, "", false)
		g.out().End()
		return
	}
	other := g.out().Block()
	g.branch(s.Cond, other, false)
	g.stmt(s.Body, "", false)
	if !leaves(s.Body.List) {
		g.out().Br(end)
	}
	g.out().End()
	g.stmt(s.Else, "", false)
	g.out().End()
}

// leaves reports whether control plainly does not get behind the statements.
func leaves(list []ast.Stmt) bool {
	if len(list) == 0 {
		return false
	}
	switch list[len(list)-1].(type) {
	case *ast.ReturnStmt, *ast.BranchStmt:
		return true
	}
	return false
}

func (g *gen) forStmt(s *ast.ForStmt, label string) {
	if s.Init != nil {
		g.stmt(s.Init, "", false)
	}
	parts := []ast.Node{s.Body}
	if s.Cond != nil {
		parts = append(parts, s.Cond)
	}
	g.loop(turnCost(parts...), func(end, head wasm.Label) {
		if s.Cond != nil {
			g.branch(s.Cond, end, false)
		}
		g.turn(s.Body, label, end, head, func() {
			if s.Post != nil {
				g.stmt(s.Post, "", false)
			}
		})
	})
}

// turn writes a loop's body and what follows it, and the branch back.
func (g *gen) turn(body *ast.BlockStmt, label string, end, head wasm.Label, post func()) {
	t := target{label: label, isLoop: true, end: end}
	continues := hasContinue(body)
	if continues {
		t.repeat = g.out().Block()
	}
	g.targets = append(g.targets, t)
	g.stmt(body, "", false)
	g.targets = g.targets[:len(g.targets)-1]
	if continues {
		g.out().End()
	}
	post()
	g.out().Br(head)
}

// hasContinue looks for continue, that of inner loops included.
func hasContinue(body *ast.BlockStmt) bool {
	found := false
	ast.Inspect(body, func(n ast.Node) bool {
		b, ok := n.(*ast.BranchStmt)
		found = found || ok && b.Tok == token.CONTINUE
		return !found
	})
	return found
}

// rangeStmt writes for i := range n. The count is a variable of its own where
// the body may change i.
func (g *gen) rangeStmt(s *ast.RangeStmt, label string) {
	typ := g.info.TypeOf(s.X)
	key, _ := s.Key.(*ast.Ident)
	if key != nil && key.Name != "_" {
		typ = g.info.Defs[key].Type()
	}
	t := scalar(typ)
	if t == 0 { // range 10 without a variable
		t = wasm.I64
	}
	limit := g.temps([]wasm.ValType{t})
	g.scope.owned = append(g.scope.owned, limit...)
	if v := g.info.Types[s.X].Value; v != nil {
		g.constant(t, constBits(typ, v))
	} else {
		g.expr(s.X)
	}
	g.set(limit[0])
	count := g.temps([]wasm.ValType{t})
	g.scope.owned = append(g.scope.owned, count...)
	g.zero(count)
	var i []wasm.Local
	if key != nil && key.Name != "_" {
		obj := g.info.Defs[key]
		if g.assignedIn(s.Body)[obj] {
			i = g.define(obj)
		} else {
			g.scope.vars[obj] = binding{locals: count}
		}
	}
	g.loop(turnCost(s.Body), func(end, head wasm.Label) {
		g.get(count[0])
		g.get(limit[0])
		g.out().Op(pick(t, signed(typ, wasm.OpI32GeS, wasm.OpI32GeU), signed(typ, wasm.OpI64GeS, wasm.OpI64GeU), 0))
		g.out().BrIf(end)
		if i != nil {
			g.get(count[0])
			g.set(i[0])
		}
		g.turn(s.Body, label, end, head, func() {
			g.get(count[0])
			g.constant(t, 1)
			g.out().Op(pick(t, wasm.OpI32Add, wasm.OpI64Add, 0))
			g.set(count[0])
		})
	})
}

func (g *gen) switchStmt(s *ast.SwitchStmt, label string) {
	if s.Init != nil {
		g.stmt(s.Init, "", false)
	}
	end := g.out().Block()
	g.targets = append(g.targets, target{label: label, end: end})
	if !g.tableSwitch(s, end) {
		g.chainSwitch(s, end)
	}
	g.targets = g.targets[:len(g.targets)-1]
	g.out().End()
}

// chainSwitch tries the cases one after the other, and the default at last.
func (g *gen) chainSwitch(s *ast.SwitchStmt, end wasm.Label) {
	var tag []wasm.Local
	if s.Tag != nil {
		tag = g.temps(parts(g.info.TypeOf(s.Tag)))
		g.scope.owned = append(g.scope.owned, tag...)
		g.expr(s.Tag)
		g.setAll(tag)
	}
	var other *ast.CaseClause
	for _, c := range s.Body.List {
		clause := c.(*ast.CaseClause)
		if clause.List == nil {
			other = clause
			continue
		}
		next := g.out().Block()
		g.match(clause.List, s, tag, next)
		g.block(func() { g.stmts(clause.Body, false) })
		if !leaves(clause.Body) {
			g.out().Br(end)
		}
		g.out().End()
	}
	if other != nil {
		g.block(func() { g.stmts(other.Body, false) })
	}
}

// match goes to next when none of the values fits.
func (g *gen) match(list []ast.Expr, s *ast.SwitchStmt, tag []wasm.Local, next wasm.Label) {
	if len(list) == 1 {
		g.matchOne(list[0], s, tag, next, false)
		return
	}
	found := g.out().Block()
	for _, e := range list[:len(list)-1] {
		g.matchOne(e, s, tag, found, true)
	}
	g.matchOne(list[len(list)-1], s, tag, next, false)
	g.out().End()
}

func (g *gen) matchOne(e ast.Expr, s *ast.SwitchStmt, tag []wasm.Local, to wasm.Label, want bool) {
	if s.Tag == nil {
		g.branch(e, to, want)
		return
	}
	t := scalar(g.info.TypeOf(s.Tag))
	g.get(tag[0])
	g.expr(e)
	if want {
		g.out().Op(pick(t, wasm.OpI32Eq, wasm.OpI64Eq, wasm.OpF64Eq))
	} else {
		g.out().Op(pick(t, wasm.OpI32Ne, wasm.OpI64Ne, wasm.OpF64Ne))
	}
	g.out().BrIf(to)
}

// Bounds for switches that become a jump table.
const (
	minTableCases = 4
	maxTableSpan  = 64
)

// tableSwitch writes a switch over close constants as a jump table.
func (g *gen) tableSwitch(s *ast.SwitchStmt, end wasm.Label) bool {
	low, span, ok := g.tableSpan(s)
	if !ok {
		return false
	}
	n := len(s.Body.List)
	labels := make([]wasm.Label, n)
	other := end
	for i := n - 1; i >= 0; i-- {
		labels[i] = g.out().Block()
		if s.Body.List[i].(*ast.CaseClause).List == nil {
			other = labels[i]
		}
	}
	table := make([]wasm.Label, span)
	for i := range table {
		table[i] = other
	}
	for i, c := range s.Body.List {
		for _, e := range c.(*ast.CaseClause).List {
			v, _ := constant.Int64Val(constant.ToInt(g.info.Types[e].Value))
			table[v-low] = labels[i]
		}
	}
	g.expr(s.Tag)
	if low != 0 {
		g.out().I32Const(int32(low))
		g.out().Op(wasm.OpI32Sub)
	}
	g.out().BrTable(table, other)
	for i, c := range s.Body.List {
		g.out().End()
		body := c.(*ast.CaseClause).Body
		g.block(func() { g.stmts(body, false) })
		if i < n-1 && !leaves(body) {
			g.out().Br(end)
		}
	}
	return true
}

// tableSpan gives the smallest case and the distance to the largest plus one.
func (g *gen) tableSpan(s *ast.SwitchStmt) (low, span int64, ok bool) {
	if s.Tag == nil || scalar(g.info.TypeOf(s.Tag)) != wasm.I32 {
		return 0, 0, false
	}
	cases := 0
	var high int64
	for _, c := range s.Body.List {
		for _, e := range c.(*ast.CaseClause).List {
			v := g.info.Types[e].Value
			if v == nil || v.Kind() == constant.Bool {
				return 0, 0, false
			}
			i, _ := constant.Int64Val(constant.ToInt(v))
			if cases == 0 {
				low, high = i, i
			}
			low, high = min(low, i), max(high, i)
			cases++
		}
	}
	span = high - low + 1
	return low, span, cases >= minTableCases && span <= maxTableSpan
}
