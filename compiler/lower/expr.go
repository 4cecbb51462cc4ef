package lower

import (
	"fmt"

	"github.com/avapd/avapd/compiler/check"
	"github.com/avapd/avapd/compiler/ir"
	"github.com/avapd/avapd/compiler/syntax"
)

var operators = map[syntax.BinaryOp]ir.Operator{
	syntax.Add: ir.Add, syntax.Sub: ir.Sub, syntax.Mul: ir.Mul, syntax.Div: ir.Div, syntax.Mod: ir.Mod,
	syntax.Pow: ir.Pow, syntax.Shl: ir.Shl, syntax.Shr: ir.Shr,
	syntax.BitAnd: ir.BitAnd, syntax.BitOr: ir.BitOr, syntax.BitXor: ir.BitXor,
}

var unaryOperators = map[syntax.UnaryOp]ir.Operator{
	syntax.Neg: ir.Neg, syntax.Plus: ir.Pos, syntax.Invert: ir.Invert,
}

var comparisons = map[syntax.CompareOp]ir.Operator{
	syntax.Eq: ir.Equal, syntax.Ne: ir.NotEqual, syntax.Lt: ir.Less,
	syntax.Le: ir.LessEqual, syntax.Gt: ir.Greater, syntax.Ge: ir.GreaterEqual,
}

func (l *lowerer) exprs(list []syntax.Expr) []*ir.Expr {
	out := make([]*ir.Expr, len(list))
	for i, x := range list {
		out[i] = l.expr(x)
	}
	return out
}

// optional is an expression that may be left out.
func (l *lowerer) optional(x syntax.Expr) *ir.Expr {
	if x == nil {
		return missing()
	}
	return l.expr(x)
}

// expr lowers an expression. One that stands on another line than its statement
// is a place of its own, also for the hidden statements that it becomes.
func (l *lowerer) expr(x syntax.Expr) *ir.Expr {
	switch x.(type) {
	case *syntax.Null, *syntax.Bool, *syntax.Int, *syntax.Float, *syntax.String, *syntax.TypeWord:
		return l.plainExpr(x)
	}
	site := l.siteOf(x)
	if site == 0 {
		return l.plainExpr(x)
	}
	outer := l.site
	l.site = site
	out := l.plainExpr(x)
	l.site = outer
	place(out, site)
	return out
}

// place gives a site to an expression and to what it is made of, as far as that
// has none of its own.
func place(x *ir.Expr, site int) {
	if x.Site != 0 {
		return
	}
	x.Site = site
	for _, a := range x.Args {
		place(a, site)
	}
}

func (l *lowerer) plainExpr(x syntax.Expr) *ir.Expr {
	switch x := x.(type) {
	case *syntax.Null:
		return null()
	case *syntax.Bool:
		return boolean(x.Value)
	case *syntax.Int:
		return integer(x.Value)
	case *syntax.Float:
		return float(x.Value)
	case *syntax.String:
		return text(x.Value)
	case *syntax.TypeWord:
		return text(x.Name)
	case *syntax.Template:
		return l.template(x)
	case *syntax.FString:
		return l.fstring(x)
	case *syntax.Name:
		return l.name(x.Name)
	case *syntax.Dollar:
		return l.get(l.variable(x.Name))
	case *syntax.List:
		return list(l.exprs(x.Elems)...)
	case *syntax.Dict:
		out := op(ir.OpNewDict)
		for _, e := range x.Entries {
			out.Args = append(out.Args, l.expr(e.Key), l.expr(e.Value))
		}
		return out
	case *syntax.ListComp:
		return l.listComp(x)
	case *syntax.DictComp:
		return l.dictComp(x)
	case *syntax.Index:
		l.readsItems()
		return lib("Index", l.expr(x.X), l.expr(x.I))
	case *syntax.Slice:
		return lib("Slice", l.expr(x.X), l.optional(x.Lo), l.optional(x.Hi), l.optional(x.Step))
	case *syntax.Attr:
		return lib("Attribute", l.expr(x.X), text(x.Name.Name))
	case *syntax.FuncCall:
		return l.funcCall(l.funcs[x.Name.Name], l.exprs(x.Args))
	case *syntax.BuiltinCall:
		return l.builtinCall(x)
	case *syntax.MethodCall:
		return l.methodCall(x)
	case *syntax.CommandCall:
		return l.commandExpr(x)
	case *syntax.Go:
		return l.goCall(x)
	}
	return l.operation(x)
}

// operate is a binary operation; y is the source of its right side.
func operate(op syntax.BinaryOp, left, right *ir.Expr, y syntax.Expr) *ir.Expr {
	if list, ok := y.(*syntax.List); ok && list.ArgList && op == syntax.Mod {
		return lib("PercentFormat", left, right)
	}
	return binary(operators[op], left, right)
}

