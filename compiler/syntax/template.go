package syntax

import (
	"strings"

	"github.com/avapd/avapd/internal/diag"
)

// inField parses the expression of a `${…}` or a replacement field whose text
// begins at i. Newlines are blanks in it, and there are no raw words.
func (p *parser) inField(i int, closers string) Expr {
	p.depth, p.rawCtx, p.brackets = 1, false, nil
	p.off = i
	p.next()
	if p.tok.kind == tokOp && strings.Contains(closers, p.text()) {
		p.stop(p.fail(diag.BadInterpolation, i, p.tok.to, "nothing stands between the braces").
			suggest("put an expression between them"))
	}
	return p.expr()
}

// resumeBehind makes the token behind i the current one.
func (p *parser) resumeBehind(i int) {
	p.tok.to, p.off = i, i
	p.next()
}

// template parses a template in place; its opening backtick is the token.
func (p *parser) template() Expr {
	from := p.tok.from
	depth, raw, brackets, mark := p.depth, p.rawCtx, p.brackets, len(p.pieces)
	var parts []TemplatePart
	var text strings.Builder
	start, i := from+1, from+1
	flush := func() {
		if text.Len() > 0 {
			parts = append(parts, TemplatePart{Extent: p.ext(start, i), Text: text.String()})
			text.Reset()
		}
	}
	for {
		switch rest := p.src[i:p.end]; {
		case rest == "":
			e := p.fail(diag.UnclosedString, from, from+1, "template is not closed").suggest("add the closing `")
			e.hard, e.resumeAt = true, int(p.ext(from, from).From)+1
			p.stop(e)
		case rest[0] == '`':
			flush()
			p.depth, p.rawCtx, p.brackets = depth, raw, brackets
			p.traceText(mark, from, i+1)
			p.resumeBehind(i + 1)
			return &Template{p.since(from), parts}
		case strings.HasPrefix(rest, "${"):
			flush()
			x := p.inField(i+2, "}")
			if !p.isOp("}") {
				p.stop(p.unexpected("expected } to end the interpolation"))
			}
			parts = append(parts, TemplatePart{Extent: p.ext(i, p.tok.to), X: x})
			i = p.tok.to
			start = i
		case rest[0] == '\\' && len(rest) > 1 && strings.IndexByte("`$\\", rest[1]) >= 0:
			text.WriteByte(rest[1])
			i += 2
		default:
			text.WriteByte(rest[0])
			i++
		}
	}
}

// fstring parses the f-string that is the current token.
func (p *parser) fstring() Expr {
	t, saved := p.tok, p.state
	p.end = t.to - 1
	parts, _ := p.fparts(t.from+2, 0)
	p.state = saved
	p.resumeBehind(t.to)
	return &FString{p.since(t.from), parts}
}

// fparts parses text and fields up to p.end, or in a format specification
// (level > 0) up to its closing brace. It returns where it stopped.
func (p *parser) fparts(i, level int) ([]FPart, int) {
	var parts []FPart
	var text strings.Builder
	start := i
	flush := func(to int) {
		if text.Len() > 0 {
			parts = append(parts, FPart{Extent: p.ext(start, to), Text: text.String()})
			text.Reset()
		}
	}
	for i < p.end {
		c := p.src[i]
		doubled := level == 0 && i+1 < p.end && p.src[i+1] == c
		switch {
		case c == '\\' && i+1 < p.end && p.src[i+1] != '{' && p.src[i+1] != '}':
			i += p.escape(&text, p.src[i:p.end], i)
		case (c == '{' || c == '}') && doubled:
			text.WriteByte(c)
			i += 2
		case c == '}' && level > 0:
			flush(i)
			return parts, i
		case c == '}':
			p.stop(p.fail(diag.BadInterpolation, i, i+1, "a single } in an f-string").suggest("write }} for a brace"))
		case c == '{':
			flush(i)
			parts, i = p.field(parts, i, level)
			start = i
		default:
			text.WriteByte(c)
			i++
		}
	}
	flush(i)
	return parts, i
}

// field parses the replacement field that begins at i and appends it, after
// the text that `{x=}` shows.
func (p *parser) field(parts []FPart, i, level int) ([]FPart, int) {
	if level > 1 {
		p.stop(p.fail(diag.BadInterpolation, i, i+1, "fields of an f-string are nested too deeply"))
	}
	part := FPart{X: p.inField(i+1, "}:!=")}
	debug := p.isOp("=")
	if debug {
		p.next()
		parts = append(parts, FPart{Extent: p.ext(i+1, p.tok.from), Text: p.src[i+1 : p.tok.from]})
	}
	if p.isOp("!") {
		part.Conv = p.conversion()
	}
	switch {
	case p.isOp(":"):
		from := p.tok.to
		spec, to := p.fparts(from, level+1)
		part.Spec = &FString{p.ext(from, to), spec}
		p.tok = token{tokOp, to, min(to+1, p.end)}
		if to == p.end {
			p.tok.kind = tokEOF
		}
	case debug && part.Conv == 0:
		part.Conv = 'r'
	}
	if !p.isOp("}") {
		p.stop(p.unexpected("expected } to end the field").suggest("write {{ for a brace"))
	}
	part.Extent = p.ext(i, p.tok.to)
	return append(parts, part), p.tok.to
}

func (p *parser) conversion() byte {
	i := p.tok.to
	if i >= p.end || strings.IndexByte("rsa", p.src[i]) < 0 {
		p.stop(p.fail(diag.BadInterpolation, i-1, i, "a conversion is one of !r, !s and !a"))
	}
	p.off = i + 1
	p.next()
	return p.src[i]
}
