package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/store"
	"github.com/avapd/avapd/internal/testservices"
)

// writer counts in a record of its own, and remembers what it was told.
type writer struct {
	store        *store.Postgres
	name         string
	acknowledged int   // the last number
	revision     int64 // the one of it
	open         bool  // a commit may have happened besides
}

// write commits the next number until that is acknowledged.
func (w *writer) write(t *testing.T, failed chan<- struct{}) error {
	for {
		err := w.tryWrite(t)
		if err == nil || !errors.Is(err, store.ErrUnavailable) || t.Context().Err() != nil {
			return err
		}
		select {
		case failed <- struct{}{}:
		default:
		}
	}
}

// tryWrite commits the next number. After a commit whose fate is open there
// may be a conflict, which is not one where it did happen.
func (w *writer) tryWrite(t *testing.T) error {
	next := store.Put{Kind: "command", Name: w.name, Expect: w.revision, Document: []byte(strconv.Itoa(w.acknowledged + 1))}
	err := timely(t, deadline, func(ctx context.Context) error {
		revision, err := w.store.Commit(ctx, store.Batch{Puts: []store.Put{next}})
		if err == nil {
			w.acknowledged, w.revision = w.acknowledged+1, revision
		}
		return err
	})
	switch {
	case errors.Is(err, store.ErrUncertain):
		w.open = true
	case errors.Is(err, store.ErrConflict) && w.open:
		return w.look(t)
	case err == nil:
		w.open = false
	}
	return err
}

func (w *writer) look(t *testing.T) error {
	page, err := readTimely(t, w.store)
	if err != nil {
		return err
	}
	for _, record := range page.Records {
		if record.Name == w.name && string(record.Document) == strconv.Itoa(w.acknowledged+1) {
			w.acknowledged, w.revision, w.open = w.acknowledged+1, record.Revision, false
			return nil
		}
	}
	return fmt.Errorf("%s conflicts with a commit that is not there", w.name)
}

// checkWritten looks for what writers were told. What they were not told may
// be there if that was left open.
func checkWritten(t *testing.T, s store.Store, writers []*writer) {
	t.Helper()
	page := changes(t, s, 0)
	if page.Summary.Digest != store.Digest(page.Records) || len(page.Records) != len(writers) {
		t.Fatalf("%+v", page.Summary)
	}
	slices.SortFunc(page.Records, func(a, b store.Record) int { return strings.Compare(a.Name, b.Name) })
	var commits int64
	for i, record := range page.Records {
		w := writers[i] // in the order of their names
		n, err := strconv.Atoi(string(record.Document))
		if happened := n == w.acknowledged+1 && w.open; err != nil || n != w.acknowledged && !happened || n == w.acknowledged && record.Revision != w.revision {
			t.Errorf("%s is %s at revision %d, acknowledged was %d at %d", w.name, record.Document, record.Revision, w.acknowledged, w.revision)
		}
		commits += int64(n)
	}
	if commits != page.Summary.Revision {
		t.Errorf("%d commits made revision %d", commits, page.Summary.Revision)
	}
}

// writeThrough has writers at work while something happens to their server,
// until each has written more afterwards. What they were told must be there.
// It happens in two parts: the second when a writer has failed.
func writeThrough(t *testing.T, location string, first, second func()) {
	t.Helper()
	const writers = 3
	s, err := store.OpenPostgres(t.Context(), location, store.Options{Connections: writers})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var written atomic.Int64
	failed := make(chan struct{}, 1)
	var happened atomic.Bool
	all := make([]*writer, writers)
	warm := make(chan struct{})
	var running sync.WaitGroup
	for i := range all {
		w := &writer{store: s, name: fmt.Sprint("w", i)}
		all[i] = w
		running.Go(func() {
			for after := 0; after < 20; {
				isAfter := happened.Load()
				if err := w.write(t, failed); err != nil {
					t.Error(err)
					return
				}
				if written.Add(1) == 30 {
					close(warm)
				}
				if isAfter {
					after++
				}
			}
		})
	}
	<-warm
	first()
	<-failed
	second()
	happened.Store(true)
	running.Wait()
	checkWritten(t, s, all)
}

func TestRestart(t *testing.T) {
	location := postgresURL(t)
	if !postgres.Ours() {
		t.Skip("the server is not the test's own")
	}
	writeThrough(t, location, func() { postgres.Down(t) }, func() { postgres.Up(t) })
}

// TestFailover loses the primary and promotes its standby.
func TestFailover(t *testing.T) {
	testservices.Need(t, postgresErr)
	if !postgres.Ours() {
		t.Skip("the server is not the test's own")
	}
	primary, err := testservices.StartPostgres()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := primary.Stop(); err != nil {
			t.Error(err)
		}
	})
	standby := primary.Standby(t)
	// The standby comes first: only where writes are taken is it of use.
	location := strings.Replace(primary.URL(), primary.Address(), standby.Address()+","+primary.Address(), 1)
	writeThrough(t, location, func() { primary.Down(t) }, func() { standby.Promote(t) })
}

// TestPoolIsTaken has all connections in use by calls that take long.
func TestPoolIsTaken(t *testing.T) {
	location := postgresURL(t)
	s, err := store.OpenPostgres(t.Context(), location, store.Options{Connections: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Summary(t.Context()); err != nil {
		t.Fatal(err)
	}
	block := newBlock(t, location)
	answered := make(chan error, 1)
	go func() {
		_, err := s.Commit(t.Context(), store.Batch{Puts: []store.Put{document("a", 0)}})
		answered <- err
	}()
	block.await(t)
	err = timely(t, 100*time.Millisecond, func(ctx context.Context) error {
		_, err := s.Summary(ctx)
		return err
	})
	if !errors.Is(err, store.ErrUnavailable) {
		t.Error(err)
	}
	block.end(t)
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// TestImpatientCallers give up; the connections of the others stay.
func TestImpatientCallers(t *testing.T) {
	s, err := store.OpenPostgres(t.Context(), postgresURL(t), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mustCommit(t, s, document("a", 0))
	before := s.Connected()
	for range 5 {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Summary(ctx); !errors.Is(err, store.ErrUnavailable) {
			t.Error(err)
		}
	}
	changes(t, s, 0)
	if after := s.Connected(); after != before {
		t.Errorf("%d connections were made again", after-before)
	}
}
