package wasmhost

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/avapd/avapd/runtime/abi"
)

const (
	// wipeByClear is the largest high-water mark that is cleared by writing
	// zeros. Above it the system takes the pages back, which also returns their
	// memory; below it a page fault per 4 KiB would cost more than the writing.
	wipeByClear = 4 << 20
	// wipeKeep is what stays resident after a slot grew beyond wipeByClear.
	wipeKeep = 256 << 10
	// clearPiece and discardPiece are wiped in some dozens of microseconds, as
	// long as a slice takes. What the system takes back are whole large pages.
	clearPiece   = 256 << 10
	discardPiece = 2 << 20
)

// errNoSlot says that every memory slot is in use, errNoSpace that the system has no
// addresses for one more, errClientSlots that a client has as many as it may.
var (
	errNoSlot      = errors.New("no memory slot is free")
	errNoSpace     = errors.New("no address space for a memory slot")
	errClientSlots = errors.New("too many scripts of this client are running")
)

// slot is a reserved range of address space, as large as a guest may ever
// grow, outside the Go heap. It is the linear memory of one execution at a
// time, so growing moves nothing and costs no garbage.
type slot struct {
	base []byte // the whole range
	// limitBytes is the cap of the current execution, and budget what it has
	// together with others; budgetBytes is what was taken from that.
	limitBytes  uint64
	budget      *budget
	budgetBytes uint64
	// sizeBytes is the size of the memory now, and shrinkBytes, while it is not 0, the
	// one that it is made smaller to.
	sizeBytes   uint64
	shrinkBytes uint64
	// highBytes is the most the guest was ever given since the last wipe.
	highBytes uint64
	// owner is the execution that reuses this slot.
	owner *execution
	// counted is what the slot counts for in the memory of all: no less than what
	// is resident. Only whoever has the slot changes it. crowded tells that it
	// could not be more the last time that was tried.
	counted atomic.Int64
	crowded bool
	pool    *pool
	// client is who has the slot; noClient if nobody has it, too.
	client atomic.Uint64
	// kept is the module that the slot keeps a pair of while it is idle, and given
	// when it became that, by the pool's count.
	kept  atomic.Pointer[Module]
	given atomic.Int64
}

// Allocate implements experimental.MemoryAllocator.
func (s *slot) Allocate(_, _ uint64) experimental.LinearMemory { return s }

// Reallocate implements experimental.LinearMemory. A nil makes memory.grow
// yield -1 in the guest.
func (s *slot) Reallocate(size uint64) []byte {
	if s.shrinkBytes != 0 {
		return s.base[:s.shrinkBytes:s.shrinkBytes]
	}
	if size > s.limitBytes || size > uint64(len(s.base)) {
		return nil
	}
	if s.budget != nil && size > s.budgetBytes && !s.claim(size) {
		return nil
	}
	s.sizeBytes = size
	s.highBytes = max(s.highBytes, size)
	return s.base[:size:size]
}

// shrink makes the memory of an instance that nobody runs in as small as it was, or
// is false. Nothing in WebAssembly does that, and the runtime has no call for it, but
// after a growth it takes whatever memory it is given for the whole.
func (s *slot) shrink(of api.Memory, size uint64) bool {
	if s.sizeBytes == size {
		return true
	}
	s.shrinkBytes = size
	_, ok := of.Grow(1)
	s.shrinkBytes = 0
	if !ok || uint64(of.Size()) != size {
		return false
	}
	s.sizeBytes = size
	return true
}

// claim makes sure that the budget covers a size, and the memory of all does.
func (s *slot) claim(size uint64) bool {
	more := int64(size - s.budgetBytes)
	if !s.budget.reserve(more) {
		return false
	}
	s.crowded = !s.pool.count(s, int64(size))
	if s.crowded {
		s.budget.release(more)
		return false
	}
	s.budgetBytes = size
	return true
}

// leaveBudget gives back what was taken from the budget.
func (s *slot) leaveBudget() {
	if s.budget != nil {
		s.budget.release(int64(s.budgetBytes))
	}
	s.budget, s.budgetBytes, s.crowded = nil, 0, false
}

