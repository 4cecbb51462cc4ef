// Package idempotency keeps what was answered to requests that their clients gave
// a key (draft-ietf-httpapi-idempotency-key-header), so that a request which is
// sent again, because nobody knows what became of it, is answered and not done
// again.
//
// A key is claimed before the work begins, and holds the answer afterwards. Where
// there is Redis, claims are there, and several servers share them; nothing is done
// with a key while it is away, since somebody else may be at it. Without Redis they
// are in memory, until the process ends.
package idempotency

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/avapd/avapd/internal/redisconn"
)

// Digest is a SHA-256.
type Digest = [sha256.Size]byte

// Errors of claims.
var (
	// ErrBusy says that the request is being answered now, ErrOther that the key
	// was another request's.
	ErrBusy  = errors.New("a request with this key is being answered")
	ErrOther = errors.New("the key was used for another request")
	// ErrUncertain says that the server that answered it has died, or could not
	// keep its answer.
	ErrUncertain = errors.New("it is not known what it has done, since its server did not tell")
	// ErrUnavailable says that it cannot be known, and ErrFull that there is no
	// place for one more key.
	ErrUnavailable = errors.New("it cannot be known whether the key was used")
	ErrFull        = errors.New("as many requests with keys as may be are being answered")
)

// Answer is what is sent again.
type Answer struct {
	Status int      `json:"status"`
	Header []Header `json:"header"`
	Body   []byte   `json:"body"`
}

// Header is a field of an answer.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// size is what an answer takes, roughly.
func (a *Answer) size() int {
	n := len(a.Body) + 128
	for _, h := range a.Header {
		n += len(h.Name) + len(h.Value)
	}
	return n
}

// Limits bound what is kept.
type Limits struct {
	// Keys and Bytes bound what is in memory; a client has a quarter of it.
	Keys, Bytes int
	// Keep is how long an answer is kept, and Lease how long a request can take:
	// after that its server has died, and the key stays used as long as an answer
	// is kept.
	Keep, Lease time.Duration
}

// Scripts run scripts in Redis.
type Scripts interface {
	Run(ctx context.Context, script *redisconn.Script, key string, arguments ...string) ([]string, error)
}

// Keys are the keys of all clients.
type Keys struct {
	limits Limits
	redis  Scripts
	memory *memory
}

// New makes an empty set of keys; scripts may be nil.
func New(l Limits, scripts Scripts) *Keys {
	return &Keys{limits: l, redis: scripts, memory: newMemory(l, time.Now)}
}

// Claim is the right to answer a request. It is kept or given up, once.
type Claim struct {
	keys  *Keys
	key   Digest
	token string
	entry *entry // of one in memory
}

// Claim takes a client's key for a request. Either there is an answer, which was
// given before, or a claim, or an error that says why there is neither.
func (k *Keys) Claim(ctx context.Context, client string, key, request Digest) (*Answer, *Claim, error) {
	if k.redis == nil {
		return k.memory.claim(k, client, key, request)
	}
	c := &Claim{keys: k, key: key, token: rand.Text()}
	answer, err := k.redis.Run(ctx, claimScript, name(key), hex.EncodeToString(request[:]), c.token, milliseconds(k.limits.Lease), milliseconds(k.limits.Keep))
	if err != nil {
		c.Release(ctx) // it may have been taken nevertheless
		return nil, nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	switch {
	case len(answer) == 1 && answer[0] == "claimed":
		return nil, c, nil
	case len(answer) == 1 && answer[0] == "other":
		return nil, nil, ErrOther
	case len(answer) == 1 && answer[0] == "busy":
		return nil, nil, ErrBusy
	case len(answer) == 1 && answer[0] == "uncertain":
		return nil, nil, ErrUncertain
	case len(answer) == 2 && answer[0] == "answered":
		a := new(Answer)
		if err := json.Unmarshal([]byte(answer[1]), a); err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		return a, nil, nil
	}
	return nil, nil, ErrUnavailable
}

// Keep ends a claim with the answer to the request. When that is too large for
// what is kept, the key stays used, and what is kept is instead.
func (c *Claim) Keep(ctx context.Context, a, instead *Answer) error {
	if c.entry != nil {
		c.keys.memory.keep(c.entry, a, instead)
		return nil
	}
	if a.size() > c.keys.limits.mostBytes() {
		a = instead
	}
	text, err := json.Marshal(a)
	if err == nil {
		_, err = c.keys.redis.Run(ctx, keepScript, name(c.key), c.token, string(text), milliseconds(c.keys.limits.Keep))
	}
	if err != nil {
		return fmt.Errorf("keep the answer to a request with a key: %w", err)
	}
	return nil
}

// Release gives a claim up: the request can be made again.
func (c *Claim) Release(ctx context.Context) {
	if c.entry != nil {
		c.keys.memory.release(c.entry)
		return
	}
	// If this fails, nobody knows later that nothing was done.
	_, _ = c.keys.redis.Run(ctx, releaseScript, name(c.key), c.token)
}

// mostBytes is what one answer may have.
func (l Limits) mostBytes() int { return l.Bytes / 16 }

func name(key Digest) string { return hex.EncodeToString(key[:]) }

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// The scripts. A key holds the digest of its request, and the answer or the token
// of who has claimed it, with the time until which that can be at work.
var (
	claimScript = redisconn.NewScript(`
local request, answer, ends = unpack(redis.call('HMGET', KEYS[1], 'request', 'answer', 'ends'))
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if not request then
  redis.call('HSET', KEYS[1], 'request', ARGV[1], 'token', ARGV[2], 'ends', now + ARGV[3])
  redis.call('PEXPIRE', KEYS[1], ARGV[3] + ARGV[4])
  return {'claimed'}
end
if request ~= ARGV[1] then return {'other'} end
if answer then return {'answered', answer} end
if now < tonumber(ends) then return {'busy'} end
return {'uncertain'}
`)
	keepScript = redisconn.NewScript(`
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return {} end
redis.call('HDEL', KEYS[1], 'token', 'ends')
redis.call('HSET', KEYS[1], 'answer', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {}
`)
	releaseScript = redisconn.NewScript(`
if redis.call('HGET', KEYS[1], 'token') == ARGV[1] then redis.call('DEL', KEYS[1]) end
return {}
`)
)
