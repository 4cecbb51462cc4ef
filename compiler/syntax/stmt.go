package syntax

import (
	"strings"

	"github.com/avapd/avapd/internal/diag"
)

// statementOrResume parses one statement. After an error it goes on with the
// next line. It reports whether there is more to read.
func (p *parser) statementOrResume() (more bool) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *syntaxError:
			p.report(r)
			p.resume(r)
			more = true
		default:
			panic(r)
		}
	}()
	p.depth, p.level, p.rawCtx, p.opening, p.brackets = 0, 0, false, nil, nil
	for {
		p.skipBlank(true)
		if p.off < p.end && p.src[p.off] == ';' {
			p.off++
			continue
		}
		break
	}
	if p.off >= p.end {
		return false
	}
	p.tok = token{tokNewline, p.off, p.off}
	p.statement()
	return true
}

// resume moves to the line after the error. A block whose header was wrong is
// open nevertheless, and a `}` that ends a function on that line still does.
func (p *parser) resume(e *syntaxError) {
	p.src, p.back, p.end = p.source.Text, nil, len(p.source.Text)
	at := max(e.from, e.resumeAt)
	if e.resumeAt > 0 {
		at = e.resumeAt
	}
	at = min(max(at, 0), p.end)
	p.off = p.end
	if n := strings.IndexByte(p.src[at:], '\n'); n >= 0 {
		p.off = at + n
	}
	if p.opening != nil {
		f := p.opening
		p.opening = nil
		p.push(f)
	}
	line, _, _ := strings.Cut(p.src[at:p.off], "//")
	line = strings.TrimRight(line, " \t\r;")
	if f := p.top(); f.kind == functionFrame && strings.HasSuffix(line, "}") && p.source.Line(Pos(at)) == p.source.Line(Pos(f.from)) {
		p.off = at + len(line) - 1
	}
}

func (p *parser) statement() {
	from := p.off
	p.traceStart(from)
	if p.src[from] == '}' {
		p.traceWord(from, from+1, "")
		p.off++
		p.closeFunction(from)
		p.next()
		p.endStatement()
		return
	}
	to := p.identEnd(from)
	if to == from {
		p.next()
		p.simple()
		return
	}
	word := p.src[from:to]
	after := p.follower(to)
	switch {
	case after == '=': // an assignment, whatever the word
	case p.blockStatement(word, from, to, after):
		return
	case p.reservedStatement(word, from, to):
		return
	}
	if after == '(' && len(p.suspects) < maxSuspects && !p.isFunction(word) {
		p.suspects = append(p.suspects, suspect{p.ext(from, to), word})
	}
	p.next()
	p.simple()
}

// follower tells what stands behind the first word of a statement: `(`, `=`
// for any kind of assignment, '\n' for nothing, 0 for anything else.
func (p *parser) follower(i int) byte {
	saved := p.off
	defer func() { p.off = saved }()
	p.off = i
	p.skipBlank(false)
	rest := p.src[p.off:p.end]
	if rest == "" {
		return '\n'
	}
	switch c := rest[0]; c {
	case '\n', ';', '}':
		return '\n'
	case '(', '{':
		return c
	case '=':
		if !strings.HasPrefix(rest, "==") {
			return '='
		}
	case '+', '-', '*', '/', '%':
		if len(rest) > 1 && rest[1] == '=' {
			return '='
		}
	}
	return 0
}

// blockStatement parses a statement that begins with a block word.
func (p *parser) blockStatement(word string, from, to int, after byte) bool {
	block := blockWord(word)
	switch {
	case block == "":
		return false
	case block == "function":
		p.functionHeader(from, to)
		return true
	case after == '(':
	case (block == "else" || block == "end") && after == '\n':
		p.traceWord(from, to, block)
		p.off = to
		p.next()
		p.marker(block, from, to)
		return true
	case block == "else" && p.elseIf(to):
		p.stop(p.fail(diag.SyntaxError, from, to, "there is no else if").
			suggest("write else(), and an if of its own below it with its own end()"))
	case after == '\n' && !reserved[word]:
		p.stop(p.fail(diag.SyntaxError, from, to, "%s needs parentheses", word).suggest("write " + block + "()"))
	case reserved[word]:
		p.stop(p.fail(diag.SyntaxError, from, to, "%s needs parentheses", word).suggest(headerForm(block)))
	default:
		return false // x = try, end[0] = 1: a variable
	}
	p.traceWord(from, to, block)
	p.off = to
	p.next()
	p.blockHeader(block, from)
	return true
}

