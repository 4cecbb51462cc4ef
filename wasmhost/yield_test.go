package wasmhost

import (
	"math"
	"testing"

	"github.com/avapd/avapd/internal/fairqueue"
)

// Whoever answers one request after the other lets other threads have the CPU, also
// where nobody waits for its compute slot, and not after each turn.
func TestTurnEndsWithYield(t *testing.T) {
	h := newHost(t, EngineCompiler, func(c *Config) { c.Gate = fairqueue.New(fairqueue.Limits{Slots: 1, Queued: 1}) })
	m := newScript(nil, nil).finish(t, h, 0)
	defer lastYield.Store(0)
	for last, yields := range map[int64]bool{math.MinInt64 / 2: true, math.MaxInt64 / 2: false} {
		lastYield.Store(last)
		mustRun(t, h, m, Input{})
		if got := lastYield.Load() != last; got != yields {
			t.Errorf("last yield at %d: yields: %v, want %v", last, got, yields)
		}
	}
}

func TestYieldIsDue(t *testing.T) {
	for _, crowded := range []bool{false, true} {
		least := calmOccupied
		if crowded {
			least = maxOccupied
		}
		if yieldIsDue(least, crowded) || !yieldIsDue(least+1, crowded) {
			t.Errorf("crowded %v: no yield is due just after %v, and only then", crowded, least)
		}
	}
	if maxOccupied >= calmOccupied {
		t.Error("turns end with fewer yields where others wait")
	}
}
