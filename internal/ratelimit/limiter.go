package ratelimit

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/avapd/avapd/internal/redisconn"
)

// script is [Rate.take] in Redis, by its clock, in microseconds: the arithmetic of
// Redis has 53 bits. It returns whether the event is allowed, the moment at
// which the allowance is whole, and the time.
var script = redisconn.NewScript(`
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local interval, tolerance = tonumber(ARGV[1]), tonumber(ARGV[2])
local whole = tonumber(redis.call('GET', KEYS[1])) or 0
whole = math.min(math.max(whole, now), now + tolerance)
local following = whole + interval
if following - now > tolerance then
  return {0, whole, now}
end
redis.call('SET', KEYS[1], string.format('%.0f', following), 'PX', math.ceil((following - now) / 1000))
return {1, following, now}
`)

// Scripts run scripts in Redis.
type Scripts interface {
	Run(ctx context.Context, script *redisconn.Script, key string, arguments ...string) ([]string, error)
}

// Limiter counts in Redis, and in memory while Redis is away or slow, or where
// there is none.
type Limiter struct {
	memory *Memory
	redis  Scripts
	// alone counts the events that were counted here although there is Redis.
	alone atomic.Int64
}

// New makes a limiter; scripts may be nil.
func New(memory *Memory, scripts Scripts) *Limiter { return &Limiter{memory: memory, redis: scripts} }

// Take counts an event of a key.
func (l *Limiter) Take(ctx context.Context, key []byte, r Rate) Decision {
	if l.redis == nil {
		return l.memory.Take(key, r)
	}
	interval := r.interval() / int64(time.Microsecond)
	answer, err := l.redis.Run(ctx, script, string(key), strconv.FormatInt(interval, 10), strconv.FormatInt(interval*r.Burst, 10))
	if err == nil && len(answer) == 3 {
		whole, err1 := strconv.ParseInt(answer[1], 10, 64)
		now, err2 := strconv.ParseInt(answer[2], 10, 64)
		if err1 == nil && err2 == nil {
			return r.decision(answer[0] == "1", (whole-now)*int64(time.Microsecond), 0)
		}
	}
	l.alone.Add(1)
	return l.memory.Take(key, r)
}

// Alone is how many events were counted in memory because Redis did not answer.
func (l *Limiter) Alone() int64 { return l.alone.Load() }

// Keys is how many keys are in memory.
func (l *Limiter) Keys() int { return l.memory.Keys() }
