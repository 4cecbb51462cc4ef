package syntax

import "github.com/avapd/avapd/internal/diag"

// expr parses a whole expression, the conditional included.
func (p *parser) expr() Expr {
	p.enter()
	from := p.tok.from
	x := p.orExpr()
	if p.isWord("if") {
		p.next()
		cond := p.orExpr()
		if !p.isWord("else") {
			p.stop(p.unexpected("expected else").suggest("write: a if condition else b"))
		}
		p.next()
		other := p.expr()
		x = &Cond{p.since(from), cond, x, other}
	}
	p.leave()
	return x
}

func (p *parser) orExpr() Expr  { return p.logical("or", p.andExpr) }
func (p *parser) andExpr() Expr { return p.logical("and", p.notExpr) }

func (p *parser) logical(word string, operand func() Expr) Expr {
	from := p.tok.from
	x := operand()
	if !p.isWord(word) {
		return x
	}
	operands := []Expr{x}
	for p.isWord(word) {
		p.next()
		operands = append(operands, operand())
	}
	return &Logical{p.since(from), word == "or", operands}
}

func (p *parser) notExpr() Expr {
	if !p.isWord("not") {
		return p.comparison()
	}
	from := p.tok.from
	p.enter()
	p.next()
	x := p.notExpr()
	p.leave()
	return &Unary{p.since(from), Not, x}
}

func (p *parser) comparison() Expr {
	from := p.tok.from
	x := p.binary(0)
	var rest []Comparison
	for {
		op, ok := p.compareOp()
		if !ok {
			break
		}
		rest = append(rest, Comparison{op, p.binary(0)})
	}
	if rest == nil {
		return x
	}
	return &Compare{p.since(from), x, rest}
}

var compareOps = map[string]CompareOp{"==": Eq, "!=": Ne, "<": Lt, "<=": Le, ">": Gt, ">=": Ge}

// compareOp consumes a comparison operator, if one stands here.
func (p *parser) compareOp() (op CompareOp, ok bool) {
	switch p.tok.kind {
	case tokOp:
		if op, ok = compareOps[p.text()]; ok {
			p.next()
		}
		return op, ok
	case tokName:
	default:
		return 0, false
	}
	switch p.text() {
	case "in":
		p.next()
		return In, true
	case "is":
		p.next()
		if p.isWord("not") {
			p.next()
			return IsNot, true
		}
		return Is, true
	case "not":
		p.next()
		if !p.isWord("in") {
			p.stop(p.unexpected("expected in after not"))
		}
		p.next()
		return NotIn, true
	}
	return 0, false
}

// binaryOps are the levels of binary operators, loosest first.
var binaryOps = []map[string]BinaryOp{
	{"|": BitOr},
	{"^": BitXor},
	{"&": BitAnd},
	{"<<": Shl, ">>": Shr},
	{"+": Add, "-": Sub},
	{"*": Mul, "/": Div, "%": Mod},
}

func (p *parser) binary(level int) Expr {
	if level == len(binaryOps) {
		return p.unary()
	}
	from := p.tok.from
	x := p.binary(level + 1)
	for n := 1; p.tok.kind == tokOp; n++ {
		op, ok := binaryOps[level][p.text()]
		if !ok {
			break
		}
		p.countChain(n)
		p.next()
		y := p.binary(level + 1)
		if op == Mod {
			markArgList(y)
		}
		x = &Binary{p.since(from), op, x, y}
	}
	return x
}

// markArgList marks a parenthesised list as a list of arguments or choices.
func markArgList(x Expr) {
	if l, ok := x.(*List); ok && l.Paren {
		l.ArgList = true
	}
}

var unaryOps = map[string]UnaryOp{"-": Neg, "+": Plus, "~": Invert}

func (p *parser) unary() Expr {
	if p.tok.kind != tokOp {
		return p.power()
	}
	op, ok := unaryOps[p.text()]
	if !ok {
		return p.power()
	}
	from := p.tok.from
	p.enter()
	defer p.leave() // also on the way out of a failed attempt, which restores it anyway
	p.next()
	if op == Neg && p.tok.kind == tokNumber {
		if x := p.smallestInt(from); x != nil {
			return x
		}
	}
	x := p.unary()
	return &Unary{p.since(from), op, x}
}

// smallestInt parses -9223372036854775808, whose digits alone are out of
// range. It returns nil, and consumes nothing, for any other number.
func (p *parser) smallestInt(from int) Expr {
	saved, diags := p.state, len(p.diags)
	x, ok := p.number(true).(*Int)
	if ok && x.Value < 0 {
		p.next()
		if !p.isOp("**") {
			x.Extent = p.since(from)
			return x
		}
	}
	p.state, p.diags = saved, p.diags[:diags]
	return nil
}

func (p *parser) power() Expr {
	from := p.tok.from
	x := p.suffixed()
	if !p.isOp("**") {
		return x
	}
	p.enter()
	p.next()
	y := p.unary()
	p.leave()
	return &Binary{p.since(from), Pow, x, y}
}

// suffixed parses an atom with its calls, indexes and attributes.
func (p *parser) suffixed() Expr {
	from := p.tok.from
	x := p.atom()
	for n := 1; p.tok.kind == tokOp; n++ {
		switch p.text() {
		case "[":
			p.countChain(n)
			x = p.index(from, x)
		case ".":
			p.countChain(n)
			x = p.attribute(from, x)
		case "(":
			p.stop(p.unexpected("functions are no values and only a name can be called"))
		default:
			return x
		}
	}
	if p.tok.kind == tokString || p.tok.kind == tokFString || p.tok.kind == tokBacktick {
		switch x.(type) {
		case *String, *FString, *Template:
			p.stop(p.unexpected("texts side by side are not joined").suggest("put + between them"))
		}
	}
	return x
}

