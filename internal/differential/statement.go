package differential

import (
	"fmt"
	"strings"
)

func (g *generator) statement() {
	choices := []func(){
		g.assign, g.assign, g.assign, g.augment, g.augment, g.element, g.mutate, g.print, g.command, g.command, g.fail, g.bulk, g.pattern, g.sparse,
	}
	if g.depth > 0 {
		choices = append(choices, g.ifComparison, g.ifExpression, g.countedLoop, g.countedLoop, g.whileLoop, g.try, g.try, g.try, g.hot, g.hot)
		if !g.inside {
			choices = append(choices, g.markerTry)
		}
	}
	if g.loops > 0 {
		choices = append(choices, g.leave)
	}
	if g.inside {
		choices = append(choices, g.leaveFunction)
	}
	if g.tasks && !g.task && g.loops == 0 && !g.inside && g.chance(15) {
		g.gather()
		return
	}
	if g.hidden == 0 && g.depth > 0 && g.chance(40) {
		g.try() // an error outside of any try hides the rest of the program
		return
	}
	pick(g, choices...)()
}

func (g *generator) assign() {
	k := kind(g.rand.IntN(int(kinds)))
	name := g.target(k)
	value := g.expression(k, 3)
	if g.chance(6) {
		g.line("%s = [\n  %s,\n  %s\n]", name, value, g.expression(k, 2))
		k = list
	} else {
		g.line("%s = %s", name, value)
	}
	g.know(name, k)
}

func (g *generator) augment() {
	k := pick(g, integer, integer, float, text, list)
	name, ok := g.name(k)
	if !ok {
		g.assign()
		return
	}
	switch k {
	case text:
		g.line("%s += %s", name, pick(g, leaves[text]...))
	case list:
		g.line("%s += [%s]", name, g.expression(unknown, 1))
	default:
		g.line("%s %s %s", name, pick(g, "+=", "-=", "*=", "/=", "%=", "+=", "-="), g.expression(pick(g, k, integer, float), 2))
	}
}

// element assigns to an element, sometimes deep inside.
func (g *generator) element() {
	k := pick(g, list, dict, unknown)
	name, ok := g.name(k)
	if !ok {
		g.assign()
		return
	}
	index := pick(g, "[0]", "[-1]", "[1]", `["a"]`, `["k"]`, "[1.0]", "[True]", `["k"]["n"]`, "[0][0]", `[0]["k"]`, "["+g.expression(integer, 1)+"]", "["+g.expression(text, 1)+"]")
	g.line("%s%s %s %s", name, index, pick(g, "=", "=", "+=", "*=", "-="), g.expression(pick(g, integer, unknown, list), 2))
}

func (g *generator) mutate() {
	k := pick(g, list, dict)
	name, ok := g.name(k)
	if !ok {
		g.assign()
		return
	}
	if k == list {
		g.line("%s.%s", name, pick(g,
			"append("+g.expression(unknown, 2)+")", "pop()", "pop(0)", "insert(1, "+g.expression(integer, 1)+")", "reverse()", "sort()",
			"extend("+pick(g, leaves[list]...)+")", "remove("+g.expression(integer, 1)+")", "sort(key=str, reverse=True)"))
		return
	}
	g.line("%s.%s", name, pick(g, "update("+g.expression(dict, 1)+")", "pop("+g.expression(text, 1)+")", "pop(1, None)"))
}

func (g *generator) print() {
	if g.task {
		g.assign()
		return
	}
	g.line("print(%s, %s)", g.expression(kind(g.rand.IntN(int(kinds))), 2), g.leaf(unknown))
}

// fail fails on purpose, or calls what is not there.
func (g *generator) fail() {
	if g.hidden == 0 && !g.chance(25) {
		g.assign()
		return
	}
	g.line("%s", pick(g,
		`raise("boom")`, "raise(`n=${"+g.word()+"}`)", "x = nowhere + 1", "Nowhere(1)", "x = 1 / 0", "x = [1][5]", "x = $nowhere",
		`x = {"a": 1}["b"]`, "x = (1,\n  2 + None)", "x = 9223372036854775807 + 1", `x = int("x")`))
}

func (g *generator) command() {
	name := g.target(unknown)
	switch g.rand.IntN(9) {
	case 0, 1:
		g.line("addVar(%s, %s)", name, pick(g, `"12"`, `"007"`, "abc", "12", `"1.5"`, "$nowhere", "`${"+g.word()+"}`", g.word(), g.expression(unknown, 2)))
	case 2:
		g.line("getListLen(%s, %s)", g.word(), name)
	case 3:
		g.line("%s = itemFromList(%s, %s)", name, g.word(), pick(g, "0", "-1", `"1"`, "9"))
	case 4:
		g.line("variableToList(%s, %s)", pick(g, "1", "null", g.word(), `"t"`), g.target(list))
		return
	case 5:
		g.line("AddvariableToJSON(%s, %s, %s)", pick(g, "a", `"k"`, "1", g.word()), pick(g, "1", g.word(), `"t"`), g.target(dict))
		return
	case 6:
		g.line("variableFromJSON(%s, %s, %s)", g.word(), pick(g, "a", `"a"`, "1"), name)
	case 7:
		if g.inside {
			g.line("%s = encodeSHA256(%s)", name, g.word())
			g.know(name, text)
			return
		}
		g.line("addResult(%s)", g.word())
		return
	default:
		if len(g.params) == 0 || g.task {
			g.line("encodeMD5(%s, %s)", g.word(), name)
			g.know(name, text)
			return
		}
		g.line("addParam(%s, %s)", pick(g, g.params...), name)
	}
	g.know(name, unknown)
}

