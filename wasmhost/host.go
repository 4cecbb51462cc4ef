package wasmhost

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/avapd/avapd/internal/fairqueue"
	"github.com/avapd/avapd/runtime/abi"
)

// Engine selects how guest code is executed.
type Engine uint8

// The compiler is the engine for production. The interpreter runs the same
// modules 40 to 80 times slower and exists to check the compiler.
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
	runtime        wazero.Runtime
	library        wazero.CompiledModule
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

// scriptImports are the host functions a script module may import.
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
		config:  config,
		runtime: wazero.NewRuntimeWithConfig(ctx, runtimeConfig(config)),
		pool:    newPool(&config),
		// The name is empty so that any number of instances coexist, there is no
		// start function, and the random source is constant because seeding one
		// costs more than everything else and no guest can read it.
		moduleConfig: wazero.NewModuleConfig().WithName("").WithStartFunctions().WithRandSource(zeroReader{}),
	}
	h.stopping, h.stop = context.WithCancel(ctx)
	if err := h.prepare(ctx); err != nil {
		h.stop()
		return nil, errors.Join(err, h.runtime.Close(ctx))
	}
	return h, nil
}

func runtimeConfig(config Config) wazero.RuntimeConfig {
	c := wazero.NewRuntimeConfigCompiler()
	if config.Engine == EngineInterpreter {
		c = wazero.NewRuntimeConfigInterpreter()
	}
	return c.WithCoreFeatures(api.CoreFeaturesV2).
		WithCloseOnContextDone(false).
		WithDebugInfoEnabled(false).
		WithMemoryLimitPages(config.MaxMemoryPages)
}

// prepare makes the host module and compiles the library.
func (h *Host) prepare(ctx context.Context) error {
	if err := h.bindHostModule(ctx); err != nil {
		return err
	}
	library, err := h.runtime.CompileModule(ctx, h.config.Library)
	if err != nil {
		return fmt.Errorf("compile the guest library: %w", err)
	}
	h.library = library
	for _, f := range library.ImportedFunctions() {
		if module, field, _ := f.Import(); module != abi.HostModule || !provided(field) {
			return fmt.Errorf("the guest library imports %s.%s, which nothing implements", module, field)
		}
	}
	if h.libraryState, h.resettable, err = freshStateOf(h.config.Library); err != nil {
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

// bindHostModule registers the functions of module avap. All of them take the
// stack form: the reflecting form is thirty times as slow.
func (h *Host) bindHostModule(ctx context.Context) error {
	b := h.runtime.NewHostModuleBuilder(abi.HostModule)
	bind := func(field, params, results string, f api.GoModuleFunction) {
		b.NewFunctionBuilder().WithGoModuleFunction(f, valueTypes(params), valueTypes(results)).Export(field)
	}
	bind(abi.ClockField, "", "d", api.GoModuleFunc(clock))
	bind(abi.RefuelField, "i", "l", api.GoModuleFunc(refuel))
	bind(abi.LibraryRefuelField, "i", "l", api.GoModuleFunc(libraryRefuel))
	for _, imp := range abi.LibraryImports {
		if f, ok := libraryCalls[imp.Field]; ok {
			bind(imp.Field, imp.Params, imp.Results, f)
		}
	}
	for _, field := range OwnCommands() {
		bind(field, "i", "i", commandCall(ownCommands[field]))
	}
	for _, field := range slices.Sorted(maps.Keys(h.config.Commands)) {
		bind(field, "i", "i", commandCall(h.config.Commands[field]))
	}
	if _, err := b.Instantiate(ctx); err != nil {
		return fmt.Errorf("host module: %w", err)
	}
	return nil
}

// valueTypes translates the signature letters of abi.Import.
func valueTypes(letters string) []api.ValueType {
	types := make([]api.ValueType, 0, len(letters))
	for _, c := range letters {
		switch c {
		case 'i':
			types = append(types, api.ValueTypeI32)
		case 'l':
			types = append(types, api.ValueTypeI64)
		default:
			types = append(types, api.ValueTypeF64)
		}
	}
	return types
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
	err := h.runtime.Close(context.Background())
	h.pool.close()
	return err
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
