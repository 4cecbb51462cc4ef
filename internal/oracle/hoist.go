package oracle

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// literal finds, from left to right, what must stay as it is (names, formatted strings, templates, other numbers) and what
// can become a variable: plain decimal numbers and plain strings.
var literal = regexp.MustCompile(
	`f"(?:[^"\\]|\\.)*"|f'(?:[^'\\]|\\.)*'` + "|`[^`]*`" + // formatted
		`|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'` +
		`|[A-Za-z_]\w*` +
		`|\d[\d_.]*[eE][+-]?\d+|\d[\w.]*|\.\d[\w.]*`,
)

var plainNumber = regexp.MustCompile(`^(0|[1-9]\d{0,17})(\.\d+)?(e[+-]?\d{1,2})?$`)

// hoist turns the literals of an expression into variables of the request, whose types no compiler can know: a second
// way through code generation to the same value. Their names begin with prefix.
func hoist(text, prefix string) (hoisted string, variables map[string]json.RawMessage) {
	variables = make(map[string]json.RawMessage)
	hoisted = literal.ReplaceAllStringFunc(text, func(found string) string {
		value, ok := asJSON(found)
		if !ok {
			return found
		}
		name := fmt.Sprintf("%s%d", prefix, len(variables))
		variables[name] = value
		return name
	})
	return hoisted, variables
}

func asJSON(text string) (json.RawMessage, bool) {
	if plainNumber.MatchString(text) {
		return json.RawMessage(text), true
	}
	if text[0] != '"' && text[0] != '\'' || strings.Contains(text, `\`) {
		return nil, false
	}
	value, err := json.Marshal(text[1 : len(text)-1])
	return value, err == nil
}
