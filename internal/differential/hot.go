package differential

import (
	"fmt"
	"strings"
)

// What the optimiser treats apart: loops over lists and dicts of one kind, numbers that need no box, bounds that are
// known, text that grows in place, and memory that is given back while a loop runs.

func (g *generator) hot() {
	pick(g, g.hotLoop, g.hotLoop, g.listLoop, g.listLoop, g.aliases, g.aliases, g.matrix, g.dictLoop, g.dictLoop, g.textLoop, g.edgeLoop, g.crossing, g.repeats, g.repeats, g.steady, g.steady)()
}

// spoil is a statement that now and then breaks what the loop around it seemed to promise.
func (g *generator) spoil(counter string, names ...string) {
	if g.calm || !g.chance(35) {
		return
	}
	name := pick(g, names...)
	g.line("if(None, None, `%s == %d`)", counter, g.rand.IntN(7))
	g.line("%s", pick(g, "continue", "break", name+" = None", name+" = 0.5", name+` = "s"`, name+" = [1, 2.5, None]", name+" = {}", name+" = True", name+" = 9223372036854775807"))
	g.line("end()")
}

// listLoop reads, changes and appends to a list of numbers.
func (g *generator) listLoop() {
	xs, sum, i := g.fresh("xs"), g.fresh("sum"), g.fresh("i")
	n := 2 + g.rand.IntN(9)
	number := pick(g, "0", "1", "-7", "0.5", "4611686018427387904", "1e308")
	g.line("%s = %s", xs, pick(g,
		fmt.Sprintf("[%s for k in range(%d)]", pick(g, "k", "k * 0.5", "k * k - 3", number, "str(k)", "[k]"), n),
		fmt.Sprintf("[%s] * %d", number, n),
		"[3, 1, 4, 1, 5, 9, 2, 6, 5]", "[0.5, 1.5, -0.0, 2.0, 1e300, 4.25, 5.0, 6.0]", `[1, 2.0, "x", None, True, 5, 6, 7, 8]`, "[]"))
	g.line("%s = %s", sum, number)
	g.line("startLoop(%s, %s, %s)", i, pick(g, "0", "0", "1", "-3"), pick(g, fmt.Sprint(n-1), fmt.Sprint(n-1), fmt.Sprint(n), "len("+xs+") - 1"))
	index := func() string {
		return pick(g, i, i, i, i+" - 1", "-1", "-"+i, "-"+i+" - 1", i+" % 3", fmt.Sprintf("%d - %s", n-1, i), "0", "9", "True", "1.0")
	}
	for range 1 + g.rand.IntN(3) {
		g.line("%s", pick(g,
			fmt.Sprintf("%s = %s + %s[%s]", sum, sum, xs, index()),
			fmt.Sprintf("%s += %s[%s] * %s[%s]", sum, xs, index(), xs, index()),
			fmt.Sprintf("%s[%s] = %s[%s] %s %s", xs, index(), xs, index(), pick(g, "+", "-", "*", "/"), pick(g, i, "1", "0.5", sum)),
			fmt.Sprintf("%s[%s] %s %s", xs, index(), pick(g, "+=", "-=", "*="), pick(g, "1", i, "0.5")),
			fmt.Sprintf("%s[%s] = %s", xs, index(), pick(g, i, sum, "None", "[]", `"t"`)),
			fmt.Sprintf("%s.append(%s)", xs, pick(g, i, sum, xs+"[-1]", xs+"["+index()+"]")),
			fmt.Sprintf("if(None, None, `%s[%s] %s %s`)\n%s += 1\nend()", xs, index(), pick(g, "<", "==", ">=", "!="), pick(g, sum, "2", "0.5", xs+"[0]"), sum),
			fmt.Sprintf("%s = %s.pop()", sum, xs)))
	}
	g.spoil(i, xs, sum, i)
	g.line("endLoop()")
	g.know(xs, list)
	g.know(sum, pick(g, integer, float, unknown))
}

