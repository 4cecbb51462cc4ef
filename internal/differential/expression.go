package differential

import (
	"fmt"
	"strings"
)

var leaves = [kinds][]string{
	integer: {"0", "1", "2", "3", "-1", "7", "10", "-13", "100", "0x1F", "9223372036854775807", "-9223372036854775808", "9223372036854775806", "4611686018427387904", "3037000500", "9007199254740993", "-4294967296", "2147483647", "63", "64"},
	float:   {"0.0", "1.0", "-0.0", "0.5", "-2.5", "0.1", "1e308", "-1e308", "1e-320", "1e16", "1e15", "9007199254740993.0", "9223372036854775808.0", "2.675", "123456.789", "1e400", "-1e400", "(1e400 - 1e400)", "1e22", "0.30000000000000004"},
	text:    {`"a"`, `""`, `"hello"`, `"héllo wörld"`, `"日本語"`, `"😀x"`, `"12"`, `" 7 "`, `"-3.5e2"`, `"A1-b2"`, `"it's"`, `'q"q'`, `"a,b,,c"`, `"ß"`, `"\n"`, `"tab\t"`, `"007"`, `"{}"`, `"ΑΣ"`, `"\x00"`},
	truth:   {"True", "False"},
	list:    {"[]", "[1, 2, 3]", "[0]", `["a", "b", "é"]`, "[1, 2.5, True]", "[[1, 2], [3]]", `[{"k": 1}, {"k": 2}]`, "range(4)", "[3, 1, 2, 1]", `[None, "x"]`, "[0.0, -0.0, 1]"},
	dict:    {"{}", `{"a": 1, "b": 2}`, `{1: "one", 2.5: [1]}`, `{"k": {"n": [1, 2]}}`, `{True: 1, "True": 2}`, `{"é": -1, "": 0}`, `{None: None}`},
	unknown: {"None", "1", "2.5", `"s"`, "[1]", `{"a": 1}`, "True"},
}

func (g *generator) leaf(k kind) string {
	if name, ok := g.name(k); ok && g.chance(65) {
		return name
	}
	if few := 6; g.calm && (k == integer || k == float) && g.chance(85) {
		return pick(g, leaves[k][:few]...) // the others are close to where numbers end
	}
	return pick(g, leaves[k]...)
}

// expression writes an expression that mostly yields the kind.
func (g *generator) expression(k kind, depth int) string {
	if !g.calm && g.chance(4) {
		k = kind(g.rand.IntN(int(kinds)))
	}
	if depth <= 0 || g.chance(15) {
		return g.leaf(k)
	}
	depth--
	if g.chance(8) {
		return fmt.Sprintf("(%s if %s else %s)", g.expression(k, depth), g.expression(truth, depth), g.expression(k, depth))
	}
	if g.chance(4) {
		return fmt.Sprintf("(%s %s %s)", g.expression(k, depth), pick(g, "or", "and"), g.expression(k, depth))
	}
	if call, ok := g.call(depth); ok && (k == unknown || g.chance(12)) {
		return call
	}
	switch k {
	case integer:
		return g.integer(depth)
	case float:
		return g.float(depth)
	case text:
		return g.text(depth)
	case truth:
		return g.truth(depth)
	case list:
		return g.list(depth)
	case dict:
		return g.dict(depth)
	}
	return g.expression(kind(g.rand.IntN(int(unknown))), depth)
}

// call calls a function of the script.
func (g *generator) call(depth int) (string, bool) {
	if len(g.functions) == 0 || g.task {
		return "", false
	}
	f := pick(g, g.functions...)
	n := f.params
	if g.chance(5) {
		n += pick(g, -1, 1)
	}
	var args []string
	for i := range n {
		k := pick(g, integer, integer, float, text, list, dict)
		if i < len(f.kinds) && (g.calm || g.chance(70)) {
			k = f.kinds[i]
		}
		args = append(args, g.expression(k, depth))
	}
	return f.name + "(" + strings.Join(args, ", ") + ")", true
}

