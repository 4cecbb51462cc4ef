package redisconn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/redis/rueidis"
)

const (
	// Redis that failed failuresToOpen times in a row, or that let one deadline
	// pass, is left alone for restPeriod. Then one call tries it.
	failuresToOpen = 3
	restPeriod     = time.Second
)

// Scripts runs scripts for one purpose: its breaker is its own.
type Scripts struct {
	client   *Conn
	prefix   string
	deadline time.Duration
	breaker  circuitbreaker.CircuitBreaker[any]

	calls, failures, skipped atomic.Int64
}

// Scripts gives what runs scripts on keys that begin with a prefix. A call takes
// the deadline at most, whatever Redis does.
func (c *Conn) Scripts(prefix string, deadline time.Duration) *Scripts {
	return &Scripts{
		client: c, prefix: prefix, deadline: deadline,
		breaker: circuitbreaker.NewBuilder[any]().WithFailureThreshold(failuresToOpen).WithSuccessThreshold(1).WithDelay(restPeriod).Build(),
	}
}

// Script is a text in Lua that looks at one key.
type Script struct{ lua *rueidis.Lua }

// NewScript makes a script of its text.
func NewScript(text string) *Script { return &Script{rueidis.NewLuaScript(text)} }

// Run runs a script and gives the items of the array that it returns, numbers as
// texts. An error means that it may have run, or not.
func (s *Scripts) Run(ctx context.Context, script *Script, key string, arguments ...string) ([]string, error) {
	if !s.breaker.TryAcquirePermit() {
		s.skipped.Add(1)
		return nil, fmt.Errorf("not asked, since Redis failed a moment ago: %w", circuitbreaker.ErrOpen)
	}
	s.calls.Add(1)
	answer, err := s.run(ctx, script, key, arguments)
	if err == nil {
		s.breaker.RecordSuccess()
		return answer, nil
	}
	s.failures.Add(1)
	if late(err) { // waiting is what hurts: once is enough
		s.breaker.Open()
	} else {
		s.breaker.RecordFailure()
	}
	return nil, fmt.Errorf("ask Redis: %w", err)
}

func late(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return errors.Is(err, context.DeadlineExceeded) || ok && timeout.Timeout()
}

// run returns by the deadline even if the client library does not: it may wait
// for somebody else's dial without looking at the context.
func (s *Scripts) run(ctx context.Context, script *Script, key string, arguments []string) ([]string, error) {
	client, err := s.client.Commands()
	if err != nil {
		return nil, err
	}
	// Who asks may go at any time, which says nothing about Redis.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.deadline)
	defer cancel()
	type outcome struct {
		items []string
		err   error
	}
	ended := make(chan outcome, 1)
	go func() {
		items, err := texts(script.lua.Exec(ctx, client, []string{s.prefix + key}, arguments))
		ended <- outcome{items, err}
	}()
	select {
	case o := <-ended:
		return o.items, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// texts reads an array of texts and numbers.
func texts(result rueidis.RedisResult) ([]string, error) {
	list, err := result.ToArray()
	if err != nil {
		return nil, err
	}
	items := make([]string, len(list))
	for i, item := range list {
		if n, err := item.AsInt64(); err == nil && item.IsInt64() {
			items[i] = fmt.Sprint(n)
		} else if items[i], err = item.ToString(); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// Stats is what happened to the scripts since the start.
type Stats struct {
	// Calls were made, Failures of them had no answer; Skipped were not made
	// because of Failures.
	Calls, Failures, Skipped int64
	// Open says that Redis is not asked now, and Rest for how long.
	Open bool
	Rest time.Duration
}

// Stats counts the scripts.
func (s *Scripts) Stats() Stats {
	return Stats{Calls: s.calls.Load(), Failures: s.failures.Load(), Skipped: s.skipped.Load(), Open: s.breaker.IsOpen(), Rest: s.breaker.RemainingDelay()}
}
