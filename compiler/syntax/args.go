package syntax

import (
	"strings"
	"unicode/utf8"

	"github.com/avapd/avapd/internal/diag"
)

// commandArgs parses the parenthesised arguments of a command by section 6 of
// the language. The opening parenthesis is the current token.
func (p *parser) commandArgs(name string) []*Arg {
	bracket, raw := p.tok.from, p.rawCtx
	p.enter()
	p.depth++
	p.brackets = append(p.brackets, bracket)
	p.rawCtx = true
	p.traceToken()
	list := argList{p: p, command: name, bracket: bracket, from: p.off, count: -1}
	var args []*Arg
	for {
		mark := len(p.pieces)
		arg := list.arg(len(args))
		p.traceArg(mark, arg)
		if p.src[p.off] == ')' && len(args) == 0 && arg.Kind == ArgEmpty {
			break
		}
		args = append(args, arg)
		if p.src[p.off] == ')' {
			break
		}
		p.traceWord(p.off, p.off+1, "")
		p.off++ // the comma
	}
	p.leave()
	p.depth--
	p.brackets = p.brackets[:len(p.brackets)-1]
	p.rawCtx = raw
	p.traceWord(p.off, p.off+1, "")
	p.resumeBehind(p.off + 1)
	return args
}

// argList reads the arguments of one call.
type argList struct {
	p       *parser
	command string
	bracket int
	from    int
	count   int // of arguments, -1 until it is needed
}

// arg reads one argument and leaves p.off at the comma or parenthesis behind.
func (l *argList) arg(index int) *Arg {
	p := l.p
	p.skipBlank(true)
	from := p.off
	if from >= p.end {
		p.stopOpenArgs(l.bracket, -1)
	}
	switch c := p.src[from]; {
	case c == ',' || c == ')':
		return &Arg{Extent: p.ext(from, from)}
	case strings.IndexByte("[(\\^.", c) >= 0 && l.rawParam(index):
		return l.raw(from, true)
	case isDigit(c) && p.isDate(from):
		return l.raw(from, false)
	}
	var arg *Arg
	failed := p.attempt(func() { arg = l.parsed(from) })
	if failed == nil {
		return arg
	}
	l.refuseBroken(from, failed)
	return l.raw(from, false)
}

// refuseBroken keeps an argument that was clearly meant as a text or as a
// template from becoming raw text silently.
func (l *argList) refuseBroken(from int, failed *syntaxError) {
	p := l.p
	switch p.src[from] {
	case '"', '\'':
		if _, ok := skipString(p.src, from, p.end); !ok {
			p.stop(failed)
		}
	case '`':
		if to, ok := skipTemplate(p.src, from, p.end, 0); ok && p.endsArg(to) {
			failed.hard = true
			p.stop(failed)
		}
	}
}

// parsed reads an argument that is a text or an expression; it fails if the
// argument is neither.
func (l *argList) parsed(from int) *Arg {
	p := l.p
	p.off = from
	p.next()
	t := p.tok
	switch {
	case t.kind == tokString && p.endsArg(t.to):
		text, _ := unquoteArg(p.src, t.from, t.to)
		p.skipToEnd(t.to)
		return &Arg{Extent: p.ext(t.from, t.to), Kind: ArgQuoted, Text: text}
	case t.kind == tokName && !reserved[p.text()] && p.endsArg(t.to):
		x := &Name{p.ext(t.from, t.to), p.text()}
		p.skipToEnd(t.to)
		return &Arg{Extent: x.Extent, Kind: ArgWord, Text: x.Name, Expr: x}
	case t.kind == tokDollar && p.endsArg(t.to):
		x := &Dollar{p.ext(t.from, t.to), p.src[t.from+1 : t.to]}
		p.skipToEnd(t.to)
		return &Arg{Extent: x.Extent, Kind: ArgDollar, Text: x.Name, Expr: x}
	}
	x := p.expr()
	if !p.isOp(",") && !p.isOp(")") {
		p.stop(p.unexpected("expected a comma or )"))
	}
	to := p.prevEnd
	p.off = p.tok.from
	arg := &Arg{Extent: p.ext(from, to), Kind: ArgExpr, Text: p.withoutComments(from, to), Expr: x}
	if template, ok := x.(*Template); ok && template.Extent == arg.Extent {
		arg.Kind = ArgTemplate
	}
	return arg
}

