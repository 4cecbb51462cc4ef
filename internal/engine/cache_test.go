package engine

import (
	"context"
	"crypto/sha256"
	"fmt"
	"reflect"
	"testing"

	"github.com/avapd/avapd/wasmhost"
)

const (
	roomFor = 50 // scripts of the tests below
	oneSize = entryBytes + 4096
)

// crowded is an engine whose cache is too small, and what runs a script on it
// and tells whether it had to be compiled.
func crowded(t *testing.T) (e *Engine, compiled func(source string) bool) {
	t.Helper()
	c := &fakeCompiler{}
	e = newEngine(t, c, func(c *Config) { c.CacheBytes = roomFor * oneSize })
	return e, func(source string) bool {
		before := c.compiles.Load()
		mustAnswer(t, e, &Request{Source: source})
		if s := e.cache.stats(); s.Bytes > roomFor*oneSize || s.Scripts != len(e.cache.entries) {
			t.Fatalf("the cache holds %+v and %d entries", s, len(e.cache.entries))
		}
		return c.compiles.Load() != before
	}
}

// Scripts that come once do not drive out those that come always.
func TestOneOffScriptsLeaveTheHotOnes(t *testing.T) {
	_, compiled := crowded(t)
	const hot = roomFor / 2
	const turns = 20
	again := 0
	for turn := range turns {
		for i := range hot {
			if compiled(fmt.Sprintf("ok %d", i)) && turn > 0 {
				again++
			}
		}
		for i := range 2 * roomFor {
			compiled(fmt.Sprintf("ok once %d %d", turn, i))
		}
	}
	// With the least recently used going first it would be all of them, each turn.
	// Here it is some of them in the first turns.
	if again > hot*turns/3 {
		t.Errorf("%d of %d times a script was compiled again", again, hot*(turns-1))
	}
}

// What was wanted long ago makes room for what is wanted now.
func TestCacheFollowsItsTime(t *testing.T) {
	_, compiled := crowded(t)
	use := func(what string) (misses int) {
		for range 30 {
			misses = 0
			for i := range roomFor * 3 / 4 {
				if compiled(fmt.Sprintf("ok %s %d", what, i)) {
					misses++
				}
			}
		}
		return misses
	}
	for _, what := range []string{"yesterday", "today", "tomorrow"} {
		if n := use(what); n > 0 {
			t.Errorf("%s: %d scripts are compiled each time", what, n)
		}
	}
}

// references counts who holds a module.
func references(m *wasmhost.Module) int64 {
	return usersOf(reflect.ValueOf(m).Elem().FieldByName("refs"))
}

// usersOf reads a count of users that nobody changes.
func usersOf(count reflect.Value) int64 {
	return count.FieldByName("users").FieldByName("v").Int()
}

// Whoever asks for a script gets one reference to its module, and whoever leaves
// none, also if that is just when it is made.
func TestReferences(t *testing.T) {
	e := newEngine(t, &fakeCompiler{}, nil)
	source := func(i int) (key, func() work) {
		r := &Request{Source: fmt.Sprintf("ok %d", i)}
		k := key{digest: sha256.Sum256([]byte(r.Source))}
		return k, func() work {
			return work{compile: e.compiling(e.source(r))}
		}
	}
	c := e.cache
	for i, ask := range []func(key, func() work){
		func(k key, prepare func() work) { // and waits
			f, err := c.get(t.Context(), "", k, prepare)
			if err != nil {
				t.Fatal(err)
			}
			f.module.Release()
		},
		func(k key, prepare func() work) { // and leaves when it is made
			entry, job, err := c.lookUp("", k, prepare)
			if err != nil {
				t.Fatal(err)
			}
			if job != nil {
				c.do(t.Context(), "", entry, job)
			}
			<-entry.done
			c.leave(entry)
		},
		func(k key, prepare func() work) { // and does not wait
			c.begin("", k, prepare)
			c.running.Wait()
		},
	} {
		k, prepare := source(i)
		for range 2 { // made, and found
			ask(k, prepare)
			if f, ok := c.hit(k); !ok || references(f.module) != 2 {
				t.Errorf("way %d: found %t, %d references, want the cache's and this", i, ok, references(f.module))
			} else {
				f.module.Release()
			}
		}
		c.mu.Lock()
		module := c.entries[k].module
		c.order.InvalidateAll()
		c.mu.Unlock()
		if n := references(module); n != 0 {
			t.Errorf("way %d: %d references are left", i, n)
		}
	}
}

// BenchmarkCacheHit is a look-up of a script that is compiled, among a thousand
// others.
func BenchmarkCacheHit(b *testing.B) {
	e := newEngine(b, &fakeCompiler{}, nil)
	var keys []key
	for i := range 1000 {
		source := fmt.Sprintf("ok %d", i)
		if _, err := e.Run(context.Background(), &Request{Source: source}); err != nil {
			b.Fatal(err)
		}
		keys = append(keys, key{digest: sha256.Sum256([]byte(source))})
	}
	look := func(i int) {
		f, err := e.cache.get(context.Background(), "client", keys[i%len(keys)], nil)
		if err != nil {
			b.Fatal(err)
		}
		f.module.Release()
	}
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			look(i)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				look(i)
			}
		})
	})
}
