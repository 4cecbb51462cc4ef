package ratelimit

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/redisconn"
	"github.com/avapd/avapd/internal/testservices"
)

var (
	redis    *testservices.Redis
	redisErr error
)

func TestMain(m *testing.M) { os.Exit(testservices.RunWithRedis(m, &redis, &redisErr)) }

func rate(t testing.TB, text string) Rate {
	t.Helper()
	r, err := ParseRate(text)
	if err != nil {
		t.Fatal(text, err)
	}
	return r
}

func TestParseRate(t *testing.T) {
	for text, want := range map[string]string{
		"": "0", "0": "0", "100/s": "100/s:100", "600/m": "600/m:10", "1/h": "1/h:1", "5/m:50": "5/m:50", "1000000/s:1000000": "1000000/s:1000000",
	} {
		if r, err := ParseRate(text); err != nil || r.String() != want {
			t.Errorf("%q is %s, %v; want %s", text, r, err, want)
		}
	}
	for _, text := range []string{"1", "-1/s", "0/s", "1/d", "1/s:0", "1/s:", "x/s", "1/s:2:3", "1000001/s", "1/s:1000001", "/s", " 1/s"} {
		if r, err := ParseRate(text); err == nil {
			t.Errorf("%q was taken as %s", text, r)
		}
	}
}

// Whatever comes and when: in no stretch of time is more allowed than the burst
// and what grows back in it, and a client that comes when it was told to is let
// in.
func TestRateHolds(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		r := Rate{Count: 1 + random.Int64N(1000), Burst: 1 + random.Int64N(50), Period: []time.Duration{time.Second, time.Minute, time.Hour}[random.IntN(3)]}
		var whole, now int64
		var allowed []int64
		for range 300 {
			now += random.Int64N(3 * r.interval())
			if random.IntN(20) == 0 {
				now += random.Int64N(2 * r.tolerance())
			}
			next, d := r.take(whole, now)
			checkDecision(t, r, next, now, d)
			if whole = next; d.Allowed {
				allowed = append(allowed, now)
			}
		}
		for i, from := range allowed {
			for j := i; j < len(allowed); j++ {
				if n, most := int64(j-i+1), r.Burst+(allowed[j]-from)/r.interval(); n > most {
					t.Fatalf("seed %d: %s allowed %d in %v, want at most %d", seed, r, n, time.Duration(allowed[j]-from), most)
				}
			}
		}
	}
}

// checkDecision holds what a client is told to what would happen.
func checkDecision(t *testing.T, r Rate, whole, now int64, d Decision) {
	t.Helper()
	probe := whole
	for range d.Remaining {
		var next Decision
		if probe, next = r.take(probe, now); !next.Allowed {
			t.Fatalf("%s: not as many are allowed as are said to remain: %+v", r, d)
		}
	}
	if _, next := r.take(probe, now); next.Allowed {
		t.Fatalf("%s: more are allowed than are said to remain: %+v", r, d)
	}
	if d.Retry > 0 {
		if _, next := r.take(whole, now+int64(d.Retry)-1); next.Allowed {
			t.Fatalf("%s: it is let in before it was told to come: %+v", r, d)
		}
	}
	if _, next := r.take(whole, now+int64(d.Retry)); !next.Allowed {
		t.Fatalf("%s: it is refused when it was told to come: %+v", r, d)
	}
	if _, next := r.take(whole, now+int64(d.Reset)); next.Remaining != r.Burst-1 {
		t.Fatalf("%s: the allowance is not whole when it is said to be: %+v", r, d)
	}
}

// A moment from a clock that was wrong, or a rate that was slower, locks nobody
// out for longer than a burst takes.
func TestWrongMoments(t *testing.T) {
	r := rate(t, "10/s:5")
	for _, whole := range []int64{-1 << 62, 1 << 61} {
		next, _ := r.take(whole, 1_000_000)
		if ahead := next - 1_000_000; ahead < 0 || ahead > r.tolerance() {
			t.Errorf("%d: whole %d ahead", whole, ahead)
		}
	}
}

func TestMemory(t *testing.T) {
	now := time.Unix(0, 0)
	m := newMemory(1000, func() time.Time { return now })
	r := rate(t, "1/s:3")
	take := func(key string) bool { return m.Take([]byte(key), r).Allowed }
	for i := range 5 {
		if take("a") != (i < 3) {
			t.Errorf("event %d", i)
		}
	}
	if !take("b") {
		t.Error("keys are not apart")
	}
	if now = now.Add(time.Second); !take("a") || take("a") {
		t.Error("one comes back in a second")
	}
}

// However many keys come, few are kept, and those in use rather than others.
func TestMemoryIsBounded(t *testing.T) {
	now := time.Unix(0, 0)
	m := newMemory(64*16, func() time.Time { return now })
	r := rate(t, "1/s:2")
	for i := range 100_000 {
		m.Take(strconv.AppendInt(nil, int64(i), 10), r)
		if n := m.Keys(); i%1000 == 0 && n > 64*16 {
			t.Fatalf("%d keys", n)
		}
	}
	now = now.Add(time.Hour) // all are whole
	for i := range 100_000 {
		m.Take(strconv.AppendInt(nil, int64(i%8), 10), r)
	}
	if n := m.Keys(); n > 64*16 {
		t.Errorf("%d keys", n)
	}
}

