package ratelimit

import (
	"hash/maphash"
	"sync"
	"time"
)

// shards is how many parts the keys are in, each with a lock of its own.
const shards = 64

// looks is how many keys are looked at for one that can go.
const looks = 8

// Memory keeps the moments of a bounded number of keys. There is no goroutine:
// keys whose allowance is whole, which are as good as none, go when others come.
// Where all are in use, the one goes whose allowance is whole first, of those
// that are looked at. So keys that are made up use up each other's places, and the
// worst that comes of it is that somebody has a whole allowance again.
type Memory struct {
	seed   maphash.Seed
	most   int // keys in a shard
	now    func() time.Time
	began  time.Time
	shards [shards]shard
}

type shard struct {
	mu    sync.Mutex
	whole map[string]int64
	_     [40]byte // locks of neighbours are not on one cache line
}

// NewMemory makes an empty memory for so many keys.
func NewMemory(keys int) *Memory { return newMemory(keys, time.Now) }

func newMemory(keys int, now func() time.Time) *Memory {
	m := &Memory{seed: maphash.MakeSeed(), most: max(1, keys/shards), now: now, began: now()}
	for i := range m.shards {
		m.shards[i].whole = make(map[string]int64)
	}
	return m
}

// Take counts an event of a key, whose bytes are copied where they are kept.
func (m *Memory) Take(key []byte, r Rate) Decision {
	now := int64(m.now().Sub(m.began)) // of the clock that is never set
	s := &m.shards[maphash.Bytes(m.seed, key)%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	whole, known := s.whole[string(key)]
	next, d := r.take(whole, now)
	if !known && len(s.whole) >= m.most {
		s.makeRoom(now)
	}
	s.whole[string(key)] = next
	return d
}

// makeRoom takes at least one key out. A walk over a map begins anywhere.
func (s *shard) makeRoom(now int64) {
	soonest, looked, gone := "", 0, false
	for key, whole := range s.whole {
		switch {
		case whole <= now:
			delete(s.whole, key)
			gone = true
		case soonest == "" || whole < s.whole[soonest]:
			soonest = key
		}
		if looked++; looked == looks {
			break
		}
	}
	if !gone {
		delete(s.whole, soonest)
	}
}

// Keys is how many are kept.
func (m *Memory) Keys() int {
	n := 0
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		n += len(s.whole)
		s.mu.Unlock()
	}
	return n
}
