package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/store"
)

func testContexts(t *testing.T, b Backend) {
	s := open(t, b)
	before := summary(t, s)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, end := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer end()
	for _, ctx := range []context.Context{cancelled, late} {
		for name, call := range map[string]func() error{
			"commit":   func() error { _, err := s.Commit(ctx, store.Batch{Puts: []store.Put{put("a", 0, `1`)}}); return err },
			"summary":  func() error { _, err := s.Summary(ctx); return err },
			"changes":  func() error { _, err := s.Changes(ctx, 0, 0); return err },
			"artifact": func() error { _, err := s.Artifact(ctx, [32]byte{}); return err },
		} {
			if err := call(); !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, ctx.Err()) || errors.Is(err, store.ErrUncertain) {
				t.Errorf("%s: %v, want %v", name, err, ctx.Err())
			}
		}
	}
	if after := summary(t, s); after != before {
		t.Errorf("%+v became %+v", before, after)
	}
	testCancelled(t, s)
}

// testCancelled ends contexts at any moment of a commit: then it happened or
// it did not, and where it says that it did, it did.
func testCancelled(t *testing.T, s store.Store) {
	for i := range 40 {
		name := fmt.Sprintf("c%d", i)
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*100*time.Microsecond)
		revision, err := s.Commit(ctx, store.Batch{Puts: []store.Put{put(name, 0, `1`), put(name+"'", 0, `1`)}})
		cancel()
		found := 0
		for _, record := range all(t, s, 0) {
			if record.Name == name || record.Name == name+"'" {
				found++
				if err == nil && record.Revision != revision {
					t.Errorf("%s is at revision %d, acknowledged was %d", name, record.Revision, revision)
				}
			}
		}
		switch {
		case found == 1, err == nil && found != 2, err != nil && found != 0 && !errors.Is(err, store.ErrUncertain):
			t.Errorf("%d of 2 records after: %v", found, err)
		case err != nil && !errors.Is(err, store.ErrUnavailable):
			t.Error(err)
		}
	}
}

// testCounter has writers add to one number, again after each conflict.
func testCounter(t *testing.T, b Backend) {
	const writers, rounds = 4, 10
	location := b.New(t)
	commit(t, openAt(t, b, location), put("n", 0, `0`))
	var running sync.WaitGroup
	var conflicts atomic.Int64
	for range writers {
		s := openAt(t, b, location)
		running.Go(func() {
			for range rounds {
				if err := add(t.Context(), s, &conflicts); err != nil {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	records := all(t, openAt(t, b, location), 0)
	if got := number(records[0].Document); got != writers*rounds {
		t.Errorf("%d instead of %d, with %d conflicts", got, writers*rounds, conflicts.Load())
	}
}

func add(ctx context.Context, s store.Store, conflicts *atomic.Int64) error {
	for {
		page, err := s.Changes(ctx, 0, 0)
		if err != nil {
			return err
		}
		old := page.Records[0]
		_, err = s.Commit(ctx, store.Batch{Puts: []store.Put{put("n", old.Revision, strconv.FormatInt(number(old.Document)+1, 10))}})
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
		conflicts.Add(1)
	}
}

// testOrder has several writers, and a reader who follows them in small pages.
// Each commit writes the same number to two records of its writer.
func testOrder(t *testing.T, b Backend) {
	const writers, rounds, limit = 4, 25, 3
	location := b.New(t)
	var writing sync.WaitGroup
	for w := range writers {
		s := openAt(t, b, location)
		writing.Go(func() {
			var revision int64
			for round := range rounds {
				document := strconv.Itoa(round)
				next, err := s.Commit(t.Context(), store.Batch{Puts: []store.Put{
					put(fmt.Sprintf("w%d-a", w), revision, document), put(fmt.Sprintf("w%d-b", w), revision, document),
				}})
				if err != nil || next <= revision {
					t.Errorf("revision %d after %d: %v", next, revision, err)
					return
				}
				revision = next
			}
		})
	}
	f := &follower{}
	s := openAt(t, b, location)
	for f.revision < writers*rounds {
		page, err := s.Changes(t.Context(), f.revision, limit)
		if err == nil {
			err = f.apply(page, limit)
		}
		if err == nil && !page.More {
			err = pairs(f, writers)
		}
		if err != nil || t.Failed() {
			t.Errorf("at revision %d: %v", f.revision, err)
			break
		}
	}
	writing.Wait()
	if got := summary(t, s); got.Revision != writers*rounds || got.Records != 2*writers {
		t.Errorf("%+v", got)
	}
}

// pairs checks that no half of a commit was read.
func pairs(f *follower, writers int) error {
	for w := range writers {
		a, b := f.records[[2]string{"command", fmt.Sprintf("w%d-a", w)}], f.records[[2]string{"command", fmt.Sprintf("w%d-b", w)}]
		if a.Revision != b.Revision || string(a.Document) != string(b.Document) {
			return fmt.Errorf("half a commit: %+v, %+v", a, b)
		}
	}
	return nil
}
