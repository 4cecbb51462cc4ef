package compiler_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/avapd/avapd/compiler"
	"github.com/avapd/avapd/wasmhost"
)

// callers calls function number i of a script with the numbers that its copies
// are for, in a loop.
func callers(n int) string {
	return "startLoop(i, 1, 2)\n" + repeat(n, func(i int) string { return fmt.Sprintf("x = f%d(i)\ny = f%d(0.5)\nz = f%d(True)", i, i, i) }) + "endLoop()\n"
}

// functionF finds the functions of a module that scripts here have, and copies.
var functionF = regexp.MustCompile(`\(func \$f\d+ `)

// TestCopiesAreBounded compiles scripts that ask for more copies than there may
// be, within a time that no quadratic step would keep.
func TestCopiesAreBounded(t *testing.T) {
	for _, c := range []struct {
		name, script string
		functions    int // of the script
		copies       int // at most
	}{
		{"kinds", "function f0(a, b, c){\nreturn(a + b * c)\n}\nstartLoop(i, 1, 2)\n" + repeat(27, func(i int) string {
			k := []string{"i", "0.5", "True"}
			return fmt.Sprintf("x = f0(%s, %s, %s)", k[i%3], k[i/3%3], k[i/9])
		}) + "endLoop()\n", 1, 4},
		{"functions", repeat(300, func(i int) string { return fmt.Sprintf("function f%d(a){\nreturn(a * a + %d)\n}", i, i) }) + callers(300), 300, 900},
		{"chain", repeat(250, func(i int) string { return fmt.Sprintf("function f%d(a){\nreturn(f%d(a) + a)\n}", i, i+1) }) +
			"function f250(a){\nreturn(a)\n}\n" + callers(1), 251, 753},
		{"cycle", repeat(250, func(i int) string {
			return fmt.Sprintf("function f%d(a){\nif(a, 3, \"<\")\nreturn(f%d(a + 0.5))\nend()\nreturn(a)\n}", i, (i+1)%250)
		}) + callers(1), 250, 750},
		{"too large", repeat(2_000, func(i int) string { return fmt.Sprintf("function f%d(a){\nreturn(a * a + %d)\n}", i, i) }) + callers(2_000), 2_000, 0},
		{"long", "function f0(a){\n" + repeat(300, func(int) string { return "a = a + a" }) + "return(a)\n}\n" + callers(1), 1, 0},
		{"seldom", "function f0(a){\nreturn(a + a)\n}\nx = f0(1)\ny = f0(0.5)\n", 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			began := time.Now()
			a, findings := compiler.Compile(compiler.Source{Text: c.script}, compiler.Options{})
			if a == nil {
				t.Fatal(findings)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("compiling took %s", took)
			}
			if want := c.functions + 1; len(a.Manifest.Functions) != want {
				t.Errorf("the manifest has %d functions, want %d", len(a.Manifest.Functions), want)
			}
			if n := len(functionF.FindAllString(text(t, a.Wasm), -1)); n > c.functions+c.copies {
				t.Errorf("%d functions for %d of the script", n, c.functions)
			}
		})
	}
}

// TestCopiesInCallStacks: an error in a copy has the stack that it would have in
// the function, and calls nest as deep.
func TestCopiesInCallStacks(t *testing.T) {
	h := newHost(t, wasmhost.EngineCompiler)
	const script = "function f(x, n){\nif(n, 0, \"==\")\nreturn(1 % (x - x))\nend()\nreturn(f(x, n - 1))\n}\n" +
		"function g(x){\nreturn(f(x, 1))\n}\n"
	for _, last := range []string{"g(2)", "g(0.5)", "f(2, 2000)", "f(0.5, 2000)"} {
		t.Run(last, func(t *testing.T) {
			var got []string
			for _, level := range []compiler.Level{compiler.OptimizeFully, compiler.OptimizeNothing} {
				o := execute(t, h, script+"try()\nx = g(True)\nexception(e)\nend()\ntry()\nx = g(0.25)\nexception(e)\nend()\ny = "+last, &wasmhost.Input{}, compiler.Options{Optimize: level})
				if o.Failure == nil {
					t.Fatal("no error")
				}
				got = append(got, fmt.Sprint(o.Message, o.Failure.Span, o.Failure.Stack, o.FuelUsed))
			}
			if got[0] != got[1] || !strings.Contains(got[0], "f") {
				t.Errorf("with copies %s\nwithout %s", got[0], got[1])
			}
		})
	}
}
