// Package quota counts what clients use of fuel, time and memory in windows of
// time, and tells when that is as much as they may.
//
// What an execution will use is not known before, so one may begin as long as
// anything is left, and what is under way may go beyond.
package quota

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/avapd/avapd/internal/redisconn"
)

// Use is what was used, or may be. Where it says what may be, a zero member means
// as much as one likes.
type Use struct {
	Fuel int64
	// Time is that of executions that ran.
	Time time.Duration
	// MemorySeconds are the bytes that executions had at most, each as long as it
	// ran: a gibibyte for a second, or a mebibyte for a thousand.
	MemorySeconds float64
}

// Add sums up.
func (u Use) Add(v Use) Use {
	return Use{u.Fuel + v.Fuel, u.Time + v.Time, u.MemorySeconds + v.MemorySeconds}
}

// The names of what is counted.
const (
	Fuel   = "fuel"
	Time   = "time"
	Memory = "memory"
)

// over names what is used up, if anything.
func (u Use) over(most Use) string {
	switch {
	case most.Fuel > 0 && u.Fuel >= most.Fuel:
		return Fuel
	case most.Time > 0 && u.Time >= most.Time:
		return Time
	case most.MemorySeconds > 0 && u.MemorySeconds >= most.MemorySeconds:
		return Memory
	}
	return ""
}

// Scripts run scripts in Redis.
type Scripts interface {
	Run(ctx context.Context, script *redisconn.Script, key string, arguments ...string) ([]string, error)
}

// script adds to what is used in a window and returns it. The window is part of
// the key; what is kept of it goes a while after its end.
var script = redisconn.NewScript(`
local used = {}
for i, name in ipairs({'fuel', 'time', 'memory'}) do
  used[i] = redis.call('HINCRBY', KEYS[1], name, ARGV[i])
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return used
`)

// Accounts keep what a bounded number of clients have used in the present window.
// Where there is Redis, it is shared with others; while that is away, everybody
// counts for themselves.
type Accounts struct {
	redis  Scripts
	most   int
	now    func() time.Time
	mu     sync.Mutex
	window int64
	used   map[string]Use
	// alone counts what was counted here although there is Redis.
	alone atomic.Int64
}

// New makes accounts for so many clients; scripts may be nil.
func New(clients int, scripts Scripts) *Accounts { return newAccounts(clients, scripts, time.Now) }

func newAccounts(clients int, scripts Scripts, now func() time.Time) *Accounts {
	return &Accounts{redis: scripts, most: max(1, clients), now: now, used: make(map[string]Use)}
}

// Limit says what may be used in each window, as long as it is.
type Limit struct {
	Use

	Window time.Duration
}

// Limits reports whether it limits anything.
func (l Limit) Limits() bool { return l.Use != Use{} }

// Check names what a client has used up, if anything, and tells when there will be
// more.
func (a *Accounts) Check(ctx context.Context, client string, l Limit) (over string, again time.Duration) {
	used, left := a.add(ctx, client, Use{}, l.Window)
	return used.over(l.Use), left
}

// Charge adds to what a client has used.
func (a *Accounts) Charge(ctx context.Context, client string, u Use, l Limit) {
	a.add(ctx, client, u, l.Window)
}

// add gives what is used in the window that it is now, and the time left in it.
// Windows begin at the same moments everywhere.
func (a *Accounts) add(ctx context.Context, client string, u Use, window time.Duration) (used Use, left time.Duration) {
	now := a.now().UnixMilli()
	length := max(1, window.Milliseconds())
	left = time.Duration(length-now%length) * time.Millisecond
	if a.redis != nil {
		answer, err := a.redis.Run(ctx, script, client+":"+strconv.FormatInt(length, 10)+":"+strconv.FormatInt(now/length, 10),
			strconv.FormatInt(u.Fuel, 10), strconv.FormatInt(int64(u.Time), 10), strconv.FormatInt(int64(u.MemorySeconds), 10),
			strconv.FormatInt(2*length, 10))
		if err == nil {
			if used, ok := read(answer); ok {
				return used, left
			}
		}
		a.alone.Add(1)
	}
	return a.addHere(client, u, now/length), left
}

func read(answer []string) (used Use, ok bool) {
	if len(answer) != 3 {
		return Use{}, false
	}
	var n [3]int64
	for i, text := range answer {
		var err error
		if n[i], err = strconv.ParseInt(text, 10, 64); err != nil {
			return Use{}, false
		}
	}
	return Use{Fuel: n[0], Time: time.Duration(n[1]), MemorySeconds: float64(n[2])}, true
}

// addHere counts in memory. Of a window that is over nothing is kept. Where there
// are more clients than places, anybody's account is given to another: whoever
// makes up clients gains nothing by it that they did not have.
func (a *Accounts) addHere(client string, u Use, window int64) Use {
	a.mu.Lock()
	defer a.mu.Unlock()
	if window != a.window {
		a.window = window
		clear(a.used)
	}
	used, known := a.used[client]
	if !known && u == (Use{}) {
		return Use{} // who only asks needs no account
	}
	if !known {
		for other := range a.used {
			if len(a.used) < a.most {
				break
			}
			delete(a.used, other)
		}
	}
	used = used.Add(u)
	a.used[client] = used
	return used
}

// Alone is how often it was counted in memory because Redis did not answer.
func (a *Accounts) Alone() int64 { return a.alone.Load() }
