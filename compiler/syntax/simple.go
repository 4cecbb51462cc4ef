package syntax

import (
	"strings"

	"github.com/avapd/avapd/internal/diag"
)

// reservedStatement parses a statement that begins with a reserved word which
// opens no block.
func (p *parser) reservedStatement(word string, from, to int) bool {
	switch word {
	case "break", "continue":
		p.traceWord(from, to, "")
		p.off = to
		p.next()
		p.jump(word, from, to)
	case "return":
		p.traceWord(from, to, "")
		p.off = to
		p.next()
		p.returnStatement(from, to)
	case "import", "include":
		p.traceWord(from, to, "")
		p.off = to
		p.next()
		p.importStatement(word, from)
	case "for":
		p.stop(p.fail(diag.SyntaxError, from, to, "there is no for statement").
			suggest("write startLoop(i, first, last), or while(condition)"))
	default:
		return false
	}
	return true
}

func (p *parser) jump(word string, from, to int) {
	if p.isOp("(") {
		p.stop(p.unexpected("%s stands alone", word).suggest("write " + word + " without parentheses"))
	}
	target := p.jumpTarget(func(k frameKind) bool {
		return k == loopFrame || k == whileFrame || k == functionFrame || k == asyncFrame
	})
	switch target {
	case loopFrame, whileFrame:
	case asyncFrame:
		p.report(p.fail(diag.MisplacedJump, from, to, "%s would leave its go_async block", word))
	default:
		p.report(p.fail(diag.MisplacedJump, from, to, "%s stands outside a loop", word))
	}
	at := p.ext(from, to)
	if word == "break" {
		p.add(&Break{at})
	} else {
		p.add(&Continue{at})
	}
	p.endStatement()
}

func (p *parser) returnStatement(from, to int) {
	async := p.jumpTarget(func(k frameKind) bool { return k == functionFrame || k == asyncFrame })
	if async == asyncFrame {
		p.report(p.fail(diag.MisplacedJump, from, to, "return would leave its go_async block"))
	}
	ret := &Return{}
	switch {
	case p.tok.kind == tokNewline || p.tok.kind == tokEOF || p.isOp("}"):
	case p.isOp("(") && p.emptyParens():
		p.open()
		p.close(")")
	default:
		ret.Value = p.expr()
		if p.isOp(",") {
			p.stop(p.unexpected("return takes one value").suggest("return a list in square brackets"))
		}
	}
	ret.Extent = p.since(from)
	p.add(ret)
	p.endStatement()
}

// emptyParens reports whether the current parenthesis is closed at once.
func (p *parser) emptyParens() bool {
	saved := p.state
	defer func() { p.state = saved }()
	p.open()
	return p.isOp(")")
}

func (p *parser) importStatement(word string, from int) {
	if p.tok.kind != tokString {
		p.stop(p.unexpected("expected a quoted path after %s", word).suggest("write: " + word + " \"path\""))
	}
	at := p.ext(p.tok.from, p.tok.to)
	path, _ := unquoteArg(p.src, p.tok.from, p.tok.to)
	p.next()
	s := &Import{p.since(from), word, path, at}
	for _, open := range p.frames[1:] {
		if open.kind != tryFrame {
			p.report(p.failAt(diag.MisplacedImport, s.Extent, "%s stands inside %s", word, frameWord[open.kind]).
				suggest("move it to the top level"))
			break
		}
	}
	if path == "" {
		p.report(p.failAt(diag.ImportFailed, at, "the path is empty"))
	}
	p.script.Imports = append(p.script.Imports, s)
	p.add(s)
	p.endStatement()
}

var assignOps = map[string]BinaryOp{"=": NoOp, "+=": Add, "-=": Sub, "*=": Mul, "/=": Div, "%=": Mod}

// simple parses an assignment or a call on a line of its own.
func (p *parser) simple() {
	from := p.tok.from
	x := p.lineStart()
	if p.tok.kind == tokOp {
		if op, ok := assignOps[p.text()]; ok {
			p.assignment(from, x, op)
			return
		}
	}
	switch call := x.(type) {
	case *CommandCall:
		call.Place = AsStatement
	case *FuncCall, *BuiltinCall, *MethodCall, *Go:
	default:
		p.stop(p.useless(from, x))
	}
	p.add(&CallStmt{p.since(from), x})
	p.endStatement()
}

// lineStart parses the expression a line begins with. An error at its very
// start is about the line as a whole.
func (p *parser) lineStart() Expr {
	if p.tok.kind == tokOp && strings.Contains("([{-+~", p.text()) || p.tok.kind != tokOp {
		return p.expr()
	}
	p.stop(p.unexpected("expected a statement").suggest("write an assignment, a command call or a block marker"))
	return nil
}