// index parses `[…]` behind x: an index or a slice.
func (p *parser) index(from int, x Expr) Expr {
	p.open()
	var parts [3]Expr
	colons := 0
	for !p.isOp("]") {
		if p.isOp(":") {
			if colons++; colons > 2 {
				p.stop(p.unexpected("a slice has at most three parts"))
			}
			p.next()
			continue
		}
		if parts[colons] != nil {
			break // close reports it
		}
		parts[colons] = p.expr()
	}
	if colons == 0 && parts[0] == nil {
		p.stop(p.unexpected("expected an index"))
	}
	if p.isOp(",") {
		p.stop(p.unexpected("expected ]").suggest("write x[i][j] for an element of an element"))
	}
	p.close("]")
	if colons == 0 {
		return &Index{p.since(from), x, parts[0]}
	}
	return &Slice{p.since(from), x, parts[0], parts[1], parts[2]}
}

func (p *parser) attribute(from int, x Expr) Expr {
	p.next()
	if p.tok.kind != tokName {
		p.stop(p.unexpected("expected a name after ."))
	}
	name := Ident{p.ext(p.tok.from, p.tok.to), p.text()}
	p.next()
	if !p.isOp("(") {
		return &Attr{p.since(from), x, name}
	}
	args, keywords := p.callArgs()
	if (name.Name == "startswith" || name.Name == "endswith") && len(args) > 0 {
		markArgList(args[0])
	}
	return &MethodCall{p.since(from), x, name, args, keywords}
}

func (p *parser) atom() Expr {
	t := p.tok
	switch t.kind {
	case tokName:
		return p.name()
	case tokNumber:
		x := p.number(false)
		p.next()
		return x
	case tokString:
		x := &String{p.ext(t.from, t.to), p.unescape(t.from+1, t.to-1)}
		p.next()
		return x
	case tokFString:
		return p.fstring()
	case tokBacktick:
		return p.template()
	case tokDollar:
		p.next()
		return &Dollar{p.ext(t.from, t.to), p.src[t.from+1 : t.to]}
	case tokOp:
		switch p.text() {
		case "(":
			return p.paren()
		case "[":
			return p.list()
		case "{":
			return p.dict()
		}
	}
	p.stop(p.unexpected("expected an expression"))
	return nil
}

// name parses what begins with a word: a constant, a variable or a call.
func (p *parser) name() Expr {
	t, name := p.tok, p.text()
	at := p.ext(t.from, t.to)
	switch name {
	case "True", "true", "False", "false":
		p.next()
		return &Bool{at, name[0]|0x20 == 't'}
	case "None", "null":
		p.next()
		return &Null{Extent: at}
	case "go":
		return p.goCall()
	}
	if reserved[name] {
		p.stop(p.unexpected("expected an expression"))
	}
	p.next()
	id := Ident{at, name}
	switch {
	case !p.isOp("("):
		return &Name{at, name}
	case p.isFunction(name):
		args, keywords := p.callArgs()
		for _, k := range keywords {
			p.report(p.failAt(diag.BadKeywordArgument, k.Extent, "function %s takes no argument by name", name).
				suggest("pass the argument by position"))
		}
		return &FuncCall{p.since(t.from), id, args}
	case builtinSet[name]:
		args, keywords := p.callArgs()
		if name == "isinstance" && len(args) > 1 {
			args[1] = typeWords(args[1])
		}
		return &BuiltinCall{p.since(t.from), id, args, keywords}
	}
	if word := blockWord(name); word != "" {
		p.report(p.fail(diag.NoResult, t.from, t.to, "%s is a block marker and has no result", name).
			suggest("write it on a line of its own"))
	}
	args := p.commandArgs(name)
	return &CommandCall{Extent: p.since(t.from), Name: id, Args: args}
}

// typeWords turns the names of types in the second argument of isinstance
// from variables into type words.
func typeWords(x Expr) Expr {
	switch x := x.(type) {
	case *Name:
		if typeWordSet[x.Name] {
			return &TypeWord{x.Extent, x.Name}
		}
	case *List:
		markArgList(x)
		for i, e := range x.Elems {
			x.Elems[i] = typeWords(e)
		}
	}
	return x
}

// goCall parses `go f(args)` and `go(f, args)`.
func (p *parser) goCall() Expr {
	from := p.tok.from
	p.next()
	inside := p.isOp("(")
	if inside {
		p.open()
	}
	if p.tok.kind != tokName {
		p.stop(p.unexpected("expected a function's name after go").suggest("write: h = go f(args)"))
	}
	f := Ident{p.ext(p.tok.from, p.tok.to), p.text()}
	if !p.isFunction(f.Name) {
		p.report(p.fail(diag.NotAFunction, p.tok.from, p.tok.to, "%s is not a function of this script", clipText(f.Name)).
			suggest(p.suggestFunction(f.Name)))
	}
	p.next()
	var args []Expr
	var keywords []Keyword
	switch {
	case !inside && !p.isOp("("):
		p.stop(p.unexpected("expected ( after the function's name"))
	case !inside:
		args, keywords = p.callArgs()
	default:
		if p.isOp(",") {
			p.next()
		} else if !p.isOp(")") {
			p.stop(p.unexpected("expected a comma or )"))
		}
		args, keywords = p.restOfArgs()
	}
	for _, k := range keywords {
		p.report(p.failAt(diag.BadKeywordArgument, k.Extent, "function %s takes no argument by name", clipText(f.Name)))
	}
	return &Go{p.since(from), f, args}
}

func (p *parser) suggestFunction(name string) string {
	var names []string
	for _, set := range []map[string]bool{p.functions, p.opts.Functions} {
		for n := range set {
			names = append(names, n)
		}
	}
	return didYouMean(name, names)
}
