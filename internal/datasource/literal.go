package datasource

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// literal is a text literal being read. Its text is kept twice: as it was
// written, in the lexer's output, and decoded, in case a value inside it turns
// all of it into a parameter.
type literal struct {
	quote     byte
	start     int  // in the output, prefix included
	escapes   bool // E'…'
	bare      bool // a form in which no value may stand
	content   []byte
	values    int
	null      bool
	undecoded bool // an escape that we do not know
	dangling  bool // ends in a backslash so far
}

func (l *lexer) openLiteral(quote byte) error {
	previous := l.last(1)
	if l.dialect == Postgres && (previous.kind == literalToken || previous.kind == valueToken) {
		// PostgreSQL joins literals over a line end, by rules of its own.
		return refuse("two text literals stand side by side")
	}
	prefix := l.prefix()
	l.literal = literal{quote: quote, start: len(l.out), content: l.literal.content[:0]}
	switch {
	case l.unicodePrefix():
		l.literal.bare = true
	case prefix == "E" && l.dialect == Postgres:
		l.literal.escapes = true
	case prefix == "X", l.dialect == Postgres && (prefix == "B" || prefix == "N"):
		l.literal.bare = true
	default:
		prefix = ""
	}
	if prefix != "" {
		l.literal.start = previous.at
		l.tokens = l.tokens[:len(l.tokens)-1]
	}
	l.mode = inLiteral
	l.out = append(l.out, '\'')
	return nil
}

// inLiteral reads a character of a literal.
func (l *lexer) inLiteral(text string) (int, error) {
	lit := &l.literal
	c := text[0]
	switch {
	case c == '\\' && lit.escapes:
		if len(text) == 1 {
			lit.dangling = true
			l.out = append(l.out, c)
			return 1, nil
		}
		decoded, n, ok := decodeEscape(text)
		lit.undecoded = lit.undecoded || !ok
		lit.content = append(lit.content, decoded...)
		l.out = append(l.out, text[:n]...)
		return n, nil
	case c == lit.quote && len(text) > 1 && text[1] == lit.quote:
		lit.content = append(lit.content, c)
		l.out = append(l.out, c)
		if c == '\'' {
			l.out = append(l.out, c)
		}
		return 2, nil
	case c == lit.quote:
		return 1, l.closeLiteral()
	case c == '\'': // in backticks
		l.out = append(l.out, c)
	}
	lit.content = append(lit.content, c)
	l.out = append(l.out, c)
	return 1, nil
}

func (l *lexer) closeLiteral() error {
	l.mode = inCode
	lit := &l.literal
	if lit.values == 0 {
		l.out = append(l.out, '\'')
		l.tokens = append(l.tokens, token{kind: literalToken, depth: l.depth, at: lit.start})
		return nil
	}
	if lit.undecoded {
		return refuse("a value stands in a text literal with an unknown escape")
	}
	l.out = l.out[:lit.start]
	if lit.null {
		l.bind(nil)
		return nil
	}
	if before := l.last(1); l.dialect == Postgres && before.kind == wordToken && typeWords[before.text] {
		// TYPE 'text' is a form for literals only.
		l.out = l.out[:before.at]
		l.tokens = l.tokens[:len(l.tokens)-1]
		l.out = append(l.out, "CAST("...)
		l.bind(string(lit.content))
		l.out = append(append(append(l.out, "AS "...), before.text...), ')')
		return nil
	}
	l.bind(string(lit.content))
	return nil
}

// typeWords are the types that PostgreSQL's users write before a literal.
var typeWords = map[string]bool{
	"DATE": true, "TIME": true, "TIMETZ": true, "TIMESTAMP": true, "TIMESTAMPTZ": true, "INTERVAL": true,
	"JSON": true, "JSONB": true, "UUID": true, "NUMERIC": true, "INET": true, "CIDR": true, "BOOLEAN": true, "BYTEA": true,
}

// literalValue puts a value into the literal being read.
func (l *lexer) literalValue(v any) error {
	lit := &l.literal
	switch {
	case lit.bare:
		return refuse("a value cannot stand in a hexadecimal, bit, national or Unicode literal")
	case lit.dangling:
		return refuse("a value cannot follow a backslash in a text literal")
	}
	lit.values++
	if v == nil {
		lit.null = true
		return nil
	}
	lit.content = append(lit.content, valueText(v)...)
	return nil
}

var plainEscapes = map[byte]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// decodeEscape reads a backslash and what follows in E'…'. It gives how many
// bytes of the text it took, which are the same whether it understood them.
func decodeEscape(text string) (decoded string, n int, ok bool) {
	c := text[1]
	if plain, known := plainEscapes[c]; known {
		return string(plain), 2, true
	}
	digits, base, most := 0, 16, 0
	start := 2
	switch c {
	case 'x':
		most = 2
	case 'u':
		most = 4
	case 'U':
		most = 8
	default:
		if c < '0' || c > '7' {
			_, size := utf8.DecodeRuneInString(text[1:])
			return text[1 : 1+size], 1 + size, true
		}
		start, base, most = 1, 8, 3
	}
	alphabet := "0123456789abcdefABCDEF"
	if base == 8 {
		alphabet = "01234567"
	}
	for digits < most && start+digits < len(text) && strings.IndexByte(alphabet, text[start+digits]) >= 0 {
		digits++
	}
	code, err := strconv.ParseUint(text[start:start+digits], base, 32)
	if err != nil {
		return "", 2, false
	}
	n = start + digits
	if c == 'u' || c == 'U' {
		return string(rune(code)), n, digits == most && utf8.ValidRune(rune(code)) && code != 0
	}
	// Bytes above 127 would have to form UTF-8 together with their neighbours.
	return string(rune(code)), n, code > 0 && code < utf8.RuneSelf
}
