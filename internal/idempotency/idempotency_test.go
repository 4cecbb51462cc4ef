package idempotency

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/avapd/avapd/internal/redisconn"
	"github.com/avapd/avapd/internal/testservices"
)

var (
	redis    *testservices.Redis
	redisErr error
)

func TestMain(m *testing.M) { os.Exit(testservices.RunWithRedis(m, &redis, &redisErr)) }

func digest(text string) Digest { return sha256.Sum256([]byte(text)) }

var (
	testLimits = Limits{Keys: 40, Bytes: 1 << 20, Keep: time.Hour, Lease: time.Hour}
	tooLarge   = &Answer{Status: 409, Body: []byte("too large to be kept")}
)

// places gives keys in memory and in Redis.
func places(t *testing.T, run func(*testing.T, *Keys)) {
	t.Run("memory", func(t *testing.T) { run(t, New(testLimits, nil)) })
	t.Run("redis", func(t *testing.T) {
		testservices.Need(t, redisErr)
		redis.Up(t)
		run(t, New(testLimits, scripts(t, "")))
	})
}

// scripts has keys of its own at each call, so that a test finds none of its last run.
func scripts(t *testing.T, address string) *redisconn.Scripts {
	t.Helper()
	conn, err := redisconn.Open(redis.URL(address), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	<-conn.Connected()
	return conn.Scripts(rand.Text()+":", time.Minute)
}

func mustClaim(t *testing.T, k *Keys, client, key, request string) *Claim {
	t.Helper()
	answer, claim, err := k.Claim(t.Context(), client, digest(key), digest(request))
	if err != nil || claim == nil {
		t.Fatalf("%v, %v", answer, err)
	}
	return claim
}

func TestKeys(t *testing.T) {
	places(t, func(t *testing.T, k *Keys) {
		claim := mustClaim(t, k, "c", "key", "request")
		if _, _, err := k.Claim(t.Context(), "c", digest("key"), digest("request")); !errors.Is(err, ErrBusy) {
			t.Errorf("at the same time: %v", err)
		}
		if _, _, err := k.Claim(t.Context(), "c", digest("key"), digest("another")); !errors.Is(err, ErrOther) {
			t.Errorf("another request at the same time: %v", err)
		}
		want := &Answer{Status: 201, Header: []Header{{"Location", "/x"}, {"Etag", `"1"`}}, Body: []byte("a\x00\xff")}
		if err := claim.Keep(t.Context(), want, tooLarge); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			got, _, err := k.Claim(t.Context(), "c", digest("key"), digest("request"))
			if err != nil || !cmp.Equal(got, want) {
				t.Errorf("afterwards: %v, %v", got, err)
			}
		}
		if _, _, err := k.Claim(t.Context(), "c", digest("key"), digest("another")); !errors.Is(err, ErrOther) {
			t.Errorf("another request afterwards: %v", err)
		}
		mustClaim(t, k, "c", "another key", "request").Release(t.Context())
		mustClaim(t, k, "c", "another key", "another request").Release(t.Context())
	})
}

// An answer that is too large is not kept, but its key is.
func TestLargeAnswers(t *testing.T) {
	places(t, func(t *testing.T, k *Keys) {
		claim := mustClaim(t, k, "c", "key", "request")
		if err := claim.Keep(t.Context(), &Answer{Status: 200, Body: make([]byte, testLimits.Bytes/16)}, tooLarge); err != nil {
			t.Fatal(err)
		}
		if got, _, err := k.Claim(t.Context(), "c", digest("key"), digest("request")); err != nil || !cmp.Equal(got, tooLarge) {
			t.Errorf("%v, %v", got, err)
		}
	})
}

// Of many at once one may do it.
func TestConcurrentClaims(t *testing.T) {
	places(t, func(t *testing.T, k *Keys) {
		outcomes := make(chan error, 20)
		for range cap(outcomes) {
			go func() {
				_, _, err := k.Claim(context.Background(), "c", digest("key"), digest("request"))
				outcomes <- err
			}()
		}
		claimed := 0
		for range cap(outcomes) {
			if err := <-outcomes; err == nil {
				claimed++
			} else if !errors.Is(err, ErrBusy) {
				t.Error(err)
			}
		}
		if claimed != 1 {
			t.Errorf("%d have the claim", claimed)
		}
	})
}

