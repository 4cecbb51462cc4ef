package server

import (
	"context"
	"path/filepath"
	"runtime"
	"time"

	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/datasource"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/runtime/abi"
	"github.com/avapd/avapd/wasmhost/commands"
)

// Engine is what the server needs of the engine.
type Engine interface {
	// Run executes a script. Its error is a diag.List for a script that does
	// not compile, a *diag.Failure for one that fails or is stopped, and
	// anything else for a defect.
	Run(ctx context.Context, r *engine.Request) (*engine.Answer, error)
	// Check finds what is wrong with a script without running it. It waits for
	// its turn with those of the client; its error is a *diag.Failure.
	Check(ctx context.Context, client string, source *engine.Source) (diag.List, error)
}

// Interface guard.
var _ Engine = (*engine.Engine)(nil)

// EngineLimits translates limits to the engine's units. Memory is cut to whole
// pages.
func EngineLimits(l config.Limits) engine.Limits {
	return engine.Limits{
		Fuel:        l.Fuel,
		Duration:    time.Duration(l.TimeMS) * time.Millisecond,
		MemoryPages: uint32(l.MemoryBytes / abi.PageBytes),
		CallDepth:   uint32(l.CallDepth),
		OutputBytes: int(l.OutputBytes),
	}
}

// KeepProcessorFree settles the number of compute slots and gives the Go
// scheduler one processor more than that. It is for the process that serves.
//
// When every processor runs guest code, one slice of fuel is followed by the
// next: there is always something to run, so the scheduler looks at the network
// only every 10 ms, and a request waits that long for each of its events. With
// a processor that runs no guest code somebody always waits for the network;
// the operating system shares the CPUs among them.
func KeepProcessorFree(c *config.Config) {
	if c.Compute.Slots == 0 {
		c.Compute.Slots = int64(runtime.GOMAXPROCS(0))
	}
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), int(c.Compute.Slots)+1))
}

// EngineConfig translates the settings.
func EngineConfig(c *config.Config) engine.Config {
	return engine.Config{
		Limits:       EngineLimits(c.Limits),
		MaxLimits:    EngineLimits(c.LimitsMax),
		SourceBytes:  int(c.SourceLimitBytes),
		ComputeSlots: int(c.Compute.Slots),
		QueueLength:  int(c.Compute.QueueLength),

		ClientQueueLength:    int(c.Compute.ClientQueueLength),
		ShadowRunsPerMillion: int(c.Shadow.RunsPerMillion),
		TrialFuel:            c.Trial.Fuel,
		MemoryBytes:          c.Memory.Scripts, ShadowMemoryBytes: c.Memory.Shadow, ClientMemoryBytes: c.MemoryClientBytes,
		CacheBytes: c.CacheBytes, AheadBytes: c.CacheBytes / 100 * c.Registry.CompileAheadPercent,
		Zone:     c.Time.Location,
		Commands: Reach(c),
	}
}

// Reach translates what scripts may reach outside the sandbox.
func Reach(c *config.Config) commands.Config {
	reach := commands.Config{
		Data: commands.Data{
			PostgresURL: c.Data.URL,
			SQLiteFile:  filepath.Join(c.DataDir, "data.db"),
			Connections: int(c.Data.Connections),
			PerClient:   int(c.Data.ClientConnections),
			Policy:      datasource.Policy{RequireParameters: c.Data.RequireParameters},
		},
		ConnectorsFile: c.Connectors.File,
		AllowTokens:    c.Connectors.Tokens,
	}
	reach.Egress.MaxRequests, reach.Egress.MaxPerClient = int(c.Egress.Requests), int(c.Egress.ClientRequests)
	reach.Egress.Allow, reach.Egress.Deny = c.Egress.AllowPrefixes, c.Egress.DenyPrefixes
	reach.Egress.Hosts = c.Egress.Hosts
	return reach
}
