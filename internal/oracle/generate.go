package oracle

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// Generate makes a program from a seed, in the language and in Python. Expressions are the same text in both; statements
// are written side by side.
func Generate(seed uint64) (script, python string) {
	g := &generator{rand: rand.New(rand.NewPCG(seed, 0x41564150))}
	g.functions()
	if g.chance(30) {
		g.recursive()
	}
	for k := range kinds {
		if g.chance(60) {
			name := g.name("g")
			g.both("%s = %s", name, g.leaf(k))
			g.know(name, k)
		}
	}
	if g.chance(50) {
		g.function()
	}
	for range 3 + g.rand.IntN(4) {
		g.guarded()
	}
	g.results()
	return g.avap.String(), g.python.String()
}

// kind is the type that the generator expects of an expression. Most programs are well typed; a few operands are not.
type kind int

const (
	integer kind = iota
	float
	text
	truth
	integers // a list of ints
	texts    // a list of texts
	table    // a dict from text to int
	kinds
)

type variable struct {
	name   string
	kind   kind
	global bool // of the program, seen from within a function, where an assignment would make another variable
}

type function struct {
	name       string
	parameters []kind
	result     kind
}

// generator writes both programs. Variables are known only where they certainly have a value.
type generator struct {
	rand    *rand.Rand
	avap    strings.Builder
	python  strings.Builder
	indent  int
	serial  int
	loops   int // open loops
	inside  int // open functions
	blocks  int
	known   []variable
	defined []function
}

const deepest = 3 // blocks in blocks

func (g *generator) chance(percent int) bool { return g.rand.IntN(100) < percent }

func pick[T any](g *generator, list []T) T { return list[g.rand.IntN(len(list))] }

func (g *generator) name(prefix string) string {
	g.serial++
	return fmt.Sprintf("%s%d", prefix, g.serial)
}

// both writes a line that is the same in both languages.
func (g *generator) both(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	g.lines(line, line)
}

func (g *generator) lines(avap, python string) {
	if avap != "" {
		g.avap.WriteString(avap + "\n")
	}
	if python != "" {
		g.python.WriteString(strings.Repeat("    ", g.indent) + python + "\n")
	}
}

// block writes the statements of body one level deeper. What it defines is not known afterwards.
func (g *generator) block(body func()) {
	known := slices.Clone(g.known)
	g.indent++
	g.blocks++
	g.lines("", "pass")
	body()
	g.blocks--
	g.indent--
	g.known = known
}

// know says that a variable now holds a value of a kind.
func (g *generator) know(name string, k kind) {
	g.known = slices.DeleteFunc(slices.Clone(g.known), func(v variable) bool { return v.name == name })
	g.known = append(g.known, variable{name: name, kind: k})
}

// target picks a variable of a kind that can be assigned to.
func (g *generator) target(k kind) (string, bool) {
	var names []string
	for _, v := range g.known {
		if v.kind == k && !v.global {
			names = append(names, v.name)
		}
	}
	if len(names) == 0 {
		return "", false
	}
	return pick(g, names), true
}

// shadow gives a new name, and now and then one that a variable has already.
func (g *generator) shadow(prefix string) string {
	var names []string
	for _, v := range g.known {
		if !v.global {
			names = append(names, v.name)
		}
	}
	if len(names) > 0 && g.chance(12) {
		return pick(g, names)
	}
	return g.name(prefix)
}

// one picks a variable of a kind.
func (g *generator) one(k kind) (string, bool) {
	var names []string
	for _, v := range g.known {
		if v.kind == k {
			names = append(names, v.name)
		}
	}
	if len(names) == 0 {
		return "", false
	}
	return pick(g, names), true
}

// functions defines up to two functions.
func (g *generator) functions() {
	for range g.rand.IntN(3) {
		g.function()
	}
}

// function defines a function that may read the globals known so far and change what is in them.
func (g *generator) function() {
	f := function{name: g.name("f"), result: kind(g.rand.IntN(int(kinds)))}
	outer := g.known
	var names []string
	for range 1 + g.rand.IntN(2) {
		name := g.shadow("p")
		if slices.Contains(names, name) {
			name = g.name("p")
		}
		names = append(names, name)
		f.parameters = append(f.parameters, kind(g.rand.IntN(int(kinds))))
	}
	list := strings.Join(names, ", ")
	g.lines(fmt.Sprintf("function %s(%s){", f.name, list), fmt.Sprintf("def %s(%s):", f.name, list))
	g.known = slices.Clone(outer)
	for i := range g.known {
		g.known[i].global = true
	}
	g.inside++
	g.block(func() {
		for i, name := range names {
			g.know(name, f.parameters[i])
		}
		for range g.rand.IntN(3) {
			g.statement()
		}
		result := g.expression(f.result, 2)
		g.lines("return("+result+")", "return "+result)
	})
	g.inside--
	g.known = outer
	g.lines("}", "")
	g.defined = append(g.defined, f)
}

