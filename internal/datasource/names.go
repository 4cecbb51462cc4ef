package datasource

import (
	"strings"
	"unicode"
)

// maxNameBytes is the longest identifier that PostgreSQL keeps whole.
const maxNameBytes = 63

// quoteName checks an identifier, with its schema if it has one, and quotes
// it. PostgreSQL folds unquoted names to lower case; so do we, that the names
// mean what they mean in a script's own SQL. A name in double quotes keeps
// its case.
func quoteName(dialect Dialect, name string) (string, error) {
	pieces := strings.Split(strings.TrimSpace(name), ".")
	if len(pieces) > 2 {
		return "", refuse("%q is not a name", name)
	}
	for i, piece := range pieces {
		inner, quoted := strings.CutPrefix(piece, `"`)
		if quoted {
			inner, quoted = strings.CutSuffix(inner, `"`)
		}
		if !isName(inner) {
			return "", refuse("%q is not a name", name)
		}
		if dialect == Postgres && !quoted {
			inner = strings.ToLower(inner)
		}
		pieces[i] = `"` + inner + `"`
	}
	return strings.Join(pieces, "."), nil
}

// isName reports whether the text has the form of an unquoted identifier.
func isName(text string) bool {
	if text == "" || len(text) > maxNameBytes {
		return false
	}
	for i, r := range text {
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) || r == unicode.ReplacementChar {
			return false
		}
	}
	return true
}

// quoteNames checks and quotes a list of identifiers.
func quoteNames(dialect Dialect, names any) ([]string, error) {
	list, err := splitList(names)
	if err != nil {
		return nil, err
	}
	quoted := make([]string, len(list))
	for i, item := range list {
		name, isText := item.(string)
		if !isText {
			return nil, refuse("%s is not a name", valueText(item))
		}
		if quoted[i], err = quoteName(dialect, name); err != nil {
			return nil, err
		}
	}
	return quoted, nil
}

// splitList gives the elements of a list argument: see Source.
func splitList(argument any) ([]any, error) {
	switch argument := argument.(type) {
	case nil:
		return nil, nil
	case []any:
		return argument, nil
	case string:
		return splitParts([]Part{Text(argument)})
	case Statement:
		return splitParts(argument.Parts)
	}
	return []any{argument}, nil
}

// splitParts splits the constant text at commas outside of quotes and
// parentheses. A value that is an element by itself keeps its type; a list
// that is everything is the list.
func splitParts(parts []Part) ([]any, error) {
	parts = merge(parts)
	if len(parts) == 0 {
		return nil, nil
	}
	if len(parts) == 1 && parts[0].IsValue {
		return splitList(parts[0].Value)
	}
	s := splitter{}
	for _, part := range parts {
		if part.IsValue {
			s.value(part.Value)
			continue
		}
		for i := range len(part.Text) {
			s.char(part.Text[i])
		}
	}
	if s.quote != 0 {
		return nil, refuse("a quote in the list does not end")
	}
	if len(s.items) == 0 && len(s.current) == 0 && !s.hasAlone {
		return nil, nil // only blanks
	}
	s.flush()
	return s.items, nil
}

// splitter gathers the elements of a list.
type splitter struct {
	items    []any
	current  []byte
	quote    byte
	quoted   bool // the element is a quoted text as a whole
	depth    int
	alone    any // a value that is the whole element so far
	hasAlone bool
}

func (s *splitter) value(v any) {
	if len(s.current) == 0 && !s.hasAlone && s.quote == 0 && !s.quoted {
		s.alone, s.hasAlone = v, true
		return
	}
	s.mix()
	s.current = append(s.current, valueText(v)...)
}

// mix turns a value that turned out not to stand alone into text.
func (s *splitter) mix() {
	if s.hasAlone {
		s.current = append(s.current, valueText(s.alone)...)
		s.alone, s.hasAlone = nil, false
	}
}

func (s *splitter) char(c byte) {
	switch {
	case s.quote != 0 && c == s.quote:
		s.quote = 0
		return
	case s.quote == 0 && len(s.current) == 0 && !s.hasAlone && (c == '\'' || c == '`'):
		s.quote, s.quoted = c, true
		return
	case s.quote == 0 && s.depth == 0 && c == ',':
		s.flush()
		return
	case s.quote == 0 && (c == ' ' || c == '\t' || c == '\n' || c == '\r') && len(s.current) == 0:
		return // before and after an element
	case s.quote == 0 && c == '(':
		s.depth++
	case s.quote == 0 && c == ')':
		s.depth--
	}
	s.mix()
	s.current = append(s.current, c)
}

func (s *splitter) flush() {
	switch {
	case s.hasAlone:
		s.items = append(s.items, s.alone)
	case s.quoted:
		s.items = append(s.items, string(s.current))
	default:
		s.items = append(s.items, strings.TrimSpace(string(s.current)))
	}
	*s = splitter{items: s.items}
}
