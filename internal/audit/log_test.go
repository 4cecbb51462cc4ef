package audit_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/audit"
	"github.com/avapd/avapd/internal/signature"
	"github.com/avapd/avapd/internal/store"
)

// home is a directory with a journal and a key.
type home struct {
	t   testing.TB
	dir string
}

func newHome(t testing.TB) home { return home{t, t.TempDir()} }

func (h home) journalPath() string { return filepath.Join(h.dir, store.JournalFileName) }

func (h home) journal() *store.SQLiteJournal {
	h.t.Helper()
	j, err := store.OpenSQLiteJournal(context.Background(), h.journalPath(), store.Options{})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		if err := j.Close(); err != nil {
			h.t.Error(err)
		}
	})
	return j
}

func (h home) key() signature.PrivateKey {
	h.t.Helper()
	key, err := audit.OpenKey(filepath.Join(h.dir, audit.KeyFileName))
	if err != nil {
		h.t.Fatal(err)
	}
	return key
}

func (h home) config(j store.Journal) audit.Config { return h.configOf(j, h.key()) }

func (h home) configOf(j store.Journal, key signature.PrivateKey) audit.Config {
	return audit.Config{
		Journal: j, Key: key, CheckpointFile: filepath.Join(h.dir, audit.CheckpointFileName),
		AtRisk: 100 * time.Millisecond, Wait: time.Minute, Buffer: 1024, CheckpointRecords: 10, CheckpointEvery: time.Hour,
		Log: slog.New(slog.DiscardHandler),
	}
}

func open(t testing.TB, c audit.Config) *audit.Log {
	t.Helper()
	l, err := audit.Open(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close(ended()) })
	return l
}

// ended is a context for a log that is closed already.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func closeLog(t testing.TB, l *audit.Log) {
	t.Helper()
	if err := l.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func execution(i int) audit.Record {
	return audit.Record{
		Time: time.Now(), Kind: audit.Execution, Principal: "anonymous", Address: netip.MustParseAddr("127.0.0.1"), RequestID: fmt.Sprint("request ", i),
		ExecutionID: audit.ID{1, byte(i), byte(i >> 8)}, Digest: audit.Digest{2, byte(i)}, Outcome: "ok", Status: 200, Fuel: int64(i), MemoryBytes: 1 << 16, DurationUS: 12,
		Capabilities: []string{"http"}, InputDigest: audit.Digest{3},
	}
}

func add(t testing.TB, l *audit.Log, r audit.Record) {
	t.Helper()
	if err := errors.Join(l.Reserve(context.Background()), l.Add(context.Background(), &r)); err != nil {
		t.Fatal(err)
	}
}

func note(t testing.TB, l *audit.Log, r audit.Record) {
	t.Helper()
	if err := l.Note(context.Background(), r); err != nil {
		t.Fatal(err)
	}
}

// verify expects a journal without faults.
func verify(t testing.TB, j store.Journal, o audit.VerifyOptions) audit.Report {
	t.Helper()
	report, err := audit.VerifyJournal(context.Background(), j, o)
	if err != nil || !report.OK {
		t.Fatalf("%+v, %v", report, err)
	}
	return report
}

// page gives the newest records.
func page(t testing.TB, l *audit.Log, f audit.Filter, limit int) []audit.Entry {
	t.Helper()
	p, err := l.Page(context.Background(), f, "", limit)
	if err != nil {
		t.Fatal(err)
	}
	return p.Records
}

// A log goes on where the one before it ended, and all of it verifies.
func TestLogGoesOn(t *testing.T) {
	h := newHome(t)
	j := h.journal()
	for run := range 3 {
		l := open(t, h.config(j))
		note(t, l, audit.Record{Time: time.Now(), Kind: audit.Start, Principal: audit.Server})
		for i := range 25 {
			add(t, l, execution(100*run+i))
		}
		note(t, l, audit.Record{Time: time.Now(), Kind: audit.Stop, Principal: audit.Server})
		if stats := l.Stats(); stats.Broken || stats.Records[audit.Execution] != 25 || stats.Records[audit.Start] != 1 {
			t.Errorf("%+v", stats)
		}
		closeLog(t, l)
	}
	report := verify(t, j, audit.VerifyOptions{})
	if c := report.Chains[0]; c.Records != 3*27 || c.SignedUntil != 3*27 || c.Checkpoints < 3 || c.First != 1 {
		t.Errorf("%+v", c)
	}
}

