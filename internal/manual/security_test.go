package manual

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/avapd/avapd/internal/config"
)

var (
	namedTest    = regexp.MustCompile("`(Test[A-Za-z0-9]+)`")
	namedSetting = regexp.MustCompile("`([a-z]+\\.[a-z_]+)`")
	limitRow     = regexp.MustCompile("(?m)^\\| [^|]+ \\| `([a-z_.]+)` \\| (\\d+) \\| (\\d+|`[a-z_.]+`) \\|")
	testFunction = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
)

// TestSecurityDocument holds docs/security.md to the code: the tests that it
// names are there, and settings have the defaults and maxima that it gives.
func TestSecurityDocument(t *testing.T) {
	text, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := testNames(t)
	for _, m := range namedTest.FindAllSubmatch(text, -1) {
		if name := string(m[1]); name != "TestSecurityDocument" && !tests[name] {
			t.Errorf("there is no %s", name)
		}
	}
	keys := make(map[string]config.Key)
	for _, k := range config.Keys() {
		keys[k.Name] = k
	}
	for _, m := range namedSetting.FindAllSubmatch(text, -1) {
		if name := string(m[1]); strings.Count(name, ".md") == 0 && keys[name].Name == "" {
			t.Errorf("there is no setting %s", name)
		}
	}
	rows := limitRow.FindAllSubmatch(text, -1)
	if len(rows) < 10 {
		t.Fatalf("only %d limits with a setting", len(rows))
	}
	for _, m := range rows {
		k, fallback, most := keys[string(m[1])], string(m[2]), string(m[3])
		if k.Default != fallback {
			t.Errorf("%s is %s by default, not %s", k.Name, k.Default, fallback)
		}
		if !strings.HasPrefix(most, "`") && !strings.HasSuffix(k.Range(), " to "+most) {
			t.Errorf("%s takes %s, not up to %s", k.Name, k.Range(), most)
		}
	}
}

// testNames finds every test of the repository.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := make(map[string]bool)
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range testFunction.FindAllSubmatch(text, -1) {
			names[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
