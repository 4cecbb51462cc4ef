package wasmhost

import (
	"math"
	"testing"

	"github.com/avapd/avapd/internal/fairqueue"
)

// A thread that answers one request after the other lets other threads have the CPU,
// also where nobody waits for its compute slot, and not after each turn.
func TestTurnEndsWithYield(t *testing.T) {
	h := newHost(t, EngineCompiler, func(c *Config) { c.Gate = fairqueue.New(fairqueue.Limits{Slots: 1, Queued: 1}) })
	m := newScript(nil, nil).finish(t, h, 0)
	for name, test := range map[string]struct {
		last   int64
		yields bool
	}{
		"a long time after the last one": {math.MinInt64 / 2, true},
		"soon after the last one":        {math.MaxInt64 / 2, false},
	} {
		lastYield.Store(test.last)
		mustRun(t, h, m, Input{})
		if got := lastYield.Load() != test.last; got != test.yields {
			t.Errorf("%s: yields: %v, want %v", name, got, test.yields)
		}
	}
	lastYield.Store(0)
}