// The records come back as they were given, in the order in which they came.
func TestRecordsComeBack(t *testing.T) {
	h := newHome(t)
	l := open(t, h.config(h.journal()))
	want := execution(7)
	add(t, l, want)
	note(t, l, audit.Record{Time: time.Now(), Kind: audit.Change, Principal: "admin", Action: "command.put", Target: "greet", Version: 3, Detail: "a \xff b"})
	got := page(t, l, audit.Filter{}, 10)
	if len(got) != 2 || got[0].Detail != "a ? b" || got[0].Sequence != 2 || got[0].Count != 1 {
		t.Fatalf("%+v", got)
	}
	want.Sequence, want.Count = 1, 1
	want.Time = want.Time.Truncate(time.Microsecond).UTC()
	if first := fmt.Sprintf("%+v", got[1].Record); first != fmt.Sprintf("%+v", want) {
		t.Errorf("%s\n%+v", first, want)
	}
}

// In group mode a record is there when Add returns.
func TestGroup(t *testing.T) {
	h := newHome(t)
	c := h.config(h.journal())
	c.Group = true
	l := open(t, c)
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			r := execution(i)
			if err := errors.Join(l.Reserve(t.Context()), l.Add(t.Context(), &r)); err != nil {
				t.Error(err)
			}
			if found, ok, err := l.Find(t.Context(), r.ExecutionID, r.Time.Add(-time.Second), r.Time.Add(time.Second)); err != nil || !ok || found.Fuel != r.Fuel {
				t.Errorf("%d: %+v %v %v", i, found, ok, err)
			}
		})
	}
	group.Wait()
}

// So many executions may be on their way to the log; one more waits until there is
// room again, and not for ever.
func TestBufferIsBounded(t *testing.T) {
	h := newHome(t)
	c := h.config(h.journal())
	c.Buffer, c.Wait = 16, time.Millisecond
	l := open(t, c)
	for i := range c.Buffer {
		if err := l.Reserve(t.Context()); err != nil {
			t.Fatalf("execution %d: %v", i+1, err)
		}
	}
	if err := l.Reserve(t.Context()); !errors.Is(err, audit.ErrBusy) {
		t.Errorf("one more than there is room for: %v", err)
	}
	r := execution(1)
	if err := l.Add(t.Context(), &r); err != nil {
		t.Fatal(err)
	}
	err := l.Reserve(t.Context())
	for ; errors.Is(err, audit.ErrBusy); err = l.Reserve(t.Context()) {
	}
	if err != nil {
		t.Errorf("after a record is durable: %v", err)
	}
}

// read is a journal that counts what is read of its blocks.
type read struct {
	store.Journal
	queries, blocks atomic.Int64
	// asked has an item for each query, which waits for one of goOn, if there are any.
	asked, goOn chan struct{}
}

func (r *read) Blocks(ctx context.Context, q store.BlockQuery) ([]store.Block, error) {
	if r.asked != nil {
		r.asked <- struct{}{}
		<-r.goOn
	}
	blocks, err := r.Journal.Blocks(ctx, q)
	r.queries.Add(1)
	r.blocks.Add(int64(len(blocks)))
	return blocks, err
}

// Who looks for an execution has the log read from its beginning to its end, and
// not to that of the log.
func TestFindReadsLittle(t *testing.T) {
	h := newHome(t)
	j := &read{Journal: h.journal()}
	c := h.config(j)
	c.Group = true // so that each has a block
	l := open(t, c)
	const count = 200
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i := range count {
		r := execution(i)
		r.Time = began.Add(time.Duration(i) * time.Minute)
		add(t, l, r)
	}
	for _, test := range []struct {
		name            string
		id              int
		from, until     int // in minutes
		found           bool
		queries, atMost int64
	}{
		{"in time", 50, 48, 52, true, 1, 16},
		{"at the first moment", 50, 50, 51, true, 1, 16},
		{"too late", 50, 46, 49, false, 1, 16},
		{"too early", 50, 51, 54, false, 1, 16},
		{"unknown", count, 50, 53, false, 1, 16},
		{"before everything", count, -30, -20, false, 1, 16},
		{"after everything", count, count + 30, count + 40, false, 1, 0},
		{"unknown in a long time", count, 50, 90, false, 3, 48},
	} {
		j.queries.Store(0)
		j.blocks.Store(0)
		at := func(minute int) time.Time { return began.Add(time.Duration(minute) * time.Minute) }
		found, ok, err := l.Find(t.Context(), execution(test.id).ExecutionID, at(test.from), at(test.until))
		if err != nil || ok != test.found || ok && found.Fuel != int64(test.id) {
			t.Errorf("%s: %+v %v %v", test.name, found, ok, err)
		}
		if q, b := j.queries.Load(), j.blocks.Load(); q != test.queries || b > test.atMost {
			t.Errorf("%s: %d queries for %d blocks, want %d for at most %d", test.name, q, b, test.queries, test.atMost)
		}
	}
}

