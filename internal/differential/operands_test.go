package differential

import (
	"fmt"
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

// TestOperands calls each operation with each pair of values, beside calls with
// whole numbers that make the compiler sure of too much if it forgets a kind.
func TestOperands(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	b, compared := start(t), 0
	optimized, plain := b.ways[0], b.ways[2]
	for _, operation := range operations {
		for _, left := range operandsOf() {
			for _, right := range operandsOf() {
				p := program{Script: fmt.Sprintf("function f(a, b){\nreturn %s\n}\n"+
					"x = f(%s, %s)\ntry()\nf(1, 1)\nf(0, x)\nexception(e)\nend()\naddResult(x)\n", operation, left, right)}
				if evaluate(&p).code != "" {
					continue
				}
				trial, err := b.try(&p, optimized, plain)
				if err != nil {
					t.Fatal(err)
				}
				compared++
				if d := disagree(trial.verdicts); d != nil {
					t.Errorf("%s with %s and %s: %s", operation, left, right, d)
				}
			}
		}
	}
	t.Logf("%d pairs", compared)
}
