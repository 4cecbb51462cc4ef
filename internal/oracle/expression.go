package oracle

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	integerLiterals = []string{
		"0", "1", "2", "3", "5", "7", "10", "-1", "-2", "-7", "100", "255", "1000", "0x1F", "1_000", "63",
	}
	integerEdges = []string{
		"4611686018427387904", "9223372036854775807", "-9223372036854775808", "9007199254740993", "3037000500", "-4294967296",
	}
	floatLiterals = []string{
		"0.0", "1.0", "0.5", "-2.5", "0.1", "3.75", "100.0", "1e16", "1e-7", "1e308", "2.675", "-0.0", "123456.789", "1e3",
	}
	textLiterals = []string{
		`"a"`, `"b"`, `""`, `"hello world"`, `"héllo"`, `"日本"`, `"12"`, `" 7 "`, `"3.5"`, `"A1-b2"`, `'say "x"'`, `"it's"`,
		`"x,y,,z"`, `"\n"`, `"tab\there"`, `"ß"`, `"-42"`, `"😀"`, `"TRUE"`,
	}
	specifications = map[kind][]string{
		integer: {"", "d", "5d", "05d", ",", "x", "<6", "^7", "+", "b", ".1f", "e", "*>8", "_"},
		float:   {"", ".2f", ".0f", "8.3f", "e", ".3g", "%", ",.1f", "+.1f", "010.2f", "g", ".10", "^12"},
		text:    {"", "10", ">8", "^7", ".2", "*<6"},
		truth:   {"", "d", "5"},
	}
	percents = map[kind][]string{
		integer: {"%d", "%5d", "%05d", "%x", "%s", "%.1f", "%+d", "%e", "%r", "%-4d|"},
		float:   {"%f", "%.2f", "%d", "%s", "%g", "%8.1f", "%e", "%r"},
		text:    {"%s", "%10s", "%-6s|", "%.2s", "%r"},
	}
	kindWords = []string{"int", "float", "str", "bool", "list", "dict", "(int, float)", "(str, list)"}
)

// expression writes an expression that mostly yields the kind.
func (g *generator) expression(k kind, depth int) string {
	if g.chance(2) {
		k = kind(g.rand.IntN(int(kinds)))
	}
	if depth <= 0 || g.chance(20) {
		return g.leaf(k)
	}
	if f, ok := g.callable(k); ok && g.chance(20) {
		return g.call(f, depth-1)
	}
	if g.chance(6) {
		return fmt.Sprintf("(%s if %s else %s)", g.expression(k, depth-1), g.expression(truth, depth-1), g.expression(k, depth-1))
	}
	switch k {
	case integer:
		return g.integer(depth - 1)
	case float:
		return g.float(depth - 1)
	case text:
		return g.text(depth - 1)
	case truth:
		return g.truth(depth - 1)
	case integers:
		return g.integers(depth - 1)
	case texts:
		return g.texts(depth - 1)
	default:
		return g.table(depth - 1)
	}
}

func (g *generator) leaf(k kind) string {
	if name, ok := g.one(k); ok && g.chance(65) {
		return name
	}
	switch k {
	case integer:
		if g.chance(6) {
			return pick(g, integerEdges)
		}
		return pick(g, integerLiterals)
	case float:
		return pick(g, floatLiterals)
	case text:
		return pick(g, textLiterals)
	case truth:
		return pick(g, []string{"True", "False", "true", "false"})
	case integers:
		return pick(g, []string{"[1, 2, 3]", "[]", "[5]", "[3, -1, 2, 10]", "[2, 2, 1]"})
	case texts:
		return pick(g, []string{`["a", "b"]`, `[]`, `["x"]`, `["pear", "Apple", "fig", "é"]`})
	default:
		return pick(g, []string{`{"a": 1, "b": 2}`, `{}`, `{"x": 10}`, `{"b": 3, "a": -1, "c": 0}`})
	}
}

