package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// TestFiles reads the files of an archive with the arguments and variables in it,
// and compares the faults or what is not a default.
func TestFiles(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal(err, "no archives")
	}
	for _, path := range archives {
		path, err := filepath.Abs(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) { testArchive(t, path) })
	}
}

func testArchive(t *testing.T, path string) {
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	var args, environ []string
	var want *txtar.File
	for i, f := range archive.Files {
		switch f.Name {
		case "args":
			args = strings.Fields(string(f.Data))
		case "environ":
			environ = strings.Split(strings.TrimSpace(string(f.Data)), "\n")
		case "want":
			want = &archive.Files[i]
		default:
			if err := os.WriteFile(f.Name, f.Data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	AddFlags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	got := ""
	settings, err := Read(flags, environ)
	if err != nil {
		got = err.Error() + "\n"
	} else {
		got = notDefault(t, settings)
	}
	if *update {
		want.Data = []byte(got)
		if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(want.Data), got); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(got, "confidential") {
		t.Error("a secret is shown")
	}
}

var columnGap = regexp.MustCompile(` {2,}`)

func notDefault(t *testing.T, s *Settings) string {
	t.Helper()
	var b, lines bytes.Buffer
	if err := s.Print(&b, true); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if !strings.HasSuffix(line, " default\n") {
			lines.WriteString(columnGap.ReplaceAllString(line, "  "))
		}
	}
	return lines.String()
}

// uncommented is the example as an operator has it who takes all signs away.
func uncommented() string {
	var b strings.Builder
	for line := range strings.Lines(Example()) {
		if !strings.HasPrefix(line, "##") {
			b.WriteString(strings.TrimPrefix(line, "#"))
		}
	}
	return b.String()
}

// The example sets every key that is no secret, to its default.
func TestExample(t *testing.T) {
	path := filepath.Join(t.TempDir(), "example.yaml")
	if err := os.WriteFile(path, []byte(uncommented()), 0o600); err != nil {
		t.Fatal(err)
	}
	f, faults := readFile(path)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	for _, k := range Keys() {
		if value, set := f.values[k.Name]; !set || value != k.Default {
			t.Errorf("%s is %q in the example; the default is %q", k.Name, value, k.Default)
		}
	}
	if err := os.WriteFile(path, []byte(Example()), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := ReadFiles([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	if got := notDefault(t, s); got != "" {
		t.Errorf("the example as it comes sets %s", got)
	}
}

// The schema accepts the example, and refuses what the reader refuses.
func TestSchema(t *testing.T) {
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("settings.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("settings.json")
	if err != nil {
		t.Fatal(err)
	}
	for content, valid := range map[string]bool{
		uncommented():                           true,
		"limits:\n":                             true,
		"limits: {fuel: 0}":                     false,
		"limits: {fule: 1}":                     false,
		"log: {level: loud}":                    false,
		"connectors: {tokens: maybe}":           false,
		"egress: {hosts: [\"a.example,b\"]}":    false,
		"egress: {hosts: [a.example, b]}":       true,
		"listen: [\"127.0.0.1:1\"]":             false,
		"unknown: 1":                            false,
		"limits: {fuel: 1152921504606846976}\n": true,
	} {
		var values any
		if err := yaml.Unmarshal([]byte(content), &values); err != nil {
			t.Fatal(err)
		}
		asJSON, err := json.Marshal(values)
		if err != nil {
			t.Fatal(err)
		}
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
		if err != nil {
			t.Fatal(err)
		}
		bySchema := schema.Validate(instance) == nil
		path := filepath.Join(t.TempDir(), "settings.yaml")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = ReadFiles([]string{path})
		byReader := err == nil || strings.Contains(err.Error(), "limits.fuel_max")
		if bySchema != valid || byReader != valid {
			t.Errorf("%.60s: the schema says %v, the reader %v (%v)", content, bySchema, byReader, err)
		}
	}
}

// Whatever is in a file, it is read or refused with a line.
func FuzzFile(f *testing.F) {
	for _, seed := range []string{"limits:\n  fuel: 1", "[limits]\nfuel = 1", `{"limits":{"fuel":1}}`, "a: &a [*a]", "x = [[1], {a=1}]", "{\"a\":", "? [a]\n: b", "- a", "a.b.c = 1\n[a.b]\nc=2"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		for name, walk := range map[string]func(*file, []byte) error{"yaml": (*file).walkYAML, "toml": (*file).walkTOML, "json": (*file).walkJSON} {
			read := &file{path: "f", values: map[string]any{}, lines: map[string]int{}}
			_ = walk(read, content)
			for key, line := range read.lines {
				if line < 1 || line > bytes.Count(content, []byte("\n"))+bytes.Count(content, []byte("\r"))+2 {
					t.Errorf("%s: %s is in line %d", name, key, line)
				}
			}
			for _, fault := range read.faults {
				if !strings.HasPrefix(fault.Origin, "f:") || fault.Problem == "" {
					t.Errorf("%s: %s", name, fmt.Sprint(fault))
				}
			}
		}
	})
}
