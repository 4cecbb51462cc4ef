package redisconn

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/avapd/avapd/internal/testservices"
)

var (
	server    *testservices.Redis
	serverErr error
)

func TestMain(m *testing.M) {
	// It sleeps for as long as nobody else is to dial.
	dialled := goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1")
	os.Exit(testservices.RunWithRedis(m, &server, &serverErr, dialled))
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestURL(t *testing.T) {
	for _, url := range []string{"", "localhost", "http://u:hush@localhost", "redis://u:hush@local host", "redis://u:hush@h/x"} {
		c, err := Open(url, quiet())
		if err == nil {
			c.Close()
			t.Errorf("%q was taken", url)
		} else if strings.Contains(err.Error(), "hush") {
			t.Errorf("the error tells the password: %v", err)
		}
	}
}

func TestScripts(t *testing.T) {
	testservices.Need(t, serverErr)
	server.Up(t)
	c, err := Open(server.URL(""), quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	<-c.Connected()
	s := c.Scripts("p:", time.Minute)
	script := NewScript(`redis.call('SET', KEYS[1], ARGV[1]) return {KEYS[1], 7, redis.call('GET', KEYS[1])}`)
	// Who asks may be gone; what was begun is done.
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	got, err := s.Run(gone, script, "k", "a\x00b")
	if err != nil || strings.Join(got, "|") != "p:k|7|a\x00b" {
		t.Errorf("got %q, %v", got, err)
	}
	wrong := NewScript(`return redis.call('INCR', KEYS[1])`)
	for range failuresToOpen {
		if _, err := s.Run(t.Context(), wrong, "k"); err == nil {
			t.Error("an error of the script was swallowed")
		}
	}
	if _, err := s.Run(t.Context(), script, "k", "x"); err == nil || !s.Stats().Open {
		t.Errorf("after %d failures: %v, %+v", failuresToOpen, err, s.Stats())
	}
	if other := c.Scripts("q:", time.Minute); other.Stats().Open {
		t.Error("breakers are not apart")
	}
}

func TestNotConnected(t *testing.T) {
	c, err := Open("redis://127.0.0.1:1", quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Scripts("", time.Minute).Run(t.Context(), NewScript("return {}"), "k"); !errors.Is(err, ErrNotConnected) {
		t.Error(err)
	}
}