func (l *lowerer) operation(x syntax.Expr) *ir.Expr {
	switch x := x.(type) {
	case *syntax.Unary:
		if x.Op == syntax.Not {
			return not(l.expr(x.X))
		}
		return &ir.Expr{Op: ir.OpUnary, Operator: unaryOperators[x.Op], Args: []*ir.Expr{l.expr(x.X)}}
	case *syntax.Binary:
		left, right := l.expr(x.X), l.expr(x.Y)
		return operate(x.Op, left, right, x.Y)
	case *syntax.Logical:
		o := ir.OpAnd
		if x.Or {
			o = ir.OpOr
		}
		return op(o, l.exprs(x.Operands)...)
	case *syntax.Compare:
		return l.comparison(x)
	case *syntax.Cond:
		return cond(l.expr(x.If), l.expr(x.Then), l.expr(x.Else))
	}
	panic(fmt.Sprintf("lower: unexpected expression %T", x))
}

func (l *lowerer) name(name string) *ir.Expr {
	if l.soft {
		return l.load(l.variable(name), ir.Soft)
	}
	return l.get(l.variable(name))
}

// comparison lowers a chain: each operand is computed once, and no further
// than the first comparison that fails.
func (l *lowerer) comparison(x *syntax.Compare) *ir.Expr {
	if len(x.Rest) == 1 {
		return l.compareOnce(x.Rest[0].Op, l.expr(x.X), l.expr(x.Rest[0].Y))
	}
	chain := op(ir.OpAnd)
	var first []*ir.Stmt
	left := l.held(l.expr(x.X), &first)
	for i, r := range x.Rest {
		body := first
		if i > 0 {
			body = nil
		}
		right := l.held(l.expr(r.Y), &body)
		chain.Args = append(chain.Args, do(body, l.compareOnce(r.Op, left(), right())))
		left = right
	}
	return chain
}

func (l *lowerer) compareOnce(o syntax.CompareOp, x, y *ir.Expr) *ir.Expr {
	switch o {
	case syntax.In:
		return lib("Contains", x, y)
	case syntax.NotIn:
		return not(lib("Contains", x, y))
	case syntax.Is, syntax.IsNot:
		is := lib("Is", x, y)
		if y.Op == ir.OpNull {
			is = isKind(x, ir.Null)
		}
		if o == syntax.IsNot {
			return not(is)
		}
		return is
	}
	if y.Op == ir.OpNull && o == syntax.Eq {
		return isKind(x, ir.Null)
	}
	if y.Op == ir.OpNull && o == syntax.Ne {
		return not(isKind(x, ir.Null))
	}
	return compare(comparisons[o], x, y)
}

// defined tests whether all free names of an expression are defined; nil when
// it has none.
func (l *lowerer) defined(x syntax.Expr) *ir.Expr {
	out := &ir.Expr{Op: ir.OpDefined}
	seen := map[string]bool{}
	check.FreeNames(x, map[string]int{}, func(name string) {
		if seen[name] || len(l.bound[name]) > 0 {
			return
		}
		seen[name] = true
		v := l.variable(name)
		l.use(v)
		out.Vars = append(out.Vars, v)
	})
	if out.Vars == nil {
		return nil
	}
	return out
}

// template shows each part as str does, or not at all when one of its names is
// undefined.
func (l *lowerer) template(x *syntax.Template) *ir.Expr {
	outer := l.soft
	l.soft = false
	defer func() { l.soft = outer }()
	out, shows := op(ir.OpConcat), "Str"
	if l.info.SQL {
		out, shows = list(), "Datum"
	}
	for _, p := range x.Parts {
		if p.X == nil {
			out.Args = append(out.Args, text(p.Text))
			continue
		}
		shown := lib(shows, l.expr(p.X))
		if test := l.defined(p.X); test != nil {
			nothing := text("")
			if l.info.SQL {
				nothing = lib(shows, nothing)
			}
			shown = cond(test, shown, nothing)
		}
		out.Args = append(out.Args, shown)
	}
	if l.info.SQL {
		return lib("TemplateOf", out)
	}
	return out
}

func (l *lowerer) fstring(x *syntax.FString) *ir.Expr {
	out := op(ir.OpConcat)
	for _, p := range x.Parts {
		if p.X == nil {
			out.Args = append(out.Args, text(p.Text))
			continue
		}
		value := l.expr(p.X)
		switch p.Conv {
		case 'r', 'a':
			value = lib("Repr", value)
		case 's':
			value = lib("Str", value)
		}
		if p.Spec != nil {
			value = lib("FormatValue", value, l.fstring(p.Spec))
		} else {
			value = lib("Str", value)
		}
		out.Args = append(out.Args, value)
	}
	return out
}
