package check

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/avapd/avapd/compiler/syntax"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/runtime/catalog"
)

var expected = regexp.MustCompile("// WARNING (`[^`]*`(?: `[^`]*`)*)")

// TestWarnings checks that the sections of warnings.txtar give exactly the
// warnings beside their lines, and no error.
func TestWarnings(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/warnings.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		t.Run(f.Name, func(t *testing.T) { checkWarnings(t, string(f.Data)) })
	}
}

func checkWarnings(t *testing.T, src string) {
	want := map[int][]string{}
	for i, line := range strings.Split(src, "\n") {
		if m := expected.FindStringSubmatch(line); m != nil {
			want[i+1] = strings.Split(strings.Trim(m[1], "`"), "` `")
		}
	}
	for _, d := range findings(t, src) {
		line := d.Span.Start.Line
		text := fmt.Sprintf("%s %s; %s", strings.TrimPrefix(string(d.Code), "AVAP"), d.Message, d.Suggestion)
		if d.Severity != diag.Warning {
			t.Errorf("line %d: an error: %s", line, text)
		}
		rest := matchOne(want[line], text)
		if len(rest) == len(want[line]) {
			t.Errorf("line %d: unexpected %s", line, text)
		}
		want[line] = rest
	}
	for line, rest := range want {
		if len(rest) > 0 {
			t.Errorf("line %d: no warning matches %q", line, rest)
		}
	}
}

// matchOne removes the first pattern that matches.
func matchOne(patterns []string, text string) []string {
	for i, p := range patterns {
		if regexp.MustCompile(p).MatchString(text) {
			return append(append([]string(nil), patterns[:i]...), patterns[i+1:]...)
		}
	}
	return patterns
}

func findings(t *testing.T, sources ...string) diag.List {
	t.Helper()
	var files []*syntax.Script
	var all diag.List
	functions := map[string]bool{}
	for i, src := range sources {
		for _, name := range syntax.Declarations([]byte(src)).Functions {
			functions[name] = true
		}
		files = append(files, nil)
		script, list := syntax.Parse(fmt.Sprint("file", i), []byte(src), syntax.Options{Functions: functions, RawParam: catalog.RawParam})
		files[i] = script
		all = append(all, list...)
	}
	info, list := Check(files, nil)
	all = append(all, list...)
	if !all.HasErrors() {
		all = append(all, Warnings(files, info)...)
	}
	return all.Sorted()
}

// TestWarningsOfFiles checks that a variable of one file is known in another.
func TestWarningsOfFiles(t *testing.T) {
	if list := findings(t, "shared = 1\n", "x = shared\naddResult(x)\n"); len(list) > 0 {
		t.Error(list)
	}
}

// TestManyWarnings checks that warnings do not push out errors.
func TestManyWarnings(t *testing.T) {
	list := findings(t, strings.Repeat("nosuch(1)\n", 500)+"addResult(1 + 1)\n")
	if !list.HasErrors() || len(list) != 1 {
		t.Errorf("%d findings, %v", len(list), list)
	}
}

// TestConnectorSQL checks the SQL of a connector's query.
func TestConnectorSQL(t *testing.T) {
	for src, unsafe := range map[string]bool{
		"print(db.query(\"SELECT %s\" % db))": true,
		"print(db.query(`SELECT ${db}`))":     false,
		"print(db.query(\"SELECT ?\", [db]))": false,
	} {
		found := false
		for _, d := range findings(t, src) {
			found = found || d.Code == diag.UnsafeSQL
		}
		if found != unsafe {
			t.Errorf("%s: unsafe is %v", src, found)
		}
	}
}
