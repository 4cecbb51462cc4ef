package idempotency

import (
	"container/list"
	"sync"
	"time"
)

// memory keeps keys in this process, the oldest first. What is old goes when there
// is no room, and when its time is over and somebody comes.
type memory struct {
	limits Limits
	now    func() time.Time

	mu      sync.Mutex
	keys    map[Digest]*entry
	order   *list.List // of *entry, by when they were claimed
	bytes   int
	clients map[string]share
}

// share is what a client has of the memory.
type share struct{ keys, bytes int }

type entry struct {
	key, request Digest
	client       string
	place        *list.Element
	answer       *Answer // nil while it is claimed
	size         int
	until        time.Time // of one that has an answer
}

// clientPart is the part of all that one client can have.
const clientPart = 4

func newMemory(l Limits, now func() time.Time) *memory {
	l.Keys = max(1, l.Keys)
	return &memory{limits: l, now: now, keys: make(map[Digest]*entry), order: list.New(), clients: make(map[string]share)}
}

func (m *memory) claim(k *Keys, client string, key, request Digest) (*Answer, *Claim, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.keys[key]; e != nil {
		switch {
		case e.answer != nil && !m.now().Before(e.until):
			m.drop(e)
		case e.request != request:
			return nil, nil, ErrOther
		case e.answer == nil:
			return nil, nil, ErrBusy
		default:
			return e.answer, nil, nil
		}
	}
	if own := m.clients[client]; own.keys >= max(1, m.limits.Keys/clientPart) && !m.dropOldest(client) {
		return nil, nil, ErrFull
	}
	if len(m.keys) >= m.limits.Keys && !m.dropOldest("") {
		return nil, nil, ErrFull
	}
	e := &entry{key: key, request: request, client: client}
	e.place = m.order.PushBack(e)
	m.keys[key] = e
	m.count(e, 1, 0)
	return nil, &Claim{keys: k, key: key, entry: e}, nil
}

// keep gives a claimed key its answer, or another one if that is too large.
func (m *memory) keep(e *entry, a, instead *Answer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a.size() > m.limits.mostBytes() {
		a = instead
	}
	size := a.size()
	for m.clients[e.client].bytes+size > m.limits.Bytes/clientPart && m.dropOldest(e.client) {
	}
	for m.bytes+size > m.limits.Bytes && m.dropOldest("") {
	}
	e.answer, e.size, e.until = a, size, m.now().Add(m.limits.Keep)
	m.count(e, 0, size)
}

func (m *memory) release(e *entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop(e)
}

// dropOldest takes the oldest answer out, of a client if one is named. Claims stay.
func (m *memory) dropOldest(client string) bool {
	for place := m.order.Front(); place != nil; place = place.Next() {
		if e := place.Value.(*entry); e.answer != nil && (client == "" || e.client == client) {
			m.drop(e)
			return true
		}
	}
	return false
}

func (m *memory) drop(e *entry) {
	delete(m.keys, e.key)
	m.order.Remove(e.place)
	m.count(e, -1, -e.size)
}

func (m *memory) count(e *entry, keys, bytes int) {
	m.bytes += bytes
	own := m.clients[e.client]
	own.keys, own.bytes = own.keys+keys, own.bytes+bytes
	if m.clients[e.client] = own; own.keys == 0 {
		delete(m.clients, e.client)
	}
}
