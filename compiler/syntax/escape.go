package syntax

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/avapd/avapd/internal/diag"
)

var simpleEscapes = map[byte]string{
	'\n': "", '\\': "\\", '\'': "'", '"': "\"", 'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v",
}

// unescape resolves Python's escapes in src[from:to].
func (p *parser) unescape(from, to int) string {
	s := p.src[from:to]
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			i++
			continue
		}
		i += p.escape(&b, s[i:], from+i)
	}
	return b.String()
}

// escape writes what the escape at the start of s stands for and returns the
// escape's length. An unknown escape keeps its backslash.
func (p *parser) escape(b *strings.Builder, s string, at int) int {
	c := s[1]
	if text, ok := simpleEscapes[c]; ok {
		b.WriteString(text)
		return 2
	}
	switch {
	case c == '\r' && len(s) > 2 && s[2] == '\n':
		return 3
	case c == 'x':
		return p.hexEscape(b, s, at, 2)
	case c == 'u':
		return p.hexEscape(b, s, at, 4)
	case c == 'U':
		return p.hexEscape(b, s, at, 8)
	case c == 'N':
		p.stop(p.fail(diag.BadEscape, at, at+2, `\N escapes are not supported`).suggest(`write \u and four hexadecimal digits`))
	case '0' <= c && c <= '7':
		n, i := 0, 1
		for ; i < len(s) && i <= 3 && '0' <= s[i] && s[i] <= '7'; i++ {
			n = n*8 + int(s[i]-'0')
		}
		b.WriteRune(rune(n))
		return i
	}
	b.WriteByte('\\')
	_, size := utf8.DecodeRuneInString(s[1:])
	b.WriteString(s[1 : 1+size])
	return 1 + size
}

func (p *parser) hexEscape(b *strings.Builder, s string, at, digits int) int {
	to := min(len(s), 2+digits)
	n, err := strconv.ParseUint(s[2:to], 16, 32)
	if err != nil || to < 2+digits {
		p.stop(p.fail(diag.BadEscape, at, at+to, `\%c needs %d hexadecimal digits`, s[1], digits).
			suggest(`complete the escape, or write \\` + s[1:2]))
	}
	if n > utf8.MaxRune || 0xd800 <= n && n <= 0xdfff {
		p.stop(p.fail(diag.BadEscape, at, at+to, "escape %s is no character", s[:to]).
			suggest(`write characters beyond \uffff as \U and eight digits`))
	}
	b.WriteRune(rune(n))
	return to
}

// unquoteArg resolves the two escapes of a quoted command argument: the quote
// itself and the backslash. The offsets tell where each byte of the text, and
// its end, came from; they are nil if nothing was escaped.
func unquoteArg(s string, from, to int) (text string, offsets []int32) {
	quote, inner := s[from], s[from+1:to-1]
	if strings.IndexByte(inner, '\\') < 0 {
		return inner, nil
	}
	b := make([]byte, 0, len(inner))
	for i := 0; i < len(inner); i++ {
		if inner[i] == '\\' && i+1 < len(inner) && (inner[i+1] == quote || inner[i+1] == '\\') {
			i++
		}
		b = append(b, inner[i])
		offsets = append(offsets, int32(from+1+i))
	}
	return string(b), append(offsets, int32(to-1))
}
