package admission

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"
)

// Reasons for refusing.
var (
	// ErrFull says that as many wait as may, ErrClientFull that as many of the
	// client do, and ErrLate that the wait is too long.
	ErrFull       = errors.New("the queue is full")
	ErrClientFull = errors.New("the client's part of the queue is full")
	ErrLate       = errors.New("the wait is too long")
)

// Refusal is the error of who is not let in.
type Refusal struct {
	Reason error
	// Retry is the time after which another attempt makes sense.
	Retry time.Duration
}

func (r *Refusal) Error() string { return r.Reason.Error() }

// Unwrap gives the reason.
func (r *Refusal) Unwrap() error { return r.Reason }

// Limits are the bounds of a gate.
type Limits struct {
	// Least and Most bound the number of places.
	Least, Most int
	// Queue bounds those who wait, ClientQueue those of one client; zero means as
	// many as Queue.
	Queue, ClientQueue int
	// Wait is the longest that somebody waits.
	Wait time.Duration
	// Delay is how long an execution may wait for its turns to compute, on top of
	// as long as it computes itself. With zero there are always Most places.
	Delay time.Duration
}

// Crowd tells how many compute, and how many wait for a turn to.
type Crowd func() (slots, waiting int)

// Gate lets executions in. It is safe for concurrent use.
type Gate struct {
	crowd Crowd

	mu      sync.Mutex
	limits  Limits
	places  int // now
	running int
	queued  int
	clients map[string]*client
	spare   []*client // records to use again
	// turns are the clients that wait, the next one first.
	turns []*client
	pace  pace
	window

	counts Stats
}

// client is what is known of one while it has something here.
type client struct {
	name  string
	held  int
	queue []*waiter
}

type waiter struct {
	// ended gets nil with a place, or why there is none.
	ended chan error
}

// New makes a gate with all the places it can have: it learns how many are good.
func New(l Limits, crowd Crowd) *Gate {
	g := &Gate{crowd: crowd, clients: make(map[string]*client)}
	g.Adjust(l)
	g.places = g.limits.Most
	return g
}