// endsArg reports whether nothing but blanks and comments stands between i
// and the end of the argument.
func (p *parser) endsArg(i int) bool {
	saved := p.off
	p.off = i
	p.skipBlank(true)
	i, p.off = p.off, saved
	return i < p.end && (p.src[i] == ',' || p.src[i] == ')')
}

func (p *parser) skipToEnd(i int) {
	p.off = i
	p.skipBlank(true)
}

// isDate reports whether the argument at i is digits-digits-digits, which is
// text although it could be computed.
func (p *parser) isDate(i int) bool {
	for part := range 3 {
		if part > 0 {
			if i >= p.end || p.src[i] != '-' {
				return false
			}
			i++
		}
		from := i
		for i < p.end && isDigit(p.src[i]) {
			i++
		}
		if i == from {
			return false
		}
	}
	return p.endsArg(i)
}

func (l *argList) rawParam(index int) bool {
	if l.p.opts.RawParam == nil {
		return false
	}
	if l.count < 0 {
		l.count = l.countArgs()
	}
	return l.p.opts.RawParam(l.command, index, l.count)
}

// countArgs counts the arguments without parsing them.
func (l *argList) countArgs() int {
	p, off := l.p, l.p.off
	defer func() { p.off = off }()
	p.off = l.from
	for n := 1; ; n++ {
		p.skipBlank(true)
		if p.off >= p.end {
			p.stopOpenArgs(l.bracket, -1)
		}
		pattern := strings.IndexByte("[(\\^.", p.src[p.off]) >= 0
		r := rawScan{p: p, from: p.off, pattern: pattern, bracket: l.bracket}
		p.off = r.run()
		if p.src[p.off] == ')' {
			return n
		}
		p.off++
	}
}

// raw reads a raw argument.
func (l *argList) raw(from int, pattern bool) *Arg {
	p := l.p
	r := rawScan{p: p, from: from, pattern: pattern, bracket: l.bracket}
	end := r.run()
	to := r.textEnd
	p.off = end
	return &Arg{Extent: p.ext(from, to), Kind: ArgRaw, Text: r.text(to)}
}

// rawScan finds the end of a raw argument: the next comma or parenthesis at
// the depth where it began. In a pattern a backslash takes the meaning from
// the character behind it, and quotes have none.
type rawScan struct {
	p       *parser
	from    int
	pattern bool
	bracket int // of the argument list, for errors

	counts  [3]int // open ( [ {
	stack   []openBracket
	cuts    []Extent // comments, to be left out of the text
	textEnd int      // end of the last piece that is neither blank nor comment
}

type openBracket struct {
	kind int
	at   int
}

func (r *rawScan) run() int {
	p := r.p
	for i := r.from; i < p.end; {
		c := p.src[i]
		if len(r.stack) == 0 && (c == ',' || c == ')') {
			return i
		}
		next := r.step(i, c)
		if next > i && !isBlank(c) && c != '\n' && !r.cutAt(i) {
			r.textEnd = next
		}
		i = next
	}
	at := -1
	if n := len(r.stack); n > 0 {
		at = r.stack[n-1].at
	}
	p.stopOpenArgs(r.bracket, at)
	return p.end
}

func (r *rawScan) cutAt(i int) bool {
	n := len(r.cuts)
	return n > 0 && int(r.cuts[n-1].From) == i
}

