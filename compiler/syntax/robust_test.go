package syntax

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/avapd/avapd/internal/diag"
)

// hostileTime is what no source of a mebibyte may exceed, with a wide margin
// for slow machines and the race detector.
const hostileTime = 10 * time.Second

// TestHostileSources checks that sources made to hurt are refused or accepted
// in bounded time.
func TestHostileSources(t *testing.T) {
	const size = 1 << 20
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	for name, src := range map[string]string{
		"parens":             "x = " + strings.Repeat("(", 10_000),
		"brackets":           "c(" + fill("["),
		"braces":             fill("{"),
		"commands":           fill("c("),
		"failing commands":   strings.Repeat("c(", 190) + fill("a b ") + strings.Repeat(" !)", 190),
		"functions":          "x = " + fill("len("),
		"templates":          fill("`${"),
		"escaped templates":  fill("\\`"),
		"open template":      "x = `" + fill("a "),
		"raw words":          "c(" + fill("a b, ") + ")",
		"unclosed lines":     fill("f(\n"),
		"unclosed nested":    fill("f(g(h(\n"),
		"quotes":             fill("\""),
		"apostrophes":        fill("a'"),
		"hashes":             "x" + fill("#"),
		"comments":           fill("/*"),
		"slashes":            "c(" + fill("a//") + ")",
		"long line":          "x = " + fill("1 + ") + "1",
		"long list":          "x = [" + fill("1, ") + "]",
		"long or":            "x = " + fill("a or ") + "a",
		"long chain":         "x = a" + fill(".b"),
		"unary":              "x = " + fill("-"),
		"not":                "x = " + fill("not "),
		"power":              "x = " + fill("2**") + "2",
		"ternary":            "x = " + fill("a if b else ") + "c",
		"statements":         fill("a=1;"),
		"marker tries":       fill("try()\nexception(e)\n"),
		"nested tries":       fill("try()\n"),
		"handlers":           strings.Repeat("try()\nexception(e)\n", 900) + strings.Repeat("end()\n", 900),
		"ifs":                fill("if(a, b, =)\n"),
		"ends":               fill("end()\n"),
		"else":               fill("else\n"),
		"wide":               "x = \"" + fill("é") + "\" + (",
		"wide statements":    fill("é=1;"),
		"big numbers":        "x = [" + fill("99999999999999999999, ") + "]",
		"digits":             "x = " + fill("9"),
		"fstrings":           "x = f\"" + fill("{a:{b}}") + "\"",
		"fstring braces":     "x = f\"" + fill("{") + "\"",
		"blanks":             fill(" ") + "#" + fill(" "),
		"pattern":            "getRegex(s, [" + fill("(") + "], r)",
		"pattern stack":      "getRegex(s, " + fill("[(]") + ", r)",
		"nested patterns":    strings.Repeat("getRegex(s, (", 90) + fill("x") + strings.Repeat("), r)", 90),
		"misspelt":           fill("startlop()\n") + "if(a, b, =)",
		"functions declared": fill("function f(){}\n"),
		"conditions":         fill("if(None, None, `a`)\nend()\n"),
		"escaped condition":  "if(None, None, \"" + fill("\\\\") + "\")\nend()",
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, list := Parse("t", []byte(src), testOptions)
			if took := time.Since(start); took > hostileTime {
				t.Errorf("took %v", took)
			} else {
				t.Logf("%v, %d diagnostics", took, len(list))
			}
			checkPlaces(t, src, list)
		})
	}
}

func checkPlaces(t *testing.T, src string, list diag.List) {
	t.Helper()
	if len(list) > diag.MaxList {
		t.Errorf("%d diagnostics", len(list))
	}
	for _, d := range list {
		s, e := d.Span.Start, d.Span.End
		if s.Offset < 0 || e.Offset > len(src) || s.Offset > e.Offset || s.Line < 1 || s.Column < 1 {
			t.Errorf("place out of range: %+v", d)
		}
		if d.Message == "" || d.Code == "" {
			t.Errorf("incomplete diagnostic: %+v", d)
		}
	}
}

func TestEncoding(t *testing.T) {
	for src, want := range map[string]string{
		"a = 1\nb = \"\xff\"":  "2:6 source is not valid UTF-8",
		"a = \"é\x00\"":        "1:7 source contains a NUL byte",
		"\ufeffa = \"\u2028\"": "",
		"a = 1":                "",
		"a\u00a0= 1":           "1:2 unexpected blank character U+00A0",
		"":                     "",
		" // note":             "",
		"a = 1\r\nb = 2\r\n":   "",
	} {
		_, list := Parse("t", []byte(src), Options{})
		got := ""
		if len(list) > 0 {
			got = strings.TrimPrefix(list[0].Error(), "t:")
			got = strings.Replace(got, ": ", " ", 1)
		}
		if got != want {
			t.Errorf("%q: %q, want %q", src, got, want)
		}
	}
}

