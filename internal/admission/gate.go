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
	// as long as it computes itself. With zero there are always Most places. After
	// somebody was refused for having to wait too long, and until for as long as Wait
	// nobody was, those who come wait no longer than Delay, if that is less: what
	// does not pass within Wait is no moment that waiting helps over.
	Delay time.Duration
}

// Crowd tells how many compute at once, and how long all that there were have waited
// for turns to.
type Crowd func() (slots int, waited time.Duration)

// Gate lets executions in. It is safe for concurrent use.
type Gate struct {
	crowd  Crowd
	waited func(time.Duration)

	mu      sync.Mutex
	limits  Limits
	places  int // now
	running int
	queued  int
	clients map[string]*client
	spare   []*client // records to use again
	// turns are the clients that wait, the next one first.
	turns []*client
	// late is when somebody last had to wait too long.
	late time.Time
	pace pace
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

// Forever is the patience of who waits as long as the context lasts.
const Forever = time.Duration(math.MaxInt64)

// New makes a gate with all the places it can have: it learns how many are good.
// Waited is told how long each waited that found no place, also in vain.
func New(l Limits, crowd Crowd, waited func(time.Duration)) *Gate {
	g := &Gate{crowd: crowd, waited: waited, clients: make(map[string]*client)}
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
// that ends first. Who got a place must Leave. Patience is how long somebody would
// wait; nobody waits for longer than the limits allow but who would [Forever].
func (g *Gate) Enter(ctx context.Context, name string, patience time.Duration) error {
	g.mu.Lock()
	c := g.meet(name)
	if len(c.queue) == 0 && g.mayHave(c) {
		g.give(c)
		g.mu.Unlock()
		return nil
	}
	wait := g.longest(patience)
	if err := g.overfull(c, wait); err != nil {
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
	g.mu.Unlock()
	return g.await(ctx, c, w, wait)
}

// longest is how long somebody who has patience may wait.
func (g *Gate) longest(patience time.Duration) time.Duration {
	if patience == Forever {
		return Forever
	}
	return min(g.patience(), patience)
}

// patience is how long anybody may wait.
func (g *Gate) patience() time.Duration {
	if g.limits.Delay > 0 && !g.late.IsZero() && time.Since(g.late) < g.limits.Wait {
		return min(g.limits.Wait, g.limits.Delay)
	}
	return g.limits.Wait
}

func (g *Gate) await(ctx context.Context, c *client, w *waiter, wait time.Duration) error {
	began := time.Now()
	defer func() { g.waited(time.Since(began)) }()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	var err error
	select {
	case err = <-w.ended:
		return err
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-timer.C:
		err = ErrLate
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(c.queue, w); i >= 0 {
		g.unqueue(c, i)
	} else if outcome := <-w.ended; outcome != nil || errors.Is(err, ErrLate) {
		return outcome // the place came, or was taken away, at the last moment
	} else {
		g.giveBack(c)
		g.dispatch()
	}
	if errors.Is(err, ErrLate) {
		return g.refuseLate(c, wait)
	}
	return err
}

// overfull tells why a client may not wait for so long. When the queue is full, the longest
// line makes room for a shorter one.
func (g *Gate) overfull(c *client, wait time.Duration) error {
	if len(c.queue) >= g.limits.ClientQueue {
		return g.refuse(c, ErrClientFull)
	}
	if g.expected(c) > wait {
		return g.refuseLate(c, wait)
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

// refuseLate refuses who would have to wait for longer than may be. That somebody
// has less patience than the gate says nothing about the others.
func (g *Gate) refuseLate(c *client, wait time.Duration) error {
	if wait >= g.patience() {
		g.late = time.Now()
	}
	return g.refuse(c, ErrLate)
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

// Leave gives a place back.
func (g *Gate) Leave(name string, now time.Time) {
	slots, waited := g.crowd()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pace.leave(now, len(g.turns) > 0)
	g.measure(now, slots, waited)
	g.giveBack(g.clients[name])
	g.dispatch()
}

// mayHave reports whether a client may have one more place: it has fewer than are
// free, or than its share. The latter matters when places became fewer than those
// that others have: until they give them back, none is free.
func (g *Gate) mayHave(c *client) bool {
	return g.running < g.limits.Most && c.held < max(g.places-g.running, g.share())
}

// share is what each client comes to where all want more than they get, by the
// number of clients.
func (g *Gate) share() int { return g.places / (len(g.clients) + 1) }

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
	// Waits is how many had to wait.
	Waits int64
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
