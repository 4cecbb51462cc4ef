package datasource

import (
	"bytes"
	"strconv"
	"strings"
)

// maxParameters is what SQLite takes; PostgreSQL takes twice as many.
const maxParameters = 32_766

// maxStatementBytes is the longest SQL text.
const maxStatementBytes = 1 << 20

// query is a statement as the database gets it.
type query struct {
	sql  string
	args []any // bool, int64, float64 and string
	kind kind
}

// compile renders a statement and finds its kind.
func compile(dialect Dialect, statement Statement) (*query, error) {
	l := &lexer{dialect: dialect}
	parts := merge(statement.Parts)
	for i, part := range parts {
		var err error
		if part.IsValue {
			next := ""
			if i+1 < len(parts) {
				next = parts[i+1].Text
			}
			err = l.value(part.Value, next)
		} else {
			err = l.scan(part.Text)
		}
		if err != nil {
			return nil, err
		}
		if len(l.out) > maxStatementBytes {
			return nil, limitError("the SQL text is longer than %d bytes", maxStatementBytes)
		}
	}
	if err := l.finish(); err != nil {
		return nil, err
	}
	if len(l.args) > maxParameters {
		return nil, limitError("the statement has more than %d values", maxParameters)
	}
	k, err := classify(dialect, l.tokens)
	if err != nil {
		return nil, err
	}
	return &query{sql: string(bytes.TrimSpace(l.out)), args: l.args, kind: k}, nil
}

// merge joins neighbouring constant parts, so that tokens are whole.
func merge(parts []Part) []Part {
	merged := make([]Part, 0, len(parts))
	for _, part := range parts {
		last := len(merged) - 1
		switch {
		case part.IsValue:
			merged = append(merged, part)
		case part.Text == "":
		case last >= 0 && !merged[last].IsValue:
			merged[last].Text += part.Text
		default:
			merged = append(merged, part)
		}
	}
	return merged
}

// value places a value where the lexer is; next is the constant text that
// follows it.
func (l *lexer) value(v any, next string) error {
	if l.mode == inLiteral {
		return l.literalValue(v)
	}
	if l.mode != inCode {
		return refuse("a value cannot stand in %s", where[l.mode])
	}
	switch {
	case l.ended:
		return refuse("one statement per call: there is a value after the semicolon")
	case l.sideBySide:
		return refuse("two values stand side by side")
	case len(l.out) > 0 && isWordByte(l.out[len(l.out)-1]), next != "" && isWordByte(next[0]):
		return refuse("a value cannot be a part of a name or a number")
	}
	l.sideBySide = true
	list, isList := v.([]any)
	if !isList {
		l.bind(v)
		return nil
	}
	if len(list) == 0 {
		return l.emptyList(next)
	}
	for i, item := range list {
		if i > 0 {
			l.out = append(l.out, ',')
		}
		l.bind(item)
	}
	return nil
}

// bind writes a placeholder. NULL is written out: as a parameter it could not
// stand after IS, and has no type.
func (l *lexer) bind(v any) {
	if n := len(l.out); n > 0 && !strings.ContainsRune(" (\n\t,", rune(l.out[n-1])) {
		l.out = append(l.out, ' ')
	}
	l.add(valueToken, "")
	switch scalar := v.(type) {
	case nil:
		l.out = append(l.out, "NULL "...)
		return
	case int:
		v = int64(scalar)
	case bool, int64, float64, string:
	default:
		v = string(appendJSON(nil, v))
	}
	l.args = append(l.args, v)
	if l.dialect == SQLite {
		l.out = append(l.out, "? "...)
		return
	}
	l.out = append(l.out, '$')
	l.out = strconv.AppendInt(l.out, int64(len(l.args)), 10)
	l.out = append(l.out, ' ')
}

// emptyList writes a list without elements. IN of it is never true and NOT IN
// always, for NULL too. Elsewhere it is NULL.
func (l *lexer) emptyList(next string) error {
	open, in, not := l.last(1), l.last(2), l.last(3)
	negated := not.kind == wordToken && not.text == "NOT"
	if open.text != "(" || open.kind != signToken || in.kind != wordToken || in.text != "IN" {
		if l.insideNotIn() {
			return refuse("an empty list beside other values in NOT IN")
		}
		l.bind(nil)
		return nil
	}
	if !strings.HasPrefix(strings.TrimLeft(next, " \t\r\n"), ")") {
		if negated {
			return refuse("an empty list beside other values in NOT IN")
		}
		l.bind(nil)
		return nil
	}
	if l.dialect == SQLite {
		return nil // IN () is what it says there
	}
	operator, start := "= ANY (", in.at
	if negated {
		operator, start = "<> ALL (", not.at
	}
	l.out = append(append(l.out[:start], operator...), "'{}'"...)
	return nil
}

// insideNotIn reports whether the innermost open parenthesis is NOT IN's.
func (l *lexer) insideNotIn() bool {
	for i := len(l.tokens) - 1; i >= 2; i-- {
		t := l.tokens[i]
		if t.kind == signToken && t.text == "(" && t.depth == l.depth-1 {
			return l.tokens[i-1].text == "IN" && l.tokens[i-2].text == "NOT"
		}
	}
	return false
}
