package store_test

import (
	"context"
	"errors"
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

func TestSQLiteJournal(t *testing.T) {
	storetest.RunJournal(t, storetest.JournalBackend{New: sqlitePath, Open: func(ctx context.Context, location string) (store.Journal, error) {
		return store.OpenSQLiteJournal(ctx, location, store.Options{})
	}})
}

// A journal that is only read is not made.
func TestReadSQLiteJournal(t *testing.T) {
	path := sqlitePath(t)
	if _, err := store.ReadSQLiteJournal(t.Context(), path, store.Options{}); !errors.Is(err, store.ErrUnavailable) {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