func (p *parser) elseIf(i int) bool {
	rest := strings.TrimLeft(p.src[i:p.end], " \t(){}")
	return lowerASCII(rest[:identEnd(rest, 0)]) == "if"
}

func headerForm(block string) string {
	switch block {
	case "if":
		return "write if(left, right, \"==\"), or if(None, None, `left == right`)"
	case "while":
		return "write while(condition)"
	}
	return "write " + block + "()"
}

// marker handles a block word that opens nothing.
func (p *parser) marker(block string, from, to int) {
	switch block {
	case "else":
		p.elseMarker(from, to)
	case "end":
		p.endMarker(from, to)
	case "endLoop":
		p.endLoopMarker(from, to)
	}
	p.endStatement()
}

// blockHeader parses `word(…)`; the parenthesis is the current token.
func (p *parser) blockHeader(block string, from int) {
	switch block {
	case "else", "end", "endLoop":
		p.open()
		if !p.isOp(")") {
			p.stop(p.unexpected("%s takes nothing between its parentheses", block))
		}
		p.close(")")
		p.marker(block, from, p.prevEnd)
	case "exception", "except":
		p.exceptionMarker(p.exception(from, nil))
		p.endStatement()
	default:
		p.opener(block, from)
		f := p.opening
		p.opening = nil
		f.to = p.prevEnd
		p.push(f)
		p.endStatement()
	}
}

func (p *parser) opener(block string, from int) {
	f := &frame{from: from, to: p.tok.from}
	p.opening = f
	switch block {
	case "if":
		f.kind, f.ifStmt = ifFrame, &If{}
		f.ifStmt.Cond = p.condition(from)
	case "startLoop":
		f.kind, f.loop = loopFrame, &Loop{}
		p.loopHeader(f.loop, from)
	case "while":
		f.kind, f.while = whileFrame, &While{Cond: &Null{}}
		p.open()
		f.while.Cond = p.expr()
		p.close(")")
	case "try":
		f.kind = tryFrame
		p.open()
		p.close(")")
	case "go_async":
		f.kind, f.async = asyncFrame, &Async{}
		args := p.commandArgs(block)
		if len(args) > 0 && args[0].Kind != ArgEmpty {
			f.async.ID = args[0]
		} else {
			p.report(p.fail(diag.MissingArgument, from, p.prevEnd, "go_async needs a name for its handle").
				suggest("write go_async(\"name\")"))
		}
	}
}

func (p *parser) loopHeader(loop *Loop, from int) {
	empty := &Arg{Extent: p.ext(p.tok.from, p.tok.from)}
	loop.First, loop.Last = empty, empty
	args := p.commandArgs("startLoop")
	if len(args) < 3 || args[1].Kind == ArgEmpty || args[2].Kind == ArgEmpty {
		p.report(p.fail(diag.MissingArgument, from, p.prevEnd, "startLoop needs a variable and two bounds").
			suggest("write startLoop(i, 1, 10)"))
		return
	}
	if id := p.targetName(args[0], "startLoop"); id != nil {
		loop.Var = *id
	}
	loop.First, loop.Last = args[1], args[2]
}

// targetName reads a bare or quoted identifier.
func (p *parser) targetName(a *Arg, what string) *Ident {
	if (a.Kind == ArgWord || a.Kind == ArgQuoted || a.Kind == ArgDollar) && IsIdent(a.Text) {
		return &Ident{a.Extent, a.Text}
	}
	p.report(p.failAt(diag.BadTargetArgument, a.Extent, "%s needs the name of a variable", what).
		suggest("give a bare or quoted name"))
	return nil
}