func (g *generator) integer(depth int) string {
	i := func() string { return g.expression(integer, depth) }
	switch g.rand.IntN(13) {
	case 0, 1, 2, 3:
		return fmt.Sprintf("(%s %s %s)", i(), pick(g, "+", "-", "*", "%", "+", "-"), i())
	case 4:
		return fmt.Sprintf("(%s %s %s)", i(), pick(g, "&", "|", "^"), i())
	case 5:
		return fmt.Sprintf("(%s %s %s)", i(), pick(g, "<<", ">>"), pick(g, "0", "1", "31", "62", "63", "64", "-1", "3"))
	case 6:
		return fmt.Sprintf("(%s ** %s)", i(), pick(g, "0", "1", "2", "3", "-1", "63"))
	case 7:
		return pick(g, "-", "~", "+") + "(" + i() + ")"
	case 8:
		return fmt.Sprintf("len(%s)", g.expression(pick(g, text, list, dict), depth))
	case 9:
		return fmt.Sprintf("%s(%s)", pick(g, "int", "abs", "round", "int"), g.expression(pick(g, integer, float, text), depth))
	case 10:
		return fmt.Sprintf("%s(%s, %s)", pick(g, "min", "max"), i(), g.expression(pick(g, integer, float), depth))
	case 11:
		return pick(g,
			fmt.Sprintf("sum([%s for i in range(%d)])", pick(g, "i", "i * i", "1", i()), g.rand.IntN(5)),
			fmt.Sprintf("sum(%s)", g.expression(list, depth)),
			fmt.Sprintf("%s.find(%s)", g.operand(text, depth), g.expression(text, depth)),
			fmt.Sprintf("%s.count(%s)", g.operand(pick(g, text, list), depth), g.expression(text, depth)),
			fmt.Sprintf("int(%s, %s)", g.expression(text, depth), pick(g, "10", "16", "0", "2")),
		)
	}
	return g.item(depth)
}

// operand is an expression that may stand before a dot or a bracket.
func (g *generator) operand(k kind, depth int) string {
	x := g.expression(k, depth)
	if strings.ContainsAny(x, " -~+") || x != "" && x[0] >= '0' && x[0] <= '9' {
		return "(" + x + ")"
	}
	return x
}

// item reads something out of a container.
func (g *generator) item(depth int) string {
	return pick(g,
		fmt.Sprintf("%s[%s]", g.operand(list, depth), pick(g, "0", "-1", "1", "2", g.expression(integer, depth))),
		fmt.Sprintf("%s[%s]", g.operand(dict, depth), pick(g, `"a"`, "1", `"k"`, g.expression(text, depth))),
		fmt.Sprintf("%s.get(%s, %s)", g.operand(dict, depth), pick(g, `"a"`, "1.0", g.expression(text, depth)), g.expression(integer, depth)),
		fmt.Sprintf("%s.%s", g.operand(dict, depth), pick(g, "a", "k", "b")),
		fmt.Sprintf("getListLen(%s)", g.word()),
		fmt.Sprintf("itemFromList(%s, %s)", g.word(), pick(g, "0", "-1", "1", `"1"`, "2.0")),
		fmt.Sprintf("variableFromJSON(%s, %s)", g.word(), pick(g, "a", `"a"`, "k", "1")),
	)
}

// word names a variable, mostly one that is there.
func (g *generator) word() string {
	if name, ok := g.name(unknown); ok && !g.chance(3) {
		return name
	}
	return "nowhere"
}

