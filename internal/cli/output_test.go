package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// modeOf gives the permissions of a file.
func modeOf(t *testing.T, name string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}

// holds checks the files of a directory, hidden ones included, and what is in
// one of them.
func holds(t *testing.T, name, content string, names ...string) {
	t.Helper()
	got, err := os.ReadFile(name)
	if err != nil || string(got) != content {
		t.Errorf("%s holds %q, %v; want %q", name, got, err, content)
	}
	entries, err := os.ReadDir(filepath.Dir(name))
	if err != nil {
		t.Fatal(err)
	}
	var there []string
	for _, e := range entries {
		there = append(there, e.Name())
	}
	if !slices.Equal(there, names) {
		t.Errorf("the directory has %q, want %q", there, names)
	}
}

// A file that is written anew keeps its permissions, and a link its target.
func TestReplaceFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "order.wasm")
	for _, content := range []string{"one", "two"} {
		if err := replaceFile(file, []byte(content)); err != nil {
			t.Fatal(err)
		}
		holds(t, file, content, "order.wasm")
	}
	if err := os.Chmod(file, 0o750); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(filepath.Dir(file), "link")
	if err := os.Symlink("order.wasm", link); err != nil {
		t.Skip("needs symbolic links")
	}
	if err := replaceFile(link, []byte("three")); err != nil {
		t.Fatal(err)
	}
	holds(t, file, "three", "link", "order.wasm")
	if mode := modeOf(t, file); mode.Perm() != 0o750 {
		t.Errorf("the permissions are %v now", mode)
	}
	if mode := modeOf(t, link); mode.Type() != fs.ModeSymlink {
		t.Errorf("the link is %v now", mode)
	}
	if err := replaceFile(os.DevNull, []byte("four")); err != nil {
		t.Errorf("a device: %v", err)
	}
	if err := replaceFile(filepath.Dir(file), nil); err == nil || !strings.HasSuffix(err.Error(), "is a directory") {
		t.Errorf("a directory: %v", err)
	}
}

// A reader of a file that is written again and again never sees a part of it.
func TestReplaceFileWhole(t *testing.T) {
	file := filepath.Join(t.TempDir(), "order.wasm")
	contents := []string{strings.Repeat("a", 1<<20), strings.Repeat("b", 1<<19)}
	if err := replaceFile(file, []byte(contents[0])); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		var err error
		for i := 0; i < 40 && err == nil; i++ {
			err = replaceFile(file, []byte(contents[i%2]))
		}
		done <- err
	}()
	for {
		got, err := os.ReadFile(file)
		if err != nil || !slices.Contains(contents, string(got)) {
			t.Errorf("read %d bytes, %v", len(got), err)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			return
		default:
		}
	}
}

// A key appears as a whole, and takes no other file's place.
func TestWriteNew(t *testing.T) {
	file := filepath.Join(t.TempDir(), "release")
	if err := writeNew(file, []byte("secret"), privateMode); err != nil {
		t.Fatal(err)
	}
	if mode := modeOf(t, file); mode != privateMode {
		t.Errorf("the permissions are %v", mode)
	}
	if err := writeNew(file, []byte("another"), privateMode); err == nil || !strings.Contains(err.Error(), "not overwritten") {
		t.Errorf("the second time: %v", err)
	}
	holds(t, file, "secret", "release")
}
