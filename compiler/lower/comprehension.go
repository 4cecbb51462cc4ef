package lower

import (
	"fmt"

	"github.com/avapd/avapd/compiler/ir"
	"github.com/avapd/avapd/compiler/syntax"
)

func (l *lowerer) listComp(x *syntax.ListComp) *ir.Expr {
	result := l.hidden("result")
	body := []*ir.Stmt{l.assign(result, list())}
	body = append(body, l.clauses(x.Clauses, func() []*ir.Stmt {
		return []*ir.Stmt{l.eval(lib("Push", l.get(result), l.expr(x.Elem)))}
	})...)
	return do(body, l.get(result))
}

func (l *lowerer) dictComp(x *syntax.DictComp) *ir.Expr {
	result := l.hidden("result")
	body := []*ir.Stmt{l.assign(result, op(ir.OpNewDict))}
	body = append(body, l.clauses(x.Clauses, func() []*ir.Stmt {
		return []*ir.Stmt{l.eval(lib("DictSet", l.get(result), l.expr(x.Key), l.expr(x.Value)))}
	})...)
	return do(body, l.get(result))
}

// clauses nests the loops of a comprehension around its innermost part. A
// clause's iterable is computed before its own names are bound.
func (l *lowerer) clauses(list []syntax.Clause, innermost func() []*ir.Stmt) []*ir.Stmt {
	if len(list) == 0 {
		return innermost()
	}
	c := list[0]
	var out []*ir.Stmt
	lo, hi, counting := l.rangeBounds(&c, &out)
	var items *ir.Expr
	if !counting {
		items = lib("Iterable", l.expr(c.Iter))
	}
	vars := make([]*ir.Var, len(c.Targets))
	for i, t := range c.Targets {
		vars[i] = l.hidden(t.Name)
	}
	for i, t := range c.Targets {
		l.bind(t.Name, vars[i])
	}
	inner := func() []*ir.Stmt {
		return l.filtered(c.Ifs, func() []*ir.Stmt { return l.clauses(list[1:], innermost) })
	}
	switch {
	case counting:
		out = append(out, l.counted(vars[0], lo, hi, inner))
	case !c.Unpack:
		out = append(out, l.each(vars[0], items, inner))
	default:
		item := l.hidden("item")
		out = append(out, l.each(item, items, func() []*ir.Stmt {
			return append(l.unpack(item, vars), inner()...)
		}))
	}
	for _, t := range c.Targets {
		l.unbind(t.Name)
	}
	return out
}

func (l *lowerer) filtered(conds []syntax.Expr, inner func() []*ir.Stmt) []*ir.Stmt {
	if len(conds) == 0 {
		return inner()
	}
	test := l.expr(conds[0])
	return []*ir.Stmt{l.branch(test, l.filtered(conds[1:], inner), nil)}
}

// unpack spreads an item over variables.
func (l *lowerer) unpack(item *ir.Var, vars []*ir.Var) []*ir.Stmt {
	var out []*ir.Stmt
	items := l.get
	if len(vars) == 2 {
		out = append(out, l.eval(lib("Unpack2", l.get(item))))
	} else {
		spread := l.hidden("items")
		message := fmt.Sprintf("wrong number of values to unpack (expected %d)", len(vars))
		out = append(out,
			l.assign(spread, lib("Iterable", l.get(item))),
			l.branch(compare(ir.Equal, lib("ListLen", l.get(spread)), integer(int64(len(vars)))),
				nil, []*ir.Stmt{l.eval(lib("Raise", text(message)))}))
		item = spread
	}
	for i, v := range vars {
		out = append(out, l.assign(v, lib("UnpackItem", items(item), integer(int64(i)))))
	}
	return out
}

// rangeBounds recognises `for name in range(…)` that counts up by one, and
// computes its bounds; the upper one is not included.
func (l *lowerer) rangeBounds(c *syntax.Clause, out *[]*ir.Stmt) (lo, hi *ir.Var, ok bool) {
	call, isCall := c.Iter.(*syntax.BuiltinCall)
	if !isCall || call.Name.Name != "range" || c.Unpack || len(call.Args) < 1 || len(call.Args) > 2 || len(call.Keywords) > 0 {
		return nil, nil, false
	}
	lo, hi = l.hidden("lo"), l.hidden("hi")
	if len(call.Args) == 1 {
		*out = append(*out, l.assign(lo, integer(0)), l.assign(hi, l.expr(call.Args[0])))
	} else {
		*out = append(*out, l.assign(lo, l.expr(call.Args[0])), l.assign(hi, l.expr(call.Args[1])))
	}
	for _, v := range []*ir.Var{lo, hi} {
		// What is no integer is left to the library: it refuses all but
		// booleans.
		*out = append(*out, l.branch(isKind(l.get(v), ir.Int), nil, []*ir.Stmt{
			l.eval(lib("Range", l.get(lo), l.get(hi))),
			l.assign(v, lib("Int", l.get(v))),
		}))
	}
	return lo, hi, true
}

// counted counts a variable from lo up to, not including, hi.
func (l *lowerer) counted(v, lo, hi *ir.Var, body func() []*ir.Stmt) *ir.Stmt {
	s := &ir.Stmt{
		Op: ir.StmtCount, Site: l.site, Var: v,
		X: l.get(lo), Y: binary(ir.Sub, l.get(hi), integer(1)),
		Counter: l.hidden("counter"), Limit: l.hidden("limit"),
	}
	l.loopDepth++
	l.use(v)
	s.Then = body()
	l.loopDepth--
	return l.branch(compare(ir.Less, l.get(lo), l.get(hi)), []*ir.Stmt{s}, nil)
}