// recursive defines one of some functions that call themselves, and calls it.
func (g *generator) recursive() {
	name, result := g.name("f"), g.name("r")
	shapes := []struct{ parameters, test, base, step, call string }{
		{"n", "n < 2", "1", "n * NAME(n - 1)", "NAME(%d)"},
		{"n", "n < 2", "n", "NAME(n - 1) + NAME(n - 2)", "NAME(%d %% 15)"},
		{"a, b", "b == 0", "a", "NAME(b, a % b)", "NAME(%d, 36)"},
		{"l", "not l", "0", "l[0] + NAME(l[1:])", "NAME(range(%d))"},
		{"s", "len(s) < 2", "s", "s[-1] + NAME(s[:-1])", "NAME(str(%d) + \"añb\")"},
		{"n", "n == 0", "[]", "NAME(n - 1) + [n / 2]", "NAME(%d)"},
	}
	shape := pick(g, shapes)
	step := strings.ReplaceAll(shape.step, "NAME", name)
	g.lines(fmt.Sprintf("function %s(%s){", name, shape.parameters), fmt.Sprintf("def %s(%s):", name, shape.parameters))
	g.block(func() {
		g.lines("if(None, None, `"+shape.test+"`)", "if "+shape.test+":")
		g.block(func() { g.lines("return("+shape.base+")", "return "+shape.base) })
		g.lines("end()", "")
		g.lines("return "+step, "return "+step)
	})
	g.lines("}", "")
	g.lines("try()", "try:")
	g.block(func() {
		g.both("%s = %s", result, strings.ReplaceAll(fmt.Sprintf(shape.call, g.rand.IntN(25)), "NAME", name))
		g.result(result)
	})
	g.lines("exception("+result+")", "except Exception as failure:")
	g.block(func() {
		g.lines("", result+" = caught(failure)")
		g.result(result)
	})
	g.lines("end()", "")
}

// guarded writes a statement, mostly inside a try of its own, so that an error does not hide the rest of the program.
func (g *generator) guarded() {
	if g.chance(8) {
		g.statement()
		return
	}
	g.try()
}

func (g *generator) try() {
	message := g.name("e")
	g.lines("try()", "try:")
	g.block(func() {
		for range 1 + g.rand.IntN(2) {
			g.statement()
		}
		if g.chance(6) {
			text := pick(g, []string{"boom", "too much", "nö"})
			g.lines(fmt.Sprintf("raise(%q)", text), fmt.Sprintf("raised(%q)", text))
		}
	})
	handler := pick(g, []string{"exception", "exception", "exception", "except"})
	g.lines(fmt.Sprintf("%s(%s)", handler, message), "except Exception as failure:")
	g.block(func() {
		g.lines("", message+" = caught(failure)")
		if g.inside == 0 {
			g.result(message)
		}
		if g.chance(20) {
			g.statement()
		}
	})
	g.lines("end()", "")
}

func (g *generator) result(name string) {
	g.lines(fmt.Sprintf("addResult(%s)", name), fmt.Sprintf("result(%q, %s)", name, name))
}

// results publishes what is known at the end.
func (g *generator) results() {
	for _, v := range g.known {
		g.result(v.name)
	}
}

func (g *generator) statement() {
	choices := []func(){g.assign, g.assign, g.assign, g.augment, g.augment, g.setItem, g.change}
	if g.inside == 0 {
		choices = append(choices, g.command, g.command)
	}
	if g.blocks < deepest {
		choices = append(choices, g.condition, g.condition, g.conditionExpression, g.countedLoop, g.whileLoop, g.try)
	}
	if g.loops > 0 {
		choices = append(choices, g.leave)
	}
	before := g.avap.Len()
	pick(g, choices)()
	if g.avap.Len() == before {
		g.assign() // there was no variable for that statement
	}
}

func (g *generator) assign() {
	k := kind(g.rand.IntN(int(kinds)))
	name, ok := g.target(k)
	if !ok || g.chance(60) {
		name = g.shadow(pick(g, []string{"a", "b", "v", "total", "item"}))
	}
	value := g.expression(k, 3)
	if k == text && g.chance(25) {
		template, python := g.template()
		g.lines(name+" = "+template, name+" = "+python)
	} else {
		g.both("%s = %s", name, value)
	}
	g.know(name, k)
	if g.blocks > 0 && g.inside == 0 && g.loops == 0 && g.chance(70) {
		g.result(name)
	}
}