func (g *generator) float(depth int) string {
	f := func() string { return g.expression(float, depth) }
	switch g.rand.IntN(7) {
	case 0, 1, 2:
		return fmt.Sprintf("(%s %s %s)", f(), pick(g, "+", "-", "*", "/", "%"), g.expression(pick(g, float, integer), depth))
	case 3:
		return fmt.Sprintf("(%s / %s)", g.expression(integer, depth), g.expression(integer, depth))
	case 4:
		return fmt.Sprintf("round(%s, %s)", f(), pick(g, "0", "1", "2", "-1", "-2", "15"))
	case 5:
		return fmt.Sprintf("%s(%s)", pick(g, "float", "abs", "-", "+"), g.expression(pick(g, float, float, integer, text), depth))
	}
	return fmt.Sprintf("sum([%s, %s], %s)", f(), g.expression(integer, depth), f())
}

var specifications = []string{"", "d", "5", "05d", ",", "x", "<6", "^7", "+", ".1f", "e", "*>8", "_", ".3g", "%", "z.1f", "#x", "08.2f", ".2", ">3", "b", "é^9"}

func (g *generator) text(depth int) string {
	t := func() string { return g.expression(text, depth) }
	anything := func() string { return g.expression(kind(g.rand.IntN(int(kinds))), depth) }
	switch g.rand.IntN(12) {
	case 0, 1:
		return fmt.Sprintf("(%s + %s)", t(), t())
	case 2:
		return fmt.Sprintf("(%s * %s)", t(), pick(g, "2", "0", "-1", "3"))
	case 3:
		return g.operand(text, depth) + g.slice(depth)
	case 4:
		return g.operand(text, depth) + pick(g, ".upper()", ".lower()", ".title()", ".capitalize()", ".strip()", ".zfill(5)", `.strip("a7 ")`, ".lstrip()")
	case 5:
		return fmt.Sprintf("%s.replace(%s, %s)", g.operand(text, depth), t(), pick(g, `"-"`, `""`, t()))
	case 6:
		return "str(" + anything() + ")"
	case 7:
		return "`" + pick(g, "", "n=", "é ") + "${" + g.plain(depth) + "}" + pick(g, "", "|${nowhere}", "${"+g.plain(depth)+"}") + "`"
	case 8:
		return `f"<{` + g.plain(depth) + pick(g, "", "!r", ":"+pick(g, specifications...), "!s:>6") + `}>"`
	case 9:
		return fmt.Sprintf(`(%q %% %s)`, pick(g, "%d", "%s", "%5.1f", "%r", "%x", "%-5s|", "%%%s", "%+d"), pick(g, anything(), "("+anything()+",)"))
	case 10:
		return fmt.Sprintf("%s.join([str(s) for s in %s])", pick(g, `","`, `""`, `"é"`), g.expression(list, depth))
	}
	return fmt.Sprintf(`"{} {:>4} {0}".replace(" {0}", "").format(%s, %s)`, anything(), t())
}

// plain is an expression that may stand in a template or an f-string.
func (g *generator) plain(depth int) string {
	x := g.expression(pick(g, integer, float, text, unknown), depth)
	if strings.ContainsAny(x, "`\"'\\{}!:=<>") {
		return g.word()
	}
	return x
}

func (g *generator) slice(depth int) string {
	return pick(g, "[1:]", "[:2]", "[::-1]", "[-3:-1]", "[::2]", "[5:1:-2]", "[:]", "[9223372036854775807:]", "["+g.expression(integer, depth)+":]", "[::"+pick(g, "0", "-9223372036854775808", "3")+"]")
}