// side is an argument of if().
func (g *generator) side() string {
	return pick(g, g.word(), "0", "5", "5.0", `"5"`, `" 5.0 "`, `"abc"`, "abc", "", "None", "True", "-3", "1e3", `"1e3"`, g.expression(integer, 1), g.expression(unknown, 1))
}

func (g *generator) ifComparison() {
	left, right := g.side(), g.side()
	operator := pick(g, "=", "==", "!=", "=", "<", ">", "<=", ">=", "in")
	if strings.ContainsAny(left+right, "\\\n") || left == "" && right == "" || left == "None" && right == "None" {
		left = "1"
	}
	if operator == "in" {
		right = g.expression(pick(g, list, dict), 1)
		if strings.ContainsAny(right, "\\\n") {
			right = `"abc"`
		}
	}
	g.line("if(%s, %s, %s)", left, right, pick(g, `"`+operator+`"`, `'`+operator+`'`, operator))
	g.branches()
}

// condition is an expression that may stand in backticks.
func (g *generator) condition() string {
	x := g.expression(truth, 2)
	if strings.ContainsAny(x, "`\\\n") {
		return g.word() + " == 1"
	}
	return x
}

func (g *generator) ifExpression() {
	g.line("if(None, None, `%s`)", pick(g, g.condition(), g.condition(), "nowhere > 1 or True"))
	g.branches()
}

func (g *generator) branches() {
	g.block(2)
	if g.chance(50) {
		g.line("else()")
		g.block(2)
	}
	g.line("end()")
}

func (g *generator) countedLoop() {
	counter := g.fresh("i")
	if name, ok := g.name(integer); ok && g.chance(10) {
		counter = name
	}
	bounds := pick(g, "0, 3", "1, 4", "-2, 1", "3, 0", `"1", "3"`, "0.9, 2.9", "9223372036854775805, 9223372036854775807", "-9223372036854775808, -9223372036854775806")
	g.line("startLoop(%s, %s)", counter, bounds)
	known := g.vars
	g.know(counter, integer)
	g.loops++
	g.block(3)
	g.loops--
	g.vars = known
	g.line("%s", pick(g, "endLoop()", "end()"))
}

func (g *generator) whileLoop() {
	counter := g.fresh("w")
	g.line("%s = 0", counter)
	more := ""
	if g.chance(40) {
		more = " and " + g.expression(truth, 2)
	}
	g.line("while(%s < %d%s)", counter, 1+g.rand.IntN(4), more)
	g.line("%s += 1", counter)
	g.loops++
	g.block(3)
	g.loops--
	g.line("end()")
}

// hotLoop is arithmetic on few variables of a fixed kind, one of which may change its kind on the way: what an optimiser
// believes must hold, and be given up in time.
func (g *generator) hotLoop() {
	x, y, i := g.fresh("x"), g.fresh("y"), g.fresh("i")
	g.line("%s = %s", x, pick(g, leaves[pick(g, integer, float)]...))
	g.line("%s = %s", y, pick(g, leaves[integer]...))
	g.line("startLoop(%s, 0, %d)", i, 2+g.rand.IntN(12))
	if call, ok := g.call(1); ok && g.chance(40) {
		g.line("%s = %s %s %s", pick(g, x, y), x, pick(g, "+", "-", "*"), call)
	}
	if name, ok := g.name(list); ok && g.chance(25) {
		g.line("%s.append(%s)", name, pick(g, x, y, i))
	}
	for range 1 + g.rand.IntN(3) {
		target := pick(g, x, y)
		g.line("%s = %s %s %s", target, pick(g, x, y, i), pick(g, "+", "-", "*", "%", "/", "&", "-", "+"), pick(g, x, y, i, "1", "2", "0.5", "3"))
	}
	if g.chance(40) {
		g.line("if(%s, %d, =)", i, g.rand.IntN(5))
		g.line("%s = %s", pick(g, x, y), pick(g, "None", `"s"`, "0.5", "1", "[1]", "True", y+" * "+x))
		g.line("end()")
	}
	if g.chance(30) {
		g.line("if(None, None, `%s %s %s`)\n%s", x, pick(g, "<", ">", "==", "!="), y, pick(g, "continue", "break", y+" = "+i))
		g.line("end()")
	}
	g.line("endLoop()")
	g.know(x, unknown)
	g.know(y, unknown)
}

