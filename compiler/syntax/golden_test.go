package syntax

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write the golden trees anew")

// TestGolden compares the trees of the sections of testdata/*.txtar. A section
// NAME.avap is followed by its tree NAME.tree.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "errors.txtar") {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) { goldenFile(t, file) })
	}
}

func goldenFile(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, f := range archive.Files {
		want[f.Name] = string(f.Data)
	}
	out := &txtar.Archive{Comment: archive.Comment}
	for _, f := range archive.Files {
		name, isSource := strings.CutSuffix(f.Name, ".avap")
		if !isSource {
			continue
		}
		script, list := Parse(f.Name, f.Data, testOptions)
		got := Dump(script, strings.HasPrefix(name, "positions"))
		if list.HasErrors() {
			t.Errorf("%s: %v", f.Name, list)
		}
		if diff := cmp.Diff(want[name+".tree"], got); diff != "" && !*update {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		out.Files = append(out.Files, f, txtar.File{Name: name + ".tree", Data: []byte(got)})
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(out), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

var expected = regexp.MustCompile("(?://|#) ERROR (`[^`]*`(?: `[^`]*`)*)")

// TestErrors checks that each section of errors.txtar gives exactly the errors
// that stand beside its lines: `// ERROR` and regular expressions in
// backticks, which match the message and the suggestion, one per error.
func TestErrors(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/errors.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		t.Run(f.Name, func(t *testing.T) { checkErrors(t, f) })
	}
}

func checkErrors(t *testing.T, f txtar.File) {
	want := map[int][]string{}
	for i, line := range bytes.Split(f.Data, []byte("\n")) {
		if m := expected.FindSubmatch(line); m != nil {
			want[i+1] = strings.Split(strings.Trim(string(m[1]), "`"), "` `")
		}
	}
	_, list := Parse(f.Name, f.Data, testOptions)
	for _, d := range list {
		line := d.Span.Start.Line
		text := fmt.Sprintf("%s: %s [%s]", d.Message, d.Suggestion, d.Code)
		if len(want[line]) == 0 {
			t.Errorf("%s: unexpected error %s", d.Span.Start, text)
			continue
		}
		if !regexp.MustCompile(want[line][0]).MatchString(text) {
			t.Errorf("%s: error %s does not match %s", d.Span.Start, text, want[line][0])
		}
		want[line] = want[line][1:]
	}
	for line, rest := range want {
		if len(rest) > 0 {
			t.Errorf("line %d: no error matches %q", line, rest)
		}
	}
}

// TestConformance parses the scripts of the conformance cases, if they are at
// hand: those that succeed must parse.
func TestConformance(t *testing.T) {
	files, _ := filepath.Glob("../../testdata/conformance/*.json")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var cases []struct {
			ID, Script string
			Expect     struct{ Status int }
		}
		if err := json.Unmarshal(data, &cases); err != nil {
			continue // other files may stand beside the cases
		}
		for _, c := range cases {
			if _, list := Parse(c.ID, []byte(c.Script), testOptions); list.HasErrors() && c.Expect.Status < 300 {
				t.Errorf("%s: %v\n%s", c.ID, list, c.Script)
			}
		}
	}
}
