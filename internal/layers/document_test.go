package layers

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/avapd/avapd/runtime/abi"
)

const root = "../.."

// quoted is a word of a document that is code.
var quoted = regexp.MustCompile("`([^`]+)`")

// TestPackageTable holds the table of packages in docs/architecture.md to the
// tree: every package has a row, or is named in the row of one above it.
func TestPackageTable(t *testing.T) {
	told := map[string]bool{}
	for _, row := range rows(t, "| package | holds |") {
		names, holds, _ := strings.Cut(strings.TrimPrefix(row, "|"), "|")
		for _, name := range quoted.FindAllStringSubmatch(names, -1) {
			if _, err := os.Stat(filepath.Join(root, name[1])); err != nil {
				t.Errorf("the table has %s, which is not there", name[1])
			}
			told[name[1]] = true
			for _, below := range quoted.FindAllStringSubmatch(holds, -1) {
				told[path.Join(name[1], below[1])] = true
			}
		}
	}
	for _, p := range list(t) {
		if name := strings.TrimPrefix(p.ImportPath, module+"/"); !told[name] {
			t.Errorf("the table of packages in docs/architecture.md lacks %s", name)
		}
	}
}

// TestArrows holds the arrows in docs/architecture.md to the imports: each is
// one, and every package of the program is at an end of one.
func TestArrows(t *testing.T) {
	imports := map[string][]string{}
	var program []string
	for _, p := range list(t) {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		imports[name] = p.Imports
		if name == "cmd/avap" {
			program = p.Deps
		}
	}
	shown := map[string]bool{}
	_, picture, _ := strings.Cut(document(t), "\n## Who may import whom\n")
	_, picture, _ = strings.Cut(picture, "\n```\n")
	picture, _, _ = strings.Cut(picture, "\n```\n")
	for line := range strings.SplitSeq(picture, "\n") {
		from, to, arrow := strings.Cut(line, " → ")
		if from = strings.TrimSpace(from); !arrow || imports[from] == nil {
			t.Errorf("docs/architecture.md: %q is no arrow from a package that is there", line)
			continue
		}
		shown[from] = true
		for name := range strings.SplitSeq(to, ", ") {
			shown[name] = true
			if !slices.Contains(imports[from], module+"/"+name) {
				t.Errorf("docs/architecture.md says that %s imports %s, which it does not", from, name)
			}
		}
	}
	for _, dependency := range program {
		if name, ours := strings.CutPrefix(dependency, module+"/"); ours && !shown[name] {
			t.Errorf("docs/architecture.md shows no import of %s", name)
		}
	}
}

// TestOtherHosts holds what docs/architecture.md says other hosts have to offer
// to what the library imports.
func TestOtherHosts(t *testing.T) {
	table := strings.Join(rows(t, "| imports | are |"), "\n")
	for _, imported := range abi.LibraryImports {
		if !strings.Contains(table, "`"+imported.Field+"`") {
			t.Errorf("docs/architecture.md does not say that modules import %s", imported.Field)
		}
	}
}

func document(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs/architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// rows are those of the table with a head.
func rows(t *testing.T, head string) []string {
	t.Helper()
	_, table, found := strings.Cut(document(t), "\n"+head+"\n| --- | --- |\n")
	if !found {
		t.Fatalf("docs/architecture.md has no table %q", head)
	}
	table, _, _ = strings.Cut(table, "\n\n")
	return strings.Split(table, "\n")
}
