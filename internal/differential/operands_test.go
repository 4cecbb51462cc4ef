package differential

import (
	"strings"
	"testing"
)

// operations are what takes operands of several kinds. What the compiler knows of
// their results must hold for each pair of kinds by itself: in most programs
// another call widens what it knows.
var operations = []string{
	"a + b", "a - b", "a * b", "a / b", "a % b", "a ** b", "a & b", "a | b", "a ^ b", "a << b", "a >> b",
	"a and b", "a or b", "a if b else a", "a == b", "a < b", "a in b", "not a", "-a", "+a", "~a",
	"a[b]", "a[b:]", "a[:b]", "a[::b]", "a.get(b)", "a.get(b, a)", "a.pop(b)", "a.pop()", "a.find(b)", "a.count(b)",
	"a.index(b)", "a.split(b)", "a.join(b)", "a.replace(b, b)", "a.keys()", "a.values()", "a.items()", "a.copy()",
	"a.upper()", "a.strip(b)", "a.startswith(b)", "a.update(b)", "a.append(b)", "a.extend(b)", "a.setdefault(b, a)",
	"abs(a)", "round(a)", "round(a, b)", "int(a)", "int(a, b)", "float(a)", "str(a)", "bool(a)", "len(a)", "list(a)", "dict(a)",
	"min(a, b)", "max(a, b)", "min(a)", "max(a)", "sum(a)", "sum(a, b)", "sorted(a)", "reversed(a)", "range(a)",
	"[a, b]", "{a: b}", "[x for x in a]", "a.format(b)", "[a, b][0]", "{0: a}[0]", "[a][0] + [b][0]",
}

// operandsOf gives two values of each kind that operations mostly take.
func operandsOf() []string {
	values := []string{"None"}
	for k := range unknown {
		values = append(values, leaves[k][1], leaves[k][len(leaves[k])-2])
	}
	return values
}

// alone calls an operation beside calls with whole numbers that make the compiler
// sure of too much if it forgets a kind. TestOperands fills in $op, $l and $r here and
// in surroundings.
const alone = "function f(a, b){\nreturn $op\n}\nx = f($l, $r)\ntry()\nf(1, 1)\nf(0, x)\nexception(e)\nend()\naddResult(x)\n"

// others follows calls in a loop, with numbers for which there may be copies.
const others = "try()\ny = f(i, 1)\nexception(e)\nend()\ntry()\ny = f(0.5, i)\nexception(e)\nend()\ntry()\ny = f(True, y)\nexception(e)\nend()\nendLoop()\naddResult(x)\naddResult(y)\n"

// surroundings are where else an operation can stand.
var surroundings = []string{
	// Two callers of different kinds, one function away.
	"function f(a, b){\nreturn g(a, b)\n}\nfunction g(a, b){\nreturn $op\n}\nstartLoop(i, 1, 2)\nx = f($l, $r)\n" + others,
	// Variables that a loop changes, and a try leaves in between.
	"function f(a, b){\nd = []\nstartLoop(k, 1, 3)\nc = a\ntry()\na = $op\nc = a\nb = a + c\nexception(e)\nd.append(str(e))\nend()\nd.append(c)\nd.append(b)\nendLoop()\nreturn d\n}\n" +
		"startLoop(i, 1, 2)\nx = f($l, $r)\n" + others,
	// Recursion that swaps its arguments and goes on with what came out.
	"function f(a, b, n){\nif(n, 2, \"==\")\nreturn $op\nend()\nif(n, None, \"==\")\nn = 0\nend()\nc = f(b, a, n + 1)\nif(n, 1, \"==\")\nreturn c\nend()\ntry()\nreturn f(c, b, 2)\nexception(e)\nend()\nreturn c\n}\n" +
		"startLoop(i, 1, 2)\nx = f($l, $r)\n" + others,
	// Globals that functions change, and a comprehension.
	"function put(v){\naddVar(b, v)\nreturn v\n}\nfunction f(p, q){\naddVar(a, p)\nput(q)\nr = [$op for k in range(2)]\nput(r[0])\nreturn [b, r[1]]\n}\n" +
		"startLoop(i, 1, 2)\na = $l\nb = $r\nx = $op\nput(x)\nx = [x, b, f($l, $r)]\n" + others,
}

// TestOperands has each operation with each pair of values.
func TestOperands(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	b, compared := start(t), 0
	optimized, plain := b.ways[0], b.ways[2]
	hold := func(operation, left, right, around string, ways ...way) {
		p := program{Script: strings.NewReplacer("$op", operation, "$l", left, "$r", right).Replace(around)}
		if evaluate(&p).code != "" {
			return
		}
		trial, err := b.try(&p, ways...)
		if err != nil {
			t.Fatal(err)
		}
		compared++
		if d := disagree(trial.verdicts); d != nil {
			t.Errorf("%s with %s and %s: %s\n%s", operation, left, right, d, p.Script)
		}
	}
	for _, operation := range operations {
		for i, left := range operandsOf() {
			for j, right := range operandsOf() {
				// Of each kind there are two values, so that each pair of kinds meets all surroundings.
				hold(operation, left, right, surroundings[i%2*2+j%2], optimized, plain)
				if i%2 == j%2 {
					hold(operation, left, right, alone, optimized)
				}
			}
		}
	}
	t.Logf("%d programs", compared)
}
