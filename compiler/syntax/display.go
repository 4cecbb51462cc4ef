package syntax

import "github.com/avapd/avapd/internal/diag"

// paren parses `(x)`, and `(a, b)` as a list. Parentheses around one
// expression leave no trace in the tree.
func (p *parser) paren() Expr {
	from := p.tok.from
	p.open()
	if p.isOp(")") {
		p.report(p.fail(diag.SyntaxError, from, p.tok.to, "() is no expression").suggest("write [] for an empty list"))
		p.close(")")
		return &List{Extent: p.since(from), Paren: true}
	}
	x := p.expr()
	p.refuseGenerator()
	if !p.isOp(",") {
		p.close(")")
		return x
	}
	elems := p.moreElems([]Expr{x}, ")")
	p.close(")")
	return &List{Extent: p.since(from), Elems: elems, Paren: true}
}

// moreElems parses `, x` repeatedly; a trailing comma is allowed.
func (p *parser) moreElems(elems []Expr, closer string) []Expr {
	for p.isOp(",") {
		p.next()
		if p.isOp(closer) {
			break
		}
		elems = append(elems, p.expr())
	}
	return elems
}

func (p *parser) refuseGenerator() {
	if p.isWord("for") {
		p.stop(p.unexpected("there are no generators").suggest("put the comprehension in square brackets"))
	}
}

func (p *parser) list() Expr {
	from := p.tok.from
	p.open()
	if p.isOp("]") {
		p.close("]")
		return &List{Extent: p.since(from)}
	}
	x := p.expr()
	if p.isWord("for") {
		clauses := p.clauses()
		p.close("]")
		return &ListComp{p.since(from), x, clauses}
	}
	elems := p.moreElems([]Expr{x}, "]")
	p.close("]")
	return &List{Extent: p.since(from), Elems: elems}
}

func (p *parser) dict() Expr {
	from := p.tok.from
	p.open()
	var entries []DictEntry
	for !p.isOp("}") {
		key := p.expr()
		if !p.isOp(":") {
			if p.isOp(",") || p.isOp("}") || p.isWord("for") {
				p.stop(p.unexpected("expected : after the key").suggest("there are no sets; write a list in square brackets"))
			}
			p.stop(p.unexpected("expected : after the key"))
		}
		p.next()
		value := p.expr()
		if len(entries) == 0 && p.isWord("for") {
			clauses := p.clauses()
			p.close("}")
			return &DictComp{p.since(from), key, value, clauses}
		}
		entries = append(entries, DictEntry{key, value})
		if !p.isOp(",") {
			break
		}
		p.next()
	}
	p.close("}")
	return &Dict{p.since(from), entries}
}

// clauses parses `for … in … if …`, once or more.
func (p *parser) clauses() []Clause {
	var clauses []Clause
	for p.isWord("for") {
		from := p.tok.from
		p.next()
		c := p.targets()
		if !p.isWord("in") {
			p.stop(p.unexpected("expected in"))
		}
		p.next()
		c.Iter = p.orExpr()
		for p.isWord("if") {
			p.next()
			c.Ifs = append(c.Ifs, p.orExpr())
		}
		c.Extent = p.since(from)
		clauses = append(clauses, c)
	}
	return clauses
}

// targets parses the names of a comprehension: `k`, `k, v` or `(k, v)`.
func (p *parser) targets() Clause {
	var c Clause
	paren := p.isOp("(")
	if paren {
		p.open()
	}
	for {
		if p.tok.kind != tokName || reserved[p.text()] {
			p.stop(p.unexpected("expected a name after for"))
		}
		c.Targets = append(c.Targets, Ident{p.ext(p.tok.from, p.tok.to), p.text()})
		p.next()
		if !p.isOp(",") {
			break
		}
		c.Unpack = true
		p.next()
		if p.isWord("in") || paren && p.isOp(")") {
			break
		}
	}
	if paren {
		p.close(")")
	}
	return c
}

// callArgs parses the parenthesised arguments of a function, a builtin or a
// method: expressions, of which an empty position is null.
func (p *parser) callArgs() ([]Expr, []Keyword) {
	p.open()
	return p.restOfArgs()
}

func (p *parser) restOfArgs() (args []Expr, keywords []Keyword) {
	for !p.isOp(")") {
		switch {
		case p.isOp(","):
			args = append(args, &Null{p.ext(p.tok.from, p.tok.from), true})
		case p.atKeyword():
			keywords = append(keywords, p.keyword(keywords))
		default:
			if len(keywords) > 0 {
				p.stop(p.unexpected("arguments by position must come before those by name"))
			}
			args = append(args, p.expr())
			p.refuseGenerator()
		}
		if !p.isOp(",") {
			break
		}
		p.next()
	}
	p.close(")")
	return args, keywords
}

// atKeyword reports whether `name =` stands here.
func (p *parser) atKeyword() bool {
	if p.tok.kind != tokName {
		return false
	}
	i := p.off
	for i < p.end && (isBlank(p.src[i]) || p.src[i] == '\n') {
		i++
	}
	return i < p.end && p.src[i] == '=' && (i+1 == p.end || p.src[i+1] != '=')
}

func (p *parser) keyword(before []Keyword) Keyword {
	from, to, name := p.tok.from, p.tok.to, p.text()
	if !keywordArgs[name] {
		p.report(p.fail(diag.BadKeywordArgument, from, to, "no argument is named %s", clipText(name)).
			suggest("only reverse, start, default and key have names"))
	}
	for _, k := range before {
		if k.Name == name {
			p.report(p.fail(diag.BadKeywordArgument, from, to, "argument %s is given twice", clipText(name)))
		}
	}
	p.next()
	p.next()
	at := p.tok
	value := p.expr()
	if name == "key" {
		value = p.keyFunction(value, at)
	}
	return Keyword{p.since(from), name, value}
}

// keyFunction resolves the value of a `key=` argument.
func (p *parser) keyFunction(value Expr, at token) Expr {
	switch v := value.(type) {
	case *Null:
		return v
	case *Name:
		if p.isFunction(v.Name) || builtinSet[v.Name] {
			return &FuncRef{v.Extent, v.Name, !p.isFunction(v.Name)}
		}
		p.report(p.fail(diag.NotAFunction, at.from, at.to, "%s is no function", clipText(v.Name)).
			suggest(p.suggestFunction(v.Name)))
	default:
		p.report(p.fail(diag.NotAFunction, at.from, at.to, "key takes the name of a function or builtin"))
	}
	return value
}
