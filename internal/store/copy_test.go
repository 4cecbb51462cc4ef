package store_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/avapd/avapd/internal/store"
)

func openSQLite(t *testing.T, path string, options store.Options) *store.SQLite {
	t.Helper()
	s, err := store.OpenSQLite(t.Context(), path, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func openCopy(t *testing.T) *store.SQLite {
	t.Helper()
	return openSQLite(t, sqlitePath(t), store.Options{Copy: true})
}

func document(name string, expect int64) store.Put {
	return store.Put{Kind: "command", Name: name, Expect: expect, Document: []byte(`{"name":"` + name + `"}`)}
}

func mustCommit(t *testing.T, s store.Store, puts ...store.Put) {
	t.Helper()
	if _, err := s.Commit(t.Context(), store.Batch{Puts: puts}); err != nil {
		t.Fatal(err)
	}
}

func changes(t *testing.T, s store.Store, after int64) store.Page {
	t.Helper()
	page, err := s.Changes(t.Context(), after, store.MaxPageRecords)
	if err != nil || page.More {
		t.Fatal(err, page.More)
	}
	return page
}

func TestCopyFollows(t *testing.T) {
	primary, follower := openSQLite(t, sqlitePath(t), store.Options{}), openCopy(t)
	follow := func(after int64) {
		t.Helper()
		page := changes(t, primary, after)
		if err := follower.Apply(t.Context(), page.Summary, page.Records); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(changes(t, primary, 0), changes(t, follower, 0)); diff != "" {
			t.Fatal(diff)
		}
	}
	follow(0) // nothing at all
	mustCommit(t, primary, document("a", 0), document("b", 0))
	follow(0)
	mustCommit(t, primary, document("c", 0))
	mustCommit(t, primary, store.Put{Kind: "command", Name: "a", Expect: 1, Delete: true}, document("b", 1))
	follow(1)
	follow(0) // what is known already does no harm
	mustCommit(t, primary, document("a", 0))
	follow(3)
}

func TestCopyRefusesWhatDoesNotFit(t *testing.T) {
	primary, other, follower := openSQLite(t, sqlitePath(t), store.Options{}), openSQLite(t, sqlitePath(t), store.Options{}), openCopy(t)
	mustCommit(t, primary, document("a", 0))
	first := changes(t, primary, 0)
	if err := follower.Apply(t.Context(), first.Summary, first.Records); err != nil {
		t.Fatal(err)
	}
	mustCommit(t, primary, document("b", 0))
	mustCommit(t, primary, document("c", 0))
	mustCommit(t, other, document("x", 0))
	second, elsewhere := changes(t, primary, 0), changes(t, other, 0)
	altered := changes(t, primary, 0).Records
	altered[1].Document = []byte(`{}`)
	for name, call := range map[string]func() error{
		"a lost page":      func() error { return follower.Apply(t.Context(), second.Summary, changes(t, primary, 2).Records) },
		"altered records":  func() error { return follower.Apply(t.Context(), second.Summary, altered) },
		"another epoch":    func() error { return follower.Apply(t.Context(), elsewhere.Summary, elsewhere.Records) },
		"back in time":     func() error { return follower.Apply(t.Context(), store.Summary{Epoch: first.Summary.Epoch}, nil) },
		"a partial replay": func() error { return follower.Replace(t.Context(), second.Summary, second.Records[:2]) },
	} {
		if err := call(); !errors.Is(err, store.ErrDiverged) {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(first, changes(t, follower, 0)); diff != "" {
			t.Errorf("%s changed the copy: %s", name, diff)
		}
	}
	if err := follower.Replace(t.Context(), elsewhere.Summary, elsewhere.Records); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(elsewhere, changes(t, follower, 0)); diff != "" {
		t.Error(diff)
	}
}

func TestCopyAndOwnAreKeptApart(t *testing.T) {
	path := sqlitePath(t)
	primary := openSQLite(t, path, store.Options{})
	mustCommit(t, primary, document("a", 0))
	page := changes(t, primary, 0)
	if err := primary.Replace(t.Context(), page.Summary, nil); !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("following with a primary store: %v", err)
	}
	if _, err := store.OpenSQLite(t.Context(), path, store.Options{Copy: true}); !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("a file with records of its own as a copy: %v", err)
	}

	path = sqlitePath(t)
	follower := openSQLite(t, path, store.Options{Copy: true})
	if _, err := follower.Commit(t.Context(), store.Batch{Puts: []store.Put{document("b", 0)}}); !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("a commit into a copy: %v", err)
	}
	if err := follower.Apply(t.Context(), page.Summary, page.Records); err != nil {
		t.Fatal(err)
	}
	// What was a copy may go on by itself, under another epoch.
	promoted := openSQLite(t, path, store.Options{})
	mustCommit(t, promoted, document("b", 0))
	if after := changes(t, promoted, 0); after.Summary.Epoch == page.Summary.Epoch || after.Summary.Revision != 2 || len(after.Records) != 2 {
		t.Errorf("%+v", after)
	}
	if _, err := store.OpenSQLite(t.Context(), path, store.Options{Copy: true}); !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("a file with records of its own as a copy: %v", err)
	}
}

func TestCopyOfArtifacts(t *testing.T) {
	follower := openCopy(t)
	var digests [][32]byte
	for i := range 200 {
		content := fmt.Appendf(nil, "module %d", i)
		digests = append(digests, sha256.Sum256(content))
		if i%2 == 0 {
			if err := follower.KeepArtifact(t.Context(), store.Artifact{Digest: digests[i], Bytes: content}); err != nil {
				t.Fatal(err)
			}
		}
	}
	missing, err := follower.Missing(t.Context(), digests)
	if err != nil || len(missing) != 100 {
		t.Errorf("%d are missing, %v", len(missing), err)
	}
	for i, digest := range missing {
		if digest != digests[2*i+1] {
			t.Errorf("%x is missing", digest)
		}
	}
	if missing, err := follower.Missing(t.Context(), nil); err != nil || len(missing) != 0 {
		t.Errorf("%v, %v", missing, err)
	}
	if err := follower.KeepArtifact(t.Context(), store.Artifact{Digest: digests[1], Bytes: []byte("x")}); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("a wrong digest: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := follower.Missing(ended, digests); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("an ended context: %v", err)
	}
}
