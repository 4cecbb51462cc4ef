package compiler_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/avapd/avapd/compiler"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/wasmhost"
)

// repeat makes a script of n similar lines.
func repeat(n int, line func(i int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(line(i))
		b.WriteByte('\n')
	}
	return b.String()
}

// TestLargeScripts compiles and runs scripts that are as large as scripts may
// be, within a time that no quadratic step would keep.
func TestLargeScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	scripts := map[string]string{
		"assignments":  repeat(30_000, func(i int) string { return fmt.Sprintf("x%d = %d", i, i) }),
		"one variable": "x = 0\n" + repeat(30_000, func(i int) string { return fmt.Sprintf("x = x + %d", i) }),
		"reads":        repeat(20_000, func(i int) string { return fmt.Sprintf("x%d = n + %d", i, i) }),
		"ifs": "x = 1\n" + repeat(10_000, func(i int) string {
			return fmt.Sprintf("if(x, %d, \"=\")\ny%d = x\nelse()\ny = %d\nend()", i, i, i)
		}),
		"loops":     repeat(5_000, func(i int) string { return fmt.Sprintf("startLoop(i, 1, 2)\nx%d = i\nendLoop()", i) }),
		"functions": repeat(8_000, func(i int) string { return fmt.Sprintf("function f%d(a){\nreturn(a + %d)\n}\nx = f%d(%d)", i, i, i, i) }),
		"chain of calls": repeat(5_000, func(i int) string { return fmt.Sprintf("function f%d(a){\nreturn(f%d(a))\n}", i, i+1) }) +
			"function f5000(a){\nreturn(a)\n}\nx = 1\nif(n, 7, \"=\")\ny = f0(1)\nend()",
		"long function":  "function f(a){\n" + repeat(10_000, func(i int) string { return fmt.Sprintf("b%d = a + %d", i%500, i) }) + "return(b7)\n}\nx = f(1)",
		"nested ifs":     strings.Repeat("if(1, n, \"!=\")\n", 190) + "x = 1\n" + strings.Repeat("end()\n", 190),
		"nested loops":   strings.Repeat("startLoop(i, 1, 1)\n", 190) + "x = 1\n" + strings.Repeat("endLoop()\n", 190),
		"loop breaks":    "x = 1\nstartLoop(i, 1, 2)\n" + repeat(8_000, func(i int) string { return fmt.Sprintf("y%d = i\nif(x, %d, \"=\")\nbreak\nend()", i, i+2) }) + "endLoop()",
		"tries":          repeat(5_000, func(i int) string { return fmt.Sprintf("try()\nx%d = 1 / 0\nexception(e)\nend()", i) }),
		"wide list":      "x = [" + strings.Repeat("1, ", 100_000) + "7]",
		"wide dict":      "x = {" + repeat(2_000, func(i int) string { return fmt.Sprintf("\"k%d\": %d,", i, i) }) + "\"n\": n}",
		"long template":  "x = `" + strings.Repeat("${n} ", 300) + "`",
		"comprehensions": repeat(3_000, func(i int) string { return fmt.Sprintf("x%d = [a + %d for a in [1, 2] if a > 1]", i, i) }),
		"markers":        repeat(900, func(i int) string { return fmt.Sprintf("try()\nx%d = 1 / 0\nexception(e)", i) }),
	}
	h := newHost(t, wasmhost.EngineCompiler)
	for name, script := range scripts {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			artifact, findings := compiler.Compile(compiler.Source{Text: script}, compiler.Options{})
			compile := time.Since(start)
			if artifact == nil {
				t.Fatalf("%v", findings.Err())
			}
			start = time.Now()
			module, err := h.Load(artifact.Wasm, artifact.Manifest)
			if err != nil {
				t.Fatal(err)
			}
			load := time.Since(start)
			module.Release()
			start = time.Now()
			o := execute(t, h, script, &wasmhost.Input{Variables: []byte(`{"n": 1}`)}, compiler.Options{})
			if m := o.Message; m != "" {
				t.Errorf("run: %s", m)
			}
			t.Logf("%d KB source, %d KB module, compile %v, load %v, all %v", len(script)>>10, len(artifact.Wasm)>>10, compile, load, time.Since(start))
			if compile > 5*time.Second || load > 20*time.Second {
				t.Errorf("too slow")
			}
		})
	}
}

