package wasmhost

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/avapd/avapd/internal/fairqueue"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

// Engine selects how guest code is executed.
type Engine uint8

// The compiler is the engine for production. The interpreter runs the same
// modules dozens of times slower: those that were never seen before, whose machine
// code would cost more, and what checks the compiler.
const (
	EngineCompiler Engine = iota
	EngineInterpreter
)

// Config describes a Host.
type Config struct {
	// Library is the guest library's module.
	Library []byte
	Engine  Engine
	// MaxMemoryPages is the most memory any execution can ask for.
	MaxMemoryPages uint32
	// MaxInstances bounds executions that hold memory at the same time, and
	// IdleInstances how many idle memories are kept.
	MaxInstances, IdleInstances int
	// KeepBinaries makes modules keep what they were loaded from.
	KeepBinaries bool
	// MemoryBytes bounds the memory that all executions have together, and
	// ClientMemoryBytes that of one client; 0 for no bound.
	MemoryBytes, ClientMemoryBytes int64
	// Gate hands out compute slots; nil for a host that runs everything at
	// once.
	Gate *fairqueue.Slots
	// HashSeed gives the dict hash seed of an execution; nil for random seeds.
	HashSeed func() uint64
	// Zone is the zone of dates that name none; nil for UTC.
	Zone *time.Location
	// Commands are the functions with effects that scripts may import, by
	// field name.
	Commands map[string]Command
}

// Host runs script modules. It is safe for concurrent use.
type Host struct {
	config         Config
	main           side
	trials         trialSide
	libraryExports map[string]bool
	// libraryBytes is what the library's memory has at the start, and
	// libraryState the state of a fresh instance.
	libraryBytes uint64
	libraryState freshState
	// resettable tells that the library allows keeping pairs.
	resettable   bool
	moduleConfig wazero.ModuleConfig
	pool         *pool
	// cancelAll ends every execution at its next refuel, and the end of
	// stopping those that wait.
	cancelAll atomic.Bool
	stopping  context.Context
	stop      context.CancelFunc
}

// maxPages keeps the end of memory within 32 bits, as the guest counts it.
const maxPages = 65535

// scriptImports are the host functions that every script module may import,
// besides the commands that the host has. Merged modules may import those of the
// library, too.
var scriptImports = []string{abi.RefuelField, abi.ClockField}

// New compiles the guest library and prepares a host.
func New(config Config) (*Host, error) {
	if config.MaxMemoryPages == 0 {
		return nil, errors.New("a host needs memory for its executions")
	}
	config.MaxMemoryPages = min(config.MaxMemoryPages, maxPages)
	if config.MaxInstances <= 0 {
		return nil, errors.New("a host needs room for at least one instance")
	}
	if config.HashSeed == nil {
		// The runtime's generator is ChaCha8 with a seed from the system.
		config.HashSeed = rand.Uint64
	}
	if config.Zone == nil {
		config.Zone = time.UTC
	}
	ctx := context.Background()
	h := &Host{
		config: config,
		pool:   newPool(&config),
		// The name is empty so that any number of instances coexist, there is no
		// start function, and the random source is constant because seeding one
		// costs more than everything else and no guest can read it.
		moduleConfig: wazero.NewModuleConfig().WithName("").WithStartFunctions().WithRandSource(zeroReader{}),
	}
	h.stopping, h.stop = context.WithCancel(ctx)
	if err := h.prepare(ctx); err != nil {
		h.stop()
		return nil, errors.Join(err, h.main.close(ctx))
	}
	return h, nil
}

// prepare compiles the library and finds out about it.
func (h *Host) prepare(ctx context.Context) error {
	var err error
	if h.main, err = h.newSide(ctx, h.config.Engine); err != nil {
		return err
	}
	library := h.main.library
	for _, f := range library.ImportedFunctions() {
		if module, field, _ := f.Import(); module != abi.HostModule || !provided(field) {
			return fmt.Errorf("the guest library imports %s.%s, which nothing implements", module, field)
		}
	}
	b, err := wasm.Decode(h.config.Library)
	if err != nil {
		return fmt.Errorf("read the guest library: %w", err)
	}
	if h.libraryState, h.resettable, err = freshStateOf(b); err != nil {
		return err
	}
	h.libraryExports = make(map[string]bool)
	for name := range library.ExportedFunctions() {
		h.libraryExports[name] = true
	}
	memory, ok := library.ExportedMemories()[abi.MemoryExport]
	if !ok {
		return errors.New("the guest library exports no memory")
	}
	h.libraryBytes = uint64(memory.Min()) * abi.PageBytes
	if h.libraryBytes <= abi.ScriptBase {
		return errors.New("the guest library's memory leaves no room for a script")
	}
	return nil
}

// provided reports whether the library can import a host function.
func provided(field string) bool {
	_, ok := libraryCalls[field]
	return ok || field == abi.RefuelField
}

// CancelAll ends every execution at its next slice or wait, now and in future.
func (h *Host) CancelAll() {
	h.cancelAll.Store(true)
	h.stop()
}

// Close frees the compiled library and all idle memory. No execution may be
// running.
func (h *Host) Close() error {
	h.stop()
	err := errors.Join(h.main.close(context.Background()), h.trials.close())
	h.pool.close()
	return err
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
