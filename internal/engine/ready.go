package engine

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"sync/atomic"
)

// ready are the entries of the cache that have a module, for look-ups without its
// lock, which all requests would need. Changes are made under the lock. A look-up
// may find an entry that is dropped in this moment: it counts as one that came a
// moment before, and holds if it can still retain the module.
type ready struct {
	// seed makes where an entry is found unpredictable: nobody can choose scripts
	// that all come to stand in one chain.
	seed    uint64
	buckets []atomic.Pointer[link]
	// used is a stack of entries that were used since the order of the cache was
	// told, which is when that decides about what to drop.
	used atomic.Pointer[entry]
}

// link is a part of a chain. It does not change, so that whoever reads a chain has
// one that was whole.
type link struct {
	entry *entry
	next  *link
}

// mostUses is how many uses at a time the order of the cache is told about: the
// counts that it decides by go no further.
const mostUses = 15

// mostBuckets is for some hundred thousand scripts.
const mostBuckets = 1 << 16

// newReady makes room for about so many entries, as short chains.
func newReady(entries int64) ready {
	entries = min(entries, mostBuckets-1)
	return ready{
		seed:    rand.Uint64() | 1, //nolint:gosec // the runtime's generator is ChaCha8
		buckets: make([]atomic.Pointer[link], 1<<bits.Len64(uint64(entries))),
	}
}

// bucket is multiplicative hashing with a secret factor, of which the upper bits
// are the good ones.
func (r *ready) bucket(k *key) *atomic.Pointer[link] {
	hash := binary.LittleEndian.Uint64(k.digest[:]) * r.seed
	return &r.buckets[hash>>(65-bits.Len(uint(len(r.buckets))))]
}

// take finds an entry, retains its module and counts the use.
func (r *ready) take(k *key) *entry {
	for l := r.bucket(k).Load(); l != nil; l = l.next {
		if e := l.entry; e.key == *k {
			if !e.module.TryRetain() {
				return nil
			}
			r.use(e)
			return e
		}
	}
	return nil
}

// use counts a use. The first one after the order was told puts the entry on the
// stack, where it stays until the next time.
func (r *ready) use(e *entry) {
	if e.uses.Load() >= mostUses || e.uses.Add(1) > 1 {
		return
	}
	for {
		e.usedBefore = r.used.Load()
		if r.used.CompareAndSwap(e.usedBefore, e) {
			return
		}
	}
}

// drain gives the entries that were used, in the order in which they first were, and how
// often. Uses during the call count now or the next time.
func (r *ready) drain(use func(e *entry, times int32)) {
	var first *entry
	for e := r.used.Swap(nil); e != nil; {
		before := e.usedBefore
		e.usedBefore = first
		first, e = e, before
	}
	for e := first; e != nil; {
		next := e.usedBefore
		e.usedBefore = nil
		use(e, e.uses.Swap(0))
		e = next
	}
}

// put adds an entry whose key no other one has.
func (r *ready) put(e *entry) {
	bucket := r.bucket(&e.key)
	bucket.Store(&link{e, bucket.Load()})
}

// remove takes an entry out, if it is there.
func (r *ready) remove(e *entry) {
	bucket := r.bucket(&e.key)
	bucket.Store(bucket.Load().without(e))
}

// without is the chain but for an entry; what stands behind that is shared.
func (l *link) without(e *entry) *link {
	var ahead []*link
	rest := l
	for rest != nil && rest.entry != e {
		ahead = append(ahead, rest)
		rest = rest.next
	}
	if rest == nil {
		return l
	}
	rest = rest.next
	for _, a := range ahead {
		rest = &link{a.entry, rest}
	}
	return rest
}
