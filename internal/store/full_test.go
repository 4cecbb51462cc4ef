package store_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/avapd/avapd/internal/store"
)

// fillUp commits until there is no room left, and checks that the commit that
// failed left nothing behind.
func fillUp(t *testing.T, s store.Store) store.Page {
	t.Helper()
	content := make([]byte, 100_000)
	source := rand.NewChaCha8([32]byte{})
	for i := range 1000 {
		before := changes(t, s, 0)
		_, _ = source.Read(content) // it never fails
		digest := sha256.Sum256(content)
		_, err := s.Commit(t.Context(), store.Batch{
			Puts:      []store.Put{document(fmt.Sprint("n", i), 0)},
			Artifacts: []store.Artifact{{Digest: digest, Bytes: content}},
		})
		if err == nil {
			continue
		}
		if !errors.Is(err, store.ErrFull) {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, changes(t, s, 0)); diff != "" {
			t.Error(diff)
		}
		if _, err := s.Artifact(t.Context(), digest); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the artifact of a refused commit: %v", err)
		}
		return before
	}
	t.Fatal("it never got full")
	return store.Page{}
}

func TestSQLiteIsFull(t *testing.T) {
	path := sqlitePath(t)
	small := openSQLite(t, path, store.Options{MaxBytes: 2 << 20})
	before := fillUp(t, small)
	if len(before.Records) < 3 {
		t.Errorf("%d records fit", len(before.Records))
	}
	if diff := cmp.Diff(before, changes(t, openSQLite(t, path, store.Options{}), 0)); diff != "" {
		t.Error(diff)
	}
	mustCommit(t, openSQLite(t, path, store.Options{}), document("more", 0))
}

// TestDiskIsFull has a file system with little room.
func TestDiskIsFull(t *testing.T) {
	dir := smallDisk(t, 4<<20)
	path := filepath.Join(dir, "avapd.db")
	s, err := store.OpenSQLite(t.Context(), path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	before := fillUp(t, s)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	s, err = store.OpenSQLite(t.Context(), path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, changes(t, s, 0)); diff != "" {
		t.Error(diff)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestSQLiteIsLocked has another process hold the file.
func TestSQLiteIsLocked(t *testing.T) {
	path := sqlitePath(t)
	s := openSQLite(t, path, store.Options{})
	mustCommit(t, s, document("a", 0))
	other, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, OmitHost: true}).String())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.SetMaxOpenConns(1)
	if _, err := other.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	err = timely(t, deadline/4, func(ctx context.Context) error {
		_, err := s.Commit(ctx, store.Batch{Puts: []store.Put{document("b", 0)}})
		return err
	})
	if !errors.Is(err, store.ErrUnavailable) {
		t.Error(err)
	}
	if page := changes(t, s, 0); len(page.Records) != 1 {
		t.Errorf("reading goes on: %+v", page)
	}
	if _, err := other.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	mustCommit(t, s, document("b", 0))
}
