package server

import (
	"math"
	"runtime/debug"
	"testing"

	"github.com/avapd/avapd/internal/config"
)

// What the environment says about the collector is left alone; the rest comes
// from the configuration.
func TestCollectSeldom(t *testing.T) {
	percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(math.MaxInt64)
	t.Cleanup(func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	})
	c := config.Default()
	c.Memory.Heap = 512 << 20

	CollectSeldom(c, []string{"GOGC=77", "GOMEMLIMIT=1GiB"})
	if percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(-1); percent != 100 || limit != math.MaxInt64 {
		t.Errorf("against the environment: %d %%, %d bytes", percent, limit)
	}
	CollectSeldom(c, []string{"GOGC=", "HOME=/"})
	if percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(-1); percent != int(c.GC.Percent) || limit != 512<<20 {
		t.Errorf("%d %%, %d bytes; want %d %%, %d bytes", percent, limit, c.GC.Percent, 512<<20)
	}
}