// step moves over one character, or over a whole comment, text or template.
func (r *rawScan) step(i int, c byte) int {
	p := r.p
	switch {
	case c == '/' && r.commentAt(i):
		return r.cut(i, p.commentEnd(i))
	case c == '#' && p.atLineStart(i):
		return r.cut(i, p.lineEnd(i))
	case r.pattern && c == '\\':
		return min(i+2, p.end)
	case !r.pattern && (c == '"' || c == '\'' || c == '`') && !r.insideWord(i):
		return r.skipText(i, c)
	}
	if kind := strings.IndexByte("([{", c); kind >= 0 {
		if len(r.stack) >= maxNesting {
			p.stopTooDeep(i)
		}
		r.counts[kind]++
		r.stack = append(r.stack, openBracket{kind, i})
	} else if kind := strings.IndexByte(")]}", c); kind >= 0 && r.counts[kind] > 0 {
		r.pop(kind)
	}
	return i + 1
}

// pop closes the nearest open bracket of a kind and drops those inside it,
// which were plain text, as the parenthesis of [^(] is.
func (r *rawScan) pop(kind int) {
	for {
		top := r.stack[len(r.stack)-1]
		r.stack = r.stack[:len(r.stack)-1]
		r.counts[top.kind]--
		if top.kind == kind {
			return
		}
	}
}

func (r *rawScan) cut(from, to int) int {
	r.cuts = append(r.cuts, Extent{Pos(from), Pos(to)})
	return to
}

func (r *rawScan) commentAt(i int) bool {
	p := r.p
	if r.pattern && i > r.from && !isBlank(p.src[i-1]) && p.src[i-1] != '\n' {
		return false
	}
	return p.commentAt(i)
}

// insideWord reports whether the quote at i belongs to a raw word (it's).
func (r *rawScan) insideWord(i int) bool {
	p := r.p
	if i == r.from || !p.afterWordChar(i) {
		return false
	}
	if prefix := p.src[i-1]; (prefix == 'f' || prefix == 'F') && p.src[i] != '`' {
		return i-1 > r.from && p.afterWordChar(i-1)
	}
	return true
}

func (r *rawScan) skipText(i int, c byte) int {
	p := r.p
	if c == '`' {
		to, ok := skipTemplate(p.src, i, p.end, 0)
		if !ok {
			e := p.fail(diag.UnclosedString, i, i+1, "template is not closed").suggest("add the closing `")
			e.hard, e.resumeAt = true, int(p.ext(i, i).From)+1
			p.stop(e)
		}
		return to
	}
	to, ok := skipString(p.src, i, p.end)
	if !ok {
		e := p.failUnclosedString(i)
		e.hard = true
		p.stop(e)
	}
	return to
}

// text is the raw text without comments.
func (r *rawScan) text(to int) string {
	if len(r.cuts) == 0 {
		return r.p.src[r.from:to]
	}
	var b strings.Builder
	from := r.from
	for _, c := range r.cuts {
		if int(c.From) >= to {
			break
		}
		b.WriteString(r.p.src[from:c.From])
		from = int(c.To)
	}
	b.WriteString(r.p.src[from:to])
	return strings.TrimSpace(b.String())
}

// withoutComments is the source text of an expression without its comments.
func (p *parser) withoutComments(from, to int) string {
	if p.lastComment <= from {
		return p.src[from:to]
	}
	r := rawScan{p: p, from: from}
	for i := from; i < to; {
		i = r.step(i, p.src[i])
	}
	return r.text(to)
}

// stopOpenArgs fails because an argument list has no end. inner is the
// innermost bracket still open in it, or -1.
func (p *parser) stopOpenArgs(bracket, inner int) {
	at := bracket
	if inner >= 0 {
		at = inner
	}
	_, size := utf8.DecodeRuneInString(p.src[at:])
	e := p.fail(diag.UnclosedBracket, at, at+size, "%s is not closed", p.src[at:at+size])
	e.hard, e.resumeAt = true, int(p.ext(bracket, bracket).From)+1
	p.stop(e)
}

func didYouMean(name string, candidates []string) string { return diag.DidYouMean(name, candidates) }
