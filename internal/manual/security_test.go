package manual

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/config"
)

var (
	namedTest    = regexp.MustCompile("`([a-z0-9/]+\\.)?(Test[A-Za-z0-9]+)`")
	namedSetting = regexp.MustCompile("`([a-z]+\\.[a-z_]+)`")
	limitRow     = regexp.MustCompile("(?m)^\\| ([^|]+) \\| (?:`([^`|]+)`|–) \\| ([^|]+) \\| ([^|]+) \\| ((?:`[a-z0-9/]+\\.Test\\w+`(?:, )?)+) \\|$")
	testFunction = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
)

// noLimits are settings with a maximum that bound nothing that a script or a client
// may have: how the server does its own work, and for how long it keeps things.
var noLimits = []string{
	"admission.delay_ms", "audit.at_risk_ms", "audit.checkpoint_ms", "audit.checkpoint_records", "audit.keep_bytes", "audit.keep_days",
	"cors.max_age_s", "gc.memory_bytes", "gc.percent", "http.compress_bytes", "http.hsts_s", "idempotency.keep_s", "quotas.window_s",
	"registry.keep_unused_ms", "registry.refresh_ms", "shutdown.timeout_ms", "shutdown.unready_ms", "tracing.requests_per_million",
	"trial.fuel", "vault.timeout_ms",
}

// TestSecurityDocument holds docs/security.md to the code: the tests that it
// names are there, settings and constants are what it says, and no limit is
// missing.
func TestSecurityDocument(t *testing.T) {
	text, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	packages := testPackages(t)
	for _, m := range namedTest.FindAllSubmatch(text, -1) {
		in, name := strings.TrimSuffix(string(m[1]), "."), string(m[2])
		if found := packages[name]; !slices.Contains(found, in) {
			t.Errorf("there is no %s in %q, but in %q", name, in, found)
		}
	}
	keys := make(map[string]config.Key)
	for _, k := range config.Keys() {
		keys[k.Name] = k
	}
	rows := limitRow.FindAllSubmatch(text, -1)
	missing := make(map[string]bool)
	for _, k := range keys {
		missing[k.Name] = k.Max != 0
	}
	for _, m := range rows {
		row := row{limit: string(m[1]), name: string(m[2]), value: string(m[3]), most: string(m[4])}
		delete(missing, row.name)
		delete(missing, strings.Trim(row.most, "`"))
		if k, ok := keys[row.name]; ok {
			row.checkSetting(t, k)
		} else if row.name != "" {
			row.checkConstant(t)
		}
	}
	for _, name := range noLimits {
		if !missing[name] {
			t.Errorf("%s is in the table, or has no maximum", name)
		}
		delete(missing, name)
	}
	for name, is := range missing {
		if is {
			t.Errorf("the table of limits lacks %s", name)
		}
	}
	_, table, _ := strings.Cut(string(text), "\n## The limits\n")
	table, _, _ = strings.Cut(table, "\n## ")
	if n := strings.Count(table, "\n| ") - headLines; len(rows) != n {
		t.Errorf("%d of %d rows of the table can be read", len(rows), n)
	}
	for _, m := range namedSetting.FindAllSubmatch(text, -1) {
		if name := string(m[1]); keys[name].Name == "" && packages[name] == nil && !strings.Contains(name, ".md") {
			t.Errorf("there is no setting %s", name)
		}
	}
}

// headLines are those of the table that name no limit.
const headLines = 2

// row is a line of the table of limits.
type row struct{ limit, name, value, most string }

func (r row) checkSetting(t *testing.T, k config.Key) {
	t.Helper()
	if want := map[string]string{"": "none"}[k.Default] + k.Default; r.value != want {
		t.Errorf("%s is %s by default, not %s", k.Name, want, r.value)
	}
	if (r.value == "0" || r.value == "none") && !strings.Contains(r.limit, "("+r.value+": ") {
		t.Errorf("the row of %s does not say what %s stands for", k.Name, r.value)
	}
	if k.Max != 0 && !strings.HasPrefix(r.most, "`") && r.most != strconv.FormatInt(k.Max, 10) {
		t.Errorf("%s takes %s, not up to %s", k.Name, k.Range(), r.most)
	}
}

func (r row) checkConstant(t *testing.T) {
	t.Helper()
	at := strings.LastIndexByte(r.name, '.')
	if at < 0 {
		t.Errorf("%s is neither a setting nor a constant with its package", r.name)
		return
	}
	number, isTime := strings.CutSuffix(r.value, " s")
	want, err := strconv.ParseInt(number, 10, 64)
	if isTime {
		want *= int64(time.Second)
	}
	got, ok := constantOf(t, r.name[:at], r.name[at+1:])
	if err != nil || !ok || got != want {
		t.Errorf("%s is %d (%v), not %s", r.name, got, ok, r.value)
	}
}

// constantOf gives the value of a constant of a package. What the package imports
// is not needed for that, but for the units of time.
func constantOf(t *testing.T, directory, name string) (int64, bool) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../..", directory, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	var parsed []*ast.File
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, f)
	}
	check := types.Config{Importer: unitsOfTime{}, Error: func(error) {}, IgnoreFuncBodies: true}
	p, _ := check.Check(directory, set, parsed, nil)
	c, ok := p.Scope().Lookup(name).(*types.Const)
	if !ok {
		return 0, false
	}
	return constant.Int64Val(constant.ToInt(c.Val()))
}

// unitsOfTime imports empty packages; time has the units that limits are in.
type unitsOfTime struct{}

func (unitsOfTime) Import(path string) (*types.Package, error) {
	p := types.NewPackage(path, path[strings.LastIndexByte(path, '/')+1:])
	if path == "time" {
		for name, unit := range map[string]time.Duration{"Millisecond": time.Millisecond, "Second": time.Second, "Minute": time.Minute} {
			p.Scope().Insert(types.NewConst(token.NoPos, p, name, types.Typ[types.Int64], constant.MakeInt64(int64(unit))))
		}
	}
	p.MarkComplete()
	return p, nil
}

// testPackages gives the packages, as directories of the repository, that have a
// test of a name.
func testPackages(t *testing.T) map[string][]string {
	t.Helper()
	packages := make(map[string][]string)
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		in := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), "../../")
		for _, m := range testFunction.FindAllSubmatch(text, -1) {
			packages[string(m[1])] = append(packages[string(m[1])], in)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return packages
}
