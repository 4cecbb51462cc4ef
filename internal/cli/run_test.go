package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
		if code != exitUsage && code != exitInternal || stdout.Len() > 0 || stderr.Len() == 0 {
			t.Errorf("%s: code %d, stdout %q, stderr %q", name, code, &stdout, &stderr)
		}
	}
}
