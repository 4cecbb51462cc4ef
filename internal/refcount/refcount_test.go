package refcount

import (
	"sync"
	"sync/atomic"
	"testing"
)

// The last user is one, whoever tries to come at the end.
func TestLastUserIsOne(t *testing.T) {
	for range 1000 {
		var c Count
		var last atomic.Int64
		release := func() {
			if c.Release() {
				last.Add(1)
			}
		}
		c.Retain()
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for c.TryRetain() {
					if last.Load() > 0 {
						t.Error("retained after the last release")
					}
					release()
				}
			})
		}
		release()
		all.Wait()
		if n := last.Load(); n != 1 || c.TryRetain() {
			t.Fatalf("it ended %d times", n)
		}
	}
}
