package fairqueue

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// ErrFull says that as many wait as may, ErrClientFull that as many of one
// client do.
var (
	ErrFull       = errors.New("the queue is full")
	ErrClientFull = errors.New("the client's part of the queue is full")
)

// ErrNoIdle says that slots of which a client can hold only some are for clients
// alone: what is idle has no name to be counted under.
var ErrNoIdle = errors.New("these slots are for clients only")

// Limits are the bounds of Slots.
type Limits struct {
	// Slots is how many can be held at once, at least one. ClientSlots is how
	// many of them a single client can hold; zero means all.
	Slots, ClientSlots int
	// Queued bounds those who wait for their first turn, ClientQueued those of
	// one client; zero means as many as Queued.
	Queued, ClientQueued int
}

// Slots are shared out among clients. They are safe for concurrent use.
type Slots struct {
	limits Limits
	// counted is set when it matters who holds the slots: then every change is
	// made under the lock.
	counted bool
	free    atomic.Int64
	// waiting mirrors how many wait, for a look without the lock: in the lower
	// half those of clients, in units of background the others. Who waits adds
	// to it before looking for a free slot, and who leaves adds to free before
	// looking here, so that one of the two sees the other.
	waiting atomic.Int64

	mu      sync.Mutex
	clients map[string]*client
	line    line
	idle    fifo // in the background: served when no client waits
	// offered has been told of a free slot and has not looked yet.
	offered *Waiter
	// long is set when the last turn that was charged for was no short one.
	long   bool
	queued int // of all clients, for their first turn
	// now is the virtual time: a turn of one of n clients moves it by a turn's
	// length divided by n.
	now uint64
	// waits counts those who had to wait for their first turn, and waitTime how
	// long, also in vain.
	waits    atomic.Int64
	waitTime atomic.Int64
	// waited is how long all waits were, also those for further turns.
	waited atomic.Int64
	// events orders arrivals and turns.
	events  uint64
	sweepAt int
}

const (
	// Turn is what a turn counts for in any case. It is as short as the shortest
	// ones, so that who needs little does not pay like who needs much.
	Turn = 10 * time.Microsecond
	// longestTurn is the most that a turn is charged for. What takes longer was
	// not the client's doing alone: the machine stood still.
	longestTurn = 100 * time.Millisecond
	// shortTurn is the longest after which a slot is offered and not handed over.
	// It is less than it costs to wake somebody up some ten times.
	shortTurn = 2 * Turn
)

const (
	background = 1 << 32
	// turnLength is the length of a turn in virtual time.
	turnLength = 1 << 12
	// leastSweep is how many clients are remembered before it is looked whether
	// they matter.
	leastSweep = 64
)

// New makes slots that are all free.
func New(limits Limits) *Slots {
	limits.Slots = max(1, limits.Slots)
	limits.Queued = max(0, limits.Queued)
	if limits.ClientSlots <= 0 {
		limits.ClientSlots = limits.Slots
	}
	if limits.ClientQueued <= 0 {
		limits.ClientQueued = limits.Queued
	}
	s := &Slots{limits: limits, counted: limits.ClientSlots < limits.Slots, clients: make(map[string]*client), sweepAt: leastSweep}
	s.free.Store(int64(limits.Slots))
	return s
}

// Enter waits for a slot. It fails with ErrFull or ErrClientFull, or with the
// context's cause when that ends first.
func (s *Slots) Enter(ctx context.Context, name string) error {
	if !s.counted && s.waiting.Load()&(background-1) == 0 && s.takeFree() {
		return nil
	}
	w := NewWaiter(name)
	w.fresh = true
	s.mu.Lock()
	if s.join(w) {
		s.mu.Unlock()
		return nil
	}
	if w.standing() {
		if err := s.overfull(w.client); err != nil {
			s.remove(w)
			s.mu.Unlock()
			return err
		}
		s.waits.Add(1)
		began := time.Now()
		defer func() { s.waitTime.Add(int64(time.Since(began))) }()
	}
	s.mu.Unlock()
	return s.await(ctx, w)
}

// Do calls f in a slot, for which it waits like Enter, and has the client pay for
// the time. After an error f was not called.
func (s *Slots) Do(ctx context.Context, name string, f func()) error {
	if err := s.Enter(ctx, name); err != nil {
		return err
	}
	defer s.Leave(name)
	began := time.Now()
	f()
	if s.Waiting() > 0 {
		s.charge(name, time.Since(began))
	}
	return nil
}

// overfull tells whether more wait than may.
func (s *Slots) overfull(c *client) error {
	switch {
	case s.queued > s.limits.Queued:
		return ErrFull
	case c.queued > s.limits.ClientQueued:
		return ErrClientFull
	}
	return nil
}

