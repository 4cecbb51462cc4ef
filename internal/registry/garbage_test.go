package registry

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/store"
)

// hands are those of a clock that is set by hand.
type hands struct{ now atomic.Int64 }

func newHands() *hands {
	h := &hands{}
	h.now.Store(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC).UnixNano())
	return h
}

func (h *hands) time() time.Time         { return time.Unix(0, h.now.Load()) }
func (h *hands) advance(d time.Duration) { h.now.Add(int64(d)) }

func wantArtifact(t *testing.T, s store.Store, digest Digest, want bool) {
	t.Helper()
	_, err := s.Artifact(t.Context(), digest)
	if want && err != nil || !want && !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the artifact %s: %v", digest, err)
	}
}

// Artifacts that no version has go once they have been without one for long
// enough, in the primary store and in the copies, and tombstones as well. Who
// follows the store, or starts from the copy, sees the same as before.
func TestGarbageGoes(t *testing.T) {
	p, key, clock := newPair(t), newSigner(t), newHands()
	config := p.config(key.trust("team"))
	config.KeepUnused, config.Now = time.Hour, clock.time
	n, follower := newNode(t, config), newNode(t, Config{Primary: p.primary, Trust: config.Trust, Now: clock.time})
	n.worth = 2
	sweep := func() {
		t.Helper()
		n.sweep(t.Context(), n.config.Primary)
		if err := n.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		n.sweep(t.Context(), n.config.Copy)
	}
	gone := n.mustUpload(t, "gone", key.module(t, "r = 1\naddResult(r)"))
	stays := n.mustUpload(t, "stays", key.module(t, "r = 2\naddResult(r)"))
	again := n.mustUpload(t, "again", key.module(t, "r = 3\naddResult(r)"))
	if err := n.fillOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"gone", "again"} {
		if err := n.Delete(t.Context(), name, ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := follower.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	sweep()
	clock.advance(59 * time.Minute)
	n.mustUpload(t, "again", key.module(t, "r = 3\naddResult(r)"))
	sweep()
	for _, s := range []store.Store{n.config.Primary, n.config.Copy} {
		wantArtifact(t, s, gone.Digest, true)
	}
	clock.advance(10 * time.Minute)
	records := n.State().count
	sweep()
	for _, s := range []store.Store{n.config.Primary, n.config.Copy} {
		wantArtifact(t, s, gone.Digest, false)
		wantArtifact(t, s, stays.Digest, true)
		wantArtifact(t, s, again.Digest, true)
	}
	want, h := Removed{1, int64(gone.Size), 2}, n.Health()
	if h.Removed != want || h.RemovedFromCopy.Artifacts != 1 || h.RemovedFromCopy.Bytes != want.Bytes {
		t.Errorf("removed %+v, from the copy %+v; want %+v", h.Removed, h.RemovedFromCopy, want)
	}
	if count := n.State().count; count != records-2 {
		t.Errorf("%d records became %d", records, count)
	}
	if err := follower.compare(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.primary.away.Store(true)
	for _, node := range []*node{n, follower, newNode(t, p.config(key.trust("team")))} {
		if s := node.State(); !s.matches() || s.summary != n.State().summary || s.Commands() != 2 || node.Unknown("gone") == nil {
			t.Errorf("%+v", s.summary)
		}
	}
	p.primary.away.Store(false)
	// Numbers go on where they were.
	if v := n.mustUpload(t, "gone", key.module(t, "r = 4\naddResult(r)")); v.Number != 2 {
		t.Errorf("version %d", v.Number)
	}
}

// Where there is something that this program does not know, it may name
// artifacts as well.
func TestGarbageOfLaterPrograms(t *testing.T) {
	key, clock := newSigner(t), newHands()
	primary := openStore(t, filepath.Join(t.TempDir(), "avapd.db"), store.Options{})
	n := newNode(t, Config{Primary: primary, Trust: []Signer{key.trust("team")}, KeepUnused: time.Minute, Now: clock.time})
	v := n.mustUpload(t, "gone", key.module(t, "r = 1\naddResult(r)"))
	if err := n.Delete(t.Context(), "gone", ""); err != nil {
		t.Fatal(err)
	}
	n.sweep(t.Context(), primary)
	_, err := primary.Commit(t.Context(), store.Batch{Puts: []store.Put{{Kind: "library", Name: "x", Document: []byte(`{"digest":"…"}`)}}})
	if err == nil {
		err = n.Refresh(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	clock.advance(time.Hour)
	n.sweep(t.Context(), primary)
	wantArtifact(t, primary, v.Digest, true)
}

// hasty is a store whose tombstones go between two pages.
type hasty struct {
	store.Store

	sweeps int
}

func (h *hasty) Changes(ctx context.Context, after int64, _ int) (store.Page, error) {
	page, err := h.Store.Changes(ctx, after, 1)
	if err == nil && page.More && h.sweeps > 0 {
		h.sweeps--
		_, err = h.Collect(ctx, store.Garbage{State: page.Summary, At: time.Now()})
	}
	return page, err
}

// Tombstones that go while everything is read do not make the store a damaged
// one.
func TestTombstonesGoWhileReading(t *testing.T) {
	key := newSigner(t)
	primary := openStore(t, filepath.Join(t.TempDir(), "avapd.db"), store.Options{})
	n := newNode(t, Config{Primary: primary, Trust: []Signer{key.trust("team")}})
	for i := range 3 {
		n.mustUpload(t, fmt.Sprintf("c%d", i), key.module(t, "r = 1\naddResult(r)"))
	}
	if err := n.Delete(t.Context(), "c0", ""); err != nil {
		t.Fatal(err)
	}
	n.mustUpload(t, "c3", key.module(t, "r = 1\naddResult(r)"))
	swept := &hasty{primary, 1}
	again := newNode(t, Config{Primary: swept, Trust: []Signer{key.trust("team")}})
	if s := again.State(); swept.sweeps != 0 || !s.matches() || s.Commands() != 3 {
		t.Errorf("%+v, %d commands", s.summary, s.Commands())
	}
	if err := n.Refresh(t.Context()); err != nil || n.State().summary != again.State().summary {
		t.Errorf("%+v, %v", n.State().summary, err)
	}
}
