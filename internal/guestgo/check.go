package guestgo

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
)

// check refuses what lies outside the subset.
func (p *program) check() {
	for _, file := range p.files {
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.GenDecl:
				p.checkGlobals(d)
			case *ast.FuncDecl:
				p.checkFunc(d)
			}
		}
	}
}

func (p *program) checkGlobals(d *ast.GenDecl) {
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			p.checkType(spec)
		case *ast.ValueSpec:
			if d.Tok == token.VAR {
				p.checkGlobal(spec)
			}
		}
	}
}

func (p *program) checkType(spec *ast.TypeSpec) {
	if spec.Assign != 0 || spec.TypeParams != nil {
		p.errorf(spec.Pos(), "type aliases and type parameters are not available")
		return
	}
	if t := p.info.Defs[spec.Name].Type(); !p.usable(t) {
		p.errorf(spec.Pos(), "type %s is not available: use bool, 32- and 64-bit integers, float64 and structs of them", spec.Name.Name)
	}
}

// checkGlobal admits scalars that start as zero or a constant, and tables.
func (p *program) checkGlobal(spec *ast.ValueSpec) {
	for i, name := range spec.Names {
		t := p.info.Defs[name].Type()
		if a, ok := t.Underlying().(*types.Array); ok {
			p.checkTable(spec, i, a)
			continue
		}
		if scalar(t) == 0 {
			p.errorf(name.Pos(), "package variable %s: only scalars and constant tables are available", name.Name)
			continue
		}
		if len(spec.Values) > 0 && (i >= len(spec.Values) || p.info.Types[spec.Values[i]].Value == nil) {
			p.errorf(name.Pos(), "package variable %s: the initial value must be a constant", name.Name)
		}
	}
}

func (p *program) checkTable(spec *ast.ValueSpec, i int, a *types.Array) {
	name := spec.Names[i]
	if scalar(a.Elem()) == 0 && !small(a.Elem()) {
		p.errorf(name.Pos(), "table %s: elements must be scalars", name.Name)
		return
	}
	if i >= len(spec.Values) {
		p.errorf(name.Pos(), "table %s needs its elements", name.Name)
		return
	}
	lit, ok := spec.Values[i].(*ast.CompositeLit)
	if !ok {
		p.errorf(name.Pos(), "table %s needs its elements", name.Name)
		return
	}
	for _, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			e = kv.Value
		}
		if p.info.Types[e].Value == nil {
			p.errorf(e.Pos(), "table %s: elements must be constants", name.Name)
		}
	}
}

// usable reports whether values of the type can be held in locals.
func (p *program) usable(t types.Type) bool {
	ts, ok := flatten(nil, t)
	return ok && len(ts) <= maxParts && !small(t)
}

// maxParts bounds the number of locals that a value may occupy.
const maxParts = 8

func (p *program) checkFunc(d *ast.FuncDecl) {
	if d.Body == nil {
		p.errorf(d.Pos(), "%s has no body and is no intrinsic", d.Name.Name)
		return
	}
	sig := p.info.Defs[d.Name].(*types.Func).Signature()
	if d.Name.Name == "init" {
		p.errorf(d.Pos(), "init is not available")
	}
	if sig.TypeParams() != nil || sig.Variadic() {
		p.errorf(d.Pos(), "type parameters and variadic functions are not available")
		return
	}
	if r := sig.Recv(); r != nil {
		p.checkVar(r, d.Recv.Pos())
	}
	for v := range sig.Params().Variables() {
		p.checkVar(v, d.Type.Pos())
	}
	for v := range sig.Results().Variables() {
		p.checkVar(v, d.Type.Pos())
	}
	c := &checker{program: p, callees: map[ast.Expr]bool{}, tables: map[ast.Expr]bool{}}
	ast.Inspect(d.Body, c.visit)
}

func (p *program) checkVar(v *types.Var, pos token.Pos) {
	if !p.usable(v.Type()) {
		if v.Pos() != token.NoPos {
			pos = v.Pos()
		}
		p.errorf(pos, "values of type %s are not available", v.Type())
	}
}

// checker looks at one function's body.
type checker struct {
	*program
	// callees and tables are expressions that their parents have dealt with.
	callees, tables map[ast.Expr]bool
}