func (g *generator) try() {
	g.line("try()")
	g.hidden++
	g.block(3)
	g.hidden--
	name := g.fresh("e")
	switch g.rand.IntN(6) {
	case 0:
		g.line("m%s = %s(%s)", name, "exception", name)
	case 1:
		g.line("except(%s)", name)
	default:
		g.line("exception(%s)", name)
	}
	if g.chance(60) && !g.task {
		g.line("%s(%s)", pick(g, "print", "addResult"), name)
	}
	if g.chance(40) {
		g.block(1)
	}
	g.line("end()")
}

// bulk makes something large: a dict that outgrows its table and loses entries, a list worth sorting, a long text.
func (g *generator) bulk() {
	name, key := g.fresh("bulk"), g.fresh("k")
	size := pick(g, "9", "17", "40", "130")
	switch g.rand.IntN(4) {
	case 0:
		g.line("%s = {%s: %s for %s in range(%s)}", name, pick(g, key, "str("+key+")", key+" / 2", key+" % 7"), pick(g, key, "["+key+"]", "None"), key, size)
		g.line("%s = [%s.pop(%s, None) for %s in range(0, %s, %s)]", g.fresh("gone"), name, pick(g, key, "str("+key+")"), key, size, pick(g, "2", "3"))
		g.line("%s[%s] = %s", name, g.leaf(text), g.leaf(integer))
		g.know(name, dict)
	case 1:
		g.line("%s = [(%s * 7919 + %s) %% %s for %s in range(%s)]", name, key, g.leaf(integer), pick(g, "101", "7", "13.5"), key, size)
		g.line("%s.sort(%s)", name, pick(g, "", "reverse=True", "key=str", "key=abs"))
		g.know(name, list)
	case 2:
		g.line("%s = \"\"", name)
		g.line("startLoop(%s, 1, %s)\n%s += %s\nendLoop()", key, size, name, pick(g, "str("+key+")", `"é"`, "`${"+key+"},`", `f"{`+key+`:>3}"`))
		g.know(name, text)
	default:
		g.line("%s = [[%s, %s] for %s in range(%s)]", name, pick(g, key, "0", key+" % 2"), pick(g, "str("+key+")", key, "-"+key), key, pick(g, "9", "30"))
		g.line("%s = sorted(%s, reverse=%s)", name, name, pick(g, "True", "False"))
		g.know(name, list)
	}
}

// pattern uses what the sandbox computes outside of the library: regular expressions and dates.
func (g *generator) pattern() {
	if !g.outside {
		g.assign()
		return
	}
	name := g.fresh("t")
	regex := pick(g, `"[a-z]+"`, `"\\d"`, `"(l+)(o)?"`, `"x*"`, `" "`, `""`, `"["`, `"[^a]"`, `"^.|.$"`, `"é|ß"`, `"(?i)H"`)
	switch g.rand.IntN(4) {
	case 0:
		g.line("replace(%s, %s, %s, %s)", g.word(), regex, pick(g, `"-"`, `""`, `"é"`), name)
	case 1:
		g.line("%s = getRegex(%s, %s)", name, g.word(), regex)
	case 2:
		g.line("stampToDatetime(%s, \"%%Y-%%m-%%d %%H:%%M:%%S\", %s, %s)", pick(g, "0", "1700000000", "-1", "1e9", `"86400"`, "1e300", g.word()), pick(g, "0", "-1", "3600"), name)
	default:
		g.line("getTimeStamp(%s, \"%%Y-%%m-%%d\", 0, %s)", pick(g, `"2024-02-29"`, `"1970-01-01"`, `"2023-02-29"`, `"x"`, "2024-10-15"), name)
	}
	g.know(name, pick(g, text, unknown))
}

// markerTry is the form without an end, at the top level.
func (g *generator) markerTry() {
	if g.hidden > 0 || g.loops > 0 || g.depth < 3 {
		g.try()
		return
	}
	name := g.fresh("e")
	g.line("if(1, 1, =)")
	g.line("try()")
	g.hidden++
	g.block(2)
	g.hidden--
	g.line("exception(%s)", name)
	g.line("print(%s)", name)
	g.block(2)
	g.line("else()\nend()")
}

func (g *generator) leave() {
	g.line("if(None, None, `%s`)", g.condition())
	g.line("%s", pick(g, "break", "continue", "continue"))
	g.line("end()")
}

func (g *generator) leaveFunction() {
	g.line("if(None, None, `%s`)", g.condition())
	g.line("return(%s)", g.expression(unknown, 1))
	g.line("end()")
}

// gather starts functions that touch nothing but their arguments, and waits for them.
func (g *generator) gather() {
	var pure []function
	for _, f := range g.functions {
		if f.pure {
			pure = append(pure, f)
		}
	}
	if len(pure) == 0 {
		g.assign()
		return
	}
	f := pick(g, pure...)
	var args []string
	for range f.params {
		args = append(args, g.expression(pick(g, integer, list, dict, text), 1))
	}
	h, r := g.fresh("h"), g.fresh("r")
	g.line("%s", pick(g, fmt.Sprintf("%s = go %s(%s)", h, f.name, strings.Join(args, ", ")), fmt.Sprintf("%s = go(%s)", h, strings.Join(append([]string{f.name}, args...), ", "))))
	g.line("%s = gather(%s)", r, h)
	g.know(r, unknown)
}
