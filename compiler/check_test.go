package compiler_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/avapd/avapd/compiler"
	"github.com/avapd/avapd/internal/diag"
)

// expectation is a comment at the end of a line that the compiler should
// complain about.
var expectation = regexp.MustCompile(`// (ERROR|WARNING) (.*)$`)

// TestCheck compiles scripts whose expected findings stand beside the lines
// that cause them.
func TestCheck(t *testing.T) {
	files, err := filepath.Glob("testdata/check/*.avap")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".avap"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var want, got []string
			for i, line := range strings.Split(string(text), "\n") {
				if m := expectation.FindStringSubmatch(line); m != nil {
					want = append(want, fmt.Sprintf("%d %s %s", i+1, strings.ToLower(m[1]), m[2]))
				}
			}
			for _, d := range compiler.Check(compiler.Source{Text: string(text)}, compiler.Options{}) {
				got = append(got, fmt.Sprintf("%d %s %s", d.Span.Start.Line, d.Severity, d.Message))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestSuggestions(t *testing.T) {
	for script, want := range map[string]string{
		"addvar(x, 1)":                 "did you mean addVar?",
		"print(\"s\".uper())":          "did you mean upper?",
		"qqqqqq(1)":                    "it is found all the same if it is registered with the server that runs the script",
		"function share(a){}\nshar(1)": "did you mean share?",
	} {
		findings := compiler.Check(compiler.Source{Text: script}, compiler.Options{})
		if len(findings) != 1 || findings[0].Suggestion != want {
			t.Errorf("%s: %v", script, findings)
		}
	}
}

func TestEmptyScript(t *testing.T) {
	if findings := compiler.Check(compiler.Source{}, compiler.Options{}); len(findings) != 1 || findings[0].Message != "Script cannot be empty" {
		t.Error(findings)
	}
	for _, script := range []string{" ", "\n\n", "// nothing", "/* a */\n# b"} {
		artifact, findings := compiler.Compile(compiler.Source{Text: script}, compiler.Options{})
		if artifact == nil {
			t.Errorf("%q: %v", script, findings)
		}
	}
}

func TestImports(t *testing.T) {
	files := map[string]string{
		"lib":   "import \"base\"\nfunction f(a){\nreturn(a + one)\n}\n",
		"base":  "one = 1\nraiseIt = 0\n",
		"loop":  "import \"loop2\"",
		"loop2": "import \"loop\"",
		"bad":   "x = \ny = 1",
	}
	load := func(path string) ([]byte, error) {
		if text, ok := files[path]; ok {
			return []byte(text), nil
		}
		return nil, fmt.Errorf("no such file")
	}
	for script, want := range map[string]string{
		"import \"lib\"\nimport \"base\"\nx = f(2)": "",
		"import \"nope\"":                "main:1:8: cannot import nope: no such file",
		"import \"loop\"":                "loop2:1:8: loop imports itself",
		"x = 1\ninclude \"bad\"":         "bad:1:",
		"import \"lib\"\nfunction f(){}": "lib:2:10: function f is declared twice",
		"import \"main\"":                "main:1:8: main imports itself",
	} {
		artifact, findings := compiler.Compile(compiler.Source{Name: "main", Text: script}, compiler.Options{Load: load})
		if got := findings.Err(); want == "" && got != nil || want != "" && (got == nil || !strings.HasPrefix(got.Error(), want)) {
			t.Errorf("%q: %v, want %q", script, got, want)
		}
		if want == "" && len(artifact.Imports) != 2 {
			t.Errorf("imports %v", artifact.Imports)
		}
	}
	if findings := compiler.Check(compiler.Source{Text: "import \"x\""}, compiler.Options{}); !findings.HasErrors() {
		t.Error("import without a loader")
	}
}

// A script may have 256 files besides its own, however they are imported.
func TestImportsAreBounded(t *testing.T) {
	load := func(path string) ([]byte, error) { return []byte("n = 1"), nil }
	script := func(files int) string {
		var b strings.Builder
		for i := range files {
			fmt.Fprintf(&b, "import \"f%d\"\n", i)
		}
		return b.String()
	}
	chain := func(files int) func(string) ([]byte, error) {
		return func(path string) ([]byte, error) {
			i, err := strconv.Atoi(strings.TrimPrefix(path, "f"))
			if err != nil || i == files-1 {
				return []byte("n = 1"), err
			}
			return fmt.Appendf(nil, "import \"f%d\"", i+1), nil
		}
	}
	for name, check := range map[string]func(files int) diag.List{
		"from one file": func(files int) diag.List {
			return compiler.Check(compiler.Source{Name: "main", Text: script(files)}, compiler.Options{Load: load})
		},
		"from each other": func(files int) diag.List {
			return compiler.Check(compiler.Source{Name: "main", Text: "import \"f0\""}, compiler.Options{Load: chain(files)})
		},
	} {
		if findings := check(256); findings.HasErrors() {
			t.Errorf("%s, 256 files: %v", name, findings.Err())
		}
		if err := check(257).Err(); err == nil || !strings.Contains(err.Error(), "more than 256 files are imported") {
			t.Errorf("%s, 257 files: %v", name, err)
		}
	}
}

// What a script may have of one thing, and what one more is told.
func TestFormIsBounded(t *testing.T) {
	endpoint := func(i int) string {
		return fmt.Sprintf("registerEndpoint(\"/p%d\", \"GET\", [], \"\", f, r)\n", i)
	}
	for name, test := range map[string]struct {
		most   int
		code   diag.Code
		says   string
		script func(n int) string
	}{
		"operators": {1000, diag.NestingTooDeep, "more than 1000 operators in a row", func(n int) string { return "a = 1\nx = a" + strings.Repeat(" + a", n) }},
		"endpoints": {1000, diag.TooComplex, "at most 1000 endpoints", func(n int) string {
			var b strings.Builder
			b.WriteString("function f(){\nreturn(1)\n}\n")
			for i := range n {
				b.WriteString(endpoint(i))
			}
			return b.String()
		}},
		"loops of a comprehension": {16, diag.TooComplex, "more than 16 loops", func(n int) string {
			return "l = [1]\nx = [1" + strings.Repeat(" for i in l", n) + "]"
		}},
		"names to unpack": {64, diag.TooComplex, "more than 64 names", func(n int) string {
			var names []string
			for i := range n {
				names = append(names, fmt.Sprint("n", i))
			}
			return "l = []\nx = [1 for " + strings.Join(names, ", ") + " in l]"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if findings := compiler.Check(compiler.Source{Text: test.script(test.most)}, compiler.Options{}); findings.HasErrors() {
				t.Errorf("%d: %v", test.most, findings.Err())
			}
			findings := compiler.Check(compiler.Source{Text: test.script(test.most + 1)}, compiler.Options{})
			if err := findings.Err(); err == nil || findings[0].Code != test.code || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%d: %v", test.most+1, err)
			}
		})
	}
}