// A claim whose server seems to have died is nobody else's, since what was begun
// may be done. Redis keeps nothing for ever.
func TestRedisExpires(t *testing.T) {
	testservices.Need(t, redisErr)
	redis.Up(t)
	k := New(Limits{Bytes: 1 << 20, Keep: time.Hour, Lease: time.Millisecond}, scripts(t, ""))
	late := mustClaim(t, k, "c", "key", "request")
	for { // until the lease is over
		_, claim, err := k.Claim(t.Context(), "c", digest("key"), digest("request"))
		if errors.Is(err, ErrUncertain) {
			break
		}
		if claim != nil || !errors.Is(err, ErrBusy) {
			t.Fatal(claim, err)
		}
	}
	// Who comes late nevertheless tells what it did.
	want := &Answer{Status: 200}
	if err := late.Keep(t.Context(), want, tooLarge); err != nil {
		t.Error(err)
	}
	if got, _, err := k.Claim(t.Context(), "c", digest("key"), digest("request")); err != nil || got == nil || got.Status != want.Status {
		t.Errorf("the late one's answer is %+v, %v", got, err)
	}
	// What is kept for a moment is free after it, answered or not.
	brief := New(Limits{Bytes: 1 << 20, Keep: time.Millisecond, Lease: time.Millisecond}, scripts(t, ""))
	mustClaim(t, brief, "c", "brief", "request")
	for {
		_, claim, err := brief.Claim(t.Context(), "c", digest("brief"), digest("request"))
		if claim != nil {
			return
		}
		if !errors.Is(err, ErrBusy) && !errors.Is(err, ErrUncertain) {
			t.Fatal(err)
		}
	}
}

func TestRedisAway(t *testing.T) {
	testservices.Need(t, redisErr)
	redis.Up(t)
	proxy := testservices.NewProxy(t, redis.Address())
	k := New(testLimits, scripts(t, proxy.Address()))
	claim := mustClaim(t, k, "c", "key", "request")
	proxy.Down()
	if _, _, err := k.Claim(t.Context(), "c", digest("other key"), digest("request")); !errors.Is(err, ErrUnavailable) {
		t.Errorf("%v", err)
	}
	if err := claim.Keep(t.Context(), &Answer{Status: 200}, tooLarge); err == nil {
		t.Error("nobody was told that the answer is not kept")
	}
}

func TestMemoryForgets(t *testing.T) {
	now := time.Unix(0, 0)
	k := New(testLimits, nil)
	k.memory.now = func() time.Time { return now }
	claim := mustClaim(t, k, "c", "key", "request")
	if err := claim.Keep(t.Context(), &Answer{Status: 200}, tooLarge); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	mustClaim(t, k, "c", "key", "another request")
}

// A client uses up its own part, and no more than all is kept.
func TestMemoryIsBounded(t *testing.T) {
	k := New(testLimits, nil)
	keep := func(client, key string, size int) {
		if err := mustClaim(t, k, client, key, "r").Keep(t.Context(), &Answer{Body: make([]byte, size)}, tooLarge); err != nil {
			t.Fatal(err)
		}
	}
	keep("victim", "victim's", 10)
	for i := range 1000 {
		keep("flood", fmt.Sprint(i), 50_000)
	}
	if got, _, err := k.Claim(t.Context(), "victim", digest("victim's"), digest("r")); got == nil || err != nil {
		t.Errorf("the key of another is forgotten: %v", err)
	}
	if own := k.memory.clients["flood"]; own.keys > 10 || own.bytes > testLimits.Bytes/4 {
		t.Errorf("a client has %+v", own)
	}
	for i := range 1000 {
		keep(fmt.Sprint("client ", i), fmt.Sprint("key ", i), 60_000)
	}
	if m := k.memory; len(m.keys) > testLimits.Keys || m.bytes > testLimits.Bytes || m.order.Len() != len(m.keys) || len(m.clients) > len(m.keys) {
		t.Errorf("%d keys, %d bytes, %d in order, %d clients", len(m.keys), m.bytes, m.order.Len(), len(m.clients))
	}
	// Claims are no room to be made.
	var claims []*Claim
	for i := range testLimits.Keys {
		claims = append(claims, mustClaim(t, k, fmt.Sprint("claims ", i), "claim "+strings.Repeat("x", i), "r"))
	}
	if _, _, err := k.Claim(t.Context(), "one more", digest("one more"), digest("r")); !errors.Is(err, ErrFull) {
		t.Errorf("%v", err)
	}
	for _, c := range claims {
		c.Release(t.Context())
	}
	if m := k.memory; len(m.keys)+m.bytes+m.order.Len()+len(m.clients) != 0 {
		t.Errorf("something is left: %d keys, %d bytes, %d in order, %d clients", len(m.keys), m.bytes, m.order.Len(), len(m.clients))
	}
}