// template writes text with values in backticks, and the same for Python.
func (g *generator) template() (avap, python string) {
	var left strings.Builder
	parts := []string{`""`}
	for range 1 + g.rand.IntN(3) {
		plain := pick(g, []string{"", "n=", " ", "é:", "-"})
		value := g.expression(kind(g.rand.IntN(int(kinds))), 1)
		if strings.ContainsAny(value, "`\\{}") {
			value = "1"
		}
		left.WriteString(plain + "${" + value + "}")
		parts = append(parts, fmt.Sprintf("%q", plain), "str("+value+")")
	}
	return "`" + left.String() + "`", strings.Join(parts, " + ")
}

func (g *generator) augment() {
	switch k := pick(g, []kind{integer, integer, integer, float, text, integers}); k {
	case integer:
		if name, ok := g.target(integer); ok {
			value := g.expression(integer, 2)
			operator := pick(g, []string{"+=", "-=", "*=", "%=", "+="})
			if g.chance(12) {
				value = g.expression(float, 1)
				g.know(name, float)
			}
			g.both("%s %s %s", name, operator, value)
		}
	case float:
		if name, ok := g.target(float); ok {
			g.both("%s %s %s", name, pick(g, []string{"+=", "-=", "*=", "/=", "%="}), g.expression(float, 2))
		}
	default:
		if name, ok := g.target(k); ok {
			value := g.expression(k, 2)
			g.both("%s += %s", name, value)
		}
	}
}

func (g *generator) setItem() {
	if name, ok := g.one(integers); ok && g.chance(50) {
		index := pick(g, []string{"0", "-1", "1", "2"})
		operator := pick(g, []string{"=", "=", "+=", "-=", "*="})
		g.both("%s[%s] %s %s", name, index, operator, g.expression(integer, 2))
		return
	}
	if name, ok := g.one(table); ok {
		g.both("%s[%s] %s %s", name, g.expression(text, 1), pick(g, []string{"=", "=", "=", "+="}), g.expression(integer, 2))
	}
}

// change calls a method that changes a list or a dict in place.
func (g *generator) change() {
	if name, ok := g.one(integers); ok && g.chance(60) {
		value := g.expression(integer, 1)
		g.both("%s.%s", name, pick(g, []string{
			"append(" + value + ")", "append(" + value + ")", "insert(0, " + value + ")", "insert(-1, " + value + ")",
			"pop()", "pop(0)", "reverse()", "sort()", "sort(reverse=True)", "sort(key=abs)", "extend([" + value + ", 1])",
			"remove(" + value + ")",
		}))
		return
	}
	if name, ok := g.one(table); ok {
		g.both("%s.%s", name, pick(g, []string{
			"update(" + g.expression(table, 1) + ")", "pop(" + g.expression(text, 1) + ", 0)", "pop(\"a\")",
		}))
	}
}

// operand is an argument of a condition: a variable, a number, a quoted text or an expression.
func (g *generator) operand() string {
	switch g.rand.IntN(5) {
	case 0, 1:
		if len(g.known) > 0 {
			return pick(g, g.known).name
		}
	case 2:
		return pick(g, []string{"0", "1", "5", "-3", "2.5", "10", "5.0", "1e3"})
	case 3:
		return pick(g, []string{`"5"`, `"5.0"`, `"abc"`, `""`, `" 7 "`, `"1e3"`, `"héllo"`, `"-3"`})
	}
	return g.expression(pick(g, []kind{integer, float, text}), 1)
}

func (g *generator) condition() {
	operator := pick(g, []string{"=", "==", "!=", "=", "!=", "<", ">", "<=", ">=", "in"})
	left, right := g.operand(), g.operand()
	switch operator {
	case "<", ">", "<=", ">=":
		left = g.expression(pick(g, []kind{integer, float}), 1)
		if g.chance(20) {
			right = pick(g, []string{`"3"`, `"-2.5"`, `" 10 "`, `"1e2"`})
		} else {
			right = g.expression(pick(g, []kind{integer, float}), 1)
		}
	case "in":
		right = g.expression(pick(g, []kind{integers, texts, table, text}), 1)
	}
	if strings.Contains(left+right, "\\") {
		left, right = "1", "2" // a quoted argument knows fewer escapes than an expression
	}
	written := pick(g, []string{`"` + operator + `"`, `'` + operator + `'`, operator})
	g.lines(fmt.Sprintf("if(%s, %s, %s)", left, right, written), fmt.Sprintf("if condition(%s, %s, %q):", left, right, operator))
	g.branches()
}

