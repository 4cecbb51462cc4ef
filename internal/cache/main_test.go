package cache

import (
	"crypto/sha256"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/avapd/avapd/internal/redisconn"
	"github.com/avapd/avapd/internal/testservices"
)

var (
	redis    *testservices.Redis
	redisErr error
)

func TestMain(m *testing.M) { os.Exit(testservices.RunWithRedis(m, &redis, &redisErr)) }

const maxTestBytes = 1 << 20

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// openRedis gives a connected tier of its own, at the server's own address if
// none is given.
func openRedis(t testing.TB, address string) *Redis {
	t.Helper()
	if address == "" {
		address = openAddress(t)
	}
	conn := connect(t, redis.URL(address))
	<-conn.Connected()
	return NewRedis(conn, RedisOptions{Prefix: t.Name(), TTL: time.Hour, MaxBytes: maxTestBytes, Log: quiet()})
}

// connect opens a connection for one test.
func connect(t testing.TB, url string) *redisconn.Conn {
	t.Helper()
	conn, err := redisconn.Open(url, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// commandsOf gives what sends commands over a connection that is made.
func commandsOf(t testing.TB, r *Redis) rueidis.Client {
	t.Helper()
	client, err := r.conn.Commands()
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// openAddress is where a running server is.
func openAddress(t testing.TB) string {
	t.Helper()
	testservices.Need(t, redisErr)
	redis.Up(t)
	return redis.Address()
}

// artifact is content of a size, another one for each name.
func artifact(name string, size int) (Digest, []byte) {
	content := make([]byte, size)
	for i, seed := 0, sha256.Sum256([]byte(name)); i < size; i += copy(content[i:], seed[:]) {
		seed = sha256.Sum256(seed[:])
	}
	return sha256.Sum256(content), content
}
