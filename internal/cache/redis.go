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

	"github.com/avapd/avapd/internal/redisconn"
)

// layout is the version of what is kept in Redis. Another one uses other keys.
const layout = "1"

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
	conn    *redisconn.Conn
}

// NewRedis makes a tier of a connection, which stays the caller's.
func NewRedis(conn *redisconn.Conn, o RedisOptions) *Redis { return &Redis{options: o, conn: conn} }

// Name is the tier's name.
func (*Redis) Name() string { return "redis" }

func (r *Redis) key(digest Digest) string {
	return r.options.Prefix + ":" + layout + ":artifact:" + hex.EncodeToString(digest[:])
}

// Get reads an artifact, and no more than one byte above the largest: what is
// longer is wrong, and must not fill the memory.
func (r *Redis) Get(ctx context.Context, digest Digest) ([]byte, error) {
	client, err := r.conn.Commands()
	if err != nil {
		return nil, err
	}
	content, err := client.Do(ctx, client.B().Getrange().Key(r.key(digest)).Start(0).End(r.options.MaxBytes).Build()).AsBytes()
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
	client, err := r.conn.Commands()
	switch {
	case err != nil:
		return err
	case int64(len(content)) > r.options.MaxBytes:
		return fmt.Errorf("an artifact of %d bytes is larger than %d", len(content), r.options.MaxBytes)
	}
	set := client.B().Set().Key(r.key(digest)).Value(rueidis.BinaryString(content)).Px(r.options.TTL).Build()
	return client.Do(ctx, set).Error()
}

// Remove deletes what is kept under an artifact's key.
func (r *Redis) Remove(ctx context.Context, digest Digest) error {
	client, err := r.conn.Commands()
	if err != nil {
		return err
	}
	return client.Do(ctx, client.B().Del().Key(r.key(digest)).Build()).Error()
}

func (r *Redis) channel() string { return r.options.Prefix + ":" + layout + ":changes" }

// Announce tells all who watch that there is a new revision. Messages may be
// lost; whoever depends on them must look for itself now and then.
func (r *Redis) Announce(ctx context.Context, revision int64) error {
	client, err := r.conn.Commands()
	if err != nil {
		return err
	}
	publish := client.B().Publish().Channel(r.channel()).Message(strconv.FormatInt(revision, 10)).Build()
	return client.Do(ctx, publish).Error()
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
	case <-r.conn.Connected():
	case <-ctx.Done():
		return
	}
	client, err := r.conn.Commands()
	if err != nil { // there is one now
		return
	}
	var subscribed atomic.Bool
	hooked := rueidis.WithOnSubscriptionHook(ctx, func(s rueidis.PubSubSubscription) {
		if s.Kind == "subscribe" {
			subscribed.Store(true)
			tell()
		}
	})
	for wait := redisconn.RetryFirst; ; wait = min(2*wait, redisconn.RetryLongest) {
		err := receive(hooked, client, r.channel(), tell)
		if ctx.Err() != nil || errors.Is(err, rueidis.ErrClosing) {
			return
		}
		if subscribed.Swap(false) {
			wait = redisconn.RetryFirst
			r.options.Log.Warn("the subscription to changes in Redis ended; it is made again", "error", err)
		}
		if !redisconn.Pause(ctx, wait) {
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
