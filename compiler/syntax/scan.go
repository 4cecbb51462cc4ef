package syntax

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/avapd/avapd/internal/diag"
)

// tokenKind classifies a token of the expression grammar.
type tokenKind uint8

const (
	tokEOF tokenKind = iota
	tokNewline
	tokName
	tokNumber
	tokString
	tokFString
	tokBacktick // only the opening backtick: the parser reads on in place
	tokDollar
	tokOp
)

type token struct {
	kind     tokenKind
	from, to int
}

// operators, longest first. Those not of the language are scanned as one
// token so that an error can name them.
var operators = []string{
	"**=", "<<=", ">>=", "**", "==", "!=", "<=", ">=", "<<", ">>", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "&&", "||",
	"+", "-", "*", "/", "%", "(", ")", "[", "]", "{", "}", ",", ":", ".", "=", "<", ">", "|", "^", "&", "~", "!", "?",
}

// operatorsByByte holds the operators that begin with a byte.
var operatorsByByte = func() (table [utf8.RuneSelf][]string) {
	for _, op := range operators {
		table[op[0]] = append(table[op[0]], op)
	}
	return table
}()

// next scans the token at p.off. Newlines are tokens only outside brackets.
func (p *parser) next() {
	p.traceToken()
	p.prevEnd = p.tok.to
	p.skipBlank(p.depth > 0)
	p.tok = p.scan(p.off)
	p.off = p.tok.to
}

func (p *parser) scan(i int) token {
	if i >= p.end {
		return token{tokEOF, i, i}
	}
	c := p.src[i]
	switch {
	case c == '\n' || c == ';':
		return token{tokNewline, i, i + 1}
	case c == '"' || c == '\'':
		return p.scanString(i, i, tokString)
	case c == '`':
		p.refuseQuoteInWord(i)
		return token{tokBacktick, i, i + 1}
	case c == '$':
		return p.scanDollar(i)
	case isDigit(c) || c == '.' && i+1 < p.end && isDigit(p.src[i+1]):
		return token{tokNumber, i, p.numberEnd(i)}
	case c < utf8.RuneSelf && operatorsByByte[c] != nil:
		for _, op := range operatorsByByte[c] {
			if strings.HasPrefix(p.src[i:p.end], op) {
				return token{tokOp, i, i + len(op)}
			}
		}
	}
	to := p.identEnd(i)
	if to == i {
		p.failUnknownByte(i)
	}
	if to == i+1 && (c == 'f' || c == 'F') && to < p.end && (p.src[to] == '"' || p.src[to] == '\'') {
		return p.scanString(i, to, tokFString)
	}
	return token{tokName, i, to}
}

func (p *parser) failUnknownByte(i int) {
	r, size := utf8.DecodeRuneInString(p.src[i:p.end])
	switch {
	case r == '\\':
		p.stop(p.fail(diag.SyntaxError, i, i+1, "unexpected backslash").
			suggest("a line continues only while a bracket is open; put text in quotes"))
	case unicode.IsSpace(r):
		p.stop(p.fail(diag.SyntaxError, i, i+size, "unexpected blank character %U", r).
			suggest("replace it with an ordinary space"))
	}
	p.stop(p.fail(diag.SyntaxError, i, i+size, "unexpected character %q", r).suggest("put text in quotes"))
}

func (p *parser) scanDollar(i int) token {
	to := p.identEnd(i + 1)
	if to == i+1 {
		p.stop(p.fail(diag.SyntaxError, i, i+1, "a name must follow $"))
	}
	return token{tokDollar, i, to}
}

// scanString scans a string whose quote stands at quote; from is where its
// prefix begins.
func (p *parser) scanString(from, quote int, kind tokenKind) token {
	p.refuseQuoteInWord(from)
	c := p.src[quote]
	if rest := p.src[quote:p.end]; len(rest) >= 3 && rest[1] == c && rest[2] == c {
		p.stop(p.fail(diag.SyntaxError, quote, quote+3, "triple quotes do not exist").
			suggest("use backticks for text over several lines"))
	}
	to, ok := skipString(p.src, quote, p.end)
	if !ok {
		p.stop(p.failUnclosedString(quote))
	}
	return token{kind, from, to}
}

func (p *parser) failUnclosedString(quote int) *syntaxError {
	return p.fail(diag.UnclosedString, quote, quote+1, "text is not closed on its line").
		suggest("add the closing " + p.src[quote:quote+1])
}

// refuseQuoteInWord fails for a quote right after a letter, digit or `_`: it
// is part of a raw word such as it's. Outside arguments of commands there are
// no raw words, so an operator word may touch a quote there, as in Python.
func (p *parser) refuseQuoteInWord(i int) {
	if !p.afterWordChar(i) {
		return
	}
	from := i
	for from > 0 && isWordByte(p.src[from-1]) {
		from--
	}
	word := p.src[from:i]
	if !p.rawCtx && operatorWords[word] {
		return
	}
	e := p.fail(diag.SyntaxError, from, i+1, "unexpected quote after %s", clipText(word))
	switch lowerASCII(word) {
	case "r", "b", "u", "br", "rb", "fr", "rf":
		e.suggest("only the prefix f exists; double each backslash instead")
	default:
		e.suggest("put an operator between them, or quote the whole text")
	}
	p.stop(e)
}

