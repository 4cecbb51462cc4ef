package meter

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/internal/wasm/spectest"
	"github.com/avapd/avapd/internal/wasm/validate"
)

var testOptions = Options{
	Refuel: wasm.ImportName{Module: "avap", Field: "refuel"}, Fuel: "avap fuel", Depth: "avap depth", Calls: 2000,
}

// metered validates a module, meters it, and validates the outcome.
func metered(module []byte, o Options) ([]byte, error) {
	b, err := validate.Module(module, validate.Max)
	if err != nil {
		return nil, err
	}
	out, err := Module(b, o)
	if err != nil {
		return nil, err
	}
	if _, err := validate.Module(out, Limits(validate.Max)); err != nil {
		return nil, fmt.Errorf("metered module: %w", err)
	}
	return out, nil
}

// refueler counts the slices that it gives.
type refueler struct {
	slice  int64
	slices int64
}

func (r *refueler) prepare(ctx context.Context, runtime wazero.Runtime) error {
	f := api.GoFunc(func(_ context.Context, stack []uint64) {
		r.slices++
		stack[0] = uint64(r.slice)
	})
	_, err := runtime.NewHostModuleBuilder("avap").NewFunctionBuilder().
		WithGoFunction(f, []api.ValueType{api.ValueTypeI32}, []api.ValueType{api.ValueTypeI64}).Export("refuel").Instantiate(ctx)
	if err != nil {
		return fmt.Errorf("host module: %w", err)
	}
	return nil
}

// TestSuite runs the specification's suite metered: every result and every
// trap is what the suite wants of the module without metering, the metered
// module is valid, and what it costs is the same on both engines. To meter takes
// no module long. In a short run, which is for races, a part of the suite will do.
func TestSuite(t *testing.T) {
	var total spectest.Count
	least := 40_000
	if testing.Short() {
		least = 5_000
	}
	for i, s := range spectest.Scripts(t) {
		if s.UsesVectors() || testing.Short() && i%4 != 0 {
			continue
		}
		var slices []int64
		for _, config := range []wazero.RuntimeConfig{wazero.NewRuntimeConfigCompiler(), wazero.NewRuntimeConfigInterpreter()} {
			r := &refueler{slice: 500}
			total.Add(s.Run(t, spectest.Options{
				Config: config,
				Transform: func(module []byte) (out []byte, err error) {
					spectest.Bounded(t, s.Name, func() { out, err = metered(module, testOptions) })
					return out, err
				},
				Prepare: r.prepare,
				// A trap leaves the depth where it was.
				Before: func(m api.Module) {
					m.ExportedGlobal(testOptions.Depth).(api.MutableGlobal).Set(uint64(testOptions.Calls))
				},
				Exhausted: func(err error) bool { return strings.Contains(err.Error(), "unreachable") },
			}))
			slices = append(slices, r.slices)
		}
		if slices[0] != slices[1] {
			t.Errorf("%s: %d slices of fuel compiled, %d interpreted", s.Name, slices[0], slices[1])
		}
	}
	if total.Run < least {
		t.Errorf("%d commands were run, %d skipped", total.Run, total.Skipped)
	}
	t.Logf("%d commands run, %d skipped", total.Run, total.Skipped)
}

// TestSuiteRefused has no module metered that the suite calls malformed or
// invalid, and none of them takes long.
func TestSuiteRefused(t *testing.T) {
	refused := 0
	for _, s := range spectest.Scripts(t) {
		for i := range s.Commands {
			c := &s.Commands[i]
			if !c.IsBinary() || c.Type != spectest.Malformed && c.Type != spectest.Invalid {
				continue
			}
			refused++
			module, place := s.Binary(t, c), fmt.Sprintf("%s.wast:%d", s.Name, c.Line)
			spectest.Bounded(t, place, func() {
				if _, err := metered(module, testOptions); err == nil {
					t.Errorf("%s: metered, want %s", place, c.Text)
				}
			})
		}
	}
	if refused < 2_800 {
		t.Errorf("only %d modules are wrong", refused)
	}
}
