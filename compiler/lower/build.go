package lower

import (
	"github.com/avapd/avapd/compiler/ir"
)

// This file holds the constructors of expressions and statements.

func null() *ir.Expr              { return &ir.Expr{Op: ir.OpNull} }
func missing() *ir.Expr           { return &ir.Expr{Op: ir.OpMissing} }
func text(s string) *ir.Expr      { return &ir.Expr{Op: ir.OpText, Text: s} }
func integer(i int64) *ir.Expr    { return &ir.Expr{Op: ir.OpInt, Int: i} }
func float(f float64) *ir.Expr    { return &ir.Expr{Op: ir.OpFloat, Float: f} }
func not(x *ir.Expr) *ir.Expr     { return op(ir.OpNot, x) }
func truth(x *ir.Expr) *ir.Expr   { return op(ir.OpTruth, x) }
func list(x ...*ir.Expr) *ir.Expr { return op(ir.OpNewList, x...) }

func boolean(b bool) *ir.Expr {
	x := &ir.Expr{Op: ir.OpBool}
	if b {
		x.Int = 1
	}
	return x
}

func op(o ir.Op, args ...*ir.Expr) *ir.Expr { return &ir.Expr{Op: o, Args: args} }

func cond(test, then, otherwise *ir.Expr) *ir.Expr { return op(ir.OpCond, test, then, otherwise) }

func isKind(x *ir.Expr, k ir.Kinds) *ir.Expr {
	return &ir.Expr{Op: ir.OpIsKind, Args: []*ir.Expr{x}, Kinds: k}
}

func binary(o ir.Operator, x, y *ir.Expr) *ir.Expr {
	return &ir.Expr{Op: ir.OpBinary, Operator: o, Args: []*ir.Expr{x, y}}
}

func compare(o ir.Operator, x, y *ir.Expr) *ir.Expr {
	return &ir.Expr{Op: ir.OpCompare, Operator: o, Args: []*ir.Expr{x, y}}
}

// lib calls a library function; arguments that are not given are filled in.
func lib(name string, args ...*ir.Expr) *ir.Expr {
	f := ir.Library(name)
	for len(args) < f.NumParams() {
		args = append(args, missing())
	}
	return &ir.Expr{Op: ir.OpLib, Lib: f, Args: args}
}

// host calls a function of the host.
func host(name string, args ...*ir.Expr) *ir.Expr {
	return &ir.Expr{Op: ir.OpHost, Host: ir.HostFunction(name), Args: args}
}

func (l *lowerer) load(v *ir.Var, mode ir.Mode) *ir.Expr {
	l.use(v)
	return &ir.Expr{Op: ir.OpLoad, Var: v, Mode: mode}
}

// get reads a variable that is known to be assigned.
func (l *lowerer) get(v *ir.Var) *ir.Expr { return l.load(v, ir.Checked) }

func (l *lowerer) assign(v *ir.Var, x *ir.Expr) *ir.Stmt {
	l.use(v)
	return &ir.Stmt{Op: ir.StmtAssign, Site: l.site, Var: v, X: x}
}

func (l *lowerer) eval(x *ir.Expr) *ir.Stmt {
	return &ir.Stmt{Op: ir.StmtEval, Site: l.site, X: x}
}

func (l *lowerer) branch(test *ir.Expr, then, otherwise []*ir.Stmt) *ir.Stmt {
	return &ir.Stmt{Op: ir.StmtIf, Site: l.site, X: test, Then: then, Else: otherwise}
}

// do runs statements and then yields a value.
func do(body []*ir.Stmt, value *ir.Expr) *ir.Expr {
	return &ir.Expr{Op: ir.OpDo, Body: body, Args: []*ir.Expr{value}}
}

// held is x in a form that can be used several times and later; what it takes
// to get there is appended to body.
func (l *lowerer) held(x *ir.Expr, body *[]*ir.Stmt) func() *ir.Expr {
	switch x.Op {
	case ir.OpNull, ir.OpBool, ir.OpInt, ir.OpFloat, ir.OpText, ir.OpMissing:
		return func() *ir.Expr { c := *x; return &c }
	}
	v := l.hidden("t")
	*body = append(*body, l.assign(v, x))
	return func() *ir.Expr { return l.get(v) }
}

// each walks a list; item is assigned before body, which is lowered inside.
func (l *lowerer) each(item *ir.Var, items *ir.Expr, body func() []*ir.Stmt) *ir.Stmt {
	s := &ir.Stmt{
		Op: ir.StmtEach, Site: l.site, Var: item, X: items,
		List: l.hidden("list"), Counter: l.hidden("at"),
	}
	l.loopDepth++
	l.readsItems()
	l.use(item)
	s.Then = body()
	l.loopDepth--
	return s
}

// readsItems notes that the code at hand reads items of lists, if it may run
// often.
func (l *lowerer) readsItems() {
	if l.loopDepth > 0 || l.fn.Number != 0 {
		l.prog.ReadsItems = true
	}
}