// aliases has a second way to a list whose items seem to be of one kind, by which others may come in.
func (g *generator) aliases() {
	xs, ys, sum, i := g.fresh("xs"), g.fresh("ys"), g.fresh("sum"), g.fresh("i")
	number := pick(g, "1.5", "1.5", "3", "True", `"t"`)
	if g.chance(20) {
		xs = pick(g, "v1", "v2") // which may be the request's
		g.line("if(None, None, `%s`)\n%s = [%s] * 3\nend()", g.condition(), xs, number)
	} else {
		g.line("%s = %s", xs, pick(g, "["+number+", "+number+", "+number+"]", "["+number+"] * 4", "["+number+" for k in range(3)]", "range(4)", `"ab cd ef".split(" ")`, "[]"))
	}
	put := ""
	for _, f := range g.functions {
		if f.puts {
			put = f.name
		}
	}
	way, path := xs, ""
	switch g.rand.IntN(9) {
	case 0:
		way, path = "["+xs+", [7]]", "[0]"
	case 1:
		way, path = `{"k": `+xs+`}`, `["k"]`
	case 2:
		way = pick(g, xs+"[:]", "list("+xs+")", "sorted("+xs+")", xs+" + [0.5]", "[y for y in "+xs+"]")
	case 3:
		way = pick(g, "("+xs+" or [])", "("+xs+" if "+g.condition()+" else [2])", "max(["+xs+", "+xs+"])", "[["+xs+"]][0][0]")
	case 4:
		if put != "" && !g.task {
			way = put + "(" + xs + ", " + number + ")"
		}
	}
	g.line("%s = %s\n%s = %s", ys, way, sum, number)
	g.line("startLoop(%s, 0, 4)", i)
	for range 1 + g.rand.IntN(3) {
		g.line("%s", pick(g,
			fmt.Sprintf("%s = %s + %s[%s %% 3]", sum, sum, xs, i),
			fmt.Sprintf("%s = %s[%s] * 2", sum, xs, i),
			fmt.Sprintf("%s[%s %% 3] = %s[0] - %s", xs, i, xs, pick(g, "1", number)),
			fmt.Sprintf("%s.append(%s[-1])", xs, xs),
			fmt.Sprintf("%s = sum([y * 2 for y in %s])", sum, xs)))
	}
	if g.chance(60) {
		other := pick(g, number, number, "1", "0.5", `"s"`, "None", "[]", "{}", xs)
		g.line("if(%s, %d, =)\n%s\nend()", i, 1+g.rand.IntN(3), pick(g,
			fmt.Sprintf("%s%s[%d] = %s", ys, path, g.rand.IntN(3), other),
			fmt.Sprintf("%s%s.append(%s)", ys, path, other),
			fmt.Sprintf("%s%s.insert(0, %s)", ys, path, other),
			fmt.Sprintf("%s%s.extend([%s])", ys, path, other),
			fmt.Sprintf("%s%s += [%s]", ys, path, other)))
	}
	g.line("endLoop()")
	g.know(sum, unknown)
	g.know(xs, list)
	g.know(ys, unknown)
}

// putting is a function that stores in a list it is given, and gives the list back.
func (g *generator) putting() {
	f := function{name: g.fresh("put"), params: 2, kinds: []kind{list, unknown}, puts: true}
	p, q := g.fresh("p"), g.fresh("p")
	g.line("function %s(%s, %s){\nstartLoop(%s, 0, 1)\n%s\nendLoop()\nreturn(%s)\n}", f.name, p, q, g.fresh("i"),
		pick(g, p+"[0] = "+q, p+".append("+q+")", p+"[-1] = "+p+"[0]", p+" = "+p+" + ["+q+"]"), p)
	g.functions = append(g.functions, f)
}

