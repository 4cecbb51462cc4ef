package server

import (
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// watchInterval is how often the connections of running executions are
	// looked at. An execution shorter than this is never looked at.
	watchInterval = 5 * time.Millisecond
	// watchIdleLooks is how long the watcher stays awake with nothing to watch,
	// so that a stream of short executions need not wake it each time.
	watchIdleLooks = 100
)

// watcher notices clients that are gone while their executions run. fasthttp
// does not: nobody reads from a connection while its handler works, so a close
// goes unnoticed until the answer is written.
//
// The watcher asks the kernel about the socket and never reads from it, so it
// cannot take bytes of a pipelined request away (see peersGone). One goroutine
// serves all executions; it sleeps while there are none. An entry's connection
// is only touched while the entry is in a list, under the lock of that, and the
// handler takes the entry out before it returns: the descriptor cannot be
// closed and used again in between. Executions are found there, too. Every request
// needs such a lock twice, so there are several lists, what is done under a lock is short, and its thread does
// not leave the scheduler for it.
//
// A client that closes its sending side only (shutdown(SHUT_WR)) counts as
// gone, as it does for net/http.
type watcher struct {
	shards [requestShards]watchShard
	// asleep is set before it is looked once more whether there is anything to
	// watch, and asked for after an entry came into a list: one of the two sees the
	// other.
	asleep atomic.Bool
	wake   chan struct{}
	done   chan struct{}
	stop   chan struct{}

	looking sync.Mutex // guards what follows, which is of one look
	idle    int        // looks in a row that found nothing, and nothing new
	// asked are entries of one list, with their sockets.
	asked   []*watched
	sockets []uintptr
}

// requestShards is how many parts there are of what all requests need, a power of
// two. There are more than cores, so that two requests rarely meet in one.
const requestShards = 64

// watchShard is a list of entries. Which one an entry is in, is left to chance: for
// an execution that is the random end of its identifier.
type watchShard struct {
	mu   sync.Mutex
	head watched // ring of entries
	over error   // why everything is cancelled, also what comes later
	came bool    // an entry, since the last look
	_    cacheLine
}

// watched is one running execution, or what else ends with its client. It is part of
// the state of a request, so that watching allocates nothing.
type watched struct {
	prev, next *watched
	shard      *watchShard
	conn       net.Conn // nil if there is none to look at
	owner      ender
	ended      bool    // the owner
	seen       bool    // was in the list at an earlier look
	socket     uintptr // once it is known
	known      bool

	execution // if it is one
	// admitted says that it has a place, and room in the audit log for what becomes
	// of it: it counts as an execution.
	admitted bool
	// over is when it gave its place back; not set if it had none.
	over time.Time
}

// ender is whose execution it is.
type ender interface{ end(cause error) }

func newWatcher() *watcher {
	w := &watcher{wake: make(chan struct{}, 1), done: make(chan struct{}), stop: make(chan struct{})}
	for i := range w.shards {
		head := &w.shards[i].head
		head.prev, head.next = head, head
	}
	w.asleep.Store(true)
	go w.run()
	return w
}

// shard is where an execution is.
func (w *watcher) shard(id executionID) *watchShard { return &w.shards[id[len(id)-1]%requestShards] }

// add watches conn until remove; the owner is ended at most once, when the peer
// is gone or when everything is cancelled. That must not block. The entry is empty,
// but for what it executes.
func (w *watcher) add(e *watched, conn net.Conn, owner ender) {
	shard := w.shard(e.id)
	if e.id == (executionID{}) {
		shard = &w.shards[rand.Uint32()%requestShards] //nolint:gosec // any will do
	}
	e.shard, e.conn, e.owner = shard, conn, owner
	shard.mu.Lock()
	e.prev, e.next = shard.head.prev, &shard.head
	e.prev.next, e.next.prev = e, e
	shard.came = true
	if shard.over != nil {
		e.end(shard.over)
	}
	shard.mu.Unlock()
	if w.asleep.Load() && w.asleep.CompareAndSwap(true, false) {
		w.wake <- struct{}{}
	}
}

// remove ends the watching. When it returns, the owner is not being ended and will
// not be.
func (w *watcher) remove(e *watched) {
	mu := &e.shard.mu
	mu.Lock()
	e.prev.next, e.next.prev = e.next, e.prev
	mu.Unlock()
	e.prev, e.next, e.conn, e.owner = nil, nil, nil, nil
}

// close ends the goroutine. No entry may be in the list any more.
func (w *watcher) close() {
	close(w.stop)
	<-w.done
}

func (w *watcher) run() {
	defer close(w.done)
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	ticker.Stop()
	for {
		select {
		case <-w.stop:
			return
		case <-w.wake:
			ticker.Reset(watchInterval)
		case <-ticker.C:
			if !w.look() {
				ticker.Stop()
			}
		}
	}
}

// look asks about every connection that was there at the last look too. It
// reports whether there is anything left to watch.
func (w *watcher) look() bool {
	w.looking.Lock()
	defer w.looking.Unlock()
	w.idle++
	for i := range w.shards {
		if w.lookAt(&w.shards[i]) {
			w.idle = 0
		}
	}
	if w.idle <= watchIdleLooks {
		return true
	}
	w.asleep.Store(true)
	// What came meanwhile wakes it, unless it came too early to see that it sleeps.
	return w.any() && w.asleep.CompareAndSwap(true, false)
}

// lookAt looks at one list, and tells whether there is anything in it, or was.
func (w *watcher) lookAt(s *watchShard) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.asked, w.sockets = w.asked[:0], w.sockets[:0]
	for e := s.head.next; e != &s.head; e = e.next {
		if e.seen && !e.ended {
			w.ask(e)
		}
		e.seen = true
	}
	if len(w.asked) > 0 {
		gone := peersGone(w.sockets)
		for i, e := range w.asked {
			if gone(i) {
				e.end(errClientGone)
			}
		}
		clear(w.asked)
	}
	came := s.came
	s.came = false
	return came || s.head.next != &s.head
}

// any tells whether there is an entry.
func (w *watcher) any() bool {
	for i := range w.shards {
		if w.shards[i].any() {
			return true
		}
	}
	return false
}

func (s *watchShard) any() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.head.next != &s.head
}

// ask puts a connection among those that the kernel is asked about.
func (w *watcher) ask(e *watched) {
	if !e.known {
		c, ok := e.conn.(syscall.Conn)
		if !ok {
			return
		}
		raw, err := c.SyscallConn()
		if err == nil {
			err = raw.Control(func(fd uintptr) { e.socket = fd })
		}
		if err != nil {
			e.end(errClientGone) // closed on this side
			return
		}
		e.known = true
	}
	w.asked, w.sockets = append(w.asked, e), append(w.sockets, e.socket)
}

// end ends the owner, once.
func (e *watched) end(cause error) {
	if !e.ended {
		e.ended = true
		e.owner.end(cause)
	}
}

// cancelAll cancels every execution there is, and those that still come: a
// request may have been on its way to a handler.
func (w *watcher) cancelAll(cause error) {
	for i := range w.shards {
		w.shards[i].cancelAll(cause)
	}
}

func (s *watchShard) cancelAll(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = cause
	for e := s.head.next; e != &s.head; e = e.next {
		e.end(cause)
	}
}