// One look reads at a time, and others wait no longer than they like to.
func TestFindOneAtATime(t *testing.T) {
	h := newHome(t)
	j := &read{Journal: h.journal()}
	l := open(t, h.config(j))
	note(t, l, execution(1))
	j.asked, j.goOn = make(chan struct{}), make(chan struct{})
	find := func(ctx context.Context) (bool, error) {
		_, ok, err := l.Find(ctx, execution(1).ExecutionID, time.Time{}, time.Now().Add(time.Hour))
		return ok, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if ok, err := find(t.Context()); !ok || err != nil {
			t.Error(ok, err)
		}
	}()
	<-j.asked
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	if ok, err := find(impatient); ok || !errors.Is(err, context.Canceled) {
		t.Error(ok, err)
	}
	j.goOn <- struct{}{}
	<-done
	go func() { <-j.asked; j.goOn <- struct{}{} }()
	if ok, err := find(t.Context()); !ok || err != nil {
		t.Error(ok, err)
	}
}

// faulty is a journal that can be away.
type faulty struct {
	store.Journal
	mu    sync.Mutex
	away  bool
	tried atomic.Int64
	// back is closed when it is there.
	back chan struct{}
	// first is closed by the first attempt that fails.
	first chan struct{}
}

func newFaulty(j store.Journal) *faulty {
	return &faulty{Journal: j, away: true, back: make(chan struct{}), first: make(chan struct{})}
}

func (f *faulty) Extend(ctx context.Context, e store.Extension) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away {
		if f.tried.Add(1) == 1 {
			close(f.first)
		}
		return store.ErrFull
	}
	return f.Journal.Extend(ctx, e) //nolint:wrapcheck // it stands in for the journal
}

func (f *faulty) comeBack() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away = false
}

// While nothing can be written, executions that run leave their records and
// others do not begin; nothing is lost when it can be written again.
func TestFullDisk(t *testing.T) {
	h := newHome(t)
	j := newFaulty(h.journal())
	c := h.config(j)
	c.Wait, c.AtRisk = 50*time.Millisecond, 20*time.Millisecond
	l := open(t, c)
	const running = 30
	for range running {
		if err := l.Reserve(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for i := range running {
		r := execution(i)
		if err := l.Add(t.Context(), &r); err != nil {
			t.Fatal(err)
		}
	}
	<-j.first
	for l.Reserve(t.Context()) == nil { // the records are not yet too old
		r := execution(0)
		_ = l.Add(t.Context(), &r)
	}
	if err := l.Note(t.Context(), audit.Record{Kind: audit.Change, Time: time.Now()}); !errors.Is(err, audit.ErrBusy) {
		t.Errorf("a change is told %v", err)
	}
	if now := l.Stats(); now.Refused == 0 || now.AtRisk < running || now.Failures == 0 {
		t.Errorf("%+v", now)
	}
	waiting := make(chan struct{})
	go func() {
		defer close(waiting)
		for l.Reserve(context.Background()) != nil { // one wait is shorter than the pause of the writer
			continue
		}
	}()
	j.comeBack()
	<-waiting
	for l.Note(t.Context(), audit.Record{Time: time.Now(), Kind: audit.Stop}) != nil {
		continue
	}
	seen := map[int64]bool{}
	for _, e := range page(t, l, audit.Filter{Kind: audit.Execution}, 5000) {
		seen[e.Fuel] = true
	}
	if len(seen) != running {
		t.Errorf("%d of %d records are there", len(seen), running)
	}
	verify(t, j, audit.VerifyOptions{})
}