// matrix indexes twice, in loops within each other.
func (g *generator) matrix() {
	m, i, j := g.fresh("m"), g.fresh("i"), g.fresh("j")
	g.line("%s = [[%s for c in range(3)] for r in range(%s)]", m, pick(g, "r * 3 + c", "r - c * 0.5", "0", "str(c)"), pick(g, "3", "3", "2"))
	g.line("startLoop(%s, 0, 2)\nstartLoop(%s, %s, 2)", i, j, pick(g, "0", i))
	cell := func() string {
		return fmt.Sprintf("%s[%s][%s]", m, pick(g, i, j, "-1", i+" - 1"), pick(g, i, j, "-"+j, "0"))
	}
	for range 1 + g.rand.IntN(2) {
		g.line("%s %s %s %s %s", cell(), pick(g, "=", "=", "+=", "-="), cell(), pick(g, "+", "*", "-"), pick(g, cell(), "1", j))
	}
	g.spoil(j, i, j)
	g.line("endLoop()")
	g.spoil(i, m, i)
	g.line("endLoop()")
	g.know(m, list)
}

// dictLoop counts in a dict.
func (g *generator) dictLoop() {
	d, i, last := g.fresh("d"), g.fresh("i"), g.fresh("last")
	g.line("%s = %s", d, pick(g, "{}", `{"0": 0, "1": 1, "2": 2}`, "{0: 0, 1: 0.5, 2: 2}", `{"a": 0, "b": 0, "c": 0}`, "{k: 0 for k in range(12)}"))
	g.line("startLoop(%s, 0, %d)", i, 2+g.rand.IntN(20))
	key := func() string {
		return pick(g, "str("+i+" % 3)", i+" % 3", i, `"abc"[`+i+" % 3]", `"a"`, i+" / 2", "None", "str("+i+")", "1.0")
	}
	for range 1 + g.rand.IntN(3) {
		k := key()
		g.line("%s", pick(g,
			fmt.Sprintf("%s[%s] += %s", d, k, pick(g, "1", "0.5", i)),
			fmt.Sprintf("%s[%s] = %s.get(%s, 0) + 1", d, k, d, k),
			fmt.Sprintf("%s[%s] = %s.get(%s, %s) %s %s", d, key(), d, k, pick(g, "0", "0.5", "None"), pick(g, "+", "*"), i),
			fmt.Sprintf("%s = %s[%s]", last, d, k),
			fmt.Sprintf("%s = %s.get(%s)", last, d, k),
			fmt.Sprintf("if(None, None, `%s %s %s`)\n%s[%s] = [%s]\nend()", k, pick(g, "in", "not in"), d, d, k, i),
			fmt.Sprintf("%s = %s.pop(%s, None)", last, d, k),
			fmt.Sprintf("%s[%s] = %s", d, k, pick(g, i, "str("+i+")", "{"+i+": "+i+"}"))))
	}
	g.spoil(i, d, last, i)
	g.line("endLoop()")
	g.know(d, dict)
}

// textLoop builds text, part of which other variables keep.
func (g *generator) textLoop() {
	s, kept, i := g.fresh("s"), g.fresh("kept"), g.fresh("i")
	g.line("%s = %s\n%s = []", s, pick(g, `""`, `""`, `"é"`, `"abc"`, g.leaf(text)), kept)
	g.line("startLoop(%s, 0, %d)", i, 2+g.rand.IntN(30))
	part := func() string {
		return pick(g, "str("+i+")", `"x"`, `","`, `"é"`, "`${"+i+"};`", `f"{`+i+`:>3}"`, s+"[:2]", "str("+i+" / 2)", `"%d" % `+i, `""`)
	}
	for range 1 + g.rand.IntN(3) {
		g.line("%s", pick(g,
			fmt.Sprintf("%s += %s", s, part()),
			fmt.Sprintf("%s = %s + %s", s, s, part()),
			fmt.Sprintf("%s = %s + %s + %s", s, s, part(), part()),
			fmt.Sprintf("%s = `${%s}%s`", s, s, pick(g, "-", "${"+i+"}")),
			fmt.Sprintf("%s.append(%s)", kept, g.joined(s, i)),
			fmt.Sprintf("%s = %s", s, g.joined(s, i)),
			fmt.Sprintf("%s.append(%s)", kept, pick(g, s, s+" + "+part())),
			fmt.Sprintf("if(None, None, `len(%s) > %d`)\n%s = %s\nend()", s, 5+g.rand.IntN(20), s, pick(g, s+"[1:4]", `""`, s+"[-2:]"))))
	}
	g.spoil(i, s, i)
	g.line("endLoop()")
	g.know(s, text)
	g.know(kept, list)
}

