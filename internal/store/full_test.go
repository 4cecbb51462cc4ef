package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
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

// TestDamagedFile overwrites the middle of a file, or all of it.
func TestDamagedFile(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"no SQLite at all": func([]byte) []byte { return []byte(strings.Repeat("no database ", 1000)) },
		"a page of zeros":  func(content []byte) []byte { clear(content[4096:8192]); return content },
		"half of it":       func(content []byte) []byte { return content[:len(content)/2] },
	} {
		path := sqlitePath(t)
		followed := openSQLite(t, sqlitePath(t), store.Options{})
		mustCommit(t, followed, document("a", 0))
		page := changes(t, followed, 0)
		s, err := store.OpenSQLite(t.Context(), path, store.Options{Copy: true})
		if err == nil {
			err = errors.Join(s.Apply(t.Context(), page.Summary, page.Records), s.Close())
		}
		content, err2 := os.ReadFile(path)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		content = damage(content)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := store.OpenSQLite(t.Context(), path, store.Options{}); !errors.Is(err, store.ErrDamaged) || !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
		again := openSQLite(t, path, store.Options{Copy: true})
		if err := again.Apply(t.Context(), page.Summary, page.Records); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if kept, err := os.ReadFile(path + ".damaged"); err != nil || !bytes.Equal(kept, content) {
			t.Errorf("%s: what was there is lost: %v", name, err)
		}
	}
}

// TestPagesAreBoundInBytes has more in documents than a page holds.
func TestPagesAreBoundInBytes(t *testing.T) {
	s := openSQLite(t, sqlitePath(t), store.Options{})
	text := `"` + strings.Repeat("x", store.MaxDocumentBytes-2) + `"`
	const commits, each = 6, store.MaxBatchBytes / store.MaxDocumentBytes
	for n := range commits {
		puts := make([]store.Put, each)
		for i := range puts {
			puts[i] = store.Put{Kind: "command", Name: fmt.Sprintf("n%d-%d", n, i), Document: []byte(text)}
		}
		mustCommit(t, s, puts...)
	}
	page, err := s.Changes(t.Context(), 0, store.MaxPageRecords)
	if want := store.FullPageBytes / store.MaxDocumentBytes; err != nil || !page.More || len(page.Records) != want {
		t.Errorf("%d records instead of %d, %v", len(page.Records), want, err)
	}
	if rest := changes(t, s, page.Records[len(page.Records)-1].Revision); len(page.Records)+len(rest.Records) != commits*each {
		t.Errorf("%d and %d records", len(page.Records), len(rest.Records))
	}
}