func TestMemoryConcurrently(t *testing.T) {
	m := newMemory(1000, func() time.Time { return time.Unix(0, 0) })
	r := rate(t, "1/h:100")
	var wg sync.WaitGroup
	var mu sync.Mutex
	allowed := 0
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if m.Take([]byte("a"), r).Allowed {
					mu.Lock()
					allowed++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if allowed != 100 {
		t.Errorf("%d were allowed", allowed)
	}
}

func TestMemoryAllocatesNothing(t *testing.T) {
	m := NewMemory(1000)
	r, key := rate(t, "1000/s"), []byte("a")
	if n := testing.AllocsPerRun(100, func() { m.Take(key, r) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMemory(b *testing.B) {
	m := NewMemory(1000)
	r, key := rate(b, "1000/s"), []byte("a")
	for b.Loop() {
		m.Take(key, r)
	}
}

// open gives scripts on a connection that is made.
func open(t *testing.T, address string, deadline time.Duration) *redisconn.Scripts {
	t.Helper()
	conn, err := redisconn.Open(redis.URL(address), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	<-conn.Connected()
	return conn.Scripts(t.Name()+":", deadline)
}

// The script decides as the arithmetic here does, event by event.
func TestScriptAgrees(t *testing.T) {
	testservices.Need(t, redisErr)
	redis.Up(t)
	scripts := open(t, "", time.Minute)
	for _, r := range []Rate{{1, 3, 50_000}, {1, 1, 2000}, {1, 100, 300}} { // the period is in microseconds here
		var whole int64
		for i := range 300 {
			answer, err := scripts.Run(t.Context(), script, r.String()+fmt.Sprint(r.Period), fmt.Sprint(r.interval()), fmt.Sprint(r.tolerance()))
			if err != nil {
				t.Fatal(err)
			}
			now, _ := strconv.ParseInt(answer[2], 10, 64)
			next, d := r.take(whole, now)
			if got := answer[0] == "1"; got != d.Allowed || answer[1] != fmt.Sprint(next) {
				t.Fatalf("event %d of %v at %d, whole at %d: Redis says %v, want %v and %d", i, r, now, whole, answer, d.Allowed, next)
			}
			whole = next
		}
	}
}

// Several processes share an allowance.
func TestShared(t *testing.T) {
	testservices.Need(t, redisErr)
	redis.Up(t)
	r := rate(t, "1/h:10")
	a, b := New(NewMemory(100), open(t, "", time.Minute)), New(NewMemory(100), open(t, "", time.Minute))
	allowed := 0
	for i := range 30 {
		d := []*Limiter{a, b}[i%2].Take(t.Context(), []byte("k"), r)
		if d.Allowed {
			allowed++
		}
		if want := max(0, int64(9-i)); d.Remaining != want {
			t.Errorf("%d remain after event %d, want %d", d.Remaining, i, want)
		}
		if d.Reset <= 0 || !d.Allowed && (d.Retry <= 0 || d.Retry > time.Hour) {
			t.Errorf("%+v", d)
		}
	}
	if allowed != 10 || a.Alone()+b.Alone() != 0 {
		t.Errorf("%d were allowed, %d counted alone", allowed, a.Alone()+b.Alone())
	}
}

// Whatever happens to Redis, every event is decided soon, and no more are let in
// than this process alone would.
func TestFaults(t *testing.T) {
	testservices.Need(t, redisErr)
	const deadline, grace, attempts = 100 * time.Millisecond, 10 * time.Second, 40
	for name, fault := range map[string]func(*testing.T, *testservices.Proxy){
		"latency above the deadline": func(t *testing.T, p *testservices.Proxy) { p.Delay(t, 4*grace) },
		"reset":                      func(t *testing.T, p *testservices.Proxy) { p.Reset(t) },
		"black hole":                 func(t *testing.T, p *testservices.Proxy) { p.BlackHole(t) },
		"refused":                    func(_ *testing.T, p *testservices.Proxy) { p.Down() },
		"server killed":              func(t *testing.T, _ *testservices.Proxy) { redis.Down(t) },
	} {
		t.Run(name, func(t *testing.T) {
			redis.Up(t)
			proxy := testservices.NewProxy(t, redis.Address())
			scripts := open(t, proxy.Address(), deadline)
			l := New(NewMemory(100), scripts)
			r := rate(t, "1/h:5")
			// answered has an event counted by Redis, and gives its key. A busy machine may
			// take longer than the deadline.
			answered := func() []byte {
				t.Helper()
				for range attempts {
					before := l.Alone()
					key := fmt.Appendf(nil, "k%d", before)
					d := l.Take(t.Context(), key, r)
					if !d.Allowed {
						t.Fatalf("%+v, %+v", d, scripts.Stats())
					}
					if l.Alone() == before {
						return key
					}
					<-time.After(scripts.Stats().Rest) // until then it is not asked
				}
				t.Fatalf("Redis is not asked: %+v", scripts.Stats())
				return nil
			}
			key := answered()
			alone, before := l.Alone(), scripts.Stats()
			fault(t, proxy)
			allowed := 0
			for range 20 {
				began := time.Now()
				if l.Take(t.Context(), key, r).Allowed {
					allowed++
				}
				if took := time.Since(began); took > deadline+grace {
					t.Errorf("it took %v", took)
				}
			}
			if allowed > 5 || allowed < 4 {
				t.Errorf("%d were allowed", allowed)
			}
			if s := scripts.Stats(); l.Alone()-alone < 19 || s.Failures == before.Failures || s.Skipped == before.Skipped {
				t.Errorf("%d counted alone; %+v", l.Alone()-alone, s)
			}
			proxy.Heal()
			if name == "refused" {
				proxy.Up(t)
			}
			redis.Up(t)
			answered()
		})
	}
}

// A limiter whose Redis was never there counts here.
func TestWithoutRedis(t *testing.T) {
	l := New(NewMemory(100), nil)
	r := rate(t, "1/h:1")
	if !l.Take(t.Context(), []byte("k"), r).Allowed || l.Take(t.Context(), []byte("k"), r).Allowed || l.Keys() != 1 {
		t.Error("it does not count")
	}
}
