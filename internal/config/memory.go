package config

import (
	"fmt"
	"math"
	"runtime/debug"
	"strings"

	"github.com/avapd/avapd/internal/memory"
)

// GoMemoryVariable is the Go runtime's own setting of what gc.memory_bytes is.
const GoMemoryVariable = "GOMEMLIMIT"

// InEnvironment reports whether a variable is set, and not to the empty text.
func InEnvironment(environ []string, name string) bool {
	for _, entry := range environ {
		if value, ok := strings.CutPrefix(entry, name+"="); ok && value != "" {
			return true
		}
	}
	return false
}

// goMemoryLimit is what the environment told the Go runtime to keep to; 0 for
// nothing.
func goMemoryLimit(environ []string) int64 {
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 || !InEnvironment(environ, GoMemoryVariable) {
		return 0
	}
	return limit
}

// shareMemory shares out what the process may use. What it cannot have is a fault.
func (c *Config) shareMemory(limit, goLimit int64, add func(key, format string, args ...any)) {
	heap, heapKey := c.GC.MemoryBytes, "gc.memory_bytes"
	if goLimit > 0 {
		heap, heapKey = goLimit, GoMemoryVariable
	}
	var fits bool
	c.Memory, fits = memory.Share(limit, memory.Wishes{Heap: heap, Scripts: c.MemoryTotalBytes, Shadow: c.Shadow.RunsPerMillion > 0})
	if fits {
		return
	}
	part := func(name string, asked, got int64) string {
		if asked == 0 {
			return fmt.Sprintf("%s, which needs %d,", name, got)
		}
		return fmt.Sprintf("%s, which is %d,", name, got)
	}
	const scriptsKey = "limits.memory_total_bytes"
	key, value, other := scriptsKey, c.Memory.Scripts, part(heapKey, heap, c.Memory.Heap)
	if c.MemoryTotalBytes == 0 {
		key, value, other = heapKey, c.Memory.Heap, part(scriptsKey, 0, c.Memory.Scripts)
	}
	repeated := ""
	if c.Memory.Shadow > 0 {
		repeated = fmt.Sprintf(" and the %d for what shadow.runs_per_million repeats", c.Memory.Shadow)
	}
	add(key, "%d bytes, with %s%s are more than the %d that the machine or the control group has; lower one of them", value, other, repeated, limit)
}
