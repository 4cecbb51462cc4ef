package fairqueue

import "container/heap"

// Waiter is one place in a line. It is used by one goroutine, and can be used
// again after it was granted or given up.
type Waiter struct {
	name string
	// told is how it learns of its slot, or that it may look for one.
	told       chan notice // capacity 1
	fresh      bool        // counts as queued
	idle       bool        // waits in the background
	passed     bool        // found no slot when it was offered one
	client     *client     // while it stands in a client's line
	prev, next *Waiter
	in         *fifo
}

type notice int

const (
	granted notice = iota // the slot is there
	offered               // the slot is there unless another was faster
)

// NewWaiter makes a place for a client.
func NewWaiter(client string) *Waiter {
	return &Waiter{name: client, told: make(chan notice, 1)}
}

// Set makes it a place of another client, or one for what is idle. It must not
// stand in a line.
func (w *Waiter) Set(client string, idle bool) { w.name, w.idle = client, idle }

func (w *Waiter) standing() bool { return w.in != nil }

// fifo is a line of waiters.
type fifo struct{ first, last *Waiter }

func (f *fifo) push(w *Waiter) {
	w.in, w.prev, w.next = f, f.last, nil
	if f.last == nil {
		f.first = w
	} else {
		f.last.next = w
	}
	f.last = w
}

func (f *fifo) remove(w *Waiter) {
	if w.prev == nil {
		f.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		f.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.in, w.prev, w.next = nil, nil, nil
}

// client is what is known of one client while it has something here.
type client struct {
	name    string
	waiters fifo
	queued  int
	held    int // where that is counted
	// pass is the virtual time from which the client has a right to its next
	// turn.
	pass uint64
	// served and arrived are the events of its last turn and its arrival.
	served, arrived uint64
	index           int // in the line, or -1
}

// line holds the clients that can be given a slot, as a heap: first who has the
// oldest right to a turn, of these who was served longest ago.
type line []*client

var _ heap.Interface = (*line)(nil)

func (l line) Len() int { return len(l) }

func (l line) Less(i, j int) bool {
	a, b := l[i], l[j]
	switch {
	case a.pass != b.pass:
		return a.pass < b.pass
	case a.served != b.served:
		return a.served < b.served
	}
	return a.arrived < b.arrived
}

func (l line) Swap(i, j int) {
	l[i], l[j] = l[j], l[i]
	l[i].index, l[j].index = i, j
}

// Push implements heap.Interface.
func (l *line) Push(x any) {
	c := x.(*client)
	c.index = len(*l)
	*l = append(*l, c)
}

// Pop implements heap.Interface.
func (l *line) Pop() any {
	last := len(*l) - 1
	c := (*l)[last]
	(*l)[last] = nil
	*l = (*l)[:last]
	c.index = -1
	return c
}

// enter puts a client in that was away. Turns it did not ask for meanwhile are
// lost.
func (l *line) enter(c *client, now uint64) {
	c.pass = max(c.pass, now)
	heap.Push(l, c)
}

// leave takes a client out, if it is in.
func (l *line) leave(c *client) {
	if c.index >= 0 {
		heap.Remove(l, c.index)
	}
}

// settle finds the place of a client whose pass changed.
func (l *line) settle(c *client) {
	if c.index >= 0 {
		heap.Fix(l, c.index)
	}
}
