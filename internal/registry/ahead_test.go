package registry

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/store"
)

// startAhead makes a node compile ahead. What it gives waits until nothing is left
// to be compiled.
func (n *node) startAhead() (settled func()) {
	done := make(chan struct{}, 1000)
	n.ahead.settled = func() { done <- struct{}{} }
	n.StartAhead(n.engine)
	return func() { <-done }
}

// hit executes the active version of a command, and tells whether it was compiled
// before.
func (n *node) hit(t testing.TB, name string) bool {
	t.Helper()
	a, err := n.Execute(t.Context(), name, 0, &engine.Request{})
	if err != nil {
		t.Fatal(err)
	}
	return a.CacheHit
}

// After a start, and whenever another version becomes active wherever that was
// done, the first call finds machine code.
func TestFirstCallsAreCompiledAhead(t *testing.T) {
	path, key := filepath.Join(t.TempDir(), "avapd.db"), newSigner(t)
	open := func(trust ...Signer) *node {
		return newNode(t, Config{Primary: openStore(t, path, store.Options{}), Trust: trust})
	}
	one, two, three := key.module(t, "r = 1\naddResult(r)"), key.module(t, "r = 2\naddResult(r)"), key.module(t, "r = 3\naddResult(r)")
	a := open()
	if _, _, err := a.PutSigner(t.Context(), key.trust("team"), ""); err != nil {
		t.Fatal(err)
	}
	a.mustUpload(t, "old", one)
	a.mustUpload(t, "order", two)

	b := open()
	settled := b.startAhead()
	settled()
	compiled := int64(2)
	want := func(when string, name string, more int64) {
		t.Helper()
		compiled += more
		if got := b.Health().Ahead; got != (AheadStats{Compiled: compiled}) {
			t.Errorf("%s: %+v, want %d", when, got, compiled)
		}
		if name != "" && !b.hit(t, name) {
			t.Errorf("%s: the first call of %s had it compiled", when, name)
		}
	}
	want("start", "old", 0)
	want("start", "order", 0)
	follow := func(what error) {
		t.Helper()
		if what != nil {
			t.Fatal(what)
		}
		if err := b.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		settled()
	}
	a.mustUpload(t, "order", three)
	follow(nil)
	want("another version", "order", 1)
	follow(errorOf(a.Upload(t.Context(), "order", key.module(t, "r = 4\naddResult(r)"), UploadOptions{})))
	want("a version that is not active", "order", 0)
	follow(errorOf(a.Activate(t.Context(), "order", 3, "")))
	want("activated", "order", 1)
	follow(errorOf(a.Rollback(t.Context(), "order", "")))
	want("rolled back", "order", 0) // it was compiled before
	follow(errorOf(a.SetDisabled(t.Context(), "order", true, "")))
	follow(errorOf(a.SetDisabled(t.Context(), "order", false, "")))
	want("enabled again", "order", 0)

	other := newSigner(t)
	mine := newNode(t, Config{Primary: openStore(t, path, store.Options{}), Trust: []Signer{other.trust("own")}})
	mine.mustUpload(t, "late", other.module(t, "r = 5\naddResult(r)"))
	follow(nil)
	want("nobody who is trusted signed it", "", 0)
	follow(errorOf2(a.PutSigner(t.Context(), other.trust("guest"), "")))
	want("trusted", "late", 1)
	follow(errorOf(a.Revoke(t.Context(), RevokeDigest, strings.Repeat("00", 32), "", "")))
	follow(a.Delete(t.Context(), "late", ""))
	want("deleted", "", 0)

	b.StopAhead()
	a.mustUpload(t, "late", other.module(t, "r = 6\naddResult(r)"))
	if err := b.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if b.hit(t, "late") {
		t.Error("compiled after the end")
	}
}

func errorOf2[T, U any](_ T, _ U, err error) error { return err }

// recorder notes what is to be compiled, and waits for a word before it goes on.
type recorder struct {
	next chan struct{}
	mu   sync.Mutex
	seen []Digest
}

func (r *recorder) CompileAhead(ctx context.Context, a *engine.Ahead) (bool, error) {
	r.mu.Lock()
	r.seen = append(r.seen, a.Command.Digest)
	r.mu.Unlock()
	select {
	case <-r.next:
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// What changed last comes first, also what changes while others wait.
func TestLastChangesAreCompiledFirst(t *testing.T) {
	var clock atomic.Int64
	key := newSigner(t)
	n := newNode(t, Config{Trust: []Signer{key.trust("team")}, Now: func() time.Time { return time.Unix(clock.Add(1), 0) }})
	names := map[Digest]string{}
	upload := func(name string) {
		names[n.mustUpload(t, name, key.module(t, fmt.Sprintf("r = '%s'\naddResult(r)", name))).Digest] = name
	}
	for _, name := range []string{"b", "c", "a"} {
		upload(name)
	}
	if _, err := n.SetDisabled(t.Context(), "b", true, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := n.SetDisabled(t.Context(), "b", false, ""); err != nil {
		t.Fatal(err)
	}
	r := &recorder{next: make(chan struct{})}
	settled := make(chan struct{}, 10)
	n.ahead.settled = func() { settled <- struct{}{} }
	n.StartAhead(r)
	r.next <- struct{}{}
	upload("new") // while one of those before is being compiled, or before it is
	for range 3 {
		r.next <- struct{}{}
	}
	<-settled
	var order []string
	for _, digest := range r.seen {
		order = append(order, names[digest])
	}
	if got := strings.Join(order, " "); got != "b a new c" && got != "b new a c" {
		t.Errorf("compiled %s", got)
	}
	// The end comes at once, whatever is under way.
	upload("last")
	n.StopAhead()
	n.StopAhead()
	if h := n.Health().Ahead; h != (AheadStats{Compiled: 4}) {
		t.Errorf("%+v", h)
	}
}

// blocked is where no artifact ever comes from.
type blocked struct{ asked chan struct{} }

func (b blocked) Artifact(ctx context.Context, _ [32]byte) ([]byte, error) {
	b.asked <- struct{}{}
	<-ctx.Done()
	return nil, ctx.Err()
}

// A start does not wait for artifacts, and the end of the registry not either; one
// that cannot be had is counted.
func TestAheadWaitsForNobody(t *testing.T) {
	path, key := filepath.Join(t.TempDir(), "avapd.db"), newSigner(t)
	a := newNode(t, Config{Primary: openStore(t, path, store.Options{}), Trust: []Signer{key.trust("team")}})
	a.mustUpload(t, "order", key.module(t, "r = 1\naddResult(r)"))
	for _, end := range []func(*node){func(n *node) { n.Stop() }, func(n *node) { n.StopAhead() }} {
		source := blocked{make(chan struct{}, 1)}
		b := newNode(t, Config{Primary: openStore(t, path, store.Options{}), Trust: []Signer{key.trust("team")}, Artifacts: source})
		b.StartAhead(b.engine)
		<-source.asked
		end(b)
		b.StopAhead()
		if h := b.Health().Ahead; h != (AheadStats{}) {
			t.Errorf("%+v", h)
		}
	}
	gone := newNode(t, Config{Primary: openStore(t, path, store.Options{}), Trust: []Signer{key.trust("team")}, Artifacts: nowhere{}})
	gone.startAhead()()
	if h := gone.Health().Ahead; h != (AheadStats{Failed: 1}) {
		t.Errorf("%+v", h)
	}
	gone.Stop()
	gone.StartAhead(gone.engine) // too late
}

type nowhere struct{}

func (nowhere) Artifact(context.Context, [32]byte) ([]byte, error) { return nil, store.ErrNotFound }
