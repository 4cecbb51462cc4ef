package config

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Only what happens to the files themselves is a change.
func TestLook(t *testing.T) {
	dir := t.TempDir()
	file, other := filepath.Join(dir, "avap.yaml"), filepath.Join(dir, "avap.log")
	files, seen := []string{file}, map[string]os.FileInfo{}
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		name string
		do   func()
		want bool
	}{
		{"a file nothing is known of", func() { write(file, "a") }, true},
		{"nothing", func() {}, false},
		{"another file", func() { write(other, "a") }, false},
		{"another size", func() { write(file, "ab") }, true},
		{"another time", func() { _ = os.Chtimes(file, time.Time{}, time.Unix(1, 0)) }, true},
		{"another file under its name", func() { _ = os.Rename(other, file) }, true},
		{"no file", func() { _ = os.Remove(file) }, true},
		{"still no file", func() {}, false},
		{"a file again", func() { write(file, "a") }, true},
		{"a further file", func() { files = append(files, other) }, true},
		{"one less", func() { files = files[:1] }, false},
		{"both again", func() { files = append(files, other) }, true},
	} {
		if step.do(); look(files, seen) != step.want {
			t.Errorf("%s: not %t", step.name, step.want)
		}
	}
}
