package differential

import "fmt"

// steady has loops that replace items of lists, of which some are the same one, and leave their lengths alone; in some
// the list grows nevertheless, or the variable gets another one, in the loop or around it.
func (g *generator) steady() {
	xs, ys := g.fresh("xs"), g.fresh("ys")
	n := 2 + g.rand.IntN(5)
	g.line("%s = [%s for k in range(%d)]", xs, pick(g, "k", "k * 0.5", "3", "-1.5", "k * k - 4", "str(k)", "k / 2"), n)
	g.line("%s = %s", ys, pick(g, xs, xs, xs+"[:]", fmt.Sprintf("[0.25] * %d", n), fmt.Sprintf("range(%d)", n)))
	g.steadyLoops(xs, ys, n)
	g.know(xs, list)
	g.know(ys, unknown)
}

// steadyFunction is a function with such loops over what it is given.
func (g *generator) steadyFunction() {
	f := function{name: g.fresh("put"), params: 2, kinds: []kind{list, unknown}, puts: true}
	xs, ys := g.fresh("p"), g.fresh("p")
	g.line("function %s(%s, %s){", f.name, xs, ys)
	if g.chance(70) {
		g.line("%s = %s", ys, pick(g, xs, xs+"[:]", "[1.5, 2.5, 3.5]"))
	}
	g.steadyLoops(xs, ys, 2)
	g.line("return(%s)\n}", xs)
	g.functions = append(g.functions, f)
}

func (g *generator) steadyLoops(xs, ys string, n int) {
	sum, i, j := g.fresh("sum"), g.fresh("i"), g.fresh("j")
	index := func() string {
		if g.calm {
			return pick(g, fmt.Sprintf("%s %% %d", i, n), fmt.Sprintf("%s %% %d", j, n), "-1", "0")
		}
		return pick(g, i, i, j, j, "-1", "-"+j, j+" - 1", i+" + 1", i+" - "+j, fmt.Sprintf("%s %% %d", j, n), "0", "True", fmt.Sprint(n), "4611686018427387904 * "+j)
	}
	statement := func() string {
		x, y := pick(g, xs, ys), pick(g, xs, ys)
		return pick(g,
			fmt.Sprintf("%s = %s + %s[%s]", sum, sum, x, index()),
			fmt.Sprintf("%s[%s] = %s[%s] - %s[%s] * 0.5", x, index(), x, index(), y, index()),
			fmt.Sprintf("%s[%s] = %s[%s]", x, index(), y, index()),
			fmt.Sprintf("%s[%s] %s %s", x, index(), pick(g, "+=", "-=", "*="), pick(g, "1", j, y+"["+index()+"]")),
			fmt.Sprintf("%s = (%s[%s] * %s[%s] + %s) ** 0.5", sum, x, index(), x, index(), pick(g, "1", "0", "1", "-2")),
			fmt.Sprintf("if(None, None, `%s[%s] %s %s[%s]`)\n%s[%s] = %s\nend()", x, index(), pick(g, "<", ">=", "!="), y, index(), x, index(), pick(g, sum, i, "2.5")),
			fmt.Sprintf("%s = %s + len(%s) * %s %% %s", sum, sum, x, j, pick(g, "3", "len("+y+")")))
	}
	spoil := func(percent int) {
		if g.chance(percent) {
			x, y := pick(g, xs, ys), pick(g, xs, ys)
			g.line("if(%s, %d, =)\n%s\nend()", pick(g, i, j), g.rand.IntN(3), pick(g,
				fmt.Sprintf("%s.append(%s)", x, pick(g, "0.5", "1", y+"[0]")), x+" = "+y, x+" = "+y+"[:]", x+" = "+x+" + [7]", x+".pop()", x+".insert(0, 0.5)", x+" += [4]"))
		}
	}
	caught := g.chance(40)
	if caught {
		g.line("try()")
	}
	g.line("%s = %s\n%s = 0\nstartLoop(%s, %d, %d)", sum, pick(g, "0", "0.5"), j, i, g.rand.IntN(2)-g.rand.IntN(2), 1+g.rand.IntN(3))
	spoil(30)
	g.line("%s = %s\nwhile(%s < %d)", j, pick(g, "0", i), j, 1+g.rand.IntN(n))
	for range 1 + g.rand.IntN(4) {
		g.line("%s", statement())
	}
	spoil(20)
	g.line("%s = %s + 1\nend()", j, j)
	if g.chance(30) {
		g.line("%s", statement())
	}
	g.line("endLoop()")
	if caught {
		e := g.fresh("e")
		g.line("exception(%s)\n%s = %s\nend()", e, sum, e)
	}
	g.know(sum, unknown)
}
