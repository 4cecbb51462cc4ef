package cache

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
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

	// Redis is tried again after retryFirst, twice as long after each failure, and
	// retryLongest at the most.
	retryFirst   = 50 * time.Millisecond
	retryLongest = time.Second
)

// layout is the version of what is kept in Redis. Another one uses other keys.
const layout = "1"

var errNotConnected = errors.New("there is no connection to Redis yet")

// RedisOptions are what a tier in Redis needs to know.
type RedisOptions struct {
	// Prefix begins every key and channel, so that several deployments can share
	// a server.
	Prefix string
	// TTL is how long an artifact is kept.
	TTL time.Duration
	// MaxBytes bounds an artifact.
	MaxBytes int64
	Log      *slog.Logger
}

// Redis is the tier that nodes share, and the channel by which they tell each
// other of changes. It need not be up: a connection is made in the background.
type Redis struct {
	options RedisOptions
	client  atomic.Pointer[rueidis.Client]
	cancel  context.CancelFunc
	// connected is closed when the first connection is made, ended when no more
	// will be tried.
	connected, ended chan struct{}
}

// OpenRedis makes a tier of a URL: redis://user:password@host:port/database, or
// rediss:// for TLS. It does not wait for the server. Errors never quote the
// URL, which may hold a password.
func OpenRedis(url string, o RedisOptions) (*Redis, error) {
	option, err := rueidis.ParseURL(url)
	if err != nil {
		return nil, errors.New("the URL of Redis cannot be read; it is redis://user:password@host:port/database, or rediss:// for TLS")
	}
	option.Dialer.Timeout = connectTimeout
	option.ConnWriteTimeout = responseTimeout
	option.ReadBufferEachConn, option.WriteBufferEachConn, option.RingScaleEachConn = connectionBuffer, connectionBuffer, connectionRing
	// Artifacts are cached as compiled modules, not once more as bytes.
	option.DisableCache = true
	// The breaker decides when to try again.
	option.DisableRetry = true
	ctx, cancel := context.WithCancel(context.Background())
	r := &Redis{options: o, cancel: cancel, connected: make(chan struct{}), ended: make(chan struct{})}
	go r.connect(ctx, option)
	return r, nil
}

// connect makes the client, which fails as long as the server is down. Once
// made, it connects again by itself.
func (r *Redis) connect(ctx context.Context, option rueidis.ClientOption) {
	defer close(r.ended)
	for wait := retryFirst; ; wait = min(2*wait, retryLongest) {
		client, err := rueidis.NewClient(option)
		if err == nil {
			r.client.Store(&client)
			close(r.connected)
			return
		}
		if wait == retryFirst { // once, not for each attempt
			r.options.Log.Warn("Redis cannot be reached; it is tried again in the background", "error", err)
		}
		if !pause(ctx, wait) {
			return
		}
	}
}

// pause waits and tells whether there is time left.
func pause(ctx context.Context, d time.Duration) bool {
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
func (r *Redis) Close() {
	r.cancel()
	<-r.ended
	if client := r.client.Load(); client != nil {
		(*client).Close()
	}
}

// Name is the tier's name.
func (*Redis) Name() string { return "redis" }

func (r *Redis) key(digest Digest) string {
	return r.options.Prefix + ":" + layout + ":artifact:" + hex.EncodeToString(digest[:])
}

// Get reads an artifact, and no more than one byte above the largest: what is
// longer is wrong, and must not fill the memory.
func (r *Redis) Get(ctx context.Context, digest Digest) ([]byte, error) {
	client := r.client.Load()
	if client == nil {
		return nil, errNotConnected
	}
	content, err := (*client).Do(ctx, (*client).B().Getrange().Key(r.key(digest)).Start(0).End(r.options.MaxBytes).Build()).AsBytes()
	answer, answered := rueidis.IsRedisErr(err)
	switch {
	case answered && strings.HasPrefix(answer.Error(), "WRONGTYPE"): // something else than bytes
		return nil, errWrong
	case err != nil:
		return nil, err
	case len(content) == 0: // a range of a key that is not there; no artifact is empty
		return nil, ErrNotFound
	}
	return content, nil
}

// Put writes an artifact.
func (r *Redis) Put(ctx context.Context, digest Digest, content []byte) error {
	client := r.client.Load()
	switch {
	case client == nil:
		return errNotConnected
	case int64(len(content)) > r.options.MaxBytes:
		return fmt.Errorf("an artifact of %d bytes is larger than %d", len(content), r.options.MaxBytes)
	}
	set := (*client).B().Set().Key(r.key(digest)).Value(rueidis.BinaryString(content)).Px(r.options.TTL).Build()
	return (*client).Do(ctx, set).Error()
}

// Remove deletes what is kept under an artifact's key.
func (r *Redis) Remove(ctx context.Context, digest Digest) error {
	client := r.client.Load()
	if client == nil {
		return errNotConnected
	}
	return (*client).Do(ctx, (*client).B().Del().Key(r.key(digest)).Build()).Error()
}

func (r *Redis) channel() string { return r.options.Prefix + ":" + layout + ":changes" }

// Announce tells all who watch that there is a new revision. Messages may be
// lost; whoever depends on them must look for itself now and then.
func (r *Redis) Announce(ctx context.Context, revision int64) error {
	client := r.client.Load()
	if client == nil {
		return errNotConnected
	}
	publish := (*client).B().Publish().Channel(r.channel()).Message(strconv.FormatInt(revision, 10)).Build()
	return (*client).Do(ctx, publish).Error()
}

// Watch calls changed after every announcement, and whenever it has subscribed
// (again), since announcements may have been missed before. Several of them can
// become one call. It connects again by itself and ends with the context.
func (r *Redis) Watch(ctx context.Context, changed func()) error {
	// What changed does may take its time, and must not hold the connection up.
	news := make(chan struct{}, 1)
	tell := func() {
		select {
		case news <- struct{}{}:
		default:
		}
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.subscribe(ctx, tell)
	}()
	for {
		select {
		case <-news:
			changed()
		case <-ctx.Done():
			<-ended
			return ctx.Err()
		}
	}
}

// subscribe keeps a subscription up until the context ends.
func (r *Redis) subscribe(ctx context.Context, tell func()) {
	select {
	case <-r.connected:
	case <-ctx.Done():
		return
	}
	client := *r.client.Load()
	var subscribed atomic.Bool
	hooked := rueidis.WithOnSubscriptionHook(ctx, func(s rueidis.PubSubSubscription) {
		if s.Kind == "subscribe" {
			subscribed.Store(true)
			tell()
		}
	})
	for wait := retryFirst; ; wait = min(2*wait, retryLongest) {
		err := receive(hooked, client, r.channel(), tell)
		if ctx.Err() != nil || errors.Is(err, rueidis.ErrClosing) {
			return
		}
		if subscribed.Swap(false) {
			wait = retryFirst
			r.options.Log.Warn("the subscription to changes in Redis ended; it is made again", "error", err)
		}
		if !pause(ctx, wait) {
			return
		}
	}
}

// receive listens on a connection of its own.
func receive(ctx context.Context, client rueidis.Client, channel string, tell func()) error {
	dedicated, release := client.Dedicate()
	defer release()
	return dedicated.Receive(ctx, dedicated.B().Subscribe().Channel(channel).Build(), func(rueidis.PubSubMessage) { tell() })
}
