package syntax

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// TestFormat compares the layouts of testdata/format/*.txtar: a section
// NAME.avap is followed by its layout NAME.want.
func TestFormat(t *testing.T) {
	files, err := filepath.Glob("testdata/format/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) { formatFile(t, file) })
	}
}

func formatFile(t *testing.T, file string) {
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
		got, list := Format(f.Name, f.Data, testOptions)
		if list.HasErrors() {
			t.Errorf("%s: %v", f.Name, list)
		}
		if diff := cmp.Diff(want[name+".want"], string(got)); diff != "" && !*update {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		checkFormat(t, string(f.Data))
		out.Files = append(out.Files, f, txtar.File{Name: name + ".want", Data: got})
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(out), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFormatScripts formats every script of the repository's test data: cases,
// programs, tables and the trees of this package.
func TestFormatScripts(t *testing.T) {
	scripts := map[string]bool{}
	err := filepath.WalkDir("../../testdata", func(path string, _ os.DirEntry, err error) error {
		if err == nil {
			collectScripts(t, path, scripts)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"testdata/*.txtar", "testdata/format/*.txtar"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			collectScripts(t, file, scripts)
		}
	}
	formatted := 0
	for script := range scripts {
		if checkFormat(t, script) {
			formatted++
		}
	}
	t.Logf("%d scripts, %d of them without errors", len(scripts), formatted)
	if formatted < 1000 {
		t.Error("most scripts are missing")
	}
}

// collectScripts adds the scripts in a file of test data, by its form.
func collectScripts(t *testing.T, path string, scripts map[string]bool) {
	t.Helper()
	switch ext := filepath.Ext(path); ext {
	case ".txtar":
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			if strings.HasSuffix(f.Name, ".avap") {
				scripts[string(f.Data)] = true
			}
		}
	case ".txt": // expression => value
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			if expression, _, ok := strings.Cut(line, " => "); ok {
				scripts["x = "+expression] = true
			}
		}
	case ".json", ".jsonl":
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		for d := json.NewDecoder(bufio.NewReader(file)); ; {
			var value any
			if d.Decode(&value) != nil {
				return
			}
			collectJSON(value, scripts)
		}
	}
}

// collectJSON adds what stands under the keys script, source and expression.
func collectJSON(value any, scripts map[string]bool) {
	switch value := value.(type) {
	case []any:
		for _, v := range value {
			collectJSON(v, scripts)
		}
	case map[string]any:
		for key, v := range value {
			text, isText := v.(string)
			switch {
			case isText && (key == "script" || key == "source"):
				scripts[text] = true
			case isText && (key == "expression" || key == "expr"):
				scripts["x = "+text] = true
			default:
				collectJSON(v, scripts)
			}
		}
	}
}

// checkFormat checks what must hold for any source: a script that parses has a
// layout, which has the same tree, and which is its own layout. It reports
// whether the script parses.
func checkFormat(t *testing.T, src string) bool {
	t.Helper()
	script, list := Parse("t", []byte(src), testOptions)
	out, findings := Format("t", []byte(src), testOptions)
	if list.HasErrors() {
		if !findings.HasErrors() {
			t.Errorf("formatted although it does not parse: %q", src)
		}
		return false
	}
	if findings.HasErrors() {
		t.Errorf("%v\n%q", findings, src)
		return true
	}
	again, list := Parse("t", out, testOptions)
	if list.HasErrors() {
		t.Errorf("the layout does not parse: %v\n%q\n%q", list, src, out)
		return true
	}
	if !sameTree(reflect.ValueOf(script), reflect.ValueOf(again)) {
		t.Errorf("the layout has another tree: %q\n%q", src, out)
	}
	if twice, _ := Format("t", out, testOptions); string(twice) != string(out) {
		t.Errorf("the layout is not its own layout: %q\n%q\n%q", src, out, twice)
	}
	return true
}

var placeTypes = map[reflect.Type]bool{reflect.TypeFor[Extent](): true, reflect.TypeFor[*Source](): true}

// sameTree compares trees but for places. The source text of an argument
// counts only where it may become the argument's value.
func sameTree(a, b reflect.Value) bool {
	if !a.IsValid() || !b.IsValid() {
		return a.IsValid() == b.IsValid()
	}
	if a.Type() != b.Type() {
		return false
	}
	if placeTypes[a.Type()] {
		return true
	}
	switch a.Kind() {
	case reflect.Pointer, reflect.Interface:
		return sameTree(a.Elem(), b.Elem())
	case reflect.Slice:
		for i := range min(a.Len(), b.Len()) {
			if !sameTree(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return a.Len() == b.Len()
	case reflect.Struct:
		arg, isArg := reflect.TypeAssert[Arg](a)
		for i := range a.NumField() {
			if isArg && a.Type().Field(i).Name == "Text" && arg.Kind == ArgExpr && len(FreeNames(arg.Expr)) == 0 {
				continue
			}
			if !sameTree(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	}
	return a.Equal(b)
}

func TestFormatHostile(t *testing.T) {
	size := 1 << 18
	if testing.Short() { // with the race detector all takes longer
		size = 1 << 16
	}
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	for name, src := range map[string]string{
		"comments":   fill("/**/"),
		"lines":      fill("//\n"),
		"ends":       strings.Repeat("if(a, b, =)\n", 150) + strings.Repeat("end\n", 150),
		"brackets":   "x = " + strings.Repeat("[\n", 150) + strings.Repeat("]", 150),
		"list":       "x = [" + fill("1,\n") + "]",
		"in bracket": "x = [" + fill("/**/") + "1]",
		"statements": fill("a=1;"),
		"nested":     "x = " + strings.Repeat("len(", 150) + "1" + strings.Repeat(")", 150),
		"commands":   strings.Repeat("c(", 90) + "1" + strings.Repeat(")", 90),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			if !checkFormat(t, src) {
				t.Error("does not parse")
			}
			if took := time.Since(start); took > hostileTime {
				t.Errorf("took %v", took)
			}
		})
	}
}

// TestFormatLineEnds checks that \r\n ends lines as \n does, and stays in texts.
func TestFormatLineEnds(t *testing.T) {
	const src = "\ufeffa=1 // x \r\n\r\n\r\n/* y\r\n*/\r\nb=`1\r\n2`\r\nc = [\r\n1]"
	const want = "a = 1 // x\n\n/* y\r\n*/\nb = `1\r\n2`\nc = [\n    1]\n"
	checkFormat(t, src)
	if got, _ := Format("t", []byte(src), testOptions); string(got) != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func FuzzFormat(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txtar")
	more, _ := filepath.Glob("testdata/format/*.txtar")
	for _, file := range append(files, more...) {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, section := range archive.Files {
			f.Add(string(section.Data))
		}
	}
	f.Fuzz(func(t *testing.T, src string) { checkFormat(t, src) })
}