func (g *generator) callable(k kind) (function, bool) {
	var fitting []function
	for _, f := range g.defined {
		if f.result == k {
			fitting = append(fitting, f)
		}
	}
	if len(fitting) == 0 {
		return function{}, false
	}
	return pick(g, fitting), true
}

func (g *generator) call(f function, depth int) string {
	var arguments []string
	for _, k := range f.parameters {
		arguments = append(arguments, g.expression(k, depth))
	}
	return f.name + "(" + strings.Join(arguments, ", ") + ")"
}

func (g *generator) integer(depth int) string {
	a := func() string { return g.expression(integer, depth) }
	switch g.rand.IntN(16) {
	case 0, 1, 2, 3:
		return fmt.Sprintf("%s %s %s", g.tight(integer, depth), pick(g, []string{"+", "-", "*", "%", "+"}), g.tight(integer, depth))
	case 4:
		return fmt.Sprintf("%s ** %s", g.tight(integer, depth), pick(g, []string{"2", "3", "0", "1", "10"}))
	case 5:
		return fmt.Sprintf("%s %s %s", g.tight(integer, depth), pick(g, []string{"&", "|", "^"}), g.tight(integer, depth))
	case 6:
		return fmt.Sprintf("%s %s %s", g.tight(integer, depth), pick(g, []string{"<<", ">>"}), pick(g, []string{"1", "3", "10", "40"}))
	case 7:
		return pick(g, []string{"-", "~", "+", "- -"}) + g.tight(integer, depth)
	case 8:
		return "len(" + g.expression(pick(g, []kind{text, integers, texts, table}), depth) + ")"
	case 9:
		return pick(g, []string{"abs(" + a() + ")", "int(" + g.expression(float, depth) + ")", "round(" + g.expression(float, depth) + ")", "int(" + g.expression(text, depth) + ")"})
	case 10:
		return fmt.Sprintf("%s(%s, %s)", pick(g, []string{"min", "max"}), a(), a())
	case 11:
		return fmt.Sprintf("%s(%s)", pick(g, []string{"sum", "max", "min"}), g.expression(integers, depth))
	case 12:
		return g.tight(integers, depth) + "[" + pick(g, []string{"0", "-1", "1"}) + "]"
	case 13:
		return fmt.Sprintf("%s.%s(%s)", g.tight(text, depth), pick(g, []string{"find", "count"}), g.expression(text, depth))
	case 14:
		return fmt.Sprintf("%s.get(%s, %s)", g.tight(table, depth), g.expression(text, depth), a())
	default:
		return fmt.Sprintf("%s.%s(%s)", g.tight(integers, depth), pick(g, []string{"index", "count"}), a())
	}
}

// tight writes an operand. Mostly it stands in brackets when it is more than a name or a plain number; without them the
// two languages must agree on precedence.
func (g *generator) tight(k kind, depth int) string {
	value := g.expression(k, depth)
	if plainOperand.MatchString(value) || !startsAsNumber.MatchString(value) && g.chance(30) {
		return value
	}
	return "(" + value + ")"
}

var startsAsNumber = regexp.MustCompile(`^[-+~ ]*[0-9]`)

var plainOperand = regexp.MustCompile(`^([a-z]\w*|"[^"]*"|\[[^\]]*\])$`)

func (g *generator) float(depth int) string {
	a := func() string { return g.tight(float, depth) }
	switch g.rand.IntN(8) {
	case 0, 1, 2:
		return fmt.Sprintf("%s %s %s", a(), pick(g, []string{"+", "-", "*", "/", "%"}), a())
	case 3:
		return fmt.Sprintf("%s / %s", g.tight(integer, depth), g.tight(integer, depth))
	case 4:
		return fmt.Sprintf("%s %s %s", a(), pick(g, []string{"+", "-", "*", "/"}), g.tight(integer, depth))
	case 5:
		return fmt.Sprintf("round(%s, %s)", g.expression(float, depth), pick(g, []string{"0", "1", "2", "-1", "10"}))
	case 6:
		return fmt.Sprintf("%s(%s)", pick(g, []string{"float", "abs"}), pick(g, []string{g.expression(float, depth), g.expression(float, depth), `"2.50"`}))
	default:
		return fmt.Sprintf("sum([%s, %s, 0.1])", g.expression(float, depth), g.expression(integer, depth))
	}
}

