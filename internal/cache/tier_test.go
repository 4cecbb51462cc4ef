package cache

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
)

var errGone = errors.New("no rows")

// memory is a tier's functions over a map.
type memory struct {
	mu   sync.Mutex
	held map[Digest][]byte
}

func (m *memory) fetch(_ context.Context, digest Digest) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	content, ok := m.held[digest]
	if !ok {
		return nil, errGone
	}
	return content, nil
}

func (m *memory) keep(_ context.Context, digest Digest, content []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held[digest] = slices.Clone(content)
	return nil
}

func newMemory(title string) Functions {
	m := &memory{held: make(map[Digest][]byte)}
	return Functions{Title: title, Fetch: m.fetch, Missing: errGone, Keep: m.keep}
}

// Every tier is held to the same.
func TestTiers(t *testing.T) {
	tiers := map[string]func(*testing.T) Tier{
		"redis":     func(t *testing.T) Tier { return openRedis(t, "") },
		"functions": func(*testing.T) Tier { return newMemory("memory") },
	}
	checks := map[string]func(*testing.T, Tier){
		"absent": tierAbsent, "keeps": tierKeeps, "again": tierAgain, "large": tierLarge, "many at once": tierConcurrent, "removes": tierRemoves,
	}
	for name, open := range tiers {
		for what, check := range checks {
			t.Run(name+"/"+what, func(t *testing.T) { check(t, open(t)) })
		}
	}
}

func tierAbsent(t *testing.T, tier Tier) {
	digest, _ := artifact("absent", 10)
	if content, err := tier.Get(t.Context(), digest); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %d bytes and %v, want ErrNotFound", len(content), err)
	}
}

func tierKeeps(t *testing.T, tier Tier) {
	for _, size := range []int{1, 100, 70_000} {
		mustKeep(t, tier, size)
	}
}

func tierLarge(t *testing.T, tier Tier) { mustKeep(t, tier, maxTestBytes) }

func mustKeep(t *testing.T, tier Tier, size int) {
	t.Helper()
	digest, content := artifact("kept", size)
	if err := tier.Put(t.Context(), digest, content); err != nil {
		t.Fatal(err)
	}
	got, err := tier.Get(t.Context(), digest)
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("of %d bytes got %d and %v", size, len(got), err)
	}
}

func tierAgain(t *testing.T, tier Tier) {
	mustKeep(t, tier, 20)
	mustKeep(t, tier, 20)
}

func tierConcurrent(t *testing.T, tier Tier) {
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() { mustKeep(t, tier, 1000+i) })
	}
	all.Wait()
}

func tierRemoves(t *testing.T, tier Tier) {
	r, ok := tier.(remover)
	if !ok {
		t.Skip("nothing can be taken out of it")
	}
	mustKeep(t, tier, 30)
	digest, _ := artifact("kept", 30)
	if err := r.Remove(t.Context(), digest); err != nil {
		t.Fatal(err)
	}
	if _, err := tier.Get(t.Context(), digest); !errors.Is(err, ErrNotFound) {
		t.Errorf("after removal: %v", err)
	}
}
