package commands

import (
	"errors"
	"fmt"
	"strings"

	"github.com/avapd/avapd/internal/datasource"
	"github.com/avapd/avapd/wasmhost"
)

// fillPlaceholders puts values in the place of placeholders: a list in that of
// ? and %s, a dict in that of :name and %(name)s. What stands in quotes or in a
// comment is no placeholder.
func fillPlaceholders(parts []datasource.Part, values any) ([]datasource.Part, error) {
	f := filler{}
	switch values := values.(type) {
	case []any:
		f.list = values
	case wasmhost.Object:
		f.named = make(map[string]any, len(values))
		for _, m := range values {
			f.named[m.Name] = m.Value
		}
	default:
		return nil, errors.New("the values of placeholders are a list or a dict")
	}
	for _, part := range parts {
		if part.IsValue {
			f.out = append(f.out, part)
			continue
		}
		if err := f.text(part.Text); err != nil {
			return nil, err
		}
	}
	if f.used < len(f.list) {
		return nil, fmt.Errorf("%d values but %d placeholders", len(f.list), f.used)
	}
	return f.out, nil
}

type filler struct {
	list  []any
	used  int
	named map[string]any
	out   []datasource.Part
}

// text splits constant text at its placeholders.
func (f *filler) text(sql string) error {
	start := 0
	for i := 0; i < len(sql); {
		if end := quotedEnd(sql, i); end > i {
			i = end
			continue
		}
		value, width, err := f.placeholder(sql[i:])
		if err != nil {
			return err
		}
		if width == 0 {
			i++
			continue
		}
		f.out = append(f.out, datasource.Text(sql[start:i]), datasource.Value(toData(value)))
		i += width
		start = i
	}
	f.out = append(f.out, datasource.Text(sql[start:]))
	return nil
}

// placeholder reads one at the start of sql; a width of 0 means that there is
// none.
func (f *filler) placeholder(sql string) (value any, width int, err error) {
	if f.named == nil {
		switch {
		case sql[0] == '?':
			width = 1
		case strings.HasPrefix(sql, "%s"):
			width = 2
		default:
			return nil, 0, nil
		}
		if f.used++; f.used > len(f.list) {
			return nil, 0, fmt.Errorf("%d values are too few for the placeholders", len(f.list))
		}
		return f.list[f.used-1], width, nil
	}
	name := ""
	switch {
	case sql[0] == ':':
		name = leadingWord(sql[1:])
		width = 1 + len(name)
	case strings.HasPrefix(sql, "%("):
		name = leadingWord(sql[2:])
		width = 4 + len(name)
		if !strings.HasPrefix(sql[2+len(name):], ")s") {
			name = ""
		}
	}
	if name == "" {
		return nil, 0, nil
	}
	value, ok := f.named[name]
	if !ok {
		return nil, 0, fmt.Errorf("no value for the placeholder %s", name)
	}
	return value, width, nil
}

func leadingWord(s string) string {
	n := 0
	for n < len(s) && (s[n] == '_' || 'a' <= s[n]|0x20 && s[n]|0x20 <= 'z' || n > 0 && '0' <= s[n] && s[n] <= '9') {
		n++
	}
	return s[:n]
}

// quotedEnd gives the end of a literal, a quoted name, a comment or the mark of a cast that
// starts at i, or i.
func quotedEnd(sql string, i int) int {
	until := func(from int, mark string) int {
		if n := strings.Index(sql[from:], mark); n >= 0 {
			return from + n + len(mark)
		}
		return len(sql)
	}
	switch {
	case sql[i] == '\'' || sql[i] == '"' || sql[i] == '`':
		return until(i+1, sql[i:i+1])
	case strings.HasPrefix(sql[i:], "--"):
		return until(i, "\n")
	case strings.HasPrefix(sql[i:], "/*"):
		return until(i+2, "*/")
	case strings.HasPrefix(sql[i:], "::"):
		return i + 2
	}
	return i
}
