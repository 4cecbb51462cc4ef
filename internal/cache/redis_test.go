package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/redisconn"
	"github.com/avapd/avapd/internal/testservices"
)

// do sends a command over the tier's connection.
func (r *Redis) do(t *testing.T, words ...string) {
	t.Helper()
	client := commandsOf(t, r)
	if err := client.Do(t.Context(), client.B().Arbitrary(words...).Build()).Error(); err != nil {
		t.Fatal(err)
	}
}

// What is kept expires, and is kept where other versions and deployments do
// not look.
func TestRedisKeys(t *testing.T) {
	r := openRedis(t, "")
	digest, content := artifact("a", 100)
	if err := r.Put(t.Context(), digest, content); err != nil {
		t.Fatal(err)
	}
	key := r.key(digest)
	if !strings.HasPrefix(key, t.Name()+":1:artifact:") {
		t.Errorf("the key is %s", key)
	}
	client := commandsOf(t, r)
	left, err := client.Do(t.Context(), client.B().Pttl().Key(key).Build()).AsInt64()
	if err != nil || left <= 0 || left > time.Hour.Milliseconds() {
		t.Errorf("it expires in %d ms, %v", left, err)
	}
	if err := r.Put(t.Context(), digest, make([]byte, maxTestBytes+1)); err == nil {
		t.Error("it takes more than the largest artifact")
	}
}

