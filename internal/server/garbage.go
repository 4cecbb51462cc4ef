package server

import (
	"runtime/debug"

	"github.com/avapd/avapd/internal/config"
)

// CollectSeldom settles how often garbage is collected, unless the environment
// does. It is for the process that serves: little of what it holds lives long,
// so that with the Go runtime's own setting the collector would run every few
// compiles, and make them wait.
func CollectSeldom(c *config.Config, environ []string) {
	if !config.InEnvironment(environ, "GOGC") {
		debug.SetGCPercent(int(c.GC.Percent))
	}
	if !config.InEnvironment(environ, config.GoMemoryVariable) && c.Memory.Heap > 0 {
		debug.SetMemoryLimit(c.Memory.Heap)
	}
}