// joined is a text of many parts, of which one now and then cannot be computed, or is no text.
func (g *generator) joined(s, i string) string {
	values := []string{s, s, i, i, "-" + i, i + " * 100003", i + " - 9223372036854775807 - 1", "str(" + i + ")", "len(" + s + ")", s + "[-1:]", `"é"`, `""`, "True", "None", "0.5", i + " / 3", "[" + i + `, "x"]`}
	if !g.calm && g.chance(20) {
		values = append(values, "nowhere", "1 / 0", s+"[99]", "None + 1", "9223372036854775807 + "+i)
	}
	n := 2 + g.rand.IntN(8)
	var b strings.Builder
	switch g.rand.IntN(3) {
	case 0:
		for range n {
			b.WriteString(pick(g, "", "-", "né") + "${" + pick(g, values...) + "}")
		}
		return "`" + b.String() + "`"
	case 1:
		for range n {
			b.WriteString(pick(g, "", ", ", "=") + "{" + strings.ReplaceAll(pick(g, values...), `"`, "'") + pick(g, "", "", "!s", "!r") + "}")
		}
		return `f"` + b.String() + `"`
	}
	b.WriteString(pick(g, s, `"<"`, "str("+i+")"))
	for range n {
		b.WriteString(" + ")
		b.WriteString(pick(g, `"x"`, `"ü"`, s, "str("+pick(g, values...)+")", "(str("+i+") + "+s+"[:3])", "`${"+pick(g, values...)+"}`", s))
		if !g.calm && g.chance(3) {
			b.WriteString(" + " + pick(g, values...))
		}
	}
	return b.String()
}

// edgeLoop computes close to where integers end.
func (g *generator) edgeLoop() {
	n, i, step := g.fresh("n"), g.fresh("i"), pick(g, "1", "3", "1000", "4611686018427387904", "-1", "-5")
	g.line("%s = %s\n%s = 0", n, pick(g, "9223372036854775800", "-9223372036854775800", "0", "4611686018427387900", "3037000499", "100"), i)
	g.line("while(%s < %s)\n%s += 1", i, pick(g, "3", "8", "20"), i)
	for range 1 + g.rand.IntN(2) {
		g.line("%s", pick(g,
			fmt.Sprintf("%s += %s", n, step), fmt.Sprintf("%s = %s - %s", n, n, step), fmt.Sprintf("%s = %s * %s", n, n, pick(g, "2", "-1", i, n)),
			fmt.Sprintf("%s = -%s", n, n), fmt.Sprintf("%s = abs(%s)", n, n), fmt.Sprintf("%s = %s %% %s", n, n, pick(g, "7", "-7", i, "1000")),
			fmt.Sprintf("%s = %s %s %s", n, n, pick(g, "<<", ">>"), pick(g, "1", i)), fmt.Sprintf("%s = (%s & %s) | %s", n, n, pick(g, "255", "-1", i), i),
			fmt.Sprintf("%s = int(%s / %s)", n, n, pick(g, "2", i, "-3")), fmt.Sprintf("%s = %s ** %s", n, n, pick(g, "2", "0", "1")),
			fmt.Sprintf("%s = min(%s, %s)", n, n, pick(g, "100", "0.5", i))))
	}
	g.spoil(i, n)
	g.line("end()")
	g.know(n, integer)
}

