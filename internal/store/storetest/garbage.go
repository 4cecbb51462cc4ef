package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/store"
)

// noon is when the tests begin.
var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

// keeper collects the garbage of a store, some time after noon.
type keeper struct {
	t     *testing.T
	store store.Store
	named [][32]byte
}

func (k *keeper) collect(after time.Duration, change func(*store.Garbage)) store.Collected {
	k.t.Helper()
	g := store.Garbage{State: summary(k.t, k.store), Named: k.named, At: noon.Add(after), Keep: time.Hour}
	if change != nil {
		change(&g)
	}
	done, err := k.store.Collect(k.t.Context(), g)
	if err != nil {
		k.t.Fatal(err)
	}
	return done
}

func (k *keeper) wantArtifacts(contents ...string) {
	k.t.Helper()
	for _, text := range []string{"a", "b", "c", "d"} {
		want := false
		for _, content := range contents {
			want = want || content == text
		}
		_, err := k.store.Artifact(k.t.Context(), artifact([]byte(text)).Digest)
		if want && err != nil || !want && !errors.Is(err, store.ErrNotFound) {
			k.t.Errorf("the artifact %s: %v", text, err)
		}
	}
}

func testGarbage(t *testing.T, b Backend) {
	s := open(t, b)
	batch := store.Batch{Puts: []store.Put{put("x", 0, `1`)}}
	for _, content := range []string{"a", "b", "c"} {
		batch.Artifacts = append(batch.Artifacts, artifact([]byte(content)))
	}
	if _, err := s.Commit(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	k := &keeper{t: t, store: s, named: [][32]byte{batch.Artifacts[0].Digest}}
	before := summary(t, s)
	if done := k.collect(0, nil); !done.Done || len(done.Artifacts) != 0 {
		t.Errorf("%+v", done)
	}
	// What is named again begins anew when it is not.
	k.named = append(k.named, batch.Artifacts[1].Digest)
	k.collect(30*time.Minute, nil)
	k.named = k.named[:1]
	k.collect(40*time.Minute, nil)
	if done := k.collect(59*time.Minute, nil); len(done.Artifacts) != 0 {
		t.Errorf("%+v", done)
	}
	k.wantArtifacts("a", "b", "c")
	if done := k.collect(61*time.Minute, nil); len(done.Artifacts) != 1 || done.Artifacts[0] != batch.Artifacts[2].Digest || done.Bytes != 1 || done.More {
		t.Errorf("%+v", done)
	}
	k.wantArtifacts("a", "b")
	// In another state than the one that is known, nothing goes.
	old := summary(t, s)
	commit(t, s, put("y", 0, `1`))
	_, err := s.Collect(t.Context(), store.Garbage{State: old, Named: k.named, At: noon.Add(time.Hour * 24)})
	if !errors.Is(err, store.ErrConflict) {
		t.Error(err)
	}
	k.wantArtifacts("a", "b")
	// Nor when somebody has collected not long ago.
	if done := k.collect(2*time.Hour, func(g *store.Garbage) { g.Every = time.Hour }); done.Done || len(done.Artifacts) != 0 {
		t.Errorf("%+v", done)
	}
	if done := k.collect(2*time.Hour, func(g *store.Garbage) { g.Every = time.Minute }); !done.Done || len(done.Artifacts) != 1 {
		t.Errorf("%+v", done)
	}
	k.wantArtifacts("a")
	// What was taken away can come again, and is not old then.
	if _, err := s.Commit(t.Context(), store.Batch{Artifacts: batch.Artifacts}); err != nil {
		t.Fatal(err)
	}
	if done := k.collect(4*time.Hour, nil); len(done.Artifacts) != 0 {
		t.Errorf("%+v", done)
	}
	k.wantArtifacts("a", "b", "c")
	if after := summary(t, s); after.Records != before.Records+1 || after.Revision != before.Revision+1 {
		t.Errorf("%+v became %+v", before, after)
	}
}

func testMuchGarbage(t *testing.T, b Backend) {
	s := open(t, b)
	var batch store.Batch
	for i := range 130 {
		batch.Artifacts = append(batch.Artifacts, artifact(fmt.Appendf(nil, "module %d", i)))
	}
	if _, err := s.Commit(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	k := &keeper{t: t, store: s}
	now := func(g *store.Garbage) { g.Keep = 0 }
	first, second := k.collect(0, now), k.collect(0, now)
	if len(first.Artifacts) != 100 || !first.More || len(second.Artifacts) != 30 || second.More {
		t.Errorf("%d, %v, and %d, %v", len(first.Artifacts), first.More, len(second.Artifacts), second.More)
	}
}

func testTombstones(t *testing.T, b Backend) {
	s := open(t, b)
	k := &keeper{t: t, store: s}
	first := commit(t, s, put("a", 0, `1`), put("b", 0, `2`), put("c", 0, `3`), put("d", 0, `4`))
	commit(t, s, remove("a", first), remove("b", first))
	stale := summary(t, s)
	k.collect(0, nil)
	later := commit(t, s, remove("c", first))
	all(t, s, 2)
	two := func(n int) func(*store.Garbage) { return func(g *store.Garbage) { g.Tombstones = n } }
	for _, done := range []store.Collected{k.collect(59*time.Minute, nil), k.collect(61*time.Minute, two(3))} {
		if !done.Done || done.Tombstones != 0 {
			t.Errorf("%+v", done)
		}
	}
	if done := k.collect(61*time.Minute, two(2)); done.Tombstones != 2 {
		t.Errorf("%+v", done)
	}
	records := all(t, s, 2)
	if len(records) != 2 || records[0].Name != "c" || !records[0].Deleted || records[1].Name != "d" {
		t.Errorf("%+v", records)
	}
	now := summary(t, s)
	if now.Revision != later || now.Epoch != stale.Epoch || now.Records != 2 || now.Digest != store.Digest(records) {
		t.Errorf("%+v", now)
	}
	if done := k.collect(61*time.Minute, nil); done.Tombstones != 0 {
		t.Errorf("%+v", done)
	}
	// A name that had a tombstone can be taken as any other.
	if _, err := s.Commit(t.Context(), store.Batch{Puts: []store.Put{put("a", first, `1`)}}); !errors.Is(err, store.ErrConflict) {
		t.Error(err)
	}
	commit(t, s, put("a", 0, `1`))
	k.collect(121*time.Minute, nil)
	if records := all(t, s, 1); len(records) != 2 {
		t.Errorf("%+v", records)
	}
}

// testCollectWhileUploading has writers name and forget artifacts while others
// take away what they find to be named by nothing.
func testCollectWhileUploading(t *testing.T, b Backend) {
	s := open(t, b)
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	const writers, rounds = 4, 30
	var writing, collecting sync.WaitGroup
	finished := make(chan struct{})
	for w := range writers {
		writing.Go(func() {
			if err := nameAndForget(ctx, s, w, rounds); err != nil {
				t.Error(err)
			}
		})
	}
	var taken int
	collecting.Go(func() {
		for {
			done, err := collectAll(ctx, s)
			if taken += len(done.Artifacts); err != nil && !errors.Is(err, store.ErrConflict) {
				t.Error(err)
				return
			}
			select {
			case <-finished:
				return
			default:
			}
		}
	})
	writing.Wait()
	close(finished)
	collecting.Wait()
	done, err := collectAll(ctx, s)
	if taken += len(done.Artifacts); err != nil || taken == 0 {
		t.Errorf("%d were taken away, %v", taken, err)
	}
	for _, record := range all(t, s, 10) {
		if _, err := s.Artifact(ctx, artifact(record.Document).Digest); err != nil {
			t.Errorf("the artifact of %s: %v", record.Name, err)
		}
	}
}

// nameAndForget changes a record again and again. Its document is the artifact
// that it names: one of two, so that each is garbage before it is named again.
func nameAndForget(ctx context.Context, s store.Store, writer, rounds int) error {
	expect := int64(0)
	for i := range rounds {
		content := fmt.Appendf(nil, `"%d of %d"`, i%2, writer)
		revision, err := s.Commit(ctx, store.Batch{
			Puts:      []store.Put{{Kind: "version", Name: fmt.Sprint(writer), Expect: expect, Document: content}},
			Artifacts: []store.Artifact{artifact(content)},
		})
		if err != nil {
			return err
		}
		expect = revision
	}
	return nil
}

// collectAll takes away what no record names now.
func collectAll(ctx context.Context, s store.Store) (store.Collected, error) {
	page, err := s.Changes(ctx, 0, 0)
	if err != nil {
		return store.Collected{}, err
	}
	g := store.Garbage{State: page.Summary, At: noon}
	for _, record := range page.Records {
		g.Named = append(g.Named, artifact(record.Document).Digest)
	}
	return s.Collect(ctx, g)
}