// Free implements experimental.LinearMemory. It comes too early to recycle
// anything: closing a script module calls it while the library still runs on
// the memory.
func (s *slot) Free() {}

// memory is the guest's memory as it is now; it goes stale when that grows.
func (s *slot) memory() memory { return s.base[:s.sizeBytes:s.sizeBytes] }

// wipe makes the slot all zero again, piece by piece from its end on, with a
// pause after each piece but the last.
func (s *slot) wipe(pause func()) {
	discards := s.highBytes > wipeByClear
	for s.highBytes > 0 {
		if discards && s.highBytes > wipeKeep {
			s.discardFrom(max(wipeKeep, (s.highBytes-1)/discardPiece*discardPiece))
		} else {
			s.clearFrom((s.highBytes - 1) / clearPiece * clearPiece)
		}
		if s.highBytes > 0 {
			pause()
		}
	}
	s.sizeBytes = 0
}

// discardFrom gives the end of the memory back to the system.
func (s *slot) discardFrom(from uint64) {
	if !discard(s.base[from:s.highBytes]) {
		s.clearFrom(from)
		return
	}
	s.highBytes = from
	s.pool.uncount(s, int64(from))
}

func (s *slot) clearFrom(from uint64) {
	clear(s.base[from:s.highBytes])
	s.highBytes = from
}

// keeps is the module that the slot keeps a pair of, or nil.
func (s *slot) keeps() *Module {
	if s.owner == nil {
		return nil
	}
	return s.owner.of
}

// release ends the slot.
func (s *slot) release() {
	if s.owner != nil {
		s.owner.close()
	}
	release(s.base)
	s.base = nil
	s.pool.uncount(s, 0)
	s.pool.mu.Lock()
	delete(s.pool.all, s)
	s.pool.mu.Unlock()
}

// pool keeps memory slots. It never hands out more than max at a time, and keeps as
// many that are idle as it has places for them. Who finds an idle one and gives it
// back takes no lock.
type pool struct {
	slotBytes int
	max       int
	// clientMax bounds the slots of one client, as far as it has a name. Of those who
	// come at the same moment each may find that there is one left.
	clientMax int
	memory    sharedMemory
	// reserve is reserve, but for tests.
	reserve func(bytes int) ([]byte, error)

	live   atomic.Int64 // handed out, or about to be
	gives  atomic.Int64
	closed atomic.Bool
	idle   []idlePlace
	// waiting counts those who wait for a slot, also while they look whether there is
	// one. They come here before looking, and who gives one back counts that before
	// looking here, so that one of the two sees the other.
	waiting atomic.Int64

	mu  sync.Mutex
	all map[*slot]struct{} // there are
	// freed is closed when a slot comes back, or may be had after all; nil while
	// nobody listens. back counts those that came back while somebody waited.
	freed chan struct{}
	back  int64
}

// idlePlace has an idle slot, or nil, in a cache line of its own.
type idlePlace struct {
	atomic.Pointer[slot]

	_ [56]byte
}

func newPool(config *Config) *pool {
	limit := config.MaxInstances
	return &pool{
		slotBytes: int(config.MaxMemoryPages) * abi.PageBytes, max: limit, idle: make([]idlePlace, min(config.IdleInstances, limit)),
		clientMax: (limit + 1) / 2, memory: sharedMemory{limit: config.MemoryBytes, client: config.ClientMemoryBytes},
		reserve: reserve, all: make(map[*slot]struct{}),
	}
}

// take gives a slot that is all zero, by preference one that keeps a pair of
// the module, and not one that keeps another's.
func (p *pool) take(m *Module, client uint64) (*slot, error) {
	if err := p.admit(client); err != nil {
		return nil, err
	}
	s := p.pick(m)
	if s == nil {
		base, err := p.reserve(p.slotBytes)
		if err != nil {
			p.leave(false)
			return nil, errors.Join(errNoSlot, errNoSpace, err)
		}
		s = &slot{base: base, pool: p}
		p.mu.Lock()
		p.all[s] = struct{}{}
		p.mu.Unlock()
	}
	s.client.Store(client)
	return s, nil
}