// TestTooComplex checks that a statement no function can hold is refused.
func TestTooComplex(t *testing.T) {
	for name, script := range map[string]string{
		"list":     "x = [" + strings.Repeat("n + 1, ", 100_000) + "n]",
		"template": "x = `" + strings.Repeat("${n} ", 20_000) + "`",
		"and":      "x = n" + strings.Repeat(" and n", 100_000),
		"or":       "if(1, n, \"=\")\nx = n" + strings.Repeat(" or n", 2_000) + "\nend()",
	} {
		artifact, findings := compiler.Compile(compiler.Source{Text: script}, compiler.Options{})
		if artifact != nil || !findings.HasErrors() || findings[0].Code != diag.TooComplex {
			t.Errorf("%s: %v", name, findings)
		}
	}
}

// maxBranches bounds what may branch in one function, for the time that an
// engine takes grows with its square; it is what the bounds of the stage that
// splits come to. maxGrowth bounds the size of a module by that of its source.
const (
	maxBranches = 1_000
	maxGrowth   = 12
)

// TestBranchesPerFunction holds scripts of many parts to those bounds, which
// say of the time to compile what a clock cannot.
func TestBranchesPerFunction(t *testing.T) {
	const n = 2_000
	for name, script := range map[string]string{
		"ifs":           repeat(n, func(i int) string { return fmt.Sprintf("if(x, %d, \"=\")\ny%d = x\nelse()\ny = n\nend()", i, i) }),
		"calls":         repeat(n, func(i int) string { return fmt.Sprintf("x%d = str(n).upper().strip()", i) }),
		"loops":         repeat(n, func(i int) string { return fmt.Sprintf("startLoop(i, 1, 2)\nx%d = i\nendLoop()", i) }),
		"tries":         repeat(n, func(i int) string { return fmt.Sprintf("try()\nx%d = 1 / n\nexception(e)\nend()", i) }),
		"branches":      strings.Repeat("if(1, n, \"=\")\n", 150) + repeat(n, func(i int) string { return fmt.Sprintf("x%d = n + %d", i, i) }) + strings.Repeat("end()\n", 150),
		"loop":          "startLoop(i, 1, 2)\n" + repeat(n, func(i int) string { return fmt.Sprintf("x = i + n\nif(x, %d, \"=\")\nbreak\nend()", i) }) + "endLoop()",
		"function":      "function f(n){\n" + repeat(n, func(i int) string { return fmt.Sprintf("x%d = n + %d", i, i) }) + "return(n)\n}\ny = f(1)",
		"and":           "x = n" + strings.Repeat(" and n", 800),
		"comprehension": repeat(n, func(i int) string { return fmt.Sprintf("x%d = [a for a in n if a > %d and a < n]", i, i) }),
		"list":          "x = [" + strings.Repeat("n + 1, ", 400) + "n]",
	} {
		artifact, findings := compiler.Compile(compiler.Source{Text: script}, compiler.Options{})
		if artifact == nil {
			t.Errorf("%s: %v", name, findings.Err())
			continue
		}
		most := 0
		for function := range strings.SplitSeq(text(t, artifact.Wasm), "\n  (func ") {
			branches := 0
			for line := range strings.Lines(function) {
				switch op, _, _ := strings.Cut(strings.TrimSpace(line), " "); op {
				case "if", "block", "loop", "br_if", "br_table":
					branches++
				}
			}
			most = max(most, branches)
		}
		growth := len(artifact.Wasm) / len(script)
		t.Logf("%s: %d branches in a function, %d bytes for one of source", name, most, growth)
		if most > maxBranches || growth > maxGrowth {
			t.Errorf("%s: %d branches in a function and %d bytes for one of source; no more than %d and %d are meant to be", name, most, growth, maxBranches, maxGrowth)
		}
	}
}

// text prints a module.
func text(t *testing.T, module []byte) string {
	t.Helper()
	m, err := wasm.Decode(module)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := m.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
