package server

import (
	"runtime/debug"
	"strings"

	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/machine"
)

// CollectSeldom settles how often garbage is collected, unless the environment
// does. It is for the process that serves: little of what it holds lives long,
// so that with the Go runtime's own setting the collector would run every few
// compiles, and make them wait. It comes before the engine is made, which leaves
// the rest of the memory to scripts.
func CollectSeldom(c *config.Config, environ []string) {
	if !isSet(environ, "GOGC") {
		debug.SetGCPercent(int(c.GC.Percent))
	}
	if isSet(environ, "GOMEMLIMIT") {
		return
	}
	if limit := collectorLimit(c, machine.MemoryBytes()); limit > 0 {
		debug.SetMemoryLimit(limit)
	}
}

// collectorLimit is what the process may hold beside the memory of scripts.
func collectorLimit(c *config.Config, machineBytes int64) int64 {
	if c.GC.MemoryBytes > 0 {
		return c.GC.MemoryBytes
	}
	return machineBytes / 8 * 3
}

func isSet(environ []string, name string) bool {
	for _, entry := range environ {
		if value, ok := strings.CutPrefix(entry, name+"="); ok && value != "" {
			return true
		}
	}
	return false
}
