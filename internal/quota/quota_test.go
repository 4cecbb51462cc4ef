package quota

import (
	"fmt"
	"log/slog"
	"os"
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

// clock gives a time that a test sets.
type clock struct{ now time.Time }

func (c *clock) read() time.Time { return c.now }

func TestUsedUp(t *testing.T) {
	for name, test := range map[string]struct {
		most, use Use
		want      string
	}{
		"fuel":                {Use{Fuel: 100}, Use{Fuel: 50}, Fuel},
		"time":                {Use{Time: time.Second}, Use{Fuel: 1 << 40, Time: 500 * time.Millisecond}, Time},
		"memory":              {Use{MemorySeconds: 1000}, Use{Fuel: 1, MemorySeconds: 500}, Memory},
		"what has no limit":   {Use{Fuel: 100}, Use{Time: time.Hour, MemorySeconds: 1e12}, ""},
		"nothing has a limit": {Use{}, Use{Fuel: 1 << 50}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := &clock{time.Unix(1000, 0)}
			a := newAccounts(10, nil, c.read)
			l := Limit{test.most, time.Minute}
			if over, _ := a.Check(t.Context(), "a", l); over != "" {
				t.Errorf("%s is used up in the beginning", over)
			}
			a.Charge(t.Context(), "a", test.use, l)
			if over, _ := a.Check(t.Context(), "a", l); over != "" {
				t.Errorf("%s is used up by half of it", over)
			}
			a.Charge(t.Context(), "a", test.use, l)
			over, again := a.Check(t.Context(), "a", l)
			if over != test.want || again != 20*time.Second { // the next minute begins at 1020
				t.Errorf("%q is used up, and there is more in %v", over, again)
			}
			if over, _ := a.Check(t.Context(), "b", l); over != "" {
				t.Errorf("%s of another is used up", over)
			}
			c.now = c.now.Add(again)
			if over, _ := a.Check(t.Context(), "a", l); over != "" {
				t.Errorf("%s is used up in the next window", over)
			}
		})
	}
}

func TestAccountsAreBounded(t *testing.T) {
	a := New(10, nil)
	l := Limit{Use{Fuel: 1}, time.Hour}
	for i := range 1000 {
		a.Charge(t.Context(), fmt.Sprint(i), Use{Fuel: 1}, l)
		a.Check(t.Context(), fmt.Sprint("asks ", i), l)
	}
	if n := len(a.used); n != 10 {
		t.Errorf("%d accounts", n)
	}
}

func TestShared(t *testing.T) {
	testservices.Need(t, redisErr)
	redis.Up(t)
	proxy := testservices.NewProxy(t, redis.Address())
	conn, err := redisconn.Open(redis.URL(proxy.Address()), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	<-conn.Connected()
	c := &clock{time.Unix(1000, 0)}
	a := newAccounts(10, conn.Scripts(t.Name(), time.Minute), c.read)
	b := newAccounts(10, conn.Scripts(t.Name(), time.Minute), c.read)
	l := Limit{Use{Fuel: 100, Time: time.Hour, MemorySeconds: 1e9}, time.Minute}
	a.Charge(t.Context(), "k", Use{Fuel: 60, Time: time.Second, MemorySeconds: 1e6}, l)
	b.Charge(t.Context(), "k", Use{Fuel: 60, Time: time.Second, MemorySeconds: 1e6}, l)
	for _, node := range []*Accounts{a, b} {
		if over, _ := node.Check(t.Context(), "k", l); over != Fuel || node.Alone() != 0 {
			t.Errorf("%q is used up, %d counted alone", over, node.Alone())
		}
	}
	used, _ := a.add(t.Context(), "k", Use{}, time.Minute)
	if want := (Use{Fuel: 120, Time: 2 * time.Second, MemorySeconds: 2e6}); used != want {
		t.Errorf("used %+v, want %+v", used, want)
	}
	if left, err := redis.Do(t.Context(), "RANDOMKEY"); err != nil || left != t.Name()+"k:60000:16" {
		t.Errorf("the key is %q, %v", left, err)
	}

	// Each counts for itself while Redis is away.
	proxy.Down()
	if over, _ := a.Check(t.Context(), "k", l); over != "" {
		t.Errorf("%q is used up", over)
	}
	a.Charge(t.Context(), "k", Use{Fuel: 100}, l)
	if over, _ := a.Check(t.Context(), "k", l); over != Fuel || a.Alone() != 3 {
		t.Errorf("%q is used up, %d counted alone", over, a.Alone())
	}
}
