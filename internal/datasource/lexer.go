package datasource

import (
	"strings"
	"unicode/utf8"
)

// mode is what surrounds the place that the lexer has reached.
type mode uint8

const (
	inCode mode = iota
	inLiteral
	inName         // "…"
	inBracket      // […] in SQLite
	inLineComment  // --
	inBlockComment // /* */
	inDollar       // $tag$…$tag$ in PostgreSQL
)

// where names a mode in messages.
var where = [...]string{
	inLiteral: "a text literal", inName: "a quoted identifier", inBracket: "a quoted identifier",
	inLineComment: "a comment", inBlockComment: "a comment", inDollar: "a dollar-quoted text",
}

type tokenKind uint8

const (
	wordToken tokenKind = iota
	nameToken           // a quoted identifier
	numberToken
	literalToken
	valueToken
	signToken
)

// token is a piece of code. Of literals only that they were there is kept.
type token struct {
	kind  tokenKind
	text  string // words in upper case, quoted identifiers without quotes, signs
	depth int    // of parentheses around it
	at    int    // where it starts in the output
}

// lexer turns the parts of a statement into SQL with placeholders. It writes
// as it reads: comments and the closing semicolon are left out, backticks
// become single quotes.
type lexer struct {
	dialect Dialect
	mode    mode
	out     []byte
	args    []any
	tokens  []token

	depth      int  // of parentheses
	nested     int  // of block comments; they nest in PostgreSQL
	ended      bool // a semicolon was read
	sideBySide bool // the last thing read was a value
	nameStart  int
	dollarTag  string
	literal    literal
}

// scan reads a constant part.
func (l *lexer) scan(text string) error {
	if strings.IndexByte(text, 0) >= 0 || !utf8.ValidString(text) {
		return refuse("the SQL text is not valid UTF-8 text")
	}
	for i := 0; i < len(text); {
		n, err := l.step(text[i:])
		if err != nil {
			return err
		}
		l.sideBySide = false
		i += n
	}
	return nil
}

// step reads one piece, and gives the bytes it took.
func (l *lexer) step(text string) (int, error) {
	switch l.mode {
	case inLiteral:
		return l.inLiteral(text)
	case inName:
		return l.quotedName(text, '"'), nil
	case inBracket:
		return l.quotedName(text, ']'), nil
	case inLineComment:
		return l.lineComment(text), nil
	case inBlockComment:
		return l.blockComment(text), nil
	case inDollar:
		return l.dollar(text), nil
	case inCode:
	}
	return l.code(text)
}

// finish checks that nothing is left open.
func (l *lexer) finish() error {
	if l.mode != inCode && l.mode != inLineComment {
		return refuse("%s in the SQL text does not end", where[l.mode])
	}
	return nil
}

// code reads one token, blank or comment, and gives the bytes it took.
func (l *lexer) code(text string) (int, error) {
	c := text[0]
	var second byte
	if len(text) > 1 {
		second = text[1]
	}
	switch {
	case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v':
		l.out = append(l.out, c)
		return 1, nil
	case c == '-' && second == '-':
		l.mode = inLineComment
		l.out = append(l.out, ' ')
		return 2, nil
	case c == '/' && second == '*':
		l.mode, l.nested = inBlockComment, 1
		l.out = append(l.out, ' ')
		return 2, nil
	case c == ';':
		l.ended = true
		return 1, nil
	case l.ended:
		return 0, refuse("one statement per call: there is text after the semicolon")
	case c == '\'' || c == '`':
		return 1, l.openLiteral(c)
	case c == '"' || c == '[' && l.dialect == SQLite:
		return 1, l.openName(c)
	case isDigit(c) || c == '.' && isDigit(second):
		n := 1
		for n < len(text) && (isWordByte(text[n]) && text[n] != '$' || text[n] == '.') {
			n++
		}
		return l.emit(numberToken, text[:n])
	case isWordByte(c) && c != '$':
		n := 1
		for n < len(text) && isWordByte(text[n]) {
			n++
		}
		return l.emit(wordToken, text[:n])
	}
	if n, err := l.special(text, second); n > 0 || err != nil {
		return n, err
	}
	return l.sign(text)
}

