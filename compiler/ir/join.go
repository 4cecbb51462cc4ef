package ir

// maxParts bounds the parts that become one text at once.
const maxParts = 1000

// Join makes one operation of texts that are joined one by one: a chain of + in
// which all operands are texts, or a template. Integers among the parts stay what
// they are, since who joins them writes their digits where they belong. It needs what Infer found, and comes before anything that
// differs between levels: the library charges for what it joins.
func Join(p *Program) {
	if p.SQL {
		return // texts remember their parts there
	}
	for _, fn := range p.Functions {
		if fn.Reached {
			WalkExprs(fn.Body, joinTexts)
		}
	}
}

// joinTexts makes a join of the outermost operation first, so that the inner
// ones have become part of it when the walk comes to them.
func joinTexts(x *Expr) {
	if x.Op != OpConcat && !isTextSum(x) {
		return
	}
	parts := appendParts(nil, x)
	if len(parts) < 2 {
		return
	}
	if x.Op == OpBinary && len(parts) == 2 && parts[0].Type.Is(Text) && parts[1].Type.Is(Text) {
		return // which is what + does
	}
	x.Op, x.Args = OpConcat, parts
}

func isTextSum(x *Expr) bool {
	return x.Op == OpBinary && x.Operator == Add && x.Args[0].Type == Text && x.Args[1].Type == Text
}

// appendParts adds the parts of a text in their order.
func appendParts(parts []*Expr, x *Expr) []*Expr {
	if (x.Op == OpConcat || isTextSum(x)) && len(parts)+len(x.Args) <= maxParts {
		for _, a := range x.Args {
			parts = appendParts(parts, a)
		}
		return parts
	}
	return append(parts, bare(x))
}

// bare is what a part shows, if that is an integer or a text.
func bare(x *Expr) *Expr {
	switch {
	case x.Op == OpLib && (x.Lib.Name == "Str" || x.Lib.Name == "ToText") && x.Args[0].Type.Is(Int|Text):
		return x.Args[0]
	case x.Op == OpCond:
		if one := x.decided(); one != x {
			return bare(one)
		}
		x.Args[1], x.Args[2] = bare(x.Args[1]), bare(x.Args[2])
	}
	return x
}
