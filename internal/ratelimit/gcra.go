package ratelimit

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Rate is how often something may happen: Count times in Period, and Burst times
// at once. The zero Rate limits nothing.
type Rate struct {
	Count, Burst int64
	Period       time.Duration
}

// The bounds of rates. With them an interval has a microsecond at least, and no
// product of the arithmetic leaves 64 bits.
const (
	maxCount = 1_000_000
	maxBurst = 1_000_000
)

var errRate = errors.New("a rate is a number, a slash, one of s, m and h for second, minute and hour, and if needed a colon and the burst: 100/s, 600/m, 100/s:500; 0 means no limit")

// ParseRate reads a rate such as 100/s or 600/m:50. Without a burst it is what
// may happen in one period, or in a second of a longer one, and at least 1.
func ParseRate(text string) (Rate, error) {
	if text == "" || text == "0" {
		return Rate{}, nil
	}
	text, burst, hasBurst := strings.Cut(text, ":")
	number, unit, _ := strings.Cut(text, "/")
	r := Rate{Period: map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[unit]}
	var err error
	if r.Count, err = strconv.ParseInt(number, 10, 64); err != nil || r.Period == 0 || r.Count < 1 || r.Count > maxCount {
		return Rate{}, errRate
	}
	r.Burst = min(maxBurst, max(1, int64(float64(r.Count)*time.Second.Seconds()/r.Period.Seconds())))
	if hasBurst {
		if r.Burst, err = strconv.ParseInt(burst, 10, 64); err != nil || r.Burst < 1 || r.Burst > maxBurst {
			return Rate{}, errRate
		}
	}
	return r, nil
}

func (r Rate) String() string {
	unit := map[time.Duration]string{time.Second: "s", time.Minute: "m", time.Hour: "h"}[r.Period]
	if unit == "" {
		return "0"
	}
	return fmt.Sprintf("%d/%s:%d", r.Count, unit, r.Burst)
}

// Limits reports whether the rate limits anything.
func (r Rate) Limits() bool { return r.Count > 0 }

// interval is the time that one event takes off the allowance, and tolerance how
// far ahead the moment of a whole allowance may be, both in nanoseconds.
func (r Rate) interval() int64  { return int64(r.Period) / r.Count }
func (r Rate) tolerance() int64 { return r.interval() * r.Burst }

// WindowSeconds is the time in which an allowance that was used up is whole again,
// in whole seconds and at least one.
func (r Rate) WindowSeconds() int64 { return seconds(r.tolerance()) }

// Decision is what became of an event.
type Decision struct {
	Allowed bool
	// Remaining is how many more are allowed at once.
	Remaining int64
	// Retry is the time until the next one is allowed, and Reset until the
	// allowance is whole.
	Retry, Reset time.Duration
}

// take decides about an event at a time, given the moment at which the allowance
// is whole, and gives the moment afterwards. Times are in nanoseconds from
// anywhere. A moment that is further ahead than the rate allows was written by a
// clock, or under a rate, that does not hold any more.
func (r Rate) take(whole, now int64) (next int64, d Decision) {
	whole = min(max(whole, now), now+r.tolerance())
	next = whole + r.interval()
	if next-now > r.tolerance() {
		return whole, r.decision(false, whole, now)
	}
	return next, r.decision(true, next, now)
}

// decision describes the state after an event.
func (r Rate) decision(allowed bool, whole, now int64) Decision {
	ahead := max(0, whole-now)
	left := r.tolerance() - ahead
	d := Decision{Allowed: allowed, Remaining: max(0, left/r.interval()), Reset: time.Duration(ahead)}
	if d.Remaining == 0 {
		d.Retry = time.Duration(r.interval() - left)
	}
	return d
}

// seconds are whole seconds that a time fits in, at least one if there is any.
func seconds(nanoseconds int64) int64 {
	return int64(math.Ceil(float64(nanoseconds) / float64(time.Second)))
}

// RetrySeconds is Retry in whole seconds, as headers have it.
func (d Decision) RetrySeconds() int { return int(max(1, seconds(int64(d.Retry)))) }

// ResetSeconds is Reset in whole seconds.
func (d Decision) ResetSeconds() int64 { return seconds(int64(d.Reset)) }