// special reads what is no token of standard SQL: dollar quotes, and the
// placeholders that drivers know, which would mix with ours.
func (l *lexer) special(text string, second byte) (int, error) {
	c := text[0]
	if l.dialect == Postgres {
		if c != '$' {
			return 0, nil
		}
		if isDigit(second) {
			return 0, refuse("placeholder %s in the SQL text: write the value as ${…}", text[:2])
		}
		n := 1
		for n < len(text) && isWordByte(text[n]) && text[n] != '$' {
			n++
		}
		if n < len(text) && text[n] == '$' {
			l.mode, l.dollarTag = inDollar, text[:n+1]
			l.add(literalToken, "")
			l.out = append(l.out, l.dollarTag...)
			return n + 1, nil
		}
		return 0, nil
	}
	if c == '?' || (c == ':' || c == '@' || c == '$' || c == '#') && (isWordByte(second) || second == ':') {
		return 0, refuse("placeholder %c in the SQL text: write the value as ${…}", c)
	}
	return 0, nil
}

func (l *lexer) sign(text string) (int, error) {
	switch text[0] {
	case '(':
		n, err := l.emit(signToken, "(")
		l.depth++
		return n, err
	case ')':
		l.depth--
	}
	_, n := utf8.DecodeRuneInString(text)
	return l.emit(signToken, text[:n])
}

func (l *lexer) add(kind tokenKind, text string) {
	if kind == wordToken {
		text = strings.ToUpper(text)
	}
	l.tokens = append(l.tokens, token{kind: kind, text: text, depth: l.depth, at: len(l.out)})
}

func (l *lexer) emit(kind tokenKind, text string) (int, error) {
	l.add(kind, text)
	l.out = append(l.out, text...)
	return len(text), nil
}

// last is the token before the place reached, counted from the end.
func (l *lexer) last(back int) token {
	if len(l.tokens) < back {
		return token{kind: signToken}
	}
	return l.tokens[len(l.tokens)-back]
}

// prefix is the word that touches the place reached, as in E'…'.
func (l *lexer) prefix() string {
	t := l.last(1)
	if t.kind != wordToken || t.at+len(t.text) != len(l.out) {
		return ""
	}
	return t.text
}

// unicodePrefix reports U& before a quote, PostgreSQL's form with escapes.
func (l *lexer) unicodePrefix() bool {
	sign, word := l.last(1), l.last(2)
	return l.dialect == Postgres && sign.text == "&" && word.kind == wordToken && word.text == "U" &&
		sign.at+1 == len(l.out) && word.at+1 == sign.at
}

func (l *lexer) openName(quote byte) error {
	if l.unicodePrefix() {
		return refuse(`identifiers with Unicode escapes (U&"…") are not allowed`)
	}
	l.mode = inName
	if quote == '[' {
		l.mode = inBracket
	}
	l.add(nameToken, "")
	l.nameStart = len(l.out) + 1
	l.out = append(l.out, quote)
	return nil
}

// quotedName reads to the closing quote. A doubled one stands for itself,
// except in brackets.
func (l *lexer) quotedName(text string, quote byte) int {
	end := strings.IndexByte(text, quote)
	if end < 0 {
		l.out = append(l.out, text...)
		return len(text)
	}
	if quote == '"' && end+1 < len(text) && text[end+1] == '"' {
		l.out = append(l.out, text[:end+2]...)
		return end + 2
	}
	l.out = append(l.out, text[:end]...)
	l.tokens[len(l.tokens)-1].text = strings.ReplaceAll(string(l.out[l.nameStart:]), `""`, `"`)
	l.out = append(l.out, quote)
	l.mode = inCode
	return end + 1
}

// lineComment reads to the end of the line. A carriage return ends it in
// PostgreSQL, but not in SQLite.
func (l *lexer) lineComment(text string) int {
	ends := "\n"
	if l.dialect == Postgres {
		ends = "\r\n"
	}
	end := strings.IndexAny(text, ends)
	if end < 0 {
		return len(text)
	}
	l.mode = inCode
	return end
}

func (l *lexer) blockComment(text string) int {
	switch {
	case strings.HasPrefix(text, "*/"):
		l.nested--
		if l.nested == 0 {
			l.mode = inCode
		}
		return 2
	case strings.HasPrefix(text, "/*") && l.dialect == Postgres:
		l.nested++
		return 2
	}
	return 1
}

func (l *lexer) dollar(text string) int {
	end := strings.Index(text, l.dollarTag)
	if end < 0 {
		l.out = append(l.out, text...)
		return len(text)
	}
	end += len(l.dollarTag)
	l.out = append(l.out, text[:end]...)
	l.mode = inCode
	return end
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isWordByte reports whether c continues an identifier, in both dialects.
func isWordByte(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c == '$' || c >= utf8.RuneSelf
}