// admit counts one more that is handed out, if that may be.
func (p *pool) admit(client uint64) error {
	for {
		live := p.live.Load()
		if p.closed.Load() || live >= int64(p.max) {
			return errNoSlot
		}
		// Few are busy most of the time; then there is nothing to look for.
		if client != noClient && live >= int64(p.clientMax) && p.slotsOf(client) >= p.clientMax {
			return errClientSlots
		}
		if p.live.CompareAndSwap(live, live+1) {
			return nil
		}
	}
}

// slotsOf counts the slots of a client.
func (p *pool) slotsOf(client uint64) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for s := range p.all {
		if s.client.Load() == client {
			n++
		}
	}
	return n
}

// pick takes an idle slot: one that keeps a pair of m, else one that keeps none,
// else the one that was used longest ago. It gives nil when none is idle.
func (p *pool) pick(m *Module) *slot {
	for {
		var from *idlePlace
		var chosen *slot
		for i := range p.idle {
			s := p.idle[i].Load()
			if s == nil {
				continue
			}
			if s.kept.Load() == m && m != nil {
				from, chosen = &p.idle[i], s
				break
			}
			if chosen == nil || s.before(chosen) {
				from, chosen = &p.idle[i], s
			}
		}
		if chosen == nil || from.CompareAndSwap(chosen, nil) {
			return chosen
		}
	}
}

// before tells whether an idle slot is the better one for a module that neither
// keeps a pair of.
func (s *slot) before(other *slot) bool {
	if empty := s.kept.Load() == nil; empty != (other.kept.Load() == nil) {
		return empty
	}
	return s.given.Load() < other.given.Load()
}

// wait is take for those who can wait for a slot. Who found no address space tries
// again when a slot came back, and not when others found none either.
func (p *pool) wait(ctx context.Context, m *Module, client uint64) (*slot, error) {
	p.waiting.Add(1)
	defer p.waiting.Add(-1)
	var failure error
	tried := int64(-1)
	for {
		freed, back := p.listen()
		if back != tried {
			s, err := p.take(m, client)
			if err == nil {
				return s, nil
			}
			failure, tried = err, -1
			if errors.Is(err, errNoSpace) {
				tried = back
			}
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return nil, failure
		}
	}
}

// listen gives what is closed when it is worth while to try again, and how many slots
// came back before.
func (p *pool) listen() (freed <-chan struct{}, back int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.freed == nil {
		p.freed = make(chan struct{})
	}
	return p.freed, p.back
}

// give wipes a slot and takes it back. No instance may run in it any more.
func (p *pool) give(s *slot) {
	s.wipe(func() {})
	s.client.Store(noClient)
	s.kept.Store(s.keeps())
	s.given.Store(p.gives.Add(1))
	keep := p.put(s)
	p.leave(true)
	if !keep {
		s.release()
	}
}

// put makes a slot an idle one, if there is a place for it.
func (p *pool) put(s *slot) bool {
	for i := range p.idle {
		if place := &p.idle[i]; place.Load() == nil && place.CompareAndSwap(nil, s) {
			if p.closed.Load() { // it may have been just then
				p.dropIdle()
			}
			return true
		}
	}
	return false
}

// leave counts one less that is handed out, and wakes those who wait for a slot.
func (p *pool) leave(back bool) {
	p.live.Add(-1)
	if p.waiting.Load() > 0 {
		p.tell(back)
	}
}

func (p *pool) tell(back bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if back {
		p.back++
	}
	if p.freed != nil {
		close(p.freed)
		p.freed = nil
	}
}

// close releases the idle slots; those in use follow when they come back.
func (p *pool) close() {
	p.closed.Store(true)
	p.dropIdle()
}

// dropIdle gives the memory of the idle slots back.
func (p *pool) dropIdle() {
	for i := range p.idle {
		if s := p.idle[i].Swap(nil); s != nil {
			s.release()
		}
	}
}
