package engine

import (
	"math"
	"runtime/debug"
	"time"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/memory"
	"github.com/avapd/avapd/wasmhost"
)

// Limits bounds one execution.
type Limits = wasmhost.Limits

// DefaultLimits are those of the language's definition.
var DefaultLimits = Limits{
	Fuel: 1_000_000_000, Duration: 5 * time.Second, MemoryPages: 1024, CallDepth: 1000, OutputBytes: 8 << 20,
}

// DefaultSourceBytes is the largest source that is compiled.
const DefaultSourceBytes = 1 << 20

// resolve completes what a request asks for with the defaults, and refuses
// what is beyond the maxima.
func (b *bounds) resolve(asked, most Limits) (Limits, *diag.Failure) {
	var failure *diag.Failure
	most = orElse(most, b.most)
	l := Limits{
		Fuel:        within(&failure, "fuel", asked.Fuel, b.limits.Fuel, most.Fuel),
		Duration:    within(&failure, "time", asked.Duration, b.limits.Duration, most.Duration),
		MemoryPages: within(&failure, "memory", asked.MemoryPages, b.limits.MemoryPages, most.MemoryPages),
		CallDepth:   within(&failure, "call depth", asked.CallDepth, b.limits.CallDepth, most.CallDepth),
		OutputBytes: within(&failure, "output", asked.OutputBytes, b.limits.OutputBytes, most.OutputBytes),
	}
	return l, failure
}

// within gives the default for a limit that is not asked for.
func within[T int | int64 | uint32 | time.Duration](failure **diag.Failure, name string, asked, byDefault, most T) T {
	switch {
	case asked == 0:
		return byDefault
	case asked < 0:
		*failure = diag.NewFailure(diag.BadFieldType, "the %s limit must be positive", name)
	case asked > most:
		*failure = diag.NewFailure(diag.BadFieldType, "the %s limit %v is above the maximum of %v", name, asked, most)
	}
	return asked
}

// memoryParts shares the memory of a process out that nobody configured, beside
// what the Go runtime was told to keep to.
func memoryParts(scripts int64, shadow bool) memory.Parts {
	wishes := memory.Wishes{Scripts: scripts, Shadow: shadow}
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		wishes.Heap = limit
	}
	parts, _ := memory.Share(memory.LimitBytes(), wishes)
	return parts
}

// orElse replaces the members of l that are zero.
func orElse(l, other Limits) Limits {
	pick(&l.Fuel, other.Fuel)
	pick(&l.Duration, other.Duration)
	pick(&l.MemoryPages, other.MemoryPages)
	pick(&l.CallDepth, other.CallDepth)
	pick(&l.OutputBytes, other.OutputBytes)
	return l
}

// cut lowers the members of l to those of a ceiling, as far as that has them.
func cut(l, ceiling Limits) Limits {
	return Limits{
		Fuel: lower(l.Fuel, ceiling.Fuel), Duration: lower(l.Duration, ceiling.Duration), MemoryPages: lower(l.MemoryPages, ceiling.MemoryPages),
		CallDepth: lower(l.CallDepth, ceiling.CallDepth), OutputBytes: lower(l.OutputBytes, ceiling.OutputBytes),
	}
}

func lower[T int | int64 | uint32 | time.Duration](value, ceiling T) T {
	if ceiling > 0 {
		return min(value, ceiling)
	}
	return value
}

func pick[T comparable](value *T, other T) {
	var zero T
	if *value == zero {
		*value = other
	}
}