func (g *generator) conditionExpression() {
	test := g.expression(truth, 2)
	if strings.ContainsAny(test, "`\\") {
		test = "1 < 2"
	}
	g.lines("if(None, None, `"+test+"`)", "if "+test+":")
	g.branches()
}

func (g *generator) branches() {
	g.block(g.statement)
	if g.chance(50) {
		g.lines("else()", "else:")
		g.block(g.statement)
	}
	g.lines("end()", "")
}

func (g *generator) countedLoop() {
	counter, turn := g.shadow("i"), g.name("turn")
	first, last := pick(g, []string{"0", "1", "-1", `"2"`, "2.9"}), pick(g, []string{"3", "4", "1", "0", "5.5"})
	if name, ok := g.one(integers); ok && g.chance(40) {
		last = "len(" + name + ") - 1"
	}
	g.lines(fmt.Sprintf("startLoop(%s, %s, %s)", counter, first, last), fmt.Sprintf("for %s in turns(%s, %s):", turn, first, last))
	g.loops++
	g.block(func() {
		g.lines("", counter+" = "+turn)
		g.know(counter, integer)
		for range 1 + g.rand.IntN(2) {
			g.statement()
		}
	})
	g.loops--
	g.lines(pick(g, []string{"endLoop()", "endLoop()", "end()"}), "")
}

func (g *generator) whileLoop() {
	counter := g.name("n")
	g.both("%s = 0", counter)
	limit := 1 + g.rand.IntN(5)
	test := fmt.Sprintf("%s < %d", counter, limit)
	if g.chance(40) {
		test += " and (" + g.expression(truth, 1) + ")"
	}
	g.lines("while("+test+")", "while "+test+":")
	g.loops++
	g.block(func() {
		g.both("%s = %s + 1", counter, counter)
		for range 1 + g.rand.IntN(2) {
			g.statement()
		}
	})
	g.loops--
	g.lines("end()", "")
}

// leave ends a loop or a turn of it, under a condition.
func (g *generator) leave() {
	test := g.expression(truth, 1)
	if strings.ContainsAny(test, "`\\") {
		test = "True"
	}
	word := pick(g, []string{"break", "continue"})
	g.lines("if(None, None, `"+test+"`)", "if "+test+":")
	g.block(func() { g.both("%s", word) })
	g.lines("end()", "")
}

// command calls one of the commands that work on values. At top level their targets are globals, as all names are.
func (g *generator) command() {
	target := g.name("c")
	switch g.rand.IntN(5) {
	case 0:
		value := pick(g, []string{`"12"`, `"007"`, `"1.5"`, `"abc"`, `""`, "5", "2.5", `"99999999999999999999"`, "[1, 2]", "True"})
		g.lines(fmt.Sprintf("addVar(%s, %s)", target, value), fmt.Sprintf("%s = stored(%s)", target, value))
		g.result(target)
	case 1:
		if name, ok := g.one(pick(g, []kind{integers, texts, table})); ok {
			g.lines(fmt.Sprintf("getListLen(%s, %s)", name, target), fmt.Sprintf("%s = length(%s)", target, name))
			g.know(target, integer)
		}
	case 2:
		if name, ok := g.one(integers); ok {
			index := pick(g, []string{"0", "1", "-1", "2", "5"})
			g.lines(fmt.Sprintf("itemFromList(%s, %s, %s)", name, index, target), fmt.Sprintf("%s = item(%s, %s)", target, name, index))
			g.know(target, integer)
		}
	case 3:
		if name, ok := g.one(integers); ok {
			value, there := g.one(integer)
			if !there {
				value = "7"
			}
			g.lines(fmt.Sprintf("variableToList(%s, %s)", value, name), fmt.Sprintf("%s = with_item(%s, %s)", name, name, value))
		}
	case 4:
		if name, ok := g.one(table); ok {
			value, there := g.one(integer)
			if !there {
				value = "3"
			}
			key := pick(g, []string{"a", "b", "new", "é"})
			g.lines(fmt.Sprintf("AddvariableToJSON(%q, %s, %s)", key, value, name), fmt.Sprintf("%s = with_member(%s, %q, %s)", name, name, key, value))
			g.know(name, table)
		}
	}
}