// Whatever stands in Redis instead of an artifact, the chain gives the right
// one, and Redis has the right one afterwards.
func TestRedisTamperedWith(t *testing.T) {
	digest, content := artifact("a", 70_000)
	flipped := bytes.Clone(content)
	flipped[33_333] ^= 0x10
	for name, tamper := range map[string]func(*testing.T, *Redis, string){
		"a flipped bit":  func(t *testing.T, r *Redis, key string) { r.do(t, "SET", key, string(flipped)) },
		"cut off":        func(t *testing.T, r *Redis, key string) { r.do(t, "SET", key, string(content[:len(content)-1])) },
		"something else": func(t *testing.T, r *Redis, key string) { r.do(t, "SET", key, "hello") },
		"one byte more":  func(t *testing.T, r *Redis, key string) { r.do(t, "APPEND", key, "x") },
		"very large": func(t *testing.T, r *Redis, key string) {
			r.do(t, "SETRANGE", key, "33554432", "x")
		},
		"a list": func(t *testing.T, r *Redis, key string) {
			r.do(t, "DEL", key)
			r.do(t, "RPUSH", key, "x")
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := openRedis(t, "")
			if err := r.Put(t.Context(), digest, content); err != nil {
				t.Fatal(err)
			}
			tamper(t, r, r.key(digest))
			primary := &fake{name: "primary", get: gives(content)}
			c := NewChain(quiet(), maxTestBytes, Level{r, time.Minute}, Level{primary, time.Minute})
			defer c.Close()
			got, err := c.Get(t.Context(), digest)
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("got %d bytes and %v", len(got), err)
			}
			c.work.Wait()
			if kept, err := r.Get(t.Context(), digest); err != nil || !bytes.Equal(kept, content) {
				t.Errorf("Redis has %d bytes and %v", len(kept), err)
			}
			if s := c.Stats()[0]; s.Wrong != 1 || s.Filled != 1 || s.Failures != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// faultDeadline is what one call to Redis may take in tests of faults; grace is
// what this machine may take beyond it.
const (
	faultDeadline = 300 * time.Millisecond
	grace         = 10 * time.Second
)

// Whatever happens to the connection to Redis, the answer is right, and comes
// within the deadline.
func TestRedisFaults(t *testing.T) {
	testservices.Need(t, redisErr)
	digest, content := artifact("a", 70_000)
	for name, fault := range map[string]func(*testing.T, *testservices.Proxy){
		"none":                 func(*testing.T, *testservices.Proxy) {},
		"latency":              func(t *testing.T, p *testservices.Proxy) { p.Delay(t, 50*time.Millisecond) },
		"latency above it all": func(t *testing.T, p *testservices.Proxy) { p.Delay(t, 4*grace) },
		"cut in mid-frame":     func(t *testing.T, p *testservices.Proxy) { p.Cut(t, 20_000) },
		"cut at once":          func(t *testing.T, p *testservices.Proxy) { p.Cut(t, 0) },
		"reset":                func(t *testing.T, p *testservices.Proxy) { p.Reset(t) },
		"black hole":           func(t *testing.T, p *testservices.Proxy) { p.BlackHole(t) },
		"refused":              func(_ *testing.T, p *testservices.Proxy) { p.Down() },
		"server killed":        func(t *testing.T, _ *testservices.Proxy) { redis.Down(t) },
	} {
		t.Run(name, func(t *testing.T) {
			redis.Up(t)
			proxy := testservices.NewProxy(t, redis.Address())
			r := openRedis(t, proxy.Address())
			primary := &fake{name: "primary", get: gives(content)}
			c := NewChain(quiet(), maxTestBytes, Level{r, faultDeadline}, Level{primary, time.Minute})
			defer c.Close()
			ask := func() {
				t.Helper()
				began := time.Now()
				got, err := c.Get(t.Context(), digest)
				if err != nil || !bytes.Equal(got, content) {
					t.Errorf("got %d bytes and %v", len(got), err)
				}
				if took := time.Since(began); took > faultDeadline+grace {
					t.Errorf("it took %v", took)
				}
			}
			ask()
			c.work.Wait()
			fault(t, proxy)
			for range 5 {
				ask()
			}
			// Back again: Redis serves once more, as soon as the rest is over.
			proxy.Heal()
			redis.Up(t)
			if name == "refused" {
				proxy.Up(t)
			}
			before := c.Stats()[0].Hits
			for limit := time.Now().Add(time.Minute); c.Stats()[0].Hits == before; {
				if time.Now().After(limit) {
					t.Fatalf("Redis does not serve again: %+v", c.Stats()[0])
				}
				ask()
			}
		})
	}
}

// A server that is not there at the start is found when it comes.
func TestRedisComesLate(t *testing.T) {
	proxy := testservices.NewProxy(t, openAddress(t))
	proxy.Down()
	conn := connect(t, redis.URL(proxy.Address()))
	r := NewRedis(conn, RedisOptions{Prefix: t.Name(), TTL: time.Hour, MaxBytes: maxTestBytes, Log: quiet()})
	digest, content := artifact("a", 100)
	if _, err := r.Get(t.Context(), digest); !errors.Is(err, redisconn.ErrNotConnected) {
		t.Error(err)
	}
	if err := r.Put(t.Context(), digest, content); !errors.Is(err, redisconn.ErrNotConnected) {
		t.Error(err)
	}
	if err := r.Announce(t.Context(), 1); !errors.Is(err, redisconn.ErrNotConnected) {
		t.Error(err)
	}
	proxy.Up(t)
	<-conn.Connected()
	mustKeep(t, r, 100)
}

// Closing does not wait for a server that never comes.
func TestRedisClosesWithoutServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	conn, err := redisconn.Open("redis://"+listener.Addr().String(), quiet())
	if err != nil {
		t.Fatal(err)
	}
	r := NewRedis(conn, RedisOptions{Log: quiet()})
	ctx, cancel := context.WithCancel(t.Context())
	watched := make(chan error, 1)
	go func() { watched <- r.Watch(ctx, func() { t.Error("there was no change") }) }()
	cancel()
	if err := <-watched; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	conn.Close()
}

// watch counts what a watcher is told.
func watch(t *testing.T, r *Redis) <-chan struct{} {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	told := make(chan struct{}, 1000)
	ended := make(chan error, 1)
	go func() { ended <- r.Watch(ctx, func() { told <- struct{}{} }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return told
}

func await(t *testing.T, told <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-told:
	case <-time.After(20 * time.Second):
		t.Fatal("not told of " + what)
	}
}

func TestRedisAnnounces(t *testing.T) {
	publisher, first, second := openRedis(t, ""), openRedis(t, ""), openRedis(t, "")
	told := []<-chan struct{}{watch(t, first), watch(t, second)}
	for _, told := range told {
		await(t, told, "the subscription")
	}
	for revision := range int64(3) {
		if err := publisher.Announce(t.Context(), revision); err != nil {
			t.Fatal(err)
		}
		for _, told := range told {
			await(t, told, "an announcement")
		}
	}
}

// A watcher that is slow holds nobody up, and hears of the last change too.
func TestRedisWatcherMayBeSlow(t *testing.T) {
	r := openRedis(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	entered, leave := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 1)
	calls := 0
	go func() {
		ended <- r.Watch(ctx, func() {
			calls++
			select {
			case entered <- struct{}{}:
				<-leave
			case <-ctx.Done(): // there may be more news
			}
		})
	}()
	<-entered // subscribed
	for revision := range int64(2000) {
		if err := r.Announce(t.Context(), revision); err != nil {
			t.Fatal(err)
		}
	}
	// The tier's other commands go on beside a watcher that sleeps.
	mustKeep(t, r, 100)
	leave <- struct{}{}
	<-entered // of two thousand, at least one
	cancel()
	leave <- struct{}{}
	<-ended
	if calls < 2 || calls > 20 {
		t.Errorf("called %d times", calls)
	}
}

// After every interruption the watcher is told, as it may have missed
// something, and hears of what comes then.
func TestRedisWatchesOn(t *testing.T) {
	testservices.Need(t, redisErr)
	for name, interrupt := range map[string]func(*testing.T, *testservices.Proxy){
		"refused": func(t *testing.T, p *testservices.Proxy) {
			p.Down()
			p.Up(t)
		},
		"server restarted": func(t *testing.T, _ *testservices.Proxy) {
			redis.Down(t)
			redis.Up(t)
		},
		"black hole": func(t *testing.T, p *testservices.Proxy) {
			p.BlackHole(t)
			p.Heal()
		},
	} {
		t.Run(name, func(t *testing.T) {
			redis.Up(t)
			proxy := testservices.NewProxy(t, redis.Address())
			told := watch(t, openRedis(t, proxy.Address()))
			await(t, told, "the subscription")
			interrupt(t, proxy)
			await(t, told, "the new subscription")
			if err := openRedis(t, "").Announce(t.Context(), 7); err != nil {
				t.Fatal(err)
			}
			await(t, told, "an announcement")
		})
	}
}

// lines are a logger's.
type lines chan string

func (l lines) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

// A connection that swallows everything is noticed, though nothing is sent on
// it but the question whether somebody is there.
func TestRedisWatchNoticesABlackHole(t *testing.T) {
	proxy := testservices.NewProxy(t, openAddress(t))
	r := openRedis(t, proxy.Address())
	log := make(lines, 1000)
	r.options.Log = slog.New(slog.NewTextHandler(log, nil))
	told := watch(t, r)
	await(t, told, "the subscription")
	proxy.BlackHole(t)
	select {
	case line := <-log:
		if !strings.Contains(line, "subscription") {
			t.Error(line)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the watcher waits for ever")
	}
	proxy.Heal()
	await(t, told, "the new subscription")
}

// BenchmarkRedis is what it takes to get an artifact through the chain when
// Redis has it.
func BenchmarkRedis(b *testing.B) {
	r := openRedis(b, "")
	c := NewChain(quiet(), maxTestBytes, Level{r, time.Minute})
	defer c.Close()
	for _, size := range []int{4 << 10, 64 << 10} {
		digest, content := artifact("a", size)
		if err := r.Put(b.Context(), digest, content); err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("%d KiB", size>>10), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Get(b.Context(), digest); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A name is new once, until its time has passed.
func TestOnce(t *testing.T) {
	r := openRedis(t, "")
	commandsOf(t, r)
	for i, want := range []bool{true, false, false} {
		if first, err := r.Once(t.Context(), "till abc", time.Hour); first != want || err != nil {
			t.Errorf("%d: %v, %v", i, first, err)
		}
	}
	if first, err := r.Once(t.Context(), "till abd", time.Millisecond); !first || err != nil {
		t.Errorf("%v, %v", first, err)
	}
}
