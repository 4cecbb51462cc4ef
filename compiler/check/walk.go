package check

import "github.com/avapd/avapd/compiler/syntax"

// children lists the direct sub-expressions of x in order of evaluation. The
// arguments of a command are not among them: they have rules of their own.
func children(x syntax.Expr) []syntax.Expr {
	switch x := x.(type) {
	case *syntax.Template:
		var list []syntax.Expr
		for _, p := range x.Parts {
			list = append(list, some(p.X)...)
		}
		return list
	case *syntax.FString:
		return fstringParts(x, nil)
	case *syntax.List:
		return x.Elems
	case *syntax.Dict:
		var list []syntax.Expr
		for _, e := range x.Entries {
			list = append(list, e.Key, e.Value)
		}
		return list
	case *syntax.ListComp:
		return append(clauseParts(x.Clauses), x.Elem)
	case *syntax.DictComp:
		return append(clauseParts(x.Clauses), x.Key, x.Value)
	case *syntax.Unary:
		return []syntax.Expr{x.X}
	case *syntax.Binary:
		return []syntax.Expr{x.X, x.Y}
	case *syntax.Logical:
		return x.Operands
	case *syntax.Compare:
		list := []syntax.Expr{x.X}
		for _, r := range x.Rest {
			list = append(list, r.Y)
		}
		return list
	case *syntax.Cond:
		return []syntax.Expr{x.If, x.Then, x.Else}
	case *syntax.Index:
		return []syntax.Expr{x.X, x.I}
	case *syntax.Slice:
		return some(x.X, x.Lo, x.Hi, x.Step)
	case *syntax.Attr:
		return []syntax.Expr{x.X}
	case *syntax.FuncCall:
		return x.Args
	case *syntax.BuiltinCall:
		return withKeywords(x.Args, x.Keywords)
	case *syntax.MethodCall:
		return withKeywords(append([]syntax.Expr{x.X}, x.Args...), x.Keywords)
	case *syntax.Go:
		return x.Args
	}
	return nil
}

func some(list ...syntax.Expr) []syntax.Expr {
	var out []syntax.Expr
	for _, x := range list {
		if x != nil {
			out = append(out, x)
		}
	}
	return out
}

func fstringParts(f *syntax.FString, list []syntax.Expr) []syntax.Expr {
	for _, p := range f.Parts {
		list = append(list, some(p.X)...)
		if p.Spec != nil {
			list = fstringParts(p.Spec, list)
		}
	}
	return list
}

func clauseParts(clauses []syntax.Clause) []syntax.Expr {
	var list []syntax.Expr
	for _, c := range clauses {
		list = append(list, c.Iter)
		list = append(list, c.Ifs...)
	}
	return list
}

func withKeywords(args []syntax.Expr, keywords []syntax.Keyword) []syntax.Expr {
	list := append([]syntax.Expr(nil), args...)
	for _, k := range keywords {
		list = append(list, k.Value)
	}
	return list
}

// FreeNames adds to names the variables an expression reads by plain name,
// each once, in order. Names inside templates and inside the arguments of
// commands look after themselves, and so does $name; names that a
// comprehension binds are not free in it.
func FreeNames(x syntax.Expr, bound map[string]int, add func(string)) {
	switch x := x.(type) {
	case nil:
	case *syntax.Name:
		if bound[x.Name] == 0 {
			add(x.Name)
		}
	case *syntax.Template, *syntax.CommandCall:
	case *syntax.ListComp:
		freeInClauses(x.Clauses, []syntax.Expr{x.Elem}, bound, add)
	case *syntax.DictComp:
		freeInClauses(x.Clauses, []syntax.Expr{x.Key, x.Value}, bound, add)
	default:
		for _, sub := range children(x) {
			FreeNames(sub, bound, add)
		}
	}
}

func freeInClauses(clauses []syntax.Clause, results []syntax.Expr, bound map[string]int, add func(string)) {
	for _, c := range clauses {
		FreeNames(c.Iter, bound, add)
		for _, t := range c.Targets {
			bound[t.Name]++
		}
		for _, cond := range c.Ifs {
			FreeNames(cond, bound, add)
		}
	}
	for _, r := range results {
		FreeNames(r, bound, add)
	}
	for _, c := range clauses {
		for _, t := range c.Targets {
			bound[t.Name]--
		}
	}
}
