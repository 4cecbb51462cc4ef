package engine

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"

	"github.com/avapd/avapd/wasmhost"
)

// Look-ups while entries come and go: whoever finds a module has it until it is
// released, and in the end nobody has any.
func TestLookUpsAmongEvictions(t *testing.T) {
	e, _ := crowded(t)
	c := e.cache
	var modules sync.Map
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 1500 {
				r := &Request{Source: fmt.Sprintf("ok %d", (i*(g+1))%(roomFor*5/4))}
				k := key{digest: sha256.Sum256([]byte(r.Source))}
				f, err := c.get(t.Context(), "", k, func() work {
					return work{compile: e.compiling(e.source(r))}
				})
				if err != nil {
					t.Error(err)
					return
				}
				if f.module.Manifest.SourceSHA256 != fmt.Sprintf("%x", k.digest) {
					t.Error("another script was found")
				}
				modules.Store(f.module, nil)
				f.module.Release()
			}
		})
	}
	all.Wait()
	if c.stats().Evictions == 0 {
		t.Error("nothing was evicted")
	}
	c.mu.Lock()
	c.order.InvalidateAll()
	c.mu.Unlock()
	for m := range modules.Range {
		if n := references(m.(*wasmhost.Module)); n != 0 {
			t.Fatalf("%d references are left", n)
		}
	}
	for i := range c.ready.buckets {
		if c.ready.buckets[i].Load() != nil {
			t.Fatal("what was dropped can be found")
		}
	}
}

// Entries in one bucket are found and removed one by one.
func TestReadyChains(t *testing.T) {
	r := newReady(0)
	entries := make([]*entry, 5)
	for i := range entries {
		entries[i] = &entry{key: key{file: fmt.Sprint(i)}, module: new(wasmhost.Module)}
		entries[i].module.Retain()
		r.put(entries[i])
	}
	for _, i := range []int{2, 0, 4, 1, 3} {
		for range 20 {
			if r.take(&entries[i].key) != entries[i] {
				t.Fatalf("%d is not found", i)
			}
		}
		r.remove(entries[i])
		r.remove(entries[i]) // which is no harm
		if r.take(&entries[i].key) != nil {
			t.Fatalf("%d is found", i)
		}
	}
	var order string
	r.drain(func(e *entry, times int32) { order += fmt.Sprintf("%s %d,", e.key.file, times) })
	if order != "2 15,0 15,4 15,1 15,3 15," {
		t.Errorf("used: %s", order)
	}
	r.drain(func(*entry, int32) { t.Error("uses are told once") })
}

// Uses are counted while they are told, and none gets lost.
func TestUsesAreToldOnce(t *testing.T) {
	r := newReady(0)
	e := &entry{key: key{file: "a"}, module: new(wasmhost.Module)}
	e.module.Retain()
	r.put(e)
	const users, uses = 4, 2000
	var all sync.WaitGroup
	var told int32
	tell := func() { r.drain(func(_ *entry, times int32) { told += times }) }
	done := make(chan struct{})
	for range users {
		all.Go(func() {
			for range uses {
				r.take(&e.key)
			}
		})
	}
	go func() { all.Wait(); close(done) }()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		tell()
	}
	if told == 0 || told > users*uses || e.uses.Load() != 0 || r.used.Load() != nil {
		t.Errorf("told of %d uses, %d left", told, e.uses.Load())
	}
}
