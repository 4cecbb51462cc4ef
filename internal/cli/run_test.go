package cli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// An answer that gets lost is no success.
func TestOutputCannotBeWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "one.avap")
	if err := os.WriteFile(path, []byte("addVar(x, 1)\naddResult(x)\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"run", path},
		{"run", path, "--output", "text"},
		{"run", path, "--output", "answer"},
		{"check", path, "--output", "json"},
		{"fmt", path},
		{"build", path, "-o", "-"},
		{"explain"},
		{"version"},
	} {
		var stderr bytes.Buffer
		code := Main(context.Background(), Process{Args: args, Stdin: strings.NewReader(""), Stdout: fullDisk{}, Stderr: &stderr})
		if code != exitInternal || stderr.String() != "avap: the output cannot be written: no space left on device\n" {
			t.Errorf("%v: code %d, stderr %q", args, code, &stderr)
		}
	}
}

// Modules that are not ours would run without metering.
func TestRunRefusesForeignModules(t *testing.T) {
	for name, content := range map[string]string{
		"empty":     "\x00asm\x01\x00\x00\x00",
		"truncated": "\x00asm",
		"manifest":  "\x00asm\x01\x00\x00\x00\x00\x07\x04avap{}",
	} {
		path := filepath.Join(t.TempDir(), name+".wasm")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		var stdout, stderr bytes.Buffer
		code := Main(context.Background(), Process{Args: []string{"run", path}, Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr})
		if code == exitOK || stdout.Len() > 0 || stderr.Len() == 0 {
			t.Errorf("%s: code %d, stdout %q, stderr %q", name, code, &stdout, &stderr)
		}
	}
}
