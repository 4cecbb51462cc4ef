package wasmhost

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/avapd/avapd/runtime/abi"
)

// side is one of the runtime's engines with the guest library.
type side struct {
	runtime wazero.Runtime
	library wazero.CompiledModule
}

// newSide starts an engine and has it compile the library.
func (h *Host) newSide(ctx context.Context, engine Engine) (side, error) {
	s := side{runtime: wazero.NewRuntimeWithConfig(ctx, runtimeConfig(engine))}
	err := h.bindHostModule(ctx, s.runtime)
	if err == nil {
		s.library, err = s.runtime.CompileModule(ctx, h.config.Library)
	}
	if err != nil {
		return side{}, errors.Join(fmt.Errorf("compile the guest library: %w", err), s.close(ctx))
	}
	return s, nil
}

// runtimeConfig leaves memory to the slots, which hold it to the limit of each
// execution: of a module that needs more than any may have, the runtime would say
// only that it is invalid.
func runtimeConfig(engine Engine) wazero.RuntimeConfig {
	c := wazero.NewRuntimeConfigCompiler()
	if engine == EngineInterpreter {
		c = wazero.NewRuntimeConfigInterpreter()
	}
	return c.WithCoreFeatures(api.CoreFeaturesV2).
		WithCloseOnContextDone(false).
		WithDebugInfoEnabled(false).
		WithMemoryLimitPages(maxPages)
}

func (s *side) close(ctx context.Context) error {
	if s.runtime == nil {
		return nil
	}
	return s.runtime.Close(ctx) //nolint:wrapcheck // it says what it is
}

// trialSide is the interpreter on which trials run, made when it is needed
// first.
type trialSide struct {
	once sync.Once
	side side
	err  error
}

func (t *trialSide) close() error { return t.side.close(context.Background()) }

// PrepareTrials makes what LoadTrial needs, which takes some milliseconds the
// first time.
func (h *Host) PrepareTrials() error {
	t := &h.trials
	t.once.Do(func() { t.side, t.err = h.newSide(context.Background(), EngineInterpreter) })
	return t.err
}

// bindHostModule registers the functions of module avap. All of them take the
// stack form: the reflecting form is thirty times as slow.
func (h *Host) bindHostModule(ctx context.Context, runtime wazero.Runtime) error {
	b := runtime.NewHostModuleBuilder(abi.HostModule)
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