// EnterIdle waits for a slot that no client wants. Whoever got one must Yield
// often, with a waiter that is idle, and gives it back in the name of nobody.
// Where a client can hold only some of the slots it fails with ErrNoIdle.
func (s *Slots) EnterIdle(ctx context.Context) error {
	w := NewWaiter("")
	w.Set("", true)
	return s.Wait(ctx, w)
}

// Leave gives a slot back. The name is the client's who took it.
func (s *Slots) Leave(name string) {
	if !s.counted {
		s.free.Add(1)
		if s.waiting.Load() == 0 {
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counted {
		s.free.Add(1)
		s.uncount(name)
	}
	s.dispatch()
}

// uncount takes a slot off what a client holds.
func (s *Slots) uncount(name string) {
	c := s.clients[name]
	c.held--
	if c.waiters.first != nil && c.index < 0 {
		s.line.enter(c, s.now)
	}
	s.forget(c)
}

// Crowded reports whether somebody waits for the slot that w has.
func (s *Slots) Crowded(w *Waiter) bool {
	n := s.waiting.Load()
	return n&(background-1) != 0 || n != 0 && w.idle
}

// Yield hands the slot to whose turn it is and waits for it to come round
// again; it does nothing when nobody waits or the turn is its own. It reports
// whether the slot changed hands. After an error, which is the context's cause,
// the slot is not held any more.
func (s *Slots) Yield(ctx context.Context, w *Waiter) (changed bool, err error) {
	if !s.Crowded(w) {
		return false, nil
	}
	s.mu.Lock()
	if s.counted {
		s.clients[w.name].held--
	}
	s.push(w)
	next := s.next()
	s.grant(next)
	s.dispatch()
	s.mu.Unlock()
	err = s.await(ctx, w)
	return next != w, err
}

// Charge makes the client of w pay for a turn that took longer than Turn, before
// the slot is given back. As long as nobody else waits there is nothing to pay.
func (s *Slots) Charge(w *Waiter, took time.Duration) {
	if !w.idle {
		s.charge(w.name, took)
	}
}

func (s *Slots) charge(name string, took time.Duration) {
	if took <= Turn {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.long = took > shortTurn
	if len(s.line) == 0 {
		return
	}
	c := s.clients[name]
	if c == nil {
		c = s.meet(name)
	}
	if c.index < 0 {
		c.pass = max(c.pass, s.now)
	}
	more := uint64(min(took, longestTurn)-Turn) * turnLength / uint64(Turn)
	c.pass += more
	s.now += more / uint64(len(s.line))
	s.line.settle(c)
}

// Wait waits for a slot like one that yields: no bound on the queue holds for
// it. After an error, which is the context's cause or ErrNoIdle, no slot is held.
func (s *Slots) Wait(ctx context.Context, w *Waiter) error {
	if s.counted && w.idle {
		return ErrNoIdle
	}
	if !s.counted && s.waiting.Load() == 0 && s.takeFree() {
		return nil
	}
	s.mu.Lock()
	served := s.join(w)
	s.mu.Unlock()
	if served {
		return nil
	}
	return s.await(ctx, w)
}

// Waiting is how many wait, those in the background apart.
func (s *Slots) Waiting() int { return int(s.waiting.Load() & (background - 1)) }

// Waited is how long clients have waited, all together, for their first turns and
// for further ones. A wait counts when it ends.
func (s *Slots) Waited() time.Duration { return time.Duration(s.waited.Load()) }

// Free is how many slots nobody holds.
func (s *Slots) Free() int { return int(s.free.Load()) }

// Stats is a look at slots.
type Stats struct {
	Total, Free, Waiting int
	// Waits is how many had to wait for their first turn, and WaitTime how long
	// all of them did.
	Waits    int64
	WaitTime time.Duration
}

// Stats tells how the slots are.
func (s *Slots) Stats() Stats {
	return Stats{
		Total: s.limits.Slots, Free: s.Free(), Waiting: s.Waiting(),
		Waits: s.waits.Load(), WaitTime: time.Duration(s.waitTime.Load()),
	}
}

// await waits for the turn of w, or for the end of the context.
func (s *Slots) await(ctx context.Context, w *Waiter) error {
	if !w.idle {
		began := time.Now()
		defer func() { s.waited.Add(int64(time.Since(began))) }()
	}
	for {
		var told notice
		select {
		case told = <-w.told:
		default:
			select {
			case told = <-w.told:
			case <-ctx.Done():
				return s.abandon(ctx, w)
			}
		}
		if told == granted || s.accept(w) {
			return nil
		}
	}
}

// accept takes the slot that was offered to w, if it is still there. If not, the
// next one is kept for w.
func (s *Slots) accept(w *Waiter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !w.standing() {
		return true // it was granted one meanwhile
	}
	s.offered = nil
	if s.takeFree() {
		s.serve(w)
		s.dispatch()
		return true
	}
	w.passed = true
	return false
}

// abandon ends a wait in vain.
func (s *Slots) abandon(ctx context.Context, w *Waiter) error {
	s.mu.Lock()
	if w.standing() {
		if s.offered == w {
			s.offered = nil
			<-w.told
		}
		s.remove(w)
		s.dispatch()
		s.mu.Unlock()
		return context.Cause(ctx)
	}
	s.mu.Unlock()
	// The turn came first: it is passed on.
	<-w.told
	s.Leave(w.name)
	return context.Cause(ctx)
}

// takeFree takes a slot if one is free.
func (s *Slots) takeFree() bool {
	for free := s.free.Load(); free > 0; free = s.free.Load() {
		if s.free.CompareAndSwap(free, free-1) {
			return true
		}
	}
	return false
}

// join puts w in its line, and tells whether it got a slot at once: if one is
// free and the turn is its client's. Which request of a client has the turn does
// not matter to others, and the one that runs anyway need not be woken.
func (s *Slots) join(w *Waiter) (served bool) {
	s.push(w)
	if s.counted || s.long || s.free.Load() == 0 {
		s.dispatch()
		return false
	}
	if next := s.next(); next != w && (next.client != w.client || next.passed) || !s.takeFree() {
		s.dispatch()
		return false
	}
	s.serve(w)
	return true
}

// dispatch sees to it that those who wait get the free slots. After a short turn
// the last of these is offered and not given: until whoever has the next turn is
// awake, another may need it for a moment. Where turns are long, those who are
// awake had better stand in line: there it goes round the clients, but the Go
// scheduler takes one after the other, of whatever client.
func (s *Slots) dispatch() {
	for len(s.line) > 0 || s.idle.first != nil {
		next := s.next()
		if free := s.free.Load(); free == 1 && !s.counted && !s.long && !next.passed {
			if s.offered == nil {
				s.offered = next
				next.told <- offered
			}
			return
		}
		if !s.takeFree() {
			return
		}
		s.grant(next)
	}
}

// push puts w at the end of its line.
func (s *Slots) push(w *Waiter) {
	if w.idle {
		s.waiting.Add(background)
		s.idle.push(w)
		return
	}
	s.waiting.Add(1)
	c := s.clients[w.name]
	if c == nil {
		c = s.meet(w.name)
	}
	w.client = c
	c.waiters.push(w)
	if w.fresh {
		s.queued++
		c.queued++
	}
	if c.index < 0 && c.held < s.limits.ClientSlots {
		s.line.enter(c, s.now)
	}
}

// meet makes the record of a client.
func (s *Slots) meet(name string) *client {
	if len(s.clients) >= s.sweepAt {
		for _, c := range s.clients {
			s.forget(c)
		}
		s.sweepAt = 2*len(s.clients) + leastSweep
	}
	s.events++
	c := &client{name: name, index: -1, arrived: s.events}
	s.clients[name] = c
	return c
}

// forget drops the record of a client that has nothing here and no debt of
// turns; where no client waits there are no debts.
func (s *Slots) forget(c *client) {
	if c.held == 0 && c.waiters.first == nil && (c.served == 0 || c.pass < s.now || len(s.line) == 0) {
		delete(s.clients, c.name)
	}
}

// next finds whose turn it is. Somebody must be waiting.
func (s *Slots) next() *Waiter {
	if len(s.line) == 0 {
		return s.idle.first
	}
	return s.line[0].waiters.first
}

// grant gives a slot to w, who stands first in its line.
func (s *Slots) grant(w *Waiter) {
	s.serve(w)
	if s.offered == w {
		s.offered = nil // it was told before
		return
	}
	w.told <- granted
}

// serve counts a slot as that of w, who leaves its line.
func (s *Slots) serve(w *Waiter) {
	s.long = false
	if !w.idle {
		c := w.client
		s.events++
		c.pass, c.served = c.pass+turnLength, s.events
		s.now += max(1, turnLength/uint64(len(s.line)))
		if s.counted {
			c.held++
		}
	}
	w.passed = false
	s.remove(w)
}

// remove takes w out of its line.
func (s *Slots) remove(w *Waiter) {
	if w.idle {
		s.waiting.Add(-background)
		s.idle.remove(w)
		return
	}
	s.waiting.Add(-1)
	c := w.client
	c.waiters.remove(w)
	w.client = nil
	if w.fresh {
		w.fresh = false
		s.queued--
		c.queued--
	}
	switch {
	case c.waiters.first == nil || c.held >= s.limits.ClientSlots:
		s.line.leave(c)
	default:
		s.line.settle(c)
	}
	s.forget(c)
}
