// Package storetest is the one suite that every store passes.
package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/store"
)

// Backend is a kind of store under test.
type Backend struct {
	// New makes a place for a store that is empty.
	New func(t testing.TB) (location string)
	// Open opens the store there, also a second time at once.
	Open func(ctx context.Context, location string) (store.Store, error)
}

// Run runs the suite. The TestMain of the package must call Child first.
func Run(t *testing.T, b Backend) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Backend)
	}{
		{"conditions", testConditions},
		{"all or nothing", testAllOrNothing},
		{"invalid batches", testInvalid},
		{"pages", testPages},
		{"documents keep their bytes", testBytes},
		{"summary", testSummary},
		{"artifacts", testArtifacts},
		{"limits", testLimits},
		{"garbage", testGarbage},
		{"much garbage", testMuchGarbage},
		{"old tombstones", testTombstones},
		{"uploads while garbage is collected", testCollectWhileUploading},
		{"ended contexts", testContexts},
		{"counting writers", testCounter},
		{"order under concurrent writers", testOrder},
		{"reopening", testReopen},
		{"killed writer", testKilled},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, b) })
	}
}

// timeout is for tests to fail instead of hanging.
const timeout = time.Minute

// open gives a new empty store.
func open(t *testing.T, b Backend) store.Store {
	t.Helper()
	return openAt(t, b, b.New(t))
}

func openAt(t *testing.T, b Backend, location string) store.Store {
	t.Helper()
	s, err := b.Open(t.Context(), location)
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

// commit expects success.
func commit(t *testing.T, s store.Store, puts ...store.Put) int64 {
	t.Helper()
	revision, err := s.Commit(t.Context(), store.Batch{Puts: puts})
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

func put(name string, expect int64, document string) store.Put {
	return store.Put{Kind: "command", Name: name, Expect: expect, Document: []byte(document)}
}

func remove(name string, expect int64) store.Put {
	return store.Put{Kind: "command", Name: name, Expect: expect, Delete: true}
}

// all reads everything in pages, and holds each page to what is promised.
func all(t *testing.T, s store.Store, limit int) []store.Record {
	t.Helper()
	f := &follower{}
	for {
		page, err := s.Changes(t.Context(), f.revision, limit)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.apply(page, limit); err != nil {
			t.Fatal(err)
		}
		if !page.More {
			return f.sorted()
		}
	}
}

// follower is a reader who asks for what changed.
type follower struct {
	revision int64
	records  map[[2]string]store.Record
}

func (f *follower) apply(page store.Page, limit int) error {
	if f.records == nil {
		f.records = make(map[[2]string]store.Record)
	}
	last := f.revision
	for _, record := range page.Records {
		if record.Revision <= f.revision || record.Revision < last || record.Revision > page.Summary.Revision {
			return errors.New("a record stands at the wrong place")
		}
		last = record.Revision
		f.records[[2]string{record.Kind, record.Name}] = record
	}
	before := slices.IndexFunc(page.Records, func(r store.Record) bool { return r.Revision == last })
	if before >= limit && limit > 0 {
		return errors.New("a page goes on beyond the commit that the limit falls into")
	}
	f.revision = last
	if page.More {
		if len(page.Records) < limit {
			return errors.New("a page is short but says that there is more")
		}
		return nil
	}
	if f.revision != page.Summary.Revision {
		return errors.New("the last page does not reach the summary's revision")
	}
	records := f.sorted()
	if store.Digest(records) != page.Summary.Digest || len(records) != page.Summary.Records {
		return errors.New("what was read is not what the summary describes")
	}
	return nil
}

func (f *follower) sorted() []store.Record {
	records := make([]store.Record, 0, len(f.records))
	for _, record := range f.records {
		records = append(records, record)
	}
	slices.SortFunc(records, func(a, b store.Record) int {
		if a.Kind+"/"+a.Name < b.Kind+"/"+b.Name {
			return -1
		}
		return 1
	})
	return records
}
