package wasmhost

import (
	"context"
	"errors"
	"slices"
	"sync"

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
)

// errNoSlot says that every memory slot is in use.
var errNoSlot = errors.New("no memory slot is free")

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
	// sizeBytes is the size of the memory now.
	sizeBytes uint64
	// highBytes is the most the guest was ever given since the last wipe.
	highBytes uint64
	// owner is the execution that reuses this slot.
	owner *execution
}

// Allocate implements experimental.MemoryAllocator.
func (s *slot) Allocate(_, _ uint64) experimental.LinearMemory { return s }

// Reallocate implements experimental.LinearMemory. A nil makes memory.grow
// yield -1 in the guest.
func (s *slot) Reallocate(size uint64) []byte {
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

// claim makes sure that the budget covers a size.
func (s *slot) claim(size uint64) bool {
	if !s.budget.reserve(int64(size - s.budgetBytes)) {
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
	s.budget, s.budgetBytes = nil, 0
}

// Free implements experimental.LinearMemory. It comes too early to recycle
// anything: closing a script module calls it while the library still runs on
// the memory.
func (s *slot) Free() {}

// memory is the guest's memory as it is now; it goes stale when that grows.
func (s *slot) memory() memory { return s.base[:s.sizeBytes:s.sizeBytes] }

// wipe makes the slot all zero again.
func (s *slot) wipe() {
	switch {
	case s.highBytes <= wipeByClear:
		clear(s.base[:s.highBytes])
	case discard(s.base[wipeKeep:s.highBytes]):
		clear(s.base[:wipeKeep])
	default:
		clear(s.base[:s.highBytes])
	}
	s.sizeBytes, s.highBytes = 0, 0
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
}

// pool keeps memory slots. It never hands out more than max at a time, and
// keeps at most keep of them when they are idle.
type pool struct {
	slotBytes int
	max, keep int

	mu     sync.Mutex
	free   []*slot
	live   int // handed out
	closed bool
	// freed is closed when a slot comes back; nil while nobody waits.
	freed chan struct{}
}

func newPool(slotPages uint32, limit, keep int) *pool {
	return &pool{slotBytes: int(slotPages) * abi.PageBytes, max: limit, keep: min(keep, limit)}
}

// take gives a slot that is all zero, by preference one that keeps a pair of
// the module, and not one that keeps another's.
func (p *pool) take(m *Module) (*slot, error) {
	p.mu.Lock()
	if p.closed || p.live >= p.max {
		p.mu.Unlock()
		return nil, errNoSlot
	}
	p.live++
	if len(p.free) > 0 {
		s := p.pick(m)
		p.mu.Unlock()
		return s, nil
	}
	p.mu.Unlock()

	base, err := reserve(p.slotBytes)
	if err != nil {
		p.mu.Lock()
		p.live--
		p.mu.Unlock()
		return nil, errors.Join(errNoSlot, err)
	}
	return &slot{base: base}, nil
}

// pick takes an idle slot: the last used of those that keep a pair of m, else
// one that keeps none, else the one that was used longest ago.
func (p *pool) pick(m *Module) *slot {
	chosen := 0
	for i := len(p.free) - 1; i >= 0; i-- {
		switch p.free[i].keeps() {
		case m:
			chosen = i
			i = 0
		case nil:
			chosen = i
		}
	}
	s := p.free[chosen]
	p.free = slices.Delete(p.free, chosen, chosen+1)
	return s
}

// wait is take for those who can wait for a slot.
func (p *pool) wait(ctx context.Context, m *Module) (*slot, error) {
	for {
		p.mu.Lock()
		if p.freed == nil {
			p.freed = make(chan struct{})
		}
		freed := p.freed
		p.mu.Unlock()
		s, err := p.take(m)
		if err == nil {
			return s, nil
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return nil, err
		}
	}
}

// give wipes a slot and takes it back. No instance may run in it any more.
func (p *pool) give(s *slot) {
	s.wipe()
	p.mu.Lock()
	p.live--
	keep := !p.closed && len(p.free) < p.keep
	if keep {
		p.free = append(p.free, s)
	}
	if p.freed != nil {
		close(p.freed)
		p.freed = nil
	}
	p.mu.Unlock()
	if !keep {
		s.release()
	}
}

// close releases the idle slots; those in use follow when they come back.
func (p *pool) close() {
	p.mu.Lock()
	free := p.free
	p.free, p.closed = nil, true
	p.mu.Unlock()
	for _, s := range free {
		s.release()
	}
}
