package server

import (
	"runtime"
	"time"

	"github.com/avapd/avapd/internal/admission"
	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/idempotency"
	"github.com/avapd/avapd/internal/quota"
	"github.com/avapd/avapd/internal/ratelimit"
)

const (
	// redisPrefix begins the keys of what servers share. Its number changes with
	// what they hold.
	redisPrefix = "avap:1:"
	// countTime is how long a request waits for Redis to count it, and keyTime for
	// a claim on its key.
	countTime = 50 * time.Millisecond
	keyTime   = 500 * time.Millisecond
)

// countClients makes what counts requests and what they use: shared with other
// servers where there is Redis.
func (s *Server) countClients(o Options) {
	c := o.Config
	memory := ratelimit.NewMemory(int(c.Rates.Keys))
	if s.crowd == nil {
		slots := max(1, int(c.Compute.Slots), runtime.GOMAXPROCS(0))
		s.crowd = func() (int, time.Duration) { return slots, 0 }
	}
	s.gate = admission.New(admissionLimits(c, s.slots()), s.crowd, s.metrics.AdmissionWaited)
	if o.Redis == nil {
		s.limiter = ratelimit.New(memory, nil)
		s.accounts = quota.New(int(c.Rates.Keys), nil)
		s.keys = idempotency.New(keyLimits(c), nil)
		return
	}
	s.limiter = ratelimit.New(memory, o.Redis.Scripts(redisPrefix+"rate:", countTime))
	s.accounts = quota.New(int(c.Rates.Keys), o.Redis.Scripts(redisPrefix+"quota:", countTime))
	s.keys = idempotency.New(keyLimits(c), o.Redis.Scripts(redisPrefix+"key:", keyTime))
}

// slots is how many executions compute at once.
func (s *Server) slots() int {
	slots, _ := s.crowd()
	return max(1, slots)
}

// leaseSpare is what a claim holds longer than a request can take.
const leaseSpare = time.Minute

// longestRequest is how long a request can take at most.
func longestRequest(c *config.Config) time.Duration {
	return time.Duration(c.LimitsMax.TimeMS+c.Admission.WaitMS)*time.Millisecond + c.BatchTime()
}

func keyLimits(c *config.Config) idempotency.Limits {
	return idempotency.Limits{
		Keys: int(c.Idempotency.Keys), Bytes: int(c.Idempotency.Bytes),
		Keep: time.Duration(c.Idempotency.KeepSeconds) * time.Second, Lease: longestRequest(c) + leaseSpare,
	}
}
