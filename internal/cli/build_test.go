package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

// TestReproducible builds the same script in other directories, by other paths
// and with other numbers of processors: the module is the same.
func TestReproducible(t *testing.T) {
	source, err := os.ReadFile(filepath.Join("testdata", "reproducible.avap"))
	if err != nil {
		t.Fatal(err)
	}
	processors := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(processors)
	var first string
	for _, where := range []struct {
		dir, named string
		processors int
	}{
		{"", "reproducible.avap", 1},
		{"", "./reproducible.avap", processors},
		{"elsewhere/and deeper", "reproducible.avap", processors + 1},
		{"elsewhere", "../elsewhere/reproducible.avap", processors},
		{"absolute", "", 1},
		{"whole", ".", processors},
	} {
		runtime.GOMAXPROCS(where.processors)
		got := digestOf(t, where.dir, where.named, source)
		if first == "" {
			first = got
		}
		if got != first {
			t.Errorf("in %q as %q the module is %s, not %s", where.dir, where.named, got, first)
		}
	}
}

// TestSameEverywhere holds a module to the digest that it had on another
// machine. The script is small, so that few changes of the compiler make
// something else of it.
func TestSameEverywhere(t *testing.T) {
	golden, err := filepath.Abs(filepath.Join("testdata", "small.sha256"))
	if err != nil {
		t.Fatal(err)
	}
	got := digestOf(t, "", "reproducible.avap", []byte("addVar(x, 41)\naddResult(x)\n"))
	if *update {
		if err := os.WriteFile(golden, []byte(got+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(string(want)) != got {
		t.Errorf("the module is %s, not %s; if the compiler was meant to change, run with -update", got, want)
	}
}

// digestOf builds the script in a directory of its own, by the name that is
// given or its absolute path.
func digestOf(t *testing.T, dir, named string, source []byte) string {
	t.Helper()
	dir = filepath.Join(t.TempDir(), dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "reproducible.avap")
	if err := os.WriteFile(file, source, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	if named == "" {
		named = file
	}
	var stderr bytes.Buffer
	code := Main(context.Background(), Process{
		Args: []string{"build", named}, Stdin: strings.NewReader(""), Stdout: &bytes.Buffer{}, Stderr: &stderr,
	})
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	module, err := os.ReadFile(filepath.Join(dir, "reproducible.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(module)
	return hex.EncodeToString(digest[:])
}

// TestExits holds the README to the list of exit codes.
func TestExits(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(strings.Fields(string(readme)), " "); !strings.Contains(text, exitTable()) {
		t.Errorf("README.md does not say: %s", exitTable())
	}
}
