package cache

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
)

const (
	// A tier that failed failuresToOpen times in a row, or that let one deadline
	// pass, is left alone for restPeriod. Then one call tries it.
	failuresToOpen = 3
	restPeriod     = time.Second
)

// errWrong says that a tier's content has another digest or is too large.
var errWrong = errors.New("the content is not what its digest says")

// guard stands between the chain and one tier.
type guard struct {
	tier     Tier
	deadline time.Duration
	maxBytes int64
	breaker  circuitbreaker.CircuitBreaker[any]

	hits, misses, failures, wrong, skipped, filled atomic.Int64
	// lookedUp is the time of all look-ups, in nanoseconds.
	lookedUp atomic.Int64
}

func newGuard(l Level, maxBytes int64) *guard {
	return &guard{
		tier: l.Tier, deadline: l.Deadline, maxBytes: maxBytes,
		breaker: circuitbreaker.NewBuilder[any]().WithFailureThreshold(failuresToOpen).WithSuccessThreshold(1).WithDelay(restPeriod).Build(),
	}
}

// get asks the tier and checks what it gives. The error is ErrNotFound,
// errWrong, or one that says why the tier cannot be asked.
func (g *guard) get(ctx context.Context, digest Digest) ([]byte, error) {
	began := time.Now()
	defer func() { g.lookedUp.Add(int64(time.Since(began))) }()
	var content []byte
	err := g.call(ctx, func(ctx context.Context) (func(), error) {
		got, err := g.tier.Get(ctx, digest)
		return func() { content = got }, err
	})
	switch {
	case errors.Is(err, ErrNotFound):
		g.misses.Add(1)
		return nil, ErrNotFound
	case errors.Is(err, errWrong):
		g.wrong.Add(1)
		return nil, errWrong
	case err != nil:
		return nil, err
	case int64(len(content)) > g.maxBytes || sha256.Sum256(content) != digest:
		g.wrong.Add(1)
		return nil, errWrong
	}
	g.hits.Add(1)
	return content, nil
}

// put fills the tier.
func (g *guard) put(ctx context.Context, digest Digest, content []byte) error {
	err := g.call(ctx, func(ctx context.Context) (func(), error) { return func() {}, g.tier.Put(ctx, digest, content) })
	if err == nil {
		g.filled.Add(1)
	}
	return err
}

// remove takes wrong content out of a tier that can do that.
func (g *guard) remove(ctx context.Context, digest Digest) error {
	r, ok := g.tier.(remover)
	if !ok {
		return nil
	}
	return g.call(ctx, func(ctx context.Context) (func(), error) { return func() {}, r.Remove(ctx, digest) })
}

// call runs what talks to the tier. It returns by the deadline even if the
// tier does not: a client library may wait for somebody else's dial without
// looking at the context. What do returns first takes the result over, and is
// not called for one that comes too late.
func (g *guard) call(ctx context.Context, do func(context.Context) (func(), error)) error {
	if !g.breaker.TryAcquirePermit() {
		g.skipped.Add(1)
		return fmt.Errorf("%s failed a moment ago and is not asked: %w", g.tier.Name(), circuitbreaker.ErrOpen)
	}
	ctx, cancel := context.WithTimeout(ctx, g.deadline)
	defer cancel()
	type outcome struct {
		take func()
		err  error
	}
	ended := make(chan outcome, 1)
	go func() {
		take, err := do(ctx)
		ended <- outcome{take, err}
	}()
	var err error
	select {
	case o := <-ended:
		if err = o.err; err == nil {
			o.take()
		}
	case <-ctx.Done():
		err = ctx.Err()
	}
	return g.judge(err)
}

// judge tells the breaker how a call ended.
func (g *guard) judge(err error) error {
	switch {
	case err == nil, errors.Is(err, ErrNotFound), errors.Is(err, errWrong):
		g.breaker.RecordSuccess()
		return err
	case waited(err):
		// Waiting is what hurts: once is enough.
		g.breaker.Open()
	default:
		g.breaker.RecordFailure()
	}
	g.failures.Add(1)
	return fmt.Errorf("%s: %w", g.tier.Name(), err)
}

// waited reports that a call took its time and had no answer.
func waited(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return errors.Is(err, context.Canceled) || ok && timeout.Timeout()
}

// TierStats is what happened to a tier since the start.
type TierStats struct {
	Name string
	// Hits and Misses are answers; Failures are calls without one, Skipped such
	// that were not made because of Failures. Wrong is content with another
	// digest. Filled is what was put into it.
	Hits, Misses, Failures, Skipped, Wrong, Filled int64
	// LookupTime is what look-ups took altogether.
	LookupTime time.Duration
	// Open says that the tier is not asked now.
	Open bool
}

func (g *guard) stats() TierStats {
	return TierStats{
		Name: g.tier.Name(), Open: g.breaker.IsOpen(), LookupTime: time.Duration(g.lookedUp.Load()),
		Hits: g.hits.Load(), Misses: g.misses.Load(), Failures: g.failures.Load(), Skipped: g.skipped.Load(), Wrong: g.wrong.Load(), Filled: g.filled.Load(),
	}
}
