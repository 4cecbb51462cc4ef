package store_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/avapd/avapd/internal/store"
	"github.com/avapd/avapd/internal/testservices"
)

// deadline is what calls get while something is broken, and slack what this
// machine may take besides: less than what a call has that got no deadline.
const (
	deadline = 2 * time.Second
	slack    = 5 * time.Second
)

// onTrouble is a log that calls a function whenever the store mends something:
// by then the fault has had its effect.
type onTrouble struct {
	slog.Handler

	call func(message string)
}

func (o onTrouble) Enabled(context.Context, slog.Level) bool { return true }

func (o onTrouble) Handle(_ context.Context, r slog.Record) error {
	o.call(r.Message)
	return nil
}

const (
	retried  = "the store is tried again"
	lookedUp = "the fate of a commit is looked up"
)

// proxied gives a store behind a proxy, with a connection that is open.
func proxied(t *testing.T, options store.Options) (*store.Postgres, *testservices.Proxy) {
	t.Helper()
	s, proxy, _ := proxiedAt(t, options)
	return s, proxy
}

func proxiedAt(t *testing.T, options store.Options) (*store.Postgres, *testservices.Proxy, string) {
	t.Helper()
	location := postgresURL(t)
	proxy := testservices.NewProxy(t, postgres.Address())
	s, err := store.OpenPostgres(t.Context(), through(t, location, proxy), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		proxy.Heal()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := s.Summary(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s, proxy, location
}

func through(t *testing.T, location string, proxies ...*testservices.Proxy) string {
	t.Helper()
	u, err := url.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	var hosts []string
	for _, proxy := range proxies {
		hosts = append(hosts, proxy.Address())
	}
	return strings.Replace(location, u.Host, strings.Join(hosts, ","), 1)
}

// timely makes a call and holds it to a deadline.
func timely(t *testing.T, d time.Duration, call func(context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	start := time.Now()
	err := call(ctx)
	if took := time.Since(start); took > d+slack {
		t.Errorf("%v instead of %v", took, d)
	}
	return err
}

// TestCutAnywhere ends the connection of a commit after so many bytes of the
// server's answers or of its own requests, once. Each commit happens, once.
func TestCutAnywhere(t *testing.T) {
	var proxy *testservices.Proxy
	var counted sync.Mutex
	counts := make(map[string]int)
	log := slog.New(onTrouble{call: func(message string) {
		proxy.Heal()
		counted.Lock()
		counts[message]++
		counted.Unlock()
	}})
	var s *store.Postgres
	s, proxy = proxied(t, store.Options{Connections: 1, Log: log})
	var revision int64
	commit := func(bytes int, cut func(testing.TB, int)) {
		t.Helper()
		cut(t, bytes)
		next, err := s.Commit(t.Context(), store.Batch{Puts: []store.Put{document("a", revision), document(fmt.Sprint("n", revision), 0)}})
		proxy.Heal()
		if err != nil || next != revision+1 {
			t.Fatalf("cut after %d bytes: revision %d after %d, %v", bytes, next, revision, err)
		}
		revision = next
	}
	for bytes := 0; bytes <= 1200; bytes += 20 {
		commit(bytes, proxy.Cut)
	}
	for bytes := 0; bytes <= 2400; bytes += 60 {
		commit(bytes, proxy.CutRequests)
	}
	page := changes(t, s, 0)
	if len(page.Records) != int(revision)+1 || page.Summary.Revision != revision || page.Summary.Digest != store.Digest(page.Records) {
		t.Errorf("%d records at revision %d, want %d", len(page.Records), page.Summary.Revision, revision)
	}
	if counts[retried] < 5 || counts[lookedUp] < 5 {
		t.Errorf("the cuts hit too little: %v", counts)
	}
}

// TestAnswerOfCommitLost lets the server commit and loses its answer.
func TestAnswerOfCommitLost(t *testing.T) {
	var proxy *testservices.Proxy
	log := slog.New(onTrouble{call: func(string) { proxy.Heal() }})
	var s *store.Postgres
	var location string
	// After half of it the answer is given up, and before that the fault has to be there.
	s, proxy, location = proxiedAt(t, store.Options{Timeout: 10 * time.Second, Log: log})
	block := newBlock(t, location)
	answered := make(chan error, 1)
	var revision int64
	go func() {
		var err error
		revision, err = s.Commit(t.Context(), store.Batch{Puts: []store.Put{document("a", 0)}})
		answered <- err
	}()
	block.await(t)
	proxy.BlackHole(t)
	block.end(t)
	if err := <-answered; err != nil || revision != 1 {
		t.Errorf("revision %d, %v", revision, err)
	}
	if page := changes(t, s, 0); page.Summary.Revision != 1 || len(page.Records) != 1 {
		t.Errorf("%+v", page)
	}
}

// TestSessionEndsWithinCommit ends the session before it commits.
func TestSessionEndsWithinCommit(t *testing.T) {
	s, _, location := proxiedAt(t, store.Options{})
	block := newBlock(t, location)
	answered := make(chan error, 1)
	var revision int64
	go func() {
		var err error
		revision, err = s.Commit(t.Context(), store.Batch{Puts: []store.Put{document("a", 0)}})
		answered <- err
	}()
	block.await(t)
	block.exec(t, `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`)
	block.end(t)
	if err := <-answered; err != nil || revision != 1 {
		t.Errorf("revision %d, %v", revision, err)
	}
}

// TestUncertain has no time left to find out what became of a commit.
func TestUncertain(t *testing.T) {
	s, proxy, location := proxiedAt(t, store.Options{})
	block := newBlock(t, location)
	answered := make(chan error, 1)
	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	go func() {
		_, err := s.Commit(ctx, store.Batch{Puts: []store.Put{document("a", 0)}})
		answered <- err
	}()
	block.await(t)
	proxy.BlackHole(t)
	block.end(t)
	giveUp()
	if err := <-answered; !errors.Is(err, store.ErrUncertain) || !errors.Is(err, store.ErrUnavailable) {
		t.Error(err)
	}
	proxy.Heal()
	if _, err := s.Commit(t.Context(), store.Batch{Puts: []store.Put{document("a", 0)}}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("the commit again: %v", err)
	}
}

// TestEndOfASession ends a session that waits for its client, and no other
// that has got its process number.
func TestEndOfASession(t *testing.T) {
	location := postgresURL(t)
	var conns [2]*pgx.Conn
	for i := range conns {
		conn, err := pgx.Connect(t.Context(), location)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())
		conns[i] = conn
	}
	idle, other := conns[0], conns[1]
	var start time.Time
	if err := idle.QueryRow(t.Context(), `SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()`).Scan(&start); err != nil {
		t.Fatal(err)
	}
	if _, err := idle.Exec(t.Context(), `BEGIN`); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Exec(t.Context(), `DO $$ BEGIN
		WHILE NOT EXISTS (SELECT FROM pg_stat_activity WHERE usename = current_user AND wait_event_type = 'Client') LOOP
			PERFORM pg_sleep(0.005);
			PERFORM pg_stat_clear_snapshot();
		END LOOP;
	END $$`); err != nil {
		t.Fatal(err)
	}
	for _, earlier := range []time.Duration{time.Microsecond, 0} {
		tag, err := other.Exec(t.Context(), store.PostgresEnd, int64(idle.PgConn().PID()), start.Add(-earlier))
		if err != nil || tag.RowsAffected() == 1 != (earlier == 0) {
			t.Errorf("%v earlier: %v, %v", earlier, tag, err)
		}
	}
	if err := idle.Ping(t.Context()); err == nil {
		t.Error("the session goes on")
	}
}

// TestCloseInABlackHole does not wait for servers that are gone.
func TestCloseInABlackHole(t *testing.T) {
	location := postgresURL(t)
	proxy := testservices.NewProxy(t, postgres.Address())
	s, err := store.OpenPostgres(t.Context(), through(t, location, proxy), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	mustCommit(t, s, document("a", 0))
	proxy.BlackHole(t)
	_ = timely(t, deadline, func(ctx context.Context) error {
		_, err := s.Summary(ctx)
		return err
	})
	start := time.Now()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > deadline+slack {
		t.Errorf("it took %v", took)
	}
}

func TestBlackHole(t *testing.T) {
	s, proxy := proxied(t, store.Options{})
	mustCommit(t, s, document("a", 0))
	proxy.BlackHole(t)
	var calls sync.WaitGroup
	for i := range 12 { // more than there are connections
		calls.Go(func() {
			err := timely(t, deadline, func(ctx context.Context) error {
				if i%2 == 0 {
					_, err := s.Summary(ctx)
					return err
				}
				_, err := s.Commit(ctx, store.Batch{Puts: []store.Put{document(fmt.Sprint("b", i), 0)}})
				return err
			})
			if !errors.Is(err, store.ErrUnavailable) {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	proxy.Heal()
	err := timely(t, 10*deadline, func(ctx context.Context) error {
		_, err := s.Commit(ctx, store.Batch{Puts: []store.Put{document("c", 0)}})
		return err
	})
	if err != nil {
		t.Error(err)
	}
	changes(t, s, 0)
}

func TestLatencyAndResets(t *testing.T) {
	s, proxy := proxied(t, store.Options{})
	mustCommit(t, s, document("a", 0))
	proxy.Delay(t, 100*time.Millisecond)
	mustCommit(t, s, document("b", 0))
	err := timely(t, 50*time.Millisecond, func(ctx context.Context) error {
		_, err := s.Summary(ctx)
		return err
	})
	if !errors.Is(err, store.ErrUnavailable) {
		t.Error(err)
	}
	proxy.Heal()
	proxy.Reset(t)
	err = timely(t, deadline, func(ctx context.Context) error {
		_, err := s.Summary(ctx)
		return err
	})
	if !errors.Is(err, store.ErrUnavailable) {
		t.Error(err)
	}
	proxy.Heal()
	if page := changes(t, s, 0); len(page.Records) != 2 {
		t.Errorf("%+v", page)
	}
}

// TestRefusedAtOnce has a server that is not there: nobody waits.
func TestRefusedAtOnce(t *testing.T) {
	s, proxy := proxied(t, store.Options{})
	proxy.Down()
	start := time.Now()
	if _, err := s.Commit(t.Context(), store.Batch{Puts: []store.Put{document("a", 0)}}); !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrUncertain) {
		t.Error(err)
	}
	if took := time.Since(start); took > slack { // of 30
		t.Errorf("it took %v", took)
	}
	proxy.Up(t)
	mustCommit(t, s, document("a", 0))
}

// TestFirstHostDoesNotAnswer has a host that takes connections and is silent.
func TestFirstHostDoesNotAnswer(t *testing.T) {
	location := postgresURL(t)
	silent, fine := testservices.NewProxy(t, postgres.Address()), testservices.NewProxy(t, postgres.Address())
	silent.BlackHole(t)
	s := mustOpen(t, through(t, location, silent, fine)+"&connect_timeout=1")
	mustCommit(t, s, document("a", 0))
}

func TestWatch(t *testing.T) {
	var proxy *testservices.Proxy
	log := slog.New(onTrouble{call: func(string) { proxy.Heal() }})
	var s *store.Postgres
	s, proxy = proxied(t, store.Options{Log: log})
	s.WithSilence(100 * time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	told := make(chan struct{})
	ended := make(chan error, 1)
	go func() { ended <- s.Watch(ctx, func() { told <- struct{}{} }) }()
	<-told // it has connected
	mustCommit(t, s, document("a", 0))
	<-told
	proxy.Down()
	proxy.Up(t)
	<-told // it has connected again
	proxy.BlackHole(t)
	<-told // it has noticed, and connected again
	mustCommit(t, s, document("b", 0))
	<-told
	cancel()
	for {
		select {
		case <-told: // a notification besides
			continue
		case err := <-ended:
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
		return
	}
}

// block holds commits up in the middle, on the server: whoever writes a record
// waits for a lock that the test has.
type block struct{ conn *pgx.Conn }

func newBlock(t *testing.T, location string) *block {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), location)
	if err != nil {
		t.Fatal(err)
	}
	b := &block{conn}
	t.Cleanup(func() {
		if err := conn.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	b.exec(t, `
		CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
			$$ BEGIN PERFORM pg_advisory_xact_lock(hashtext(current_user)); RETURN NEW; END $$;
		CREATE TRIGGER wait BEFORE INSERT ON avap_records FOR EACH ROW EXECUTE FUNCTION wait();
		SELECT pg_advisory_lock(hashtext(current_user))`)
	return b
}

func (b *block) exec(t *testing.T, statements string) {
	t.Helper()
	if err := b.conn.PgConn().Exec(t.Context(), statements).Close(); err != nil {
		t.Fatal(err)
	}
}

// await waits until a commit is held up.
func (b *block) await(t *testing.T) {
	t.Helper()
	b.exec(t, `DO $$ BEGIN
		WHILE NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted) LOOP
			PERFORM pg_sleep(0.005);
		END LOOP;
	END $$`)
}

// end lets commits go on, and waits for the one that was held up.
func (b *block) end(t *testing.T) {
	t.Helper()
	b.exec(t, `SELECT pg_advisory_unlock(hashtext(current_user)); SELECT FROM avap_state FOR UPDATE`)
}
