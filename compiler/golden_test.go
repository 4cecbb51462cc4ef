package compiler_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/avapd/avapd/compiler"
	"github.com/avapd/avapd/compiler/ir"
	"github.com/avapd/avapd/internal/wasm"
)

var update = flag.Bool("update", false, "take the golden forms anew")

// TestGolden compares what scripts become. An archive holds the script and the
// forms to compare: ir, and wat where the instructions matter.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			changed := false
			script := string(archive.Files[0].Data)
			for i := range archive.Files[1:] {
				f := &archive.Files[1+i]
				got := form(t, f.Name, script)
				if diff := cmp.Diff(string(f.Data), got); diff != "" {
					changed = true
					f.Data = []byte(got)
					if !*update {
						t.Errorf("%s (-want +got; -update takes it):\n%s", f.Name, diff)
					}
				}
			}
			if changed && *update {
				if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// form gives a script in one of the forms a golden file may hold.
func form(t *testing.T, name, script string) string {
	t.Helper()
	src := compiler.Source{Text: script}
	if name == "ir" {
		program, findings := compiler.Intermediate(src, compiler.Options{})
		if findings.HasErrors() {
			t.Fatal(findings)
		}
		return ir.Print(program)
	}
	artifact, findings := compiler.Compile(src, compiler.Options{Logs: name == "wat with logs"})
	if artifact == nil {
		t.Fatal(findings)
	}
	module, err := wasm.Decode(artifact.Wasm)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := module.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