// Adjust changes the limits. Who has a place or waits keeps it.
func (g *Gate) Adjust(l Limits) {
	l.Most = max(1, l.Most)
	l.Least = min(max(1, l.Least), l.Most)
	if l.ClientQueue <= 0 {
		l.ClientQueue = l.Queue
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limits = l
	g.places = min(max(g.places, l.Least), l.Most)
	if l.Delay <= 0 {
		g.places = l.Most
	}
	g.dispatch()
}

// Enter waits for a place. Its error is a [*Refusal], or the context's cause when
// that ends first. Who got a place must Leave. Who is patient waits as long as the
// context lasts.
func (g *Gate) Enter(ctx context.Context, name string, patient bool) error {
	g.mu.Lock()
	c := g.meet(name)
	if len(c.queue) == 0 && g.mayHave(c) {
		g.give(c)
		g.mu.Unlock()
		return nil
	}
	if err := g.overfull(c, patient); err != nil {
		g.forget(c)
		g.mu.Unlock()
		return err
	}
	w := &waiter{ended: make(chan error, 1)}
	if len(c.queue) == 0 {
		g.turns = append(g.turns, c)
	}
	c.queue = append(c.queue, w)
	g.queued++
	g.counts.Waits++
	wait := g.limits.Wait
	if patient {
		wait = math.MaxInt64
	}
	g.mu.Unlock()
	return g.await(ctx, c, w, wait)
}

func (g *Gate) await(ctx context.Context, c *client, w *waiter, wait time.Duration) error {
	began := time.Now()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	var err error
	select {
	case err = <-w.ended:
		g.waited(began)
		return err
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-timer.C:
		err = ErrLate
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.counts.WaitTime += time.Since(began)
	if i := slices.Index(c.queue, w); i >= 0 {
		g.unqueue(c, i)
	} else if outcome := <-w.ended; outcome != nil || errors.Is(err, ErrLate) {
		return outcome // the place came, or was taken away, at the last moment
	} else {
		g.giveBack(c)
		g.dispatch()
	}
	if errors.Is(err, ErrLate) {
		return g.refuse(c, ErrLate)
	}
	return err
}

func (g *Gate) waited(since time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.counts.WaitTime += time.Since(since)
}

// overfull tells why a client may not wait. When the queue is full, the longest
// line makes room for a shorter one.
func (g *Gate) overfull(c *client, patient bool) error {
	if len(c.queue) >= g.limits.ClientQueue {
		return g.refuse(c, ErrClientFull)
	}
	if !patient && g.expected(c) > g.limits.Wait {
		return g.refuse(c, ErrLate)
	}
	if g.queued < g.limits.Queue {
		return nil
	}
	if len(g.turns) > 0 {
		longest := slices.MaxFunc(g.turns, func(a, b *client) int { return len(a.queue) - len(b.queue) })
		if last := len(longest.queue) - 1; last > len(c.queue) {
			w := longest.queue[last]
			g.unqueue(longest, last)
			w.ended <- g.refuse(longest, ErrClientFull)
			return nil
		}
	}
	return g.refuse(c, ErrFull)
}

func (g *Gate) refuse(c *client, reason error) error {
	switch {
	case errors.Is(reason, ErrFull):
		g.counts.Full++
	case errors.Is(reason, ErrClientFull):
		g.counts.ClientFull++
	default:
		g.counts.Late++
	}
	return &Refusal{Reason: reason, Retry: g.expected(c)}
}

// expected is how long one more of the client would wait: until as many have left
// as come before it, in turns.
func (g *Gate) expected(c *client) time.Duration {
	lines := len(g.turns)
	if len(c.queue) == 0 {
		lines++
	}
	return time.Duration((len(c.queue)+1)*lines) * g.pace.interval
}

// Leave gives a place back. Took is how long the execution was under way, until
// now.
func (g *Gate) Leave(name string, now time.Time, took time.Duration) {
	slots, waiting := g.crowd()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pace.leave(now, len(g.turns) > 0)
	g.measure(now, took, slots, waiting)
	g.giveBack(g.clients[name])
	g.dispatch()
}

// mayHave reports whether a client may have one more place: there is a free one,
// and it has fewer than are free.
func (g *Gate) mayHave(c *client) bool { return c.held < g.places-g.running }

func (g *Gate) give(c *client) {
	c.held++
	g.running++
	g.peak = max(g.peak, g.running)
}

func (g *Gate) giveBack(c *client) {
	c.held--
	g.running--
	g.forget(c)
}

// dispatch lets those in whose turn it is, as long as there is room.
func (g *Gate) dispatch() {
	for {
		i := slices.IndexFunc(g.turns, g.mayHave)
		if i < 0 {
			return
		}
		c := g.turns[i]
		w := c.queue[0]
		g.give(c)
		g.unqueue(c, 0)
		if i = slices.Index(g.turns, c); i >= 0 { // it waits for more: behind the others
			g.turns = append(slices.Delete(g.turns, i, i+1), c)
		}
		w.ended <- nil
	}
}

// unqueue takes a waiter out of the client's line.
func (g *Gate) unqueue(c *client, i int) {
	c.queue = slices.Delete(c.queue, i, i+1)
	g.queued--
	if len(c.queue) == 0 {
		i := slices.Index(g.turns, c)
		g.turns = slices.Delete(g.turns, i, i+1)
		g.forget(c)
	}
}

// maxSpare bounds the records that are kept to be used again.
const maxSpare = 64

func (g *Gate) meet(name string) *client {
	c := g.clients[name]
	if c != nil {
		return c
	}
	if last := len(g.spare) - 1; last >= 0 {
		c, g.spare = g.spare[last], g.spare[:last]
	} else {
		c = new(client)
	}
	c.name = name
	g.clients[name] = c
	return c
}

// forget drops the record of a client that has nothing here.
func (g *Gate) forget(c *client) {
	if c.held > 0 || len(c.queue) > 0 || g.clients[c.name] != c {
		return
	}
	delete(g.clients, c.name)
	if c.name = ""; len(g.spare) < maxSpare {
		g.spare = append(g.spare, c)
	}
}

// Stats is a look at a gate.
type Stats struct {
	// Places are there now, Running of them taken, and Waiting wait for one.
	Places, Running, Waiting int
	// Waits is how many had to wait, and WaitTime how long all of them did.
	Waits    int64
	WaitTime time.Duration
	// Full, ClientFull and Late are those that were refused, by why.
	Full, ClientFull, Late int64
}

// Stats tells how the gate is.
func (g *Gate) Stats() Stats {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.counts
	s.Places, s.Running, s.Waiting = g.places, g.running, g.queued
	return s
}
