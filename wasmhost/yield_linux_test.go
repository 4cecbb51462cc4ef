package wasmhost

import (
	"math"
	"testing"
	"time"
)

// After a yield of which other processes had most there is none for a while; what
// the own threads did with it does not count.
func TestLostYield(t *testing.T) {
	for name, test := range map[string]struct {
		took, used time.Duration
		lost       bool
	}{
		"nobody waited":           {time.Microsecond, time.Microsecond, false},
		"another for a moment":    {longYield, 0, false},
		"another for a slice":     {3 * time.Millisecond, 5 * time.Microsecond, true},
		"a thread of the process": {3 * time.Millisecond, 3 * time.Millisecond, false},
		"both":                    {4 * time.Millisecond, 2 * time.Millisecond, false},
		"threads on other CPUs":   {3 * time.Millisecond, 6 * time.Millisecond, false},
	} {
		if got := lostYield(test.took, test.used); got != test.lost {
			t.Errorf("%s: lost: %v, want %v", name, got, test.lost)
		}
	}
}

func TestNoYieldForAWhile(t *testing.T) {
	defer nextYield.Store(0)
	for next, yields := range map[int64]bool{0: true, math.MaxInt64: false} {
		nextYield.Store(next)
		if got := YieldThread(); got != yields {
			t.Errorf("yields again at %d: yielded: %v, want %v", next, got, yields)
		}
	}
}
