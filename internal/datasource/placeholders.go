package datasource

import "strings"

// WithParameters is a statement given as SQL text with placeholders and their
// values in order, as connectors' query method takes it. Placeholders are ?
// and %s, where no literal, identifier or comment surrounds them. (With
// parameters PostgreSQL's operator ? is written as the function jsonb_exists.)
func WithParameters(dialect Dialect, sql string, parameters []any) (Statement, error) {
	if len(parameters) == 0 {
		return Constant(sql), nil
	}
	l := &lexer{dialect: dialect}
	var parts []Part
	start, used := 0, 0
	for i := 0; i < len(sql); {
		n := placeholder(sql[i:])
		if l.mode != inCode || n == 0 {
			n, err := l.step(sql[i:])
			if err != nil {
				return Statement{}, err
			}
			i += n
			continue
		}
		if used == len(parameters) {
			return Statement{}, refuse("the SQL text has more placeholders than the %d values given", used)
		}
		parts = append(parts, Text(sql[start:i]), Value(parameters[used]))
		l.add(signToken, "?")
		used++
		i += n
		start = i
	}
	if used != len(parameters) {
		return Statement{}, refuse("the SQL text has %d placeholders, but %d values are given", used, len(parameters))
	}
	return Template(append(parts, Text(sql[start:]))...), nil
}

// placeholder is the length of the placeholder that the text starts with.
func placeholder(text string) int {
	switch {
	case text[0] == '?' && (len(text) == 1 || !isWordByte(text[1])):
		return 1
	case strings.HasPrefix(text, "%s") && (len(text) == 2 || !isWordByte(text[2])):
		return 2
	}
	return 0
}