// exception parses the parentheses of `exception(v)`.
func (p *parser) exception(from int, target Expr) *Exception {
	e := &Exception{Target: target}
	args := p.commandArgs("exception")
	e.Extent = p.since(from)
	if len(args) > 1 {
		p.report(p.failAt(diag.BadArguments, e.Extent, "exception takes one variable"))
	}
	if len(args) > 0 && args[0].Kind != ArgEmpty {
		e.Var = p.targetName(args[0], "exception")
	}
	return e
}

// functionHeader parses `function name(p, q){`.
func (p *parser) functionHeader(from, to int) {
	p.traceWord(from, to, "function")
	p.off = to
	p.next()
	if p.tok.kind != tokName {
		p.stop(p.unexpected("expected a name after function").suggest("write: function name(a, b){"))
	}
	f := &Function{Name: Ident{p.ext(p.tok.from, p.tok.to), p.text()}}
	p.opening = &frame{kind: functionFrame, from: from, to: p.tok.to, function: f}
	if IsKeyword(f.Name.Name) {
		p.report(p.failAt(diag.KeywordName, f.Name.Extent, "%s is a keyword and cannot name a function", f.Name.Name).
			suggest("choose another name"))
	}
	p.declare(f)
	p.next()
	if !p.isOp("(") {
		p.stop(p.unexpected("expected ( after the function's name"))
	}
	f.Params = p.parameters()
	for p.tok.kind == tokNewline {
		p.next()
	}
	if !p.isOp("{") {
		p.stop(p.unexpected("expected { before the function's body"))
	}
	frame := p.opening
	p.opening = nil
	p.traceToken()
	p.off = p.tok.to
	p.push(frame)
}

// declare records a function and reports what is wrong with its place.
func (p *parser) declare(f *Function) {
	for _, open := range p.frames[1:] {
		if open.kind != tryFrame {
			p.report(p.failAt(diag.MisplacedFunction, f.Name.Extent, "function %s stands inside %s", clipText(f.Name.Name), frameWord[open.kind]).
				suggest("move it to the top level"))
			break
		}
	}
	if first := p.declaredAs[f.Name.Name]; first != nil {
		e := p.failAt(diag.DuplicateFunction, f.Name.Extent, "function %s is declared twice", clipText(f.Name.Name))
		e.d = e.d.WithNote(p.source.Span(first.Name.Extent), "the first declaration is here")
		p.report(e)
	} else {
		p.declaredAs[f.Name.Name] = f
	}
	p.script.Functions = append(p.script.Functions, f)
}

func (p *parser) parameters() []Ident {
	p.open()
	var params []Ident
	seen := map[string]bool{}
	for !p.isOp(")") {
		if p.tok.kind != tokName || reserved[p.text()] {
			p.stop(p.unexpected("expected the name of a parameter"))
		}
		id := Ident{p.ext(p.tok.from, p.tok.to), p.text()}
		if seen[id.Name] {
			p.report(p.failAt(diag.DuplicateParameter, id.Extent, "parameter %s is declared twice", clipText(id.Name)))
		}
		seen[id.Name] = true
		params = append(params, id)
		p.next()
		if !p.isOp(",") {
			break
		}
		p.next()
	}
	if p.isOp("=") {
		p.stop(p.unexpected("parameters have no default values").suggest("a missing argument is null; test for it in the body"))
	}
	p.close(")")
	return params
}

// endStatement checks that the statement ends where the current token stands.
func (p *parser) endStatement() {
	switch {
	case p.tok.kind == tokNewline || p.tok.kind == tokEOF:
		p.off = p.tok.to
	case p.isOp("}") && p.inFunction():
		p.off = p.tok.from
	default:
		e := p.unexpected("expected the end of the line")
		if e.d.Suggestion == "" {
			e.suggest("write one statement per line, or ; between them")
		}
		p.stop(e)
	}
}
