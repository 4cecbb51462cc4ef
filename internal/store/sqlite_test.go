package store_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/avapd/avapd/internal/store"
	"github.com/avapd/avapd/internal/store/storetest"
)

func sqlitePath(t testing.TB) string { return filepath.Join(t.TempDir(), "with ?#% avapd.db") }

func TestSQLite(t *testing.T) {
	storetest.Run(t, storetest.Backend{New: sqlitePath, Open: openAny})
}

// What is stored is nobody's but its owner's, also in a directory for all.
func TestSQLiteIsPrivate(t *testing.T) {
	dir := t.TempDir()
	s, err := store.OpenSQLite(t.Context(), filepath.Join(dir, "avapd.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	files, err := filepath.Glob(filepath.Join(dir, "avapd.db*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o077 != 0 {
			t.Errorf("%s has mode %o", filepath.Base(name), mode)
		}
	}
}
