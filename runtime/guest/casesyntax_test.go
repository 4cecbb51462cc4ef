package guest

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/avapd/avapd/runtime/library"
)

// caseParser reads the notation of the case tables.
type caseParser struct {
	s   string
	err error
}

func (p *caseParser) fail(format string, args ...any) any {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
	p.s = ""
	return nil
}

func (p *caseParser) blanks() { p.s = strings.TrimLeft(p.s, " \t") }

func (p *caseParser) take(prefix string) bool {
	p.blanks()
	rest, ok := strings.CutPrefix(p.s, prefix)
	if ok {
		p.s = rest
	}
	return ok
}

func parseCase(line string) (*machineCase, error) {
	line, notNode := strings.CutPrefix(line, "-node ")
	name, rest, _ := strings.Cut(line, " ")
	fn, ok := library.Lookup(name)
	if !ok {
		return nil, fmt.Errorf("the library has no function %s", name)
	}
	c := &machineCase{fn: fn, notNode: notNode}
	p := &caseParser{s: rest}
	for p.err == nil && !p.take("=>") {
		if p.take("with ") {
			c.with, _ = p.value().(pairs)
			continue
		}
		c.args = append(c.args, p.value())
	}
	if p.err != nil {
		return nil, p.err
	}
	c.fillArgs()
	p.blanks()
	c.want = p.expectation(c)
	return c, p.err
}

// expectation normalises what is wanted, as result shows it.
func (p *caseParser) expectation(c *machineCase) string {
	var want string
	switch {
	case strings.HasPrefix(p.s, "error: "):
		end := strings.Index(p.s, " | ")
		if end < 0 {
			end = len(p.s)
		}
		want, p.s = p.s[:end], p.s[end:]
	case p.take("ok"):
		want = "ok"
	case p.take("halt"):
		want = "halt " + showLiteral(p.value())
	default:
		want = showLiteral(p.value())
	}
	for p.take("|") {
		p.blanks()
		name, rest, _ := strings.Cut(p.s, " ")
		p.s = rest
		c.after = append(c.after, name)
		if p.blanks(); p.s != "" && p.s[0] != '|' {
			want += " | " + name + " " + showLiteral(p.value())
		}
	}
	if p.blanks(); p.s != "" && p.err == nil {
		p.fail("rest of line %q", p.s)
	}
	return want
}

func (p *caseParser) value() any {
	p.blanks()
	if p.s == "" {
		return p.fail("a value is missing")
	}
	switch {
	case p.s[0] == '"':
		return p.text()
	case p.take("["):
		return p.list()
	case p.take("{"):
		return p.dict()
	}
	end := strings.IndexAny(p.s, " \t,:]}|")
	if end < 0 {
		end = len(p.s)
	}
	word := p.s[:end]
	p.s = p.s[end:]
	switch word {
	case "null":
		return nil
	case "undefined":
		return missing
	case "true":
		return true
	case "false":
		return false
	case "nan":
		return math.NaN()
	}
	if i, err := strconv.ParseInt(word, 10, 64); err == nil {
		return i
	}
	if f, err := strconv.ParseFloat(word, 64); err == nil {
		return f
	}
	return p.fail("%q is no value", word)
}

func (p *caseParser) text() any {
	quoted, err := strconv.QuotedPrefix(p.s)
	if err != nil {
		return p.fail("bad text at %s", p.s)
	}
	p.s = p.s[len(quoted):]
	s, err := strconv.Unquote(quoted)
	if err != nil {
		return p.fail("bad text %s", quoted)
	}
	return s
}

func (p *caseParser) list() any {
	items := []any{}
	for !p.take("]") {
		if p.err != nil || len(items) > 0 && !p.take(",") {
			return p.fail("bad list at %q", p.s)
		}
		items = append(items, p.value())
	}
	return items
}

func (p *caseParser) dict() any {
	items := pairs{}
	for !p.take("}") {
		if p.err != nil || len(items) > 0 && !p.take(",") {
			return p.fail("bad dict at %q", p.s)
		}
		items = append(items, p.value())
		if !p.take(":") {
			return p.fail("bad dict at %q", p.s)
		}
		items = append(items, p.value())
	}
	return items
}

// showLiteral writes a value as shower does.
func showLiteral(v any) string {
	switch v := v.(type) {
	case missingType:
		return "undefined"
	case nil:
		return "null"
	case float64:
		return showCaseFloat(v)
	case string:
		return strconv.Quote(v)
	case []any:
		items := make([]string, len(v))
		for i, x := range v {
			items[i] = showLiteral(x)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case pairs:
		var items []string
		for i := 0; i < len(v); i += 2 {
			items = append(items, showLiteral(v[i])+": "+showLiteral(v[i+1]))
		}
		return "{" + strings.Join(items, ", ") + "}"
	}
	return fmt.Sprint(v)
}