func (p *parser) afterWordChar(i int) bool {
	r, _ := utf8.DecodeLastRuneInString(p.src[:i])
	return isIdentRune(r, false)
}

// skipString returns the offset behind the string that begins at i. A string
// ends on its line unless a backslash continues it.
func skipString(s string, i, end int) (int, bool) {
	quote := s[i]
	for i++; i < end; i++ {
		switch s[i] {
		case quote:
			return i + 1, true
		case '\n':
			return i, false
		case '\\':
			if i+2 < end && s[i+1] == '\r' && s[i+2] == '\n' {
				i++
			}
			i++
		}
	}
	return end, false
}

// skipTemplate returns the offset behind the template that begins at i. It
// balances the braces of `${…}` with the strings and templates inside them.
func skipTemplate(s string, i, end, level int) (int, bool) {
	if level > maxNesting {
		return end, false
	}
	for i++; i < end; {
		switch {
		case s[i] == '`':
			return i + 1, true
		case s[i] == '\\':
			i += 2
		case strings.HasPrefix(s[i:end], "${"):
			var ok bool
			if i, ok = skipBraces(s, i+2, end, level); !ok {
				return end, false
			}
		default:
			i++
		}
	}
	return end, false
}

func skipBraces(s string, i, end, level int) (int, bool) {
	depth := 1
	for i < end {
		var ok bool
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i + 1, true
			}
		case '"', '\'':
			if i, ok = skipString(s, i, end); !ok {
				return end, false
			}
			continue
		case '`':
			if i, ok = skipTemplate(s, i, end, level+1); !ok {
				return end, false
			}
			continue
		}
		i++
	}
	return end, false
}

// skipBlank moves p.off over blanks and comments, and over newlines if asked.
func (p *parser) skipBlank(newlines bool) {
	for p.off < p.end {
		switch c := p.src[p.off]; {
		case isBlank(c) || newlines && c == '\n':
			p.off++
		case c == '/' && p.commentAt(p.off):
			p.off = p.commentEnd(p.off)
		case c == '#' && p.atLineStart(p.off):
			p.off = p.lineEnd(p.off)
		default:
			return
		}
	}
}

// commentAt reports whether a comment begins at the slash at i. In arguments
// of commands `//` belongs to the raw word whose character it follows.
func (p *parser) commentAt(i int) bool {
	if i+1 >= p.end {
		return false
	}
	switch p.src[i+1] {
	case '*':
		return true
	case '/':
		return !p.rawCtx || i == 0 || !isRawWordByte(p.src[i-1])
	}
	return false
}

func (p *parser) commentEnd(i int) int {
	if p.src[i+1] == '/' {
		return p.lineEnd(i)
	}
	n := strings.Index(p.src[i+2:p.end], "*/")
	if n < 0 {
		e := p.fail(diag.UnclosedComment, i, i+2, "comment is not closed").suggest("end it with */")
		e.hard, e.resumeAt = true, p.end
		p.stop(e)
	}
	p.lastComment = max(p.lastComment, i+2+n+2)
	return i + 2 + n + 2
}

func (p *parser) lineEnd(i int) int {
	p.lastComment = max(p.lastComment, i+1)
	if n := strings.IndexByte(p.src[i:p.end], '\n'); n >= 0 {
		return i + n
	}
	return p.end
}

// atLineStart reports whether only blanks stand before i on its line.
func (p *parser) atLineStart(i int) bool {
	for i > 0 && isBlank(p.src[i-1]) {
		i--
	}
	return i == 0 || p.src[i-1] == '\n'
}

func (p *parser) identEnd(i int) int { return identEnd(p.src[:p.end], i) }

func identEnd(s string, i int) int {
	first := true
	for i < len(s) {
		if c := s[i]; c < utf8.RuneSelf {
			if !isWordByte(c) || first && isDigit(c) {
				return i
			}
			i, first = i+1, false
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if !isIdentRune(r, first) {
			return i
		}
		i, first = i+size, false
	}
	return i
}

func isIdentRune(r rune, first bool) bool {
	switch {
	case r == '_' || unicode.IsLetter(r):
		return r != utf8.RuneError
	case first:
		return false
	}
	return unicode.IsDigit(r) || unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Mc, r)
}

// IsIdent reports whether text is an identifier and no reserved word.
func IsIdent(text string) bool {
	return text != "" && identEnd(text, 0) == len(text) && !reserved[text]
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWordByte(c byte) bool {
	return c == '_' || isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= utf8.RuneSelf
}

// isRawWordByte reports whether a byte, standing right before `//`, makes the
// slashes part of a raw word.
func isRawWordByte(c byte) bool {
	return !isBlank(c) && c != '\n' && strings.IndexByte(",;()[]{}\"'`", c) < 0
}

// clipText shortens text for a message.
func clipText(s string) string {
	const limit = 40
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s[:min(len(s), 4*limit)])[:limit-1]) + "…"
}