func TestDeclarations(t *testing.T) {
	src := "import \"a\"\n// function no(){\nx = `\nfunction nor(){\n`; function f(a){ return a }\n" +
		"/* function nope(){ */ include 'b'\nFUNCTION g(){\nc(it's, https://a/b)\n}\nfunction f(){}\n# function never(){\n"
	d := Declarations([]byte(src))
	if got := strings.Join(d.Functions, " "); got != "f g" {
		t.Errorf("functions: %s", got)
	}
	if len(d.Imports) != 2 || d.Imports[0].Path != "a" || d.Imports[1].Path != "b" {
		t.Errorf("imports: %v", d.Imports)
	}
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txtar")
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, section := range archive.Files {
			f.Add(string(section.Data))
			for line := range strings.Lines(string(section.Data)) {
				f.Add(line)
			}
		}
	}
	regressions, _ := filepath.Glob("testdata/regressions/*.avap")
	for _, file := range regressions {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Fuzz(checkSource)
}

// TestRegressions runs the numbered finds of FuzzParse.
func TestRegressions(t *testing.T) {
	files, _ := filepath.Glob("testdata/regressions/*.avap")
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			checkSource(t, string(data))
		})
	}
}

// checkSource checks what must hold for any source: no panic, places in
// range, and that every expression survives printing.
func checkSource(t *testing.T, src string) {
	start := time.Now()
	script, list := Parse("t", []byte(src), testOptions)
	if took := time.Since(start); took > hostileTime {
		t.Fatalf("took %v", took)
	}
	checkPlaces(t, src, list)
	Dump(script, true)
	if list.HasErrors() {
		return
	}
	WalkStmts(script.Body, func(s Stmt) bool {
		if s.Start() < 0 || s.End() < s.Start() || int(s.End()) > len(src) {
			t.Errorf("statement at %d to %d", s.Start(), s.End())
		}
		if a, ok := s.(*Assign); ok {
			checkExtents(t, a.Value, Extent{0, Pos(len(src))})
			checkRoundTrip(t, a.Value)
		}
		return true
	})
}

func checkExtents(t *testing.T, x Expr, outer Extent) {
	if x.Start() < outer.From || x.End() > outer.To || x.Start() > x.End() {
		t.Errorf("%s at %d-%d lies outside %v", dumpExpr(x), x.Start(), x.End(), outer)
	}
	EachChild(x, func(child Expr) { checkExtents(t, child, Extent{x.Start(), x.End()}) })
}

func checkRoundTrip(t *testing.T, x Expr) {
	exact := true
	Walk(x, func(x Expr) bool {
		switch x := x.(type) {
		case *CommandCall:
			exact = false // its arguments print as they were written
		case *FString:
			// Texts inside fields are limited by the quotes around them.
			for _, part := range x.Parts {
				exact = exact && part.X == nil
			}
		case *FuncCall, *Go:
			exact = false // needs the declarations of the script
		}
		return exact
	})
	if !exact {
		return
	}
	printed := exprString(x)
	again, list := Parse("t", []byte("x = "+printed), testOptions)
	if list.HasErrors() || dumpExpr(x) != dumpExpr(again.Body[0].(*Assign).Value) {
		t.Errorf("%s\nprinted as %s\n%v", dumpExpr(x), printed, list)
	}
}

// What is nested 200 levels deep is taken, what is one level deeper is not. In
// brackets of an expression, the value inside is a level itself.
func TestNestingIsBounded(t *testing.T) {
	around := func(before, opening, inner, closing string) func(int) string {
		return func(n int) string { return before + strings.Repeat(opening, n) + inner + strings.Repeat(closing, n) }
	}
	for name, test := range map[string]struct {
		deepest int
		nest    func(n int) string
	}{
		"parentheses": {199, around("x = ", "(", "1", ")")},
		"lists":       {199, around("x = ", "[", "1", "]")},
		"calls":       {199, around("x = ", "len(", "1", ")")},
		"raw words":   {200, func(n int) string { return around("c(a b ", "(", "", ")")(n) + ")" }},
		"blocks":      {200, around("", "while(True)\n", "x = 1\n", "end()\n")},
	} {
		if _, list := Parse("t", []byte(test.nest(test.deepest)), testOptions); list.HasErrors() {
			t.Errorf("%d %s: %v", test.deepest, name, list.Err())
		}
		_, list := Parse("t", []byte(test.nest(test.deepest+1)), testOptions)
		if err := list.Err(); err == nil || !strings.Contains(err.Error(), "more than 200 levels deep") || list[0].Code != diag.NestingTooDeep {
			t.Errorf("%d %s: %v", test.deepest+1, name, err)
		}
	}
}
