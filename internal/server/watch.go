package server

import (
	"net"
	"sync"
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
// is only touched while the entry is in the list, under the lock, and the
// handler takes the entry out before it returns: the descriptor cannot be
// closed and used again in between. Every request needs that lock twice, so what
// is done under it is short, and its thread does not leave the scheduler for it.
//
// A client that closes its sending side only (shutdown(SHUT_WR)) counts as
// gone, as it does for net/http.
type watcher struct {
	mu     sync.Mutex
	head   watched // ring of entries
	over   error   // why everything is cancelled, also what comes later
	idle   int     // looks in a row that found it empty
	asleep bool
	wake   chan struct{}
	done   chan struct{}
	stop   chan struct{}
	// asked are the entries of one look, with their sockets.
	asked   []*watched
	sockets []uintptr
}

// watched is one running execution. It is embedded in the state of a request,
// so that watching allocates nothing.
type watched struct {
	prev, next *watched
	conn       net.Conn
	owner      ender
	seen       bool    // was in the list at an earlier look
	socket     uintptr // once it is known
	known      bool
}

// ender is whose execution it is.
type ender interface{ end(cause error) }

func newWatcher() *watcher {
	w := &watcher{asleep: true, wake: make(chan struct{}, 1), done: make(chan struct{}), stop: make(chan struct{})}
	w.head.prev, w.head.next = &w.head, &w.head
	go w.run()
	return w
}

// add watches conn until remove; the owner is ended at most once, when the peer
// is gone or when everything is cancelled. That must not block.
func (w *watcher) add(e *watched, conn net.Conn, owner ender) {
	*e = watched{conn: conn, owner: owner}
	w.mu.Lock()
	e.prev, e.next = w.head.prev, &w.head
	e.prev.next, e.next.prev = e, e
	if w.over != nil {
		owner.end(w.over)
		e.owner = nil
	}
	wake := w.asleep
	w.asleep, w.idle = false, 0
	w.mu.Unlock()
	if wake {
		w.wake <- struct{}{}
	}
}

// remove ends the watching. When it returns, the owner is not being ended and will
// not be.
func (w *watcher) remove(e *watched) {
	w.mu.Lock()
	e.prev.next, e.next.prev = e.next, e.prev
	w.mu.Unlock()
	*e = watched{}
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
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked, w.sockets = w.asked[:0], w.sockets[:0]
	for e := w.head.next; e != &w.head; e = e.next {
		if e.seen && e.owner != nil {
			w.ask(e)
		}
		e.seen = true
	}
	if len(w.asked) > 0 {
		gone := peersGone(w.sockets)
		for i, e := range w.asked {
			if gone(i) {
				e.gone()
			}
		}
		clear(w.asked)
	}
	w.idle++
	if w.head.next != &w.head {
		w.idle = 0
	}
	w.asleep = w.idle > watchIdleLooks
	return !w.asleep
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
			e.gone() // closed on this side
			return
		}
		e.known = true
	}
	w.asked, w.sockets = append(w.asked, e), append(w.sockets, e.socket)
}

func (e *watched) gone() {
	e.owner.end(errClientGone)
	e.owner = nil
}

// cancelAll cancels every execution there is, and those that still come: a
// request may have been on its way to a handler.
func (w *watcher) cancelAll(cause error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = cause
	for e := w.head.next; e != &w.head; e = e.next {
		if e.owner != nil {
			e.owner.end(cause)
			e.owner = nil
		}
	}
}