func (g *generator) text(depth int) string {
	a := func() string { return g.tight(text, depth) }
	switch g.rand.IntN(13) {
	case 0, 1:
		return fmt.Sprintf("%s + %s", a(), a())
	case 2:
		return fmt.Sprintf("%s * %s", a(), pick(g, []string{"2", "3", "0", "-1"}))
	case 3:
		return a() + g.slice()
	case 4:
		return a() + "." + pick(g, []string{"upper()", "lower()", "title()", "capitalize()", "strip()", "lstrip()", "rstrip()", `strip("ab ")`, "zfill(6)"})
	case 5:
		return fmt.Sprintf("%s.replace(%s, %s)", a(), g.expression(text, depth), g.expression(text, depth))
	case 6:
		return "str(" + g.expression(kind(g.rand.IntN(int(kinds))), depth) + ")"
	case 7, 8:
		return g.formatted(depth)
	case 9:
		k := pick(g, []kind{integer, float, text})
		return fmt.Sprintf("%q %% %s", pick(g, percents[k]), g.tight(k, depth))
	case 10:
		return fmt.Sprintf(`"%%s and %%s" %% (%s, %s)`, g.expression(kind(g.rand.IntN(int(kinds))), depth), g.expression(integer, depth))
	case 11:
		return fmt.Sprintf("%s.join(%s)", pick(g, []string{`","`, `""`, `" é "`}), g.expression(texts, depth))
	default:
		return fmt.Sprintf(`"{}|{:>4}".format(%s, %s)`, g.expression(integer, depth), g.expression(text, depth))
	}
}

// formatted writes an f-string. What stands in it must hold no quote of its own and no backslash.
func (g *generator) formatted(depth int) string {
	k := pick(g, []kind{integer, float, text, truth})
	value := g.expression(k, depth)
	if strings.ContainsAny(value, "\"'\\{}!:=<>") {
		value, k = "1 + 2", integer
	}
	specification := pick(g, specifications[k])
	if specification != "" {
		specification = ":" + specification
	}
	return `f"<{` + value + specification + `}>"`
}

func (g *generator) slice() string {
	return pick(g, []string{"[1:]", "[:2]", "[::-1]", "[-3:-1]", "[::2]", "[1:4]", "[5:1:-2]", "[:]", "[-1:]"})
}

func (g *generator) truth(depth int) string {
	switch g.rand.IntN(9) {
	case 0, 1:
		k := pick(g, []kind{integer, float, text, integers})
		return fmt.Sprintf("%s %s %s", g.tight(k, depth), pick(g, []string{"==", "!=", "<", ">", "<=", ">="}), g.tight(k, depth))
	case 2:
		return fmt.Sprintf("%s < %s <= %s", g.tight(integer, depth), g.tight(float, depth), g.tight(integer, depth))
	case 3:
		return fmt.Sprintf("(%s) %s (%s)", g.expression(truth, depth), pick(g, []string{"and", "or"}), g.expression(truth, depth))
	case 4:
		return "not (" + g.expression(truth, depth) + ")"
	case 5:
		return fmt.Sprintf("%s %s %s", g.tight(integer, depth), pick(g, []string{"in", "not in"}), g.tight(integers, depth))
	case 6:
		return fmt.Sprintf("%s %s %s", g.tight(text, depth), pick(g, []string{"in", "not in"}), g.tight(pick(g, []kind{text, texts, table}), depth))
	case 7:
		return fmt.Sprintf("isinstance(%s, %s)", g.expression(kind(g.rand.IntN(int(kinds))), depth), pick(g, kindWords))
	default:
		return pick(g, []string{
			fmt.Sprintf("%s.startswith(%s)", g.tight(text, depth), g.expression(text, depth)),
			fmt.Sprintf("%s.isdigit()", g.tight(text, depth)),
			fmt.Sprintf("any(%s)", g.expression(integers, depth)),
			fmt.Sprintf("all(%s)", g.expression(integers, depth)),
			fmt.Sprintf("%s is %s", g.tight(integer, depth), g.tight(float, depth)),
			fmt.Sprintf("bool(%s)", g.expression(kind(g.rand.IntN(int(kinds))), depth)),
		})
	}
}