// crossing is loops within each other whose variables change their kinds between them.
func (g *generator) crossing() {
	a, b, i, j := g.fresh("a"), g.fresh("b"), g.fresh("i"), g.fresh("j")
	g.line("%s = %s\n%s = %s", a, pick(g, "0", "0.0", "1"), b, pick(g, "1", "0.5", `""`))
	g.line("startLoop(%s, 0, %d)\nstartLoop(%s, %s, 3)", i, 1+g.rand.IntN(4), j, pick(g, "0", i))
	for range 1 + g.rand.IntN(2) {
		g.line("%s = %s %s %s", pick(g, a, b), pick(g, a, b), pick(g, "+", "-", "*"), pick(g, i, j, a, b))
	}
	g.spoil(j, a, b)
	g.line("endLoop()")
	if g.chance(50) {
		g.line("%s = %s", a, pick(g, b, "str("+b+")", "["+a+"]", b+" + 0.5"))
	}
	g.spoil(i, a, b)
	g.line("endLoop()")
	g.know(a, unknown)
	g.know(b, unknown)
}

// churn makes so much in a loop that memory is given back meanwhile; what variables and containers hold must stay.
func (g *generator) churn() {
	held, last, i := g.fresh("held"), g.fresh("held"), g.fresh("i")
	turns := 1500 + g.rand.IntN(1500)
	thing := func() string {
		return pick(g, `"some text of a length " + str(`+i+`)`, "["+i+", str("+i+"), [0.5, None]]", `{"n": `+i+`, "t": "x" + str(`+i+`)}`, "`item ${"+i+"} of a long list of items`", "range(12)", `"ab" * 60`)
	}
	g.line("%s = []\n%s = None", held, last)
	g.line("startLoop(%s, 1, %d)", i, turns)
	g.line("%s = %s\n%s = [%s, %s]", last, thing(), g.fresh("gone"), thing(), thing())
	g.line("if(None, None, `%s %% %d == 0`)", i, 150+g.rand.IntN(300))
	g.line("%s", pick(g,
		fmt.Sprintf("%s.append(%s)", held, last), fmt.Sprintf("%s = [%s, %s]", held, last, thing()), fmt.Sprintf("%s += [%s]", held, last),
		fmt.Sprintf("%s.insert(0, {%s: %s})", held, i, last), fmt.Sprintf("try()\n%s.append(%s)\n%s = nowhere\nexception(e)\n%s.append(e)\nend()", held, last, held, held)))
	g.line("end()")
	if g.chance(20) {
		g.line("if(%s, %d, =)\n%s\nend()", i, turns/2, pick(g, "break", held+" = "+last, last+" = "+held))
	}
	g.line("endLoop()")
	g.know(held, list)
	g.know(last, unknown)
}

// numeric is a function that gets and gives numbers: a recursive one, or one with a loop.
func (g *generator) numeric() {
	k := pick(g, integer, integer, float)
	f := function{name: g.fresh("num"), params: 2, kinds: []kind{integer, k}, number: true, pure: true}
	n, x, out := g.fresh("p"), g.fresh("p"), g.fresh("r")
	g.line("function %s(%s, %s){", f.name, n, x)
	operator := func() string { return pick(g, "+", "-", "*", "+", "%") }
	if g.chance(40) {
		g.line("if(None, None, `%s < 1 or %s > 9`)\nreturn(%s)\nend()", n, n, pick(g, x, n, "1", "0.5", "None"))
		g.line("return(%s(%s - 1, %s) %s %s(%s - 2, %s))", f.name, n, pick(g, x, x+" + 1", x+" * 2"), operator(), f.name, n, pick(g, x, n))
	} else {
		i := g.fresh("i")
		g.line("%s = %s\nstartLoop(%s, %s, %s)", out, pick(g, "0", "1", x, "0.0"), i, pick(g, "0", "1", n), pick(g, n+" % 10", "5", "len(str("+n+"))"))
		g.line("%s = %s %s %s", out, out, operator(), pick(g, i, x, n, "1"))
		if other, ok := g.typed(); ok && g.chance(40) {
			g.line("%s = %s + %s(%s, %s)", out, out, other.name, i, pick(g, x, i))
		}
		g.spoil(i, out, x)
		g.line("endLoop()\nreturn(%s)", out)
	}
	g.line("}")
	g.functions = append(g.functions, f)
}