func (c *checker) visit(n ast.Node) bool {
	if e, ok := n.(ast.Expr); ok {
		if tv := c.info.Types[e]; tv.Value != nil {
			return false // folded
		}
	}
	switch n := n.(type) {
	case nil, *ast.BlockStmt, *ast.ExprStmt, *ast.IfStmt, *ast.ForStmt, *ast.CaseClause, *ast.ReturnStmt,
		*ast.ParenExpr, *ast.EmptyStmt, *ast.IncDecStmt, *ast.LabeledStmt, *ast.KeyValueExpr:
	case *ast.DeclStmt:
		return c.localDecl(n)
	case *ast.Ident:
		c.ident(n)
	case *ast.SelectorExpr:
		return c.selector(n)
	case *ast.CallExpr:
		return c.call(n)
	case *ast.AssignStmt:
		c.assign(n)
	case *ast.RangeStmt:
		return c.rangeStmt(n)
	case *ast.SwitchStmt:
		if n.Tag != nil && isStruct(c.info.TypeOf(n.Tag)) {
			c.errorf(n.Tag.Pos(), "structs cannot be compared")
		}
	case *ast.BranchStmt:
		if n.Tok != token.BREAK && n.Tok != token.CONTINUE {
			c.errorf(n.Pos(), "%s is not available", n.Tok)
		}
	case *ast.UnaryExpr:
		if n.Op == token.AND || n.Op == token.ARROW {
			c.errorf(n.Pos(), "operator %s is not available", n.Op)
		}
	case *ast.BinaryExpr:
		c.binary(n)
	case *ast.CompositeLit:
		return c.composite(n)
	case *ast.IndexExpr:
		return c.index(n)
	default:
		c.errorf(n.Pos(), "%s is not available", describe(n))
		return false
	}
	return true
}

// describe names a construct for a message.
func describe(n ast.Node) string {
	switch n.(type) {
	case *ast.GoStmt:
		return "go"
	case *ast.DeferStmt:
		return "defer"
	case *ast.SelectStmt:
		return "select"
	case *ast.SendStmt:
		return "a channel"
	case *ast.TypeSwitchStmt, *ast.TypeAssertExpr:
		return "an interface"
	case *ast.FuncLit:
		return "a function value"
	case *ast.StarExpr:
		return "a pointer"
	case *ast.SliceExpr, *ast.ArrayType:
		return "a slice or array"
	case *ast.MapType:
		return "a map"
	case *ast.BasicLit:
		return "text outside literal"
	}
	return "this"
}

func (c *checker) localDecl(n *ast.DeclStmt) bool {
	d := n.Decl.(*ast.GenDecl)
	if d.Tok == token.TYPE {
		c.errorf(d.Pos(), "types are declared at package level only")
	}
	if d.Tok != token.VAR {
		return false
	}
	for _, spec := range d.Specs {
		s := spec.(*ast.ValueSpec)
		for _, name := range s.Names {
			c.ident(name)
		}
		for _, v := range s.Values {
			ast.Inspect(v, c.visit)
		}
	}
	return false
}

func (c *checker) ident(n *ast.Ident) {
	if def := c.info.Defs[n]; def != nil {
		if v, ok := def.(*types.Var); ok {
			c.checkVar(v, n.Pos())
		}
		return
	}
	switch obj := c.info.Uses[n].(type) {
	case *types.Func:
		if !c.callees[n] {
			c.errorf(n.Pos(), "functions are not values")
		}
	case *types.Nil:
		c.errorf(n.Pos(), "nil is not available")
	case *types.Var:
		if _, array := obj.Type().Underlying().(*types.Array); array && !c.tables[n] {
			c.errorf(n.Pos(), "a table can only be indexed")
		}
	}
}

func (c *checker) selector(n *ast.SelectorExpr) bool {
	sel := c.info.Selections[n]
	if sel == nil {
		if x, ok := n.X.(*ast.Ident); ok {
			c.errorf(n.Pos(), "%s.%s is not a constant", x.Name, n.Sel.Name)
		}
		return false
	}
	if sel.Kind() != types.FieldVal && !c.callees[n] {
		c.errorf(n.Pos(), "methods are not values")
	}
	if len(sel.Index()) != 1 || sel.Indirect() {
		c.errorf(n.Pos(), "promoted fields and methods are not available")
	}
	ast.Inspect(n.X, c.visit)
	return false
}

func (c *checker) call(n *ast.CallExpr) bool {
	fun := ast.Unparen(n.Fun)
	tv := c.info.Types[fun]
	switch {
	case tv.IsType():
		c.conversion(n, tv.Type)
		if len(n.Args) == 1 {
			ast.Inspect(n.Args[0], c.visit)
		}
		return false
	case tv.IsBuiltin():
		name := fun.(*ast.Ident).Name
		if name != "min" && name != "max" {
			c.errorf(n.Pos(), "%s is not available", name)
			return false
		}
		if t := c.info.TypeOf(n); scalar(t) == wasmF64 || scalar(t) == 0 || len(n.Args) != 2 {
			c.errorf(n.Pos(), "%s takes two integers", name)
		}
		for _, a := range n.Args {
			ast.Inspect(a, c.visit)
		}
		return false
	}
	switch f := fun.(type) {
	case *ast.Ident:
		fn, ok := c.info.Uses[f].(*types.Func)
		if !ok {
			c.errorf(n.Pos(), "only functions and methods can be called")
			return false
		}
		if fn.Name() == "literal" && c.decls[fn] == nil {
			c.literal(n)
			return false
		}
	case *ast.SelectorExpr:
		if sel := c.info.Selections[f]; sel == nil || sel.Kind() != types.MethodVal {
			c.errorf(n.Pos(), "only functions and methods can be called")
			return false
		}
	}
	c.callees[fun] = true
	return true
}