func (g *generator) truth(depth int) string {
	ordered := pick(g, integer, integer, float, text, list)
	other := ordered
	if ordered == integer {
		other = pick(g, integer, float)
	}
	switch g.rand.IntN(8) {
	case 0, 1, 2:
		return fmt.Sprintf("(%s %s %s)", g.expression(ordered, depth), pick(g, "==", "!=", "<", ">", "<=", ">="), g.expression(other, depth))
	case 3:
		return fmt.Sprintf("(%s < %s <= %s)", g.expression(integer, depth), g.expression(float, depth), g.expression(integer, depth))
	case 4:
		return "(not " + g.expression(pick(g, truth, unknown), depth) + ")"
	case 5:
		return fmt.Sprintf("(%s %s %s)", g.expression(pick(g, integer, text), depth), pick(g, "in", "not in"), g.expression(pick(g, list, dict, text), depth))
	case 6:
		return fmt.Sprintf("(%s %s %s)", g.expression(unknown, depth), pick(g, "is", "is not", "=="), g.expression(unknown, depth))
	}
	return pick(g,
		fmt.Sprintf("isinstance(%s, %s)", g.expression(unknown, depth), pick(g, "int", "str", "(int, float)", "list", "bool")),
		fmt.Sprintf("%s.%s(%s)", g.operand(text, depth), pick(g, "startswith", "endswith"), g.expression(text, depth)),
		fmt.Sprintf("%s(%s)", pick(g, "any", "all"), g.expression(list, depth)),
		fmt.Sprintf("%s.%s()", g.operand(text, depth), pick(g, "isdigit", "isalpha", "isalnum")),
	)
}

func (g *generator) list(depth int) string {
	item := g.fresh("i")
	switch g.rand.IntN(10) {
	case 0, 1:
		return fmt.Sprintf("[%s, %s]", g.expression(unknown, depth), g.expression(pick(g, integer, unknown), depth))
	case 2, 3:
		return g.comprehension(item, depth)
	case 4:
		return fmt.Sprintf("(%s + %s)", g.expression(list, depth), g.expression(list, depth))
	case 5:
		return g.operand(list, depth) + g.slice(depth)
	case 6:
		return fmt.Sprintf("sorted(%s%s)", g.expression(list, depth), pick(g, "", ", reverse=True", ", key=str", ", key=len"))
	case 7:
		return pick(g,
			fmt.Sprintf("range(%s, %s%s)", pick(g, "0", "-2", "5"), pick(g, "3", "6", "0"), pick(g, "", ", 2", ", -1")),
			fmt.Sprintf("list(%s)", g.expression(pick(g, text, list, dict), depth)),
			fmt.Sprintf("enumerate(%s, %s)", g.expression(pick(g, list, text), depth), pick(g, "0", "5", "9223372036854775806")),
			fmt.Sprintf("zip(%s, %s)", g.expression(list, depth), g.expression(pick(g, list, text), depth)),
		)
	case 8:
		return g.operand(dict, depth) + pick(g, ".keys()", ".values()", ".items()")
	}
	return g.operand(text, depth) + pick(g, ".split()", `.split(",")`, `.split("l", 1)`)
}

func (g *generator) comprehension(item string, depth int) string {
	source := g.expression(pick(g, list, list, text, dict), depth)
	known := g.vars
	g.know(item, pick(g, integer, unknown))
	defer func() { g.vars = known }()
	filter := ""
	if g.chance(40) {
		filter = " if " + g.expression(truth, min(depth, 1))
	}
	if g.chance(10) {
		return fmt.Sprintf("[[%s, j] for %s in range(3) for j in range(%s)]", item, item, item)
	}
	return fmt.Sprintf("[%s for %s in %s%s]", g.expression(pick(g, integer, float, text, unknown), depth), item, source, filter)
}

func (g *generator) dict(depth int) string {
	switch g.rand.IntN(5) {
	case 0, 1:
		return fmt.Sprintf("{%s: %s, %s: %s}", g.expression(pick(g, text, integer, float), depth), g.expression(unknown, depth), g.leaf(text), g.expression(integer, depth))
	case 2:
		key := g.fresh("k")
		return fmt.Sprintf("{%s: %s for %s in %s}", key, g.expression(pick(g, integer, text), depth), key, g.expression(pick(g, list, text), depth))
	case 3:
		return fmt.Sprintf("{k: v for k, v in %s.items()}", g.operand(dict, depth))
	}
	return fmt.Sprintf("dict(%s)", g.expression(pick(g, dict, list), depth))
}