// typed picks a function that wants numbers.
func (g *generator) typed() (function, bool) {
	var fitting []function
	for _, f := range g.functions {
		if f.number {
			fitting = append(fitting, f)
		}
	}
	if len(fitting) == 0 {
		return function{}, false
	}
	return pick(g, fitting...), true
}

// sparse has what few scripts use: long constant displays, builtins with few or many arguments, blocks that run beside.
func (g *generator) sparse() {
	name := g.fresh("s")
	switch g.rand.IntN(7) {
	case 0:
		g.line("%s = [1, 2.5, \"x\", None, True, -3, \"é\", 1e16, %s]", name, pick(g, "False", "9", `"end"`, g.leaf(text)))
		g.know(name, list)
	case 1:
		g.line("%s = %s", name, pick(g, `str() + "-"`, "int() + 1", "float() + 1", "not bool()", "sum([1, 2], start=5)", "max([3, -4], key=abs)", `min("b", "a", key=len)`, "max([], default=0)", "list()", "dict()", "enumerate([5], start=2)"))
		g.know(name, unknown)
	case 2:
		g.line("%s = [a + b for a, b in %s]", name, pick(g, "[[1, 2], [3, 4]]", `["ab", "cd"]`, "enumerate([5, 6])", "zip([1], [2])", "[[1, 2, 3]]", g.expression(list, 1)))
		g.know(name, list)
	case 3:
		g.line("%s = %s", name, pick(g, "[a + b + c for a, b, c in [[1, 2, 3], [4, 5, 6]]]", "{}.nosuch()", `"t".nosuch(1)`, `max(1, 2, key=str)`, "None != "+g.word(), "len(\"a\" + \"\" + "+g.leaf(text)+")"))
		g.know(name, unknown)
	case 4:
		g.rare(name)
	case 5:
		if !g.tasks || g.task || g.inside || g.loops > 0 {
			g.assign()
			return
		}
		g.line("go_async(\"%s\")\n%s = %s\nend()\ngather(\"%s\", 5)", name, name, pick(g, "1 + 1", `"x" * 3`, "[1, {}]"), name)
		g.know(name, unknown)
	default:
		if f, ok := g.typed(); ok && !g.task {
			g.line("%s = %s(%s, %s)", name, f.name, pick(g, "3", "7", "1", "len("+g.leaf(text)+")"), pick(g, leaves[f.kinds[1]]...))
			g.know(name, unknown)
			return
		}
		g.assign()
	}
}

// rare is a function as a key, a message that goes into an element, an argument that is not given, or an end at the top.
func (g *generator) rare(name string) {
	switch g.rand.IntN(4) {
	case 0:
		if len(g.functions) > 0 && !g.task {
			g.line("%s = sorted(%s, key=%s)", name, g.expression(list, 1), pick(g, g.functions...).name)
			g.know(name, list)
			return
		}
		g.line("addVar(%s, )", name)
	case 1:
		g.line("%s = {}\ntry()\n%s = %s\n%s[\"m\"] = exception(%s)\nend()", name, g.fresh("t"), g.expression(unknown, 2), name, g.fresh("e"))
		g.know(name, dict)
	case 2:
		g.line("%s = Absent(%s, , %s)", name, g.word(), g.leaf(integer))
	default:
		if g.inside || g.task || g.loops > 0 {
			g.assign()
			return
		}
		g.line("if(None, None, `%s`)\nreturn(%s)\nend()", g.condition(), g.word())
	}
}
