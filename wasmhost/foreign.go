package wasmhost

import (
	"errors"
	"fmt"
	"strings"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/internal/wasm/meter"
	"github.com/avapd/avapd/internal/wasm/validate"
	"github.com/avapd/avapd/runtime/abi"
)

// LoadForeign meters and compiles a module that our compiler did not make. It
// must have been admitted: it is valid, and imports and exports what a script
// may. It runs with the limits of a script; what it does wrong is its own
// failure, and not one of the server. The limits are those of its admission: as
// far as they bound compiling, they hold for the metered module, and the error
// of one that goes beyond them is a *wasm.Error.
func (h *Host) LoadForeign(b *wasm.Binary, manifest abi.Manifest, limits validate.Limits) (*Module, error) {
	metered, err := meter.Module(b, meter.Options{
		Refuel: wasm.ImportName{Module: abi.HostModule, Field: abi.RefuelField},
		Fuel:   abi.FuelExport, Depth: abi.DepthExport, Start: abi.StartExport,
	})
	if err != nil {
		return nil, fmt.Errorf("meter the module: %w", err)
	}
	if _, err := validate.Module(metered, meter.Limits(limits)); err != nil {
		return nil, fmt.Errorf("metered module: %w", err)
	}
	m, err := h.Load(metered, manifest)
	if err != nil {
		return nil, err
	}
	if m.merged {
		m.Release()
		return nil, errors.New("the module exports a memory")
	}
	m.setForeign(b.HasStart)
	return m, nil
}

// setForeign marks a metered module. Its instances are never kept: what begin
// does is no part of a fresh instance's state.
func (m *Module) setForeign(hasStart bool) {
	m.foreign, m.hasStart, m.resettable = true, hasStart, false
}

// begin gives a foreign module its calls and runs its start function, with the
// fuel of the run.
func (e *execution) begin() *diag.Failure {
	p := &e.pair
	if !e.module.foreign || p.begun {
		return nil
	}
	p.begun = true
	p.callsLeft.Set(uint64(e.limits.CallDepth - e.callsAbove))
	if !e.module.hasStart {
		return nil
	}
	if err := p.script.ExportedFunction(abi.StartExport).CallWithStack(e, e.stack[:]); err != nil {
		return e.trapped(err)
	}
	return nil
}

// tooDeep reports whether a foreign module's calls are used up.
func (e *execution) tooDeep() bool {
	return e.module.foreign && e.callsLeft != nil && int32(e.callsLeft.Get()) < 0
}

// panicked makes a failure of a panic on the host's side. It is a defect,
// unless what the guest left in memory made it impossible to go on.
func (e *execution) panicked(r any) *diag.Failure {
	if err, ok := r.(error); ok && errors.Is(err, errCorrupt) {
		return e.fault(err)
	}
	return internalFailure(fmt.Errorf("panic in the host: %v", r))
}

// fault is a failure that only a module can be to blame for: a foreign one is
// told, and with one of ours it is a defect.
func (e *execution) fault(cause error) *diag.Failure {
	if !e.module.foreign {
		return internalFailure(cause)
	}
	reason, _, _ := strings.Cut(cause.Error(), "\n")
	f := e.limited(e.site(), diag.ScriptError, "the module failed: %s", strings.ToValidUTF8(reason, "\uFFFD"))
	f.Cause = cause
	return f
}
