// Package redisconn keeps the connection to Redis, which need not be up, and runs
// scripts there for those who can do without: within a deadline, and behind a
// circuit breaker.
package redisconn

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// Limits on one connection to Redis. Memory is small: artifacts are a few
// kilobytes, and what comes in larger pieces just takes more reads.
const (
	connectTimeout   = time.Second
	responseTimeout  = time.Second
	connectionBuffer = 64 << 10
	connectionRing   = 8 // 2^8 commands under way

	// RetryFirst is the time after which Redis is tried again. It doubles with each
	// failure, up to RetryLongest.
	RetryFirst   = 50 * time.Millisecond
	RetryLongest = time.Second
)

// ErrNotConnected says that no connection was made yet.
var ErrNotConnected = errors.New("there is no connection to Redis yet")

// Conn is a connection that is made in the background, and made again.
type Conn struct {
	client atomic.Pointer[rueidis.Client]
	cancel context.CancelFunc
	// connected is closed when the first connection is made, ended when no more
	// will be tried.
	connected, ended chan struct{}
}

// Open connects to the server of a URL: redis://user:password@host:port/database,
// or rediss:// for TLS. It does not wait for it. Errors never quote the URL, which
// may hold a password.
func Open(url string, log *slog.Logger) (*Conn, error) {
	option, err := rueidis.ParseURL(url)
	if err != nil {
		return nil, errors.New("the URL of Redis cannot be read; it is redis://user:password@host:port/database, or rediss:// for TLS")
	}
	option.Dialer.Timeout = connectTimeout
	option.ConnWriteTimeout = responseTimeout
	option.ReadBufferEachConn, option.WriteBufferEachConn, option.RingScaleEachConn = connectionBuffer, connectionBuffer, connectionRing
	// What is read is cached by those who read it, if at all.
	option.DisableCache = true
	// Breakers decide when to try again.
	option.DisableRetry = true
	ctx, cancel := context.WithCancel(context.Background())
	c := &Conn{cancel: cancel, connected: make(chan struct{}), ended: make(chan struct{})}
	go c.connect(ctx, option, log)
	return c, nil
}

// connect makes the client, which fails as long as the server is down. Once
// made, it connects again by itself.
func (c *Conn) connect(ctx context.Context, option rueidis.ClientOption, log *slog.Logger) {
	defer close(c.ended)
	for wait := RetryFirst; ; wait = min(2*wait, RetryLongest) {
		client, err := rueidis.NewClient(option)
		if err == nil {
			c.client.Store(&client)
			close(c.connected)
			return
		}
		if wait == RetryFirst { // once, not for each attempt
			log.Warn("Redis cannot be reached; it is tried again in the background", "error", err)
		}
		if !Pause(ctx, wait) {
			return
		}
	}
}

// Pause waits and tells whether there is time left.
func Pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Close ends all connections.
func (c *Conn) Close() {
	c.cancel()
	<-c.ended
	if client := c.client.Load(); client != nil {
		(*client).Close()
	}
}

// Connected is closed when the first connection is made.
func (c *Conn) Connected() <-chan struct{} { return c.connected }

// Commands gives what sends commands, or ErrNotConnected.
func (c *Conn) Commands() (rueidis.Client, error) {
	client := c.client.Load()
	if client == nil {
		return nil, ErrNotConnected
	}
	return *client, nil
}