func (g *generator) integers(depth int) string {
	item := g.shadow("x")
	switch g.rand.IntN(9) {
	case 0:
		return fmt.Sprintf("[%s, %s]", g.expression(integer, depth), g.expression(integer, depth))
	case 1, 2:
		return fmt.Sprintf("[%s * %s for %s in %s]", item, g.tight(integer, depth), item, g.tight(integers, depth))
	case 3:
		return fmt.Sprintf("[%s for %s in %s if %s %% 2 == %d]", item, item, g.tight(integers, depth), item, g.rand.IntN(2))
	case 4:
		return fmt.Sprintf("%s + %s", g.tight(integers, depth), g.tight(integers, depth))
	case 5:
		return g.tight(integers, depth) + g.slice()
	case 6:
		return fmt.Sprintf("sorted(%s%s)", g.expression(integers, depth), pick(g, []string{"", ", reverse=True", ", key=abs"}))
	case 7:
		return "range(" + pick(g, []string{"4", "1, 5", "10, 0, -3", "0"}) + ")"
	default:
		return pick(g, []string{
			fmt.Sprintf("[len(%s) for %s in %s]", item, item, g.tight(texts, depth)),
			fmt.Sprintf("%s.values()", g.tight(table, depth)),
			fmt.Sprintf("[%s[0] + %s[1] for %s in enumerate(%s)]", item, item, item, g.expression(integers, depth)),
		})
	}
}

func (g *generator) texts(depth int) string {
	item := g.shadow("s")
	switch g.rand.IntN(7) {
	case 0:
		return fmt.Sprintf("[%s, %s]", g.expression(text, depth), g.expression(text, depth))
	case 1:
		return fmt.Sprintf("[%s.upper() for %s in %s]", item, item, g.tight(texts, depth))
	case 2:
		return fmt.Sprintf("%s.split(%s)", g.tight(text, depth), pick(g, []string{"", `","`, `"l"`, `" ", 1`}))
	case 3:
		return fmt.Sprintf("sorted(%s%s)", g.expression(texts, depth), pick(g, []string{"", ", key=len", ", reverse=True", ", key=len, reverse=True"}))
	case 4:
		return pick(g, []string{"list(" + g.expression(text, depth) + ")", g.tight(table, depth) + ".keys()", "list(" + g.expression(table, depth) + ")"})
	case 5:
		return fmt.Sprintf("[str(%s) for %s in %s]", item, item, g.tight(integers, depth))
	default:
		return fmt.Sprintf("[%s + str(n) for %s, n in zip(%s, %s)]", item, item, g.expression(texts, depth), g.expression(integers, depth))
	}
}

func (g *generator) table(depth int) string {
	key, value := g.shadow("k"), g.name("w")
	switch g.rand.IntN(5) {
	case 0:
		return fmt.Sprintf("{%s: %s, \"z\": %s}", g.expression(text, depth), g.expression(integer, depth), g.expression(integer, depth))
	case 1:
		return fmt.Sprintf("{%s: %s + 1 for %s, %s in %s.items()}", key, value, key, value, g.tight(table, depth))
	case 2:
		return fmt.Sprintf("dict(zip(%s, %s))", g.expression(texts, depth), g.expression(integers, depth))
	case 3:
		return fmt.Sprintf("{%s: len(%s) for %s in %s}", key, key, key, g.tight(texts, depth))
	default:
		return fmt.Sprintf("dict(%s)", g.expression(table, depth))
	}
}
