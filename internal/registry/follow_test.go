package registry

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/store"
)

// far is a primary store on another machine: it can be away, and be another.
type far struct {
	now  atomic.Pointer[store.SQLite]
	away atomic.Bool
}

func (f *far) reach() (store.Store, error) {
	if f.away.Load() {
		return nil, fmt.Errorf("%w: far away", store.ErrUnavailable)
	}
	return f.now.Load(), nil
}

func (f *far) Commit(ctx context.Context, b store.Batch) (int64, error) {
	s, err := f.reach()
	if err != nil {
		return 0, err
	}
	return s.Commit(ctx, b)
}

func (f *far) Changes(ctx context.Context, after int64, limit int) (store.Page, error) {
	s, err := f.reach()
	if err != nil {
		return store.Page{}, err
	}
	return s.Changes(ctx, after, limit)
}

func (f *far) Summary(ctx context.Context) (store.Summary, error) {
	s, err := f.reach()
	if err != nil {
		return store.Summary{}, err
	}
	return s.Summary(ctx)
}

func (f *far) Artifact(ctx context.Context, digest [32]byte) ([]byte, error) {
	s, err := f.reach()
	if err != nil {
		return nil, err
	}
	return s.Artifact(ctx, digest)
}

func (f *far) Collect(ctx context.Context, g store.Garbage) (store.Collected, error) {
	s, err := f.reach()
	if err != nil {
		return store.Collected{}, err
	}
	return s.Collect(ctx, g)
}

func (*far) Close() error { return nil }

// pair is a primary on another machine and what a node keeps of it.
type pair struct {
	primary *far
	copied  *store.SQLite
	path    string
}

func newPair(t testing.TB) *pair {
	t.Helper()
	p := &pair{primary: &far{}, path: filepath.Join(t.TempDir(), "primary.db")}
	p.primary.now.Store(openStore(t, p.path, store.Options{}))
	p.copied = openStore(t, filepath.Join(t.TempDir(), "copy.db"), store.Options{Copy: true})
	return p
}

func (p *pair) config(trust ...Signer) Config {
	return Config{Primary: p.primary, Copy: p.copied, Trust: trust}
}

// While the primary is away changes are refused and executions go on; a node
// that starts then lives on its copy, and what it lacks comes later.
func TestPrimaryAway(t *testing.T) {
	p, key := newPair(t), newSigner(t)
	first := newNode(t, p.config(key.trust("team")))
	one := key.module(t, "r = 1\naddResult(r)")
	v := first.mustUpload(t, "order", one)
	if err := first.fillOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.primary.away.Store(true)
	second := newNode(t, p.config(key.trust("team")))
	for _, n := range []*node{first, second} {
		if got := n.result(t, "order", 0); got != `{"r":1}` {
			t.Errorf("executed: %s", got)
		}
		_, err := n.Upload(t.Context(), "order", key.module(t, "r = 2\naddResult(r)"), UploadOptions{})
		wantCode(t, err, diag.StoreUnavailable)
		if !errors.Is(err, store.ErrUnavailable) {
			t.Error(err)
		}
		wantCode(t, n.Delete(t.Context(), "order", ""), diag.StoreUnavailable)
		wantCode(t, errorOf(n.Activate(t.Context(), "order", 7, "")), diag.NoSuchCommand)
		if err := n.Refresh(t.Context()); !errors.Is(err, store.ErrUnavailable) {
			t.Error(err)
		}
		h := n.Health()
		if h.Primary || h.PrimaryError == "" || h.Commands != 1 || h.Revision != first.State().Revision() {
			t.Errorf("%+v", h)
		}
	}
	if a, b := first.Health().Origin, second.Health().Origin; a != FromPrimary || b != FromCopy {
		t.Error(a, b)
	}
	p.primary.away.Store(false)
	if err := second.compare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if h := second.Health(); !h.Primary || h.Origin != FromPrimary || h.Refreshed.IsZero() {
		t.Errorf("%+v", h)
	}
	if again := second.mustUpload(t, "order", one); again.Digest != v.Digest || again.Number != 1 {
		t.Errorf("%+v", again)
	}
}

