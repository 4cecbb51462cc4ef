package server

import (
	"context"
	"time"

	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
)

// Engine is what the server needs of the engine.
type Engine interface {
	// Run executes a script. Its error is a diag.List for a script that does
	// not compile, a *diag.Failure for one that fails or is stopped, and
	// anything else for a defect.
	Run(ctx context.Context, r *engine.Request) (*engine.Answer, error)
	// Check finds what is wrong with a script without running it.
	Check(source string) diag.List
}

// Interface guard.
var _ Engine = (*engine.Engine)(nil)

// PageBytes is the size of a page of WebAssembly memory.
const PageBytes = 65536

// EngineLimits translates limits to the engine's units. Memory is cut to whole
// pages.
func EngineLimits(l config.Limits) engine.Limits {
	return engine.Limits{
		Fuel:        l.Fuel,
		Duration:    time.Duration(l.TimeMS) * time.Millisecond,
		MemoryPages: uint32(l.MemoryBytes / PageBytes),
		CallDepth:   uint32(l.CallDepth),
		OutputBytes: int(l.OutputBytes),
	}
}

// EngineConfig translates the settings. The compiler is the caller's to add.
func EngineConfig(c *config.Config) engine.Config {
	return engine.Config{
		Limits:       EngineLimits(c.Limits),
		MaxLimits:    EngineLimits(c.LimitsMax),
		SourceBytes:  int(c.SourceLimitBytes),
		ComputeSlots: int(c.Compute.Slots),
		QueueLength:  int(c.Compute.QueueLength),
		CacheBytes:   c.CacheBytes,
	}
}
