package wasmhost

import (
	"errors"
	"testing"
)

func TestSlotsOfOneClient(t *testing.T) {
	p := newPool(&Config{MaxMemoryPages: 1, MaxInstances: 4, IdleInstances: 4})
	defer p.close()
	a, b := clientNumber("a"), clientNumber("b")
	var taken []*slot
	take := func(client uint64, want error) {
		t.Helper()
		s, err := p.take(nil, client)
		if !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
		if s != nil {
			taken = append(taken, s)
		}
	}
	take(a, nil)
	take(a, nil)
	take(a, errClientSlots)
	take(b, nil)
	take(noClient, nil)
	take(b, errNoSlot)
	for _, s := range taken {
		p.give(s)
	}
	taken = nil
	take(a, nil)
	p.give(taken[0])
}

// What idle slots have resident is given up for those that need it, and what
// counts in the end is nothing.
func TestSharedMemoryIsCounted(t *testing.T) {
	p := newPool(&Config{MaxMemoryPages: 200, MaxInstances: 4, IdleInstances: 4, MemoryBytes: 10 << 20})
	grow := func(s *slot, bytes int64) bool {
		s.budget = &budget{limit: 1 << 40}
		s.limitBytes = 1 << 40
		return s.Reallocate(uint64(bytes)) != nil
	}
	take := func() *slot {
		s, err := p.take(nil, noClient)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first, second := take(), take()
	if !grow(first, 3<<20) || !grow(second, 3<<20) {
		t.Fatal("no room for 6 MiB")
	}
	first.leaveBudget()
	p.give(first)
	second.leaveBudget()
	p.give(second)
	if used := p.memory.used.Load(); used != 6<<20 {
		t.Errorf("idle slots count for %d bytes", used)
	}
	big := take()
	if !grow(big, 8<<20) {
		t.Error("idle slots were not given up")
	}
	other := take()
	if grow(other, 3<<20) || !other.crowded {
		t.Error("11 MiB in 10")
	}
	if !grow(other, 2<<20) || other.crowded {
		t.Error("no room for 10 MiB")
	}
	for _, s := range []*slot{big, other} {
		s.leaveBudget()
		p.give(s)
	}
	if used := p.memory.used.Load(); used != 2<<20+wipeKeep {
		t.Errorf("idle slots count for %d bytes in the end", used)
	}
	p.close()
	if used := p.memory.used.Load(); used != 0 {
		t.Errorf("%d bytes still count", used)
	}
}
