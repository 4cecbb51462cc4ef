package spectest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Types of commands.
const (
	Module         = "module"
	Register       = "register"
	Act            = "action"
	Returns        = "assert_return"
	Traps          = "assert_trap"
	Exhausts       = "assert_exhaustion"
	Malformed      = "assert_malformed"
	Invalid        = "assert_invalid"
	Unlinkable     = "assert_unlinkable"
	Uninstantiable = "assert_uninstantiable"
)

// Script is one file of the suite.
type Script struct {
	Name     string
	Commands []Command

	dir string
}

// Command is one step of a script.
type Command struct {
	Type string `json:"type"`
	Line int    `json:"line"`
	// Name is what later commands call a module, or which one to register.
	Name string `json:"name"`
	As   string `json:"as"`
	// File holds the module, in the format ModuleType: "binary" (or nothing)
	// and "text".
	File       string `json:"filename"`
	ModuleType string `json:"module_type"`
	// Text is the specification's message for what must go wrong.
	Text     string  `json:"text"`
	Action   Action  `json:"action"`
	Expected []Value `json:"expected"`
}

// Action calls an export of a module, or reads a global.
type Action struct {
	Type   string  `json:"type"`
	Module string  `json:"module"`
	Field  string  `json:"field"`
	Args   []Value `json:"args"`
}

// Value is an argument or an expected result. The value of a number is its
// bits as a decimal, or the name of a class of NaNs; that of a reference is a
// number, null, or absent, which is any. Vectors have lists of lanes.
type Value struct {
	Type string `json:"type"`
	Raw  any    `json:"value"`
}

// IsBinary reports whether the command has a module in binary format.
func (c *Command) IsBinary() bool { return c.File != "" && c.ModuleType != "text" }

// Binary reads the module of a command.
func (s *Script) Binary(t testing.TB, c *Command) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.dir, c.File))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// UsesVectors reports whether the script is about 128-bit vectors.
func (s *Script) UsesVectors() bool { return strings.HasPrefix(s.Name, "simd_") }

// Scripts reads the whole suite of version 2.0, sorted by name.
func Scripts(t testing.TB) []Script {
	t.Helper()
	dir := filepath.Join(suiteDir(t), "v2", "testdata")
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatalf("no scripts in %s", dir)
	}
	scripts := make([]Script, len(files))
	for i, file := range files {
		b, err := os.ReadFile(file) //nolint:gosec // the suite in the module cache
		if err != nil {
			t.Fatal(err)
		}
		var content struct {
			Commands []Command `json:"commands"`
		}
		if err := json.Unmarshal(b, &content); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		scripts[i] = Script{strings.TrimSuffix(filepath.Base(file), ".json"), content.Commands, dir}
	}
	return scripts
}

// engineDir asks the go command where wazero's sources are.
func engineDir(t testing.TB) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func suiteDir(t testing.TB) string {
	t.Helper()
	return filepath.Join(engineDir(t), "internal", "integration_test", "spectest")
}

// Programs gives the programs that lie beside the suite, by their path: the
// compilers of C, Rust, Zig and TinyGo made them.
func Programs(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(engineDir(t), "imports", "wasi_snapshot_preview1", "testdata", "*", "*.wasm"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d programs, %v", len(files), err)
	}
	out := make(map[string][]byte, len(files))
	for _, file := range files {
		if out[file], err = os.ReadFile(file); err != nil { //nolint:gosec // as above
			t.Fatal(err)
		}
	}
	return out
}

// hostModule reads the module "spectest", which the scripts import.
func hostModule(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(suiteDir(t), "testdata", "spectest.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Binaries gives every module of the suite that is in binary format and of at
// most the given size, wrong ones included, as seeds for fuzzing. Those about
// vectors are left out.
func Binaries(t testing.TB, most int) [][]byte {
	t.Helper()
	var out [][]byte
	for _, s := range Scripts(t) {
		for i := range s.Commands {
			if c := &s.Commands[i]; c.IsBinary() && !s.UsesVectors() {
				if b := s.Binary(t, c); len(b) <= most {
					out = append(out, b)
				}
			}
		}
	}
	return out
}
