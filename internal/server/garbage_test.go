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
	c.GC.MemoryBytes = 512 << 20

	CollectSeldom(c, []string{"GOGC=77", "GOMEMLIMIT=1GiB"})
	if percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(-1); percent != 100 || limit != math.MaxInt64 {
		t.Errorf("against the environment: %d %%, %d bytes", percent, limit)
	}
	CollectSeldom(c, []string{"GOGC=", "HOME=/"})
	if percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(-1); percent != int(c.GC.Percent) || limit != 512<<20 {
		t.Errorf("%d %%, %d bytes; want %d %%, %d bytes", percent, limit, c.GC.Percent, 512<<20)
	}
}

// Scripts get half of the memory and the process three eighths.
func TestCollectorLimit(t *testing.T) {
	c := config.Default()
	if got := collectorLimit(c, 8<<30); got != 3<<30 {
		t.Errorf("of 8 GiB: %d bytes", got)
	}
	if got := collectorLimit(c, 0); got != 0 {
		t.Errorf("of an unknown machine: %d bytes", got)
	}
}
