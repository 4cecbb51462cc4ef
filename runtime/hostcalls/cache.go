package hostcalls

import (
	"container/list"
	"sync"
)

// cache keeps what was made of texts, those used last, up to a bound on the
// memory that they take together. It is safe for concurrent use.
type cache[V any] struct {
	maxBytes int

	mu    sync.Mutex
	bytes int
	byKey map[string]*list.Element
	order list.List // of *cached[V], the one used last in front
}

type cached[V any] struct {
	key   string
	value V
	bytes int
}

func newCache[V any](maxBytes int) *cache[V] {
	return &cache[V]{maxBytes: maxBytes, byKey: make(map[string]*list.Element)}
}

func (c *cache[V]) get(key []byte) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	element := c.byKey[string(key)]
	if element == nil {
		return value, false
	}
	c.order.MoveToFront(element)
	return element.Value.(*cached[V]).value, true
}

// put adds a value of about so many bytes and drops what was not used for
// longest. Of two that make the same at the same time the first one stays.
func (c *cache[V]) put(key string, value V, bytes int) {
	bytes += len(key) + 128
	c.mu.Lock()
	defer c.mu.Unlock()
	if bytes > c.maxBytes || c.byKey[key] != nil {
		return
	}
	c.byKey[key] = c.order.PushFront(&cached[V]{key, value, bytes})
	c.bytes += bytes
	for c.bytes > c.maxBytes {
		last := c.order.Remove(c.order.Back()).(*cached[V])
		delete(c.byKey, last.key)
		c.bytes -= last.bytes
	}
}
