package wasmhost

import (
	"hash/maphash"
	"sync/atomic"
)

// sharedMemory is what all slots of a pool may have resident together, so that
// the system never has to end the process. It counts per slot, not per
// execution: a slot that is used again with what it has costs nothing here.
type sharedMemory struct {
	// limit bounds all, client the busy slots of one client; 0 is no bound.
	limit, client int64
	used          atomic.Int64
}

var clientSeed = maphash.MakeSeed()

// Memory is what all executions have together, and what they may have, 0 if
// that has no bound.
func (h *Host) Memory() (used, limit int64) {
	return h.pool.memory.used.Load(), h.pool.memory.limit
}

// noClient is the number of executions that count for nobody.
const noClient = 0

// clientNumber makes a number of a client's name.
func clientNumber(client string) uint64 {
	if client == "" {
		return noClient
	}
	return max(1, maphash.String(clientSeed, client))
}

// count makes a slot count for size bytes, if it does not yet. It reports
// whether there is room for that.
func (p *pool) count(s *slot, size int64) bool {
	more := size - s.counted.Load()
	if more <= 0 {
		return true
	}
	m := &p.memory
	used := m.used.Add(more)
	// While all together have less than a client may, no client has too much.
	if m.client > 0 && used > m.client && !p.clientHasRoom(s, more) {
		m.used.Add(-more)
		return false
	}
	if m.limit > 0 && used > m.limit {
		m.used.Add(-more)
		p.dropIdle()
		if m.used.Add(more) > m.limit {
			m.used.Add(-more)
			return false
		}
	}
	s.counted.Add(more)
	return true
}

// uncount makes a slot count for no more than size bytes.
func (p *pool) uncount(s *slot, size int64) {
	if less := s.counted.Load() - size; less > 0 {
		s.counted.Add(-less)
		p.memory.used.Add(-less)
	}
}

// clientHasRoom tells whether the client of a slot may have more.
func (p *pool) clientHasRoom(s *slot, more int64) bool {
	client := s.client.Load()
	if client == noClient {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for other := range p.all {
		if other.client.Load() == client {
			more += other.counted.Load()
		}
	}
	return more <= p.memory.client
}