// A primary that went back, or is another, is taken over as it is, and so is the
// copy: nothing is merged, and what was deleted does not come back.
func TestPrimaryWentBack(t *testing.T) {
	p, key := newPair(t), newSigner(t)
	n := newNode(t, p.config(key.trust("team")))
	kept, gone := key.module(t, "r = 1\naddResult(r)"), key.module(t, "r = 2\naddResult(r)")
	n.mustUpload(t, "kept", kept)
	n.mustUpload(t, "deleted", gone)
	if err := n.Delete(t.Context(), "deleted", ""); err != nil {
		t.Fatal(err)
	}
	backup := filepath.Join(t.TempDir(), "backup.db")
	saved := p.primary.now.Load()
	if err := saved.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(p.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(backup, content, 0o600); err != nil {
		t.Fatal(err)
	}
	p.primary.now.Store(openStore(t, p.path, store.Options{}))
	n.mustUpload(t, "later", kept)
	if _, err := n.Revoke(t.Context(), RevokeDigest, n.mustUpload(t, "kept", gone).Digest.String(), "", ""); err != nil {
		t.Fatal(err)
	}

	before := n.State().summary
	want := func(when string, names ...string) {
		t.Helper()
		if err := n.compare(t.Context()); err != nil {
			t.Fatal(when, err)
		}
		primary, _ := p.primary.Summary(t.Context())
		copied, _ := p.copied.Summary(t.Context())
		if s := n.State(); fmt.Sprint(s.names) != fmt.Sprint(names) || s.summary != primary || copied != primary || !s.matches() {
			t.Errorf("%s: %v, want %v; %v, primary %v, copy %v", when, s.names, names, s.summary, primary, copied)
		}
	}
	want("nothing happened", "kept", "later")
	p.primary.now.Store(openStore(t, backup, store.Options{}))
	want("the backup", "kept")
	if s := n.State().summary; s.Epoch != before.Epoch || s.Revision >= before.Revision {
		t.Errorf("%v after %v", s, before)
	}
	if got := n.result(t, "kept", 0); got != `{"r":1}` {
		t.Error(got)
	}
	p.primary.now.Store(openStore(t, p.path, store.Options{}))
	want("the other again", "kept", "later")
	p.primary.now.Store(openStore(t, filepath.Join(t.TempDir(), "new.db"), store.Options{}))
	want("an empty one")
	if n.State().summary.Epoch == before.Epoch {
		t.Error("the epoch is the same")
	}
	if v := n.mustUpload(t, "deleted", gone); v.Number != 1 {
		t.Errorf("%+v", v)
	}
	want("a new history", "deleted")
}

// A history that went on differently from a backup is found by its digest,
// whatever the revisions are.
func TestPrimaryForked(t *testing.T) {
	p, key := newPair(t), newSigner(t)
	n := newNode(t, p.config(key.trust("team")))
	one := key.module(t, "r = 1\naddResult(r)")
	n.mustUpload(t, "first", one)
	saved := p.primary.now.Load()
	if err := saved.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(p.path)
	if err != nil {
		t.Fatal(err)
	}
	fork := filepath.Join(t.TempDir(), "fork.db")
	if err := os.WriteFile(fork, content, 0o600); err != nil {
		t.Fatal(err)
	}
	p.primary.now.Store(openStore(t, p.path, store.Options{}))
	n.mustUpload(t, "here", one)
	other := newNode(t, Config{Primary: openStore(t, fork, store.Options{}), Trust: []Signer{key.trust("team")}})
	other.mustUpload(t, "there", one)
	p.primary.now.Store(openStore(t, fork, store.Options{}))
	for _, names := range []string{"[first there]", "[first there yonder]"} {
		if err := n.compare(t.Context()); err != nil {
			t.Fatal(err)
		}
		copied, _ := p.copied.Summary(t.Context())
		if s := n.State(); fmt.Sprint(s.names) != names || copied != s.summary || s.summary != other.State().summary {
			t.Errorf("%v, want %s; %v, copy %v", s.names, names, s.summary, copied)
		}
		other.mustUpload(t, "yonder", one)
	}
}

// A change that nobody announces is found by the comparison, and one that is
// announced at once.
func TestFollow(t *testing.T) {
	path, key := filepath.Join(t.TempDir(), "avapd.db"), newSigner(t)
	for name, compare := range map[string]time.Duration{"compared": 5 * time.Millisecond, "announced": time.Hour} {
		announced := make(chan int64, 10)
		a := newNode(t, Config{
			Primary: openStore(t, path, store.Options{}), Trust: []Signer{key.trust("team")}, Announce: func(revision int64) { announced <- revision },
		})
		b := newNode(t, Config{Primary: openStore(t, path, store.Options{}), Trust: []Signer{key.trust("team")}, Compare: compare})
		states := make(chan *State, 100)
		b.seen = func(s *State) { states <- s }
		b.Start()
		a.mustUpload(t, name, key.module(t, "r = 1\naddResult(r)"))
		revision := <-announced
		if name == "announced" {
			b.Notify()
		}
		for s := range states {
			if s.Revision() >= revision {
				break
			}
		}
		if got := b.result(t, name, 0); got != `{"r":1}` {
			t.Errorf("%s: %s", name, got)
		}
		b.Stop()
		if err := b.Refresh(t.Context()); !errors.Is(err, store.ErrUnavailable) {
			t.Error(err)
		}
	}
}

// The copy comes to have the artifacts of all versions, and then needs nobody.
func TestCopyIsFilled(t *testing.T) {
	p, key := newPair(t), newSigner(t)
	n := newNode(t, p.config(key.trust("team")))
	for i := range 5 {
		n.mustUpload(t, fmt.Sprintf("c%d", i), key.module(t, fmt.Sprintf("r = %d\naddResult(r)", i)))
	}
	if missing := n.Health().Missing; missing != 5 {
		t.Errorf("%d of 5 artifacts are missing", missing)
	}
	if err := n.fillOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if missing := n.Health().Missing; missing != 0 {
		t.Errorf("%d artifacts are missing", missing)
	}
	p.primary.away.Store(true)
	alone := newNode(t, p.config(key.trust("team")))
	for i := range 5 {
		if got := alone.result(t, fmt.Sprintf("c%d", i), 0); got != fmt.Sprintf(`{"r":%d}`, i) {
			t.Error(got)
		}
	}
	if err := alone.fillOnce(t.Context()); err != nil {
		t.Error(err) // nothing is missing
	}
}

// What a change brings is in the copy without waiting for the next look at
// everything, and what cannot be had is asked for as long as a version has it.
func TestCopyIsFilledAtOnce(t *testing.T) {
	p, key := newPair(t), newSigner(t)
	n := newNode(t, p.config(key.trust("team")))
	n.Start()
	v := n.mustUpload(t, "order", key.module(t, "r = 1\naddResult(r)"))
	for n.Health().Missing > 0 {
		runtime.Gosched()
	}
	if _, err := p.copied.Artifact(t.Context(), v.Digest); err != nil {
		t.Error(err)
	}
	gone := sha256.Sum256([]byte("gone"))
	n.lacks.add([][32]byte{gone, v.Digest})
	n.lacks.forget(n.State())
	if left := n.lacks.list(); len(left) > 1 || slices.Contains(left, gone) {
		t.Errorf("%x are lacking", left)
	}
}

// A damaged copy is no reason not to start: it is made anew.
func TestDamagedCopy(t *testing.T) {
	p, key := newPair(t), newSigner(t)
	n := newNode(t, p.config(key.trust("team")))
	n.mustUpload(t, "order", key.module(t, "r = 1\naddResult(r)"))
	config := p.config(key.trust("team"))
	config.Copy = liar{p.copied}
	again := newNode(t, config)
	if h := again.Health(); h.CopyError == "" || h.Commands != 0 {
		t.Errorf("%+v", h)
	}
	if err := again.compare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if h := again.Health(); h.CopyError != "" || h.Commands != 1 {
		t.Errorf("%+v", h)
	}
	if _, err := New(t.Context(), Config{Primary: liar{p.copied}, Engine: again.engine}); !errors.Is(err, errDamaged) {
		t.Error(err)
	}
}

// liar is a copy in whose records somebody has written.
type liar struct{ *store.SQLite }

func (l liar) Changes(ctx context.Context, after int64, limit int) (store.Page, error) {
	page, err := l.SQLite.Changes(ctx, after, limit)
	for i := range page.Records {
		if page.Records[i].Kind == kindVersion {
			page.Records[i].Document = []byte(`{"signers":["00"]}`)
		}
	}
	return page, err
}

// All executions see one version of everything, whatever is changed meanwhile;
// of uploads that race each gets a number of its own.
func TestRaces(t *testing.T) {
	path, key := filepath.Join(t.TempDir(), "avapd.db"), newSigner(t)
	const uploads = 8
	var nodes []*node
	for range 2 {
		n := newNode(t, Config{Primary: openStore(t, path, store.Options{}), Trust: []Signer{key.trust("team")}, Compare: 5 * time.Millisecond})
		n.Start()
		nodes = append(nodes, n)
	}
	nodes[0].mustUpload(t, "one", key.module(t, "return(0)"))
	nodes[0].mustUpload(t, "both", key.module(t, "a = one()\nb = one()\nstartLoop(i, 0, 50)\nb = one()\nendLoop()\nsame = a == b\naddResult(same)"))
	if err := nodes[1].Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	var modules [][]byte
	for i := range uploads {
		modules = append(modules, key.module(t, fmt.Sprintf("return(%d)", i+1)))
	}
	numbers := make(chan int, uploads)
	ended := make(chan error, uploads)
	for i, module := range modules {
		go func() {
			v, err := nodes[i%2].Upload(t.Context(), "one", module, UploadOptions{Activate: i%3 == 0})
			if err == nil {
				numbers <- v.Number
				err = nodes[(i+1)%2].Refresh(t.Context())
			}
			if err == nil {
				_, err = nodes[(i+1)%2].Activate(t.Context(), "one", v.Number, "")
			}
			ended <- err
		}()
	}
	for running := uploads; running > 0; {
		select {
		case err := <-ended:
			running--
			if err != nil {
				t.Error(err)
			}
		default:
			for _, n := range nodes {
				a, err := n.Execute(t.Context(), "both", 0, &engine.Request{})
				if err != nil || string(a.Result) != `{"same":true}` {
					t.Fatal(a, err)
				}
			}
		}
	}
	seen := map[int]bool{1: true}
	for range uploads {
		seen[<-numbers] = true
	}
	if len(seen) != uploads+1 {
		t.Errorf("numbers %v", seen)
	}
	for _, n := range nodes {
		if err := n.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if c, _ := n.State().Command("one"); c.Highest != uploads+1 || len(c.Versions) != uploads+1 {
			t.Errorf("%+v", c)
		}
	}
}

// full is a copy that has no room, for a while.
type full struct {
	*store.SQLite

	now     atomic.Bool
	written atomic.Int32
}

func (f *full) Apply(ctx context.Context, to store.Summary, records []store.Record) error {
	f.written.Add(1)
	if f.now.Load() {
		return store.ErrFull
	}
	return f.SQLite.Apply(ctx, to, records)
}

func (f *full) Replace(ctx context.Context, to store.Summary, records []store.Record) error {
	f.written.Add(1)
	if f.now.Load() {
		return store.ErrFull
	}
	return f.SQLite.Replace(ctx, to, records)
}

// A copy that cannot be written is tried again after a while, and the commands
// are served meanwhile.
func TestCopyIsFull(t *testing.T) {
	p, key := newPair(t), newSigner(t)
	var clock atomic.Int64
	f := &full{SQLite: p.copied}
	config := p.config(key.trust("team"))
	config.Copy, config.Now = f, func() time.Time { return time.Unix(clock.Load(), 0) }
	n := newNode(t, config)
	f.now.Store(true)
	module := key.module(t, "r = 1\naddResult(r)")
	for _, name := range []string{"one", "two"} {
		n.mustUpload(t, name, module)
		if err := n.compare(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := n.result(t, "two", 0); got != `{"r":1}` || n.Health().CopyError == "" || f.written.Load() != 1 {
		t.Errorf("%s %+v, written %d times", got, n.Health(), f.written.Load())
	}
	f.now.Store(false)
	clock.Add(int64(copyPause.Seconds()))
	if err := n.compare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if copied, _ := p.copied.Summary(t.Context()); copied != n.State().summary || n.Health().CopyError != "" {
		t.Errorf("%+v, copy %+v", n.Health(), copied)
	}
}