func (c *checker) literal(n *ast.CallExpr) {
	if v := c.info.Types[n.Args[0]].Value; v == nil || v.Kind() != constant.String {
		c.errorf(n.Pos(), "literal takes a constant")
	}
}

func (c *checker) conversion(n *ast.CallExpr, to types.Type) {
	from := c.info.TypeOf(n.Args[0])
	if (scalar(from) != 0 || small(from)) && scalar(to) != 0 || isStruct(from) && isStruct(to) {
		return
	}
	c.errorf(n.Pos(), "conversion from %s to %s is not available", from, to)
}

func (c *checker) assign(n *ast.AssignStmt) {
	for _, l := range n.Lhs {
		switch l := ast.Unparen(l).(type) {
		case *ast.Ident:
		case *ast.SelectorExpr:
			x, ok := ast.Unparen(l.X).(*ast.Ident)
			if !ok {
				c.errorf(l.Pos(), "only a variable's own fields can be assigned")
			} else if v, ok := c.info.Uses[x].(*types.Var); !ok || v.Parent() == c.pkg.Scope() {
				c.errorf(l.Pos(), "only a local variable's fields can be assigned")
			}
		case *ast.IndexExpr:
			c.errorf(l.Pos(), "tables are read-only")
		default:
			c.errorf(l.Pos(), "cannot assign to this")
		}
	}
	if n.Tok == token.SHL_ASSIGN || n.Tok == token.SHR_ASSIGN {
		c.shift(n.Lhs[0], n.Rhs[0])
	}
}

func (c *checker) rangeStmt(n *ast.RangeStmt) bool {
	t := c.info.TypeOf(n.X)
	b, ok := t.Underlying().(*types.Basic)
	if !ok || b.Info()&types.IsInteger == 0 {
		c.errorf(n.Pos(), "range is available over integers only")
		return false
	}
	if n.Key != nil && n.Tok != token.DEFINE {
		c.errorf(n.Pos(), "range must declare its variable")
	}
	return true
}

func (c *checker) binary(n *ast.BinaryExpr) {
	switch n.Op {
	case token.SHL, token.SHR:
		c.shift(n.X, n.Y)
	case token.EQL, token.NEQ:
		if isStruct(c.info.TypeOf(n.X)) {
			c.errorf(n.Pos(), "structs cannot be compared")
		}
	}
	if small(c.info.TypeOf(n.X)) || small(c.info.TypeOf(n.Y)) {
		c.errorf(n.Pos(), "convert a table's small integer before using it")
	}
}

// shift wants a count for which Go and WebAssembly agree.
func (c *checker) shift(x, count ast.Expr) {
	limit := int64(32)
	if scalar(c.info.TypeOf(x)) == wasmI64 {
		limit = 64
	}
	if v := c.info.Types[count].Value; v != nil {
		if i, ok := constant.Int64Val(constant.ToInt(v)); !ok || i < 0 || i >= limit {
			c.errorf(count.Pos(), "shift count must be below %d", limit)
		}
		return
	}
	if _, ok := c.masked(count, limit); !ok {
		c.errorf(count.Pos(), "shift count must be a constant or masked with & %d", limit-1)
	}
}

// masked recognises n & mask with a mask below limit, and gives the operand
// that is masked when the mask is what the instruction applies by itself.
func (p *program) masked(count ast.Expr, limit int64) (ast.Expr, bool) {
	b, ok := ast.Unparen(count).(*ast.BinaryExpr)
	if !ok || b.Op != token.AND {
		return nil, false
	}
	for _, s := range [2][2]ast.Expr{{b.X, b.Y}, {b.Y, b.X}} {
		if v := p.info.Types[s[1]].Value; v != nil {
			i, ok := constant.Int64Val(constant.ToInt(v))
			if !ok || i < 0 || i >= limit {
				return nil, false
			}
			if i == limit-1 {
				return s[0], true
			}
			return count, true
		}
	}
	return nil, false
}

func (c *checker) composite(n *ast.CompositeLit) bool {
	t := c.info.TypeOf(n)
	if !isStruct(t) || !c.usable(t) {
		c.errorf(n.Pos(), "a literal of type %s is not available here", t)
		return false
	}
	for _, e := range n.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			e = kv.Value
		}
		ast.Inspect(e, c.visit)
	}
	return false
}

func (c *checker) index(n *ast.IndexExpr) bool {
	x := ast.Unparen(n.X)
	id, ok := x.(*ast.Ident)
	if ok {
		_, ok = c.info.TypeOf(x).Underlying().(*types.Array)
	}
	if !ok {
		c.errorf(n.Pos(), "only a table can be indexed")
		return false
	}
	c.tables[id] = true
	return true
}
