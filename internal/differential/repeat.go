package differential

import "fmt"

// repeats computes the same over and over while what is done between may change it: an assignment, another way to the
// list, a branch, the turns of a loop, what fails, a function.
func (g *generator) repeats() {
	r := &repeats{generator: g, xs: g.fresh("xs"), ys: g.fresh("ys"), n: g.fresh("n"), m: g.fresh("m"), out: g.fresh("out"), i: g.fresh("i"), depth: 2}
	number := pick(g, "1", "3", "0.5", "-2", "4611686018427387904", `"t"`)
	g.line("%s = %s", r.xs, pick(g, "["+number+"] * 6", "[5, 3, 8, 1, 9, 2]", "[0.5, 1.5, 2.5, 3.5, 4.5, 5.5]", "[[1], [2], [3], [4], [5], [6]]", `[1, 2.5, "x", None, 4, 5]`, "{0: 1, 1: 3, 2: 5}"))
	g.line("%s = %s", r.ys, pick(g, r.xs, r.xs, "["+number+"] * 6", "[["+r.xs+"]][0][0]", r.xs+" + [7]"))
	g.line("%s = %s\n%s = %s\n%s = []", r.n, pick(g, "2", "3", "0.5", "3037000500"), r.m, pick(g, "1", "7", "2.5", "-9223372036854775807"), r.out)
	g.line("startLoop(%s, 0, %d)", r.i, 2+g.rand.IntN(3))
	r.statements(4 + g.rand.IntN(5))
	g.spoil(r.i, r.xs, r.ys, r.n, r.m)
	g.line("endLoop()")
	g.know(r.out, list)
	g.know(r.xs, list)
	g.know(r.n, unknown)
	g.know(r.m, unknown)
}

type repeats struct {
	*generator
	xs, ys, n, m, out, i string
	depth                int
}

func (r *repeats) statements(n int) {
	for range n {
		r.statement()
	}
}

// operation is one of few, so that each is met again soon.
func (r *repeats) operation() string {
	x := pick(r.generator, r.n+" * "+r.m, r.n+" * "+r.i+" + "+r.m, r.xs+"["+r.i+"]", r.xs+"["+r.i+"]", r.xs+"["+r.i+" + 1]", r.ys+"["+r.i+"]",
		"len("+r.xs+")", "len("+r.xs+") - "+r.i, "("+r.n+" - "+r.m+") * ("+r.n+" - "+r.m+")", r.i+" * "+r.i+" % 3", r.n+" / ("+r.i+" + 1)", r.m+" / 3", r.m+" % 5",
		r.xs+"["+r.i+" * "+r.i+" % 3]", r.xs+"[-1]", "-("+r.n+" * "+r.m+")", "3 * "+r.m, "addVar("+r.n+", 3) * "+r.m)
	if r.chance(25) {
		return "(" + x + ") " + pick(r.generator, "+", "-", "*") + " (" + r.operation() + ")"
	}
	return x
}

func (r *repeats) statement() {
	g := r.generator
	if r.depth > 0 && r.chance(30) {
		r.depth--
		r.inner()
		r.depth++
		return
	}
	choices := []string{
		fmt.Sprintf("%s.append(%s)", r.out, r.operation()), fmt.Sprintf("%s.append([%s, %s])", r.out, r.operation(), r.operation()),
		fmt.Sprintf("%s = %s", pick(g, r.n, r.m, r.fresh("k")), r.operation()),
		fmt.Sprintf("%s[%s] = %s", pick(g, r.xs, r.ys), pick(g, r.i, r.i+" + 1", "0"), r.operation()),
		fmt.Sprintf("%s[%s] += %s", pick(g, r.xs, r.ys), r.i, r.operation()),
		fmt.Sprintf("%s.append(%s)", pick(g, r.xs, r.ys), r.operation()),
	}
	if r.chance(15) {
		choices = []string{
			fmt.Sprintf("%s = %s", pick(g, r.xs, r.ys), pick(g, r.xs, r.ys, r.xs+" + [4]")), r.ys + ".pop()", r.ys + ".insert(0, 2)", r.ys + ".reverse()",
			r.ys + ".sort()", r.n + " += 1", r.i + " += 1", fmt.Sprintf("%s.append([%s for %s in %s])", r.out, r.n+" * "+r.m, r.m, r.xs),
		}
	}
	for _, f := range g.functions {
		if f.puts && !g.task && r.chance(20) {
			choices = []string{fmt.Sprintf("%s = %s(%s, %s)", r.ys, f.name, r.ys, r.operation())}
		}
	}
	r.line("%s", pick(g, choices...))
}

// inner has statements that may not be executed, or more than once, or in part.
func (r *repeats) inner() {
	g := r.generator
	some := func() { r.statements(1 + r.rand.IntN(2)) }
	switch r.rand.IntN(4) {
	case 0, 1:
		r.line("if(None, None, `%s %s %s%s`)", r.operation(), pick(g, ">", "<", "==", "!="), r.operation(), pick(g, "", " and "+r.operation()+" > 2", " or "+r.operation()+" < 2"))
		some()
		if r.chance(50) {
			r.line("else()")
			some()
		}
		r.line("end()")
	case 2:
		r.line("startLoop(%s, 0, %d)", r.fresh("j"), r.rand.IntN(3))
		some()
		r.line("endLoop()")
	default:
		e := r.fresh("e")
		r.line("try()")
		some()
		if r.chance(40) {
			r.line("%s = nowhere", r.n)
		}
		r.line("exception(%s)", e)
		some()
		r.line("end()")
	}
}
