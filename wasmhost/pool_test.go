package wasmhost

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// newTestPool is a pool of small slots.
func newTestPool(most, idle int) *pool {
	return newPool(&Config{MaxMemoryPages: 1, MaxInstances: most, IdleInstances: idle})
}

// Slots that come and go all the time: never more than may be are handed out, none
// to two at once, each is all zero, whoever waits gets one, and in the end all are
// released.
func TestSlotsAmongMany(t *testing.T) {
	const most, takers, turns = 3, 6, 400
	p := newTestPool(most, most-1)
	var out atomic.Int64
	var all sync.WaitGroup
	for i := range takers {
		modules := []*Module{nil, new(Module), new(Module)}
		all.Go(func() {
			for turn := range turns {
				s, err := p.wait(t.Context(), modules[(i+turn)%len(modules)], noClient)
				if err != nil {
					t.Error(err)
					return
				}
				if out.Add(1) > most {
					t.Error("too many slots are handed out")
				}
				s.limitBytes = 1
				b := s.Reallocate(1)
				if b[0] != 0 {
					t.Error("a slot is not zero, or has two users")
				}
				b[0] = byte(i + 1)
				if turn%16 == 0 {
					p.dropIdle()
				}
				if b[0] != byte(i+1) {
					t.Error("a slot has two users")
				}
				out.Add(-1)
				p.give(s)
			}
		})
	}
	all.Wait()
	if p.live.Load() != 0 || p.waiting.Load() != 0 {
		t.Errorf("%d slots are out, %d wait", p.live.Load(), p.waiting.Load())
	}
	p.close()
	if len(p.all) != 0 {
		t.Errorf("%d slots were not released", len(p.all))
	}
}

// A slot that comes back while the pool closes is released as well.
func TestCloseMissesNoSlot(t *testing.T) {
	for range 200 {
		p := newTestPool(4, 4)
		var all sync.WaitGroup
		for range 4 {
			s, err := p.take(nil, noClient)
			if err != nil {
				t.Fatal(err)
			}
			all.Go(func() { p.give(s) })
		}
		p.close()
		all.Wait()
		if len(p.all) != 0 {
			t.Fatalf("%d slots were not released", len(p.all))
		}
		if _, err := p.take(nil, noClient); !errors.Is(err, errNoSlot) {
			t.Errorf("after the end: %v", err)
		}
	}
}

// What is idle serves its module first, then what keeps nothing goes, then what was
// used longest ago.
func TestWhichSlotIsTaken(t *testing.T) {
	p := newTestPool(4, 4)
	first, second, other := new(Module), new(Module), new(Module)
	owned := func(m *Module) *execution { return &execution{pair: pair{of: m}} }
	slots := make([]*slot, 3)
	for i, m := range []*Module{second, nil, first} {
		s, err := p.take(nil, noClient)
		if err != nil {
			t.Fatal(err)
		}
		s.owner = owned(m)
		slots[i] = s
	}
	for _, s := range slots {
		p.give(s)
	}
	for i, c := range []struct {
		m    *Module
		want *slot
	}{{first, slots[2]}, {other, slots[1]}, {other, slots[0]}, {other, nil}} {
		if got := p.pick(c.m); got != c.want {
			t.Errorf("turn %d: another slot was taken", i)
		}
	}
	for _, s := range slots {
		s.owner = nil
		s.release()
	}
}

// Whoever waits for a slot gets the place of one that could not be had. Where the
// system has no addresses, those who wait do not wake each other without end, and
// get what comes back.
func TestSlotsWithoutAddressSpace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTestPool(2, 2)
		first, err := p.take(nil, noClient)
		if err != nil {
			t.Fatal(err)
		}
		tries, answers := 0, make(chan error)
		p.reserve = func(int) ([]byte, error) {
			tries++
			return nil, <-answers
		}
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				s, err := p.wait(t.Context(), nil, noClient)
				if err != nil {
					t.Error(err)
					return
				}
				p.give(s)
			})
		}
		synctest.Wait() // one asks the system, the other waits for its place
		answers <- errors.New("no addresses")
		synctest.Wait()
		if tries != 2 {
			t.Errorf("the system was asked %d times before whoever waited had the place", tries)
		}
		answers <- errors.New("no addresses")
		synctest.Wait()
		if tries != 2 || p.live.Load() != 1 {
			t.Errorf("the system was asked %d times, %d slots are out", tries, p.live.Load())
		}
		p.give(first)
		all.Wait()
		p.close()
		if p.live.Load() != 0 || len(p.all) != 0 {
			t.Errorf("%d slots are out, %d were not released", p.live.Load(), len(p.all))
		}
	})
}

// A slot that comes back before those who were woken for nothing wait again is not
// overlooked.
func TestSlotThatComesBackWhileNobodyListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 200 {
			p := newTestPool(3, 3)
			first, err := p.take(nil, noClient)
			if err != nil {
				t.Fatal(err)
			}
			p.reserve = func(int) ([]byte, error) { return nil, errors.New("no addresses") }
			ctx, stop := context.WithCancel(t.Context())
			var waiter sync.WaitGroup
			waiter.Go(func() {
				if s, err := p.wait(ctx, nil, noClient); err != nil {
					t.Error("a slot is idle, and whoever waits did not get it")
				} else {
					p.give(s)
				}
			})
			synctest.Wait()
			_, _ = p.take(nil, noClient) // which wakes in vain
			p.give(first)
			synctest.Wait()
			stop()
			waiter.Wait()
			p.close()
		}
	})
}