// useless explains a line that is neither an assignment nor a call.
func (p *parser) useless(from int, x Expr) *syntaxError {
	ended := p.tok.kind == tokNewline || p.tok.kind == tokEOF || p.isOp("}")
	switch {
	case p.isOp(",") && isTarget(x):
		return p.fail(diag.BadTarget, from, p.tok.to, "only one target can be assigned").
			suggest("write one assignment per name")
	case p.isOp("**=") || p.tok.kind == tokOp && strings.HasSuffix(p.text(), "="):
		return p.unexpected("expected an assignment").suggest("the assignments are = += -= *= /= %=")
	case ended:
		e := p.fail(diag.UselessExpression, from, p.prevEnd, "a line holds a call, an assignment or a block marker, not a bare expression")
		if n, ok := x.(*Name); ok {
			e.suggest("write " + clipText(n.Name) + "(…) to call a command, or " + clipText(n.Name) + " = … to assign")
			if word := blockWord(lowerASCII(n.Name)); word != "" {
				e.suggest("write " + word + "()")
			} else if lower := lowerASCII(n.Name); lower == "break" || lower == "continue" {
				e.suggest("write " + lower)
			}
		} else {
			e.suggest("assign the value: x = …")
		}
		return e
	}
	e := p.fail(diag.UnexpectedText, p.tok.from, p.tok.to, "this line is no assignment, call or block marker: unexpected %s", p.describe())
	if n, ok := x.(*Name); ok {
		e.suggest(foreignWord(n.Name))
	}
	return e
}

// foreignWord advises on the statements of other languages.
func foreignWord(word string) string {
	switch word {
	case "elif":
		return "write else(), and an if of its own below it with its own end()"
	case "def", "fn", "func", "fun":
		return "write: function name(a, b){"
	case "var", "let", "const":
		return "write: name = value"
	case "print", "del", "raise", "throw":
		return "write: " + word + "(…)"
	case "class", "async", "yield", "with", "lambda":
		return "there is no " + word + " in this language"
	}
	return didYouMean(word, append([]string{"function", "return", "import", "include"}, blockWords...))
}

// isTarget reports whether an expression may stand left of `=`.
func isTarget(x Expr) bool {
	for {
		switch t := x.(type) {
		case *Name:
			return true
		case *Index:
			x = t.X
		default:
			return false
		}
	}
}

func (p *parser) assignment(from int, target Expr, op BinaryOp) {
	if !isTarget(target) {
		p.stop(p.badTarget(from, target))
	}
	plain := p.isOp("=")
	p.next()
	if plain && p.atException() {
		at := p.tok.from
		p.traceWord(at, p.tok.to, blockWord(p.text()))
		p.next()
		e := p.exception(at, target)
		e.From = p.ext(from, from).From
		p.exceptionMarker(e)
		p.endStatement()
		return
	}
	value := p.expr()
	if op == Mod {
		markArgList(value)
	}
	switch {
	case p.isOp("="):
		p.stop(p.fail(diag.BadTarget, p.tok.from, p.tok.to, "assignments cannot be chained").
			suggest("write one assignment per name"))
	case p.isOp(","):
		p.stop(p.unexpected("only one value can be assigned").suggest("put a list in square brackets"))
	}
	if call, ok := value.(*CommandCall); ok && plain {
		if _, ok := target.(*Name); ok {
			call.Place = AsTarget
		}
	}
	p.add(&Assign{p.since(from), target, op, value})
	p.endStatement()
}

// atException reports whether `exception(` stands here.
func (p *parser) atException() bool {
	if p.tok.kind != tokName {
		return false
	}
	word := blockWord(p.text())
	return (word == "exception" || word == "except") && p.follower(p.tok.to) == '('
}

func (p *parser) badTarget(from int, target Expr) *syntaxError {
	what, advice := "this expression", "assign to a name, or to an element such as m[\"k\"]"
	switch t := target.(type) {
	case *Slice:
		what, advice = "a slice", "assign to single elements"
	case *Attr:
		what, advice = "an attribute", "write x[\""+clipText(t.Name.Name)+"\"] = …"
	case *Dollar:
		what, advice = "$"+clipText(t.Name), "write "+clipText(t.Name)+" = …"
	case *List:
		what, advice = "a list", "write one assignment per name"
	case *Null, *Bool, *Int, *Float, *String:
		what = "a constant"
	case *FuncCall, *BuiltinCall, *MethodCall, *CommandCall:
		what, advice = "a call", "write == to compare"
	}
	return p.fail(diag.BadTarget, from, p.prevEnd, "cannot assign to %s", what).suggest(advice)
}
