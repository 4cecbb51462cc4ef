package syntax

import "github.com/avapd/avapd/internal/diag"

// condition parses the parentheses of `if`; the opening one is the current
// token. Which of the two forms it is, is decided here and now.
func (p *parser) condition(from int) Condition {
	args := p.commandArgs("if")
	c := Condition{Extent: p.since(from)}
	if len(args) < 3 {
		p.report(p.fail(diag.BadArguments, from, p.prevEnd, "if needs two values and a comparator").
			suggest("write if(left, right, \"==\"), or if(None, None, `left == right`)"))
		return c
	}
	op := args[2]
	if isNothing(args[0]) && isNothing(args[1]) {
		if from, to, ok := p.conditionText(op); ok {
			c.Expr = p.conditionExpr(op, from, to)
			return c
		}
	}
	c.Left, c.Right = args[0], args[1]
	if op.Kind == ArgQuoted || op.Kind == ArgRaw {
		c.Op = ifOps[op.Text]
	}
	if c.Op == NoIfOp {
		at := op.Extent
		if op.Kind == ArgEmpty {
			at = c.Extent
		}
		p.report(p.failAt(diag.UnknownComparator, at, "Unknown comparator").
			suggest("use one of = == != < > <= >= in"))
	}
	return c
}

// isNothing reports whether an argument is empty or the literal None.
func isNothing(a *Arg) bool {
	if a.Kind == ArgEmpty {
		return true
	}
	_, null := a.Expr.(*Null)
	return a.Kind == ArgExpr && null
}

// conditionText finds the text between the quotes or backticks of the third
// argument, unless it is an operator.
func (p *parser) conditionText(a *Arg) (from, to int, ok bool) {
	if a.Kind != ArgQuoted && a.Kind != ArgTemplate {
		return 0, 0, false
	}
	from, to = int(a.From)+1, int(a.To)-1
	_, isOp := ifOps[p.source.Text[from:to]]
	return from, to, !isOp
}

// conditionExpr parses the text of an expression form. Text in backticks is
// taken as it stands; a quoted one loses its escapes, and a table of offsets
// keeps the positions true.
func (p *parser) conditionExpr(a *Arg, from, to int) Expr {
	saved := p.state
	p.depth, p.rawCtx, p.brackets, p.off, p.end = 1, false, nil, from, to
	if a.Kind == ArgQuoted {
		if text, offsets := unquoteArg(p.src, from-1, to+1); offsets != nil {
			p.src, p.back, p.off, p.end = text, offsets, 0, len(text)
		}
	}
	p.tok = token{tokNewline, p.off, p.off}
	p.next()
	x := p.expr()
	if p.tok.kind != tokEOF {
		p.stop(p.unexpected("expected the end of the condition"))
	}
	p.state = saved
	return x
}
