package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// maxMissing bounds how many absent artifacts are remembered, missingFor how
	// long.
	maxMissing = 4096
	missingFor = time.Second

	// maxFlights bounds the artifacts that are fetched at the same time, maxFills
	// those that are written to tiers in the background.
	maxFlights = 256
	maxFills   = 32
)

// Level is a tier with the time that one call to it may take.
type Level struct {
	Tier     Tier
	Deadline time.Duration
}

// Chain is tiers, the fastest first. Its methods may be called from anywhere.
type Chain struct {
	levels []*guard
	log    *slog.Logger
	now    func() time.Time

	// What is under way ends by its deadlines, or when the chain is closed.
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
	fills  chan struct{}

	mu      sync.Mutex
	closed  bool
	flights map[Digest]*flight
	missing map[Digest]time.Time // until when
}

// flight is one fetch, whoever waits for it.
type flight struct {
	done    chan struct{}
	content []byte
	err     error
}

// NewChain makes a chain of tiers. Content of more than maxBytes is taken from
// none of them.
func NewChain(log *slog.Logger, maxBytes int64, levels ...Level) *Chain {
	c := &Chain{
		log: log, now: time.Now, fills: make(chan struct{}, maxFills),
		flights: make(map[Digest]*flight), missing: make(map[Digest]time.Time),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	for _, l := range levels {
		c.levels = append(c.levels, newGuard(l, maxBytes))
	}
	return c
}

// Get gives the artifact with the digest, from the first tier that has it. The
// caller must not change the bytes: others may have the same.
//
// However many ask for one artifact at the same time, each tier is asked once,
// and goes on being asked when some of them have gone.
func (c *Chain) Get(ctx context.Context, digest Digest) ([]byte, error) {
	f, err := c.join(ctx, digest)
	if err != nil {
		return nil, err
	}
	select {
	case <-f.done:
		return f.content, f.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// asked is the context of a flight: it ends with the chain, and has the values of
// whoever was the first to ask.
type asked struct {
	context.Context

	first context.Context
}

// Value implements context.Context.
func (a asked) Value(key any) any {
	if v := a.Context.Value(key); v != nil {
		return v
	}
	return a.first.Value(key)
}

// join gives the flight that fetches an artifact, a new one if need be.
func (c *Chain) join(ctx context.Context, digest Digest) (*flight, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.flights[digest]; f != nil {
		return f, nil
	}
	if until, known := c.missing[digest]; known {
		if c.now().Before(until) {
			return nil, ErrNotFound
		}
		delete(c.missing, digest)
	}
	switch {
	case c.closed:
		return nil, fmt.Errorf("%w: the cache is closed", ErrUnavailable)
	case len(c.flights) >= maxFlights:
		return nil, fmt.Errorf("%w: %d others are being fetched", ErrUnavailable, maxFlights)
	}
	f := &flight{done: make(chan struct{})}
	c.flights[digest] = f
	c.work.Go(func() {
		f.content, f.err = c.fetch(asked{c.ctx, ctx}, digest)
		c.land(digest, f)
	})
	return f, nil
}

// land ends a flight.
func (c *Chain) land(digest Digest, f *flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.flights, digest)
	if errors.Is(f.err, ErrNotFound) {
		c.remember(digest)
	}
	close(f.done)
}

// remember notes that no tier has an artifact.
func (c *Chain) remember(digest Digest) {
	if len(c.missing) >= maxMissing {
		for d := range c.missing { // any one: all of them expire soon
			delete(c.missing, d)
			break
		}
	}
	c.missing[digest] = c.now().Add(missingFor)
}

// fetch asks one tier after the other. Those before the one that has it are
// filled, unless they failed.
func (c *Chain) fetch(ctx context.Context, digest Digest) ([]byte, error) {
	var failures []error
	var lack []*guard
	for _, g := range c.levels {
		content, err := g.get(ctx, digest)
		switch {
		case err == nil:
			c.fill(digest, content, lack)
			return content, nil
		case errors.Is(err, ErrNotFound):
			lack = append(lack, g)
		case errors.Is(err, errWrong):
			c.discard(g, digest)
			lack = append(lack, g)
			failures = append(failures, fmt.Errorf("%s: %w", g.tier.Name(), err))
		default:
			failures = append(failures, err)
		}
	}
	if len(failures) == 0 {
		return nil, ErrNotFound
	}
	return nil, fmt.Errorf("%w: %w", ErrUnavailable, errors.Join(failures...))
}

// discard takes content out of a tier that has another digest than the one it
// is kept under.
func (c *Chain) discard(g *guard, digest Digest) {
	c.log.Error("a tier holds wrong content for an artifact; it is not used", "tier", g.tier.Name(), "digest", hex.EncodeToString(digest[:]))
	if err := g.remove(c.ctx, digest); err != nil {
		c.log.Warn("wrong content could not be removed", "tier", g.tier.Name(), "error", err)
	}
}

// Keep puts an artifact into every tier that is filled, in the background:
// after an upload other nodes need not go to the primary store for it.
func (c *Chain) Keep(content []byte) {
	digest := sha256.Sum256(content)
	c.mu.Lock()
	delete(c.missing, digest)
	c.mu.Unlock()
	c.fill(digest, content, c.levels)
}

// fill writes to tiers in the background. Where too much is being written it
// does nothing: a cache that is not filled is asked again next time.
func (c *Chain) fill(digest Digest, content []byte, levels []*guard) {
	if len(levels) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	select {
	case c.fills <- struct{}{}:
	default:
		return
	}
	c.work.Go(func() {
		defer func() { <-c.fills }()
		for _, g := range levels {
			if err := g.put(c.ctx, digest, content); err != nil {
				c.log.Debug("a tier could not be filled", "tier", g.tier.Name(), "error", err)
			}
		}
	})
}

// Stats tells about each tier.
func (c *Chain) Stats() []TierStats {
	stats := make([]TierStats, len(c.levels))
	for i, g := range c.levels {
		stats[i] = g.stats()
	}
	return stats
}

// Close ends what is under way. The tiers stay open: they are whose they were.
func (c *Chain) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.work.Wait()
}
