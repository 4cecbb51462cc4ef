package wasmhost

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/runtime/abi"
)

// endpoint is what answers one of a module's endpoints.
type endpoint struct {
	// calls are the exports that run behind the top level: the middleware and,
	// last, the handler.
	calls []string
	// output is the number of a global, or -1.
	output int
	site   uint32
}

// indexEndpoints makes the endpoints of the manifest ready.
func (m *Module) indexEndpoints() {
	m.endpoints = make([]endpoint, len(m.Manifest.Endpoints))
	for i, p := range m.Manifest.Endpoints {
		calls := make([]string, 0, len(p.Middleware)+1)
		for _, name := range p.Middleware {
			calls = append(calls, abi.HandlerExport(name))
		}
		m.endpoints[i] = endpoint{append(calls, abi.HandlerExport(p.Handler)), m.find(p.Output), uint32(p.Site)}
	}
}

// checkEndpoints looks whether the module exports what its endpoints name.
func checkEndpoints(c wazero.CompiledModule, m *abi.Manifest) error {
	for _, p := range m.Endpoints {
		for _, name := range append(slices.Clone(p.Middleware), p.Handler) {
			if !isEntry(c, abi.HandlerExport(name)) {
				return fmt.Errorf("module does not export the function %s of %s %s", name, p.Method, p.Path)
			}
		}
	}
	return nil
}

// isEntry reports whether a module exports a function that the host can call.
func isEntry(c wazero.CompiledModule, name string) bool {
	f, ok := c.ExportedFunctions()[name]
	return ok && len(f.ParamTypes()) == 0 && slices.Equal(f.ResultTypes(), []api.ValueType{api.ValueTypeI32})
}

// callEndpoint runs middleware and handler behind the top level. A middleware
// that leaves a status of failure is the last to run.
func (e *execution) callEndpoint(p *endpoint) *diag.Failure {
	mem := e.slot.memory()
	mem.put32(stackBase(&e.module.Manifest), p.site)
	for i, name := range p.calls {
		if failure := e.call(name); failure != nil {
			return failure
		}
		if i == len(p.calls)-1 {
			break
		}
		e.reader.mem = e.slot.memory()
		if e.status() >= http.StatusBadRequest {
			break
		}
	}
	return nil
}

// endpointAnswer appends the bare map of results to dst, or the output when
// nothing was added and it has a value.
func (e *execution) endpointAnswer(dst []byte, p *endpoint) (Output, error) {
	r := &e.reader
	r.start(e.slot.memory(), dst, e.limits.OutputBytes)
	r.base = len(dst)
	results, ok := r.mem.cell(abi.Results)
	if !ok || results.kind() != abi.KindDict {
		return Output{}, errCorrupt
	}
	shown := results
	if p.output >= 0 {
		count, ok := r.mem.u32(uint32(results.bits) + abi.DictCount)
		if !ok {
			return Output{}, errCorrupt
		}
		output, _ := r.mem.cell(globalCell(p.output))
		if count == 0 && output.kind() != abi.KindUndefined {
			shown = output
		}
	}
	if err := r.value(shown); err != nil {
		return Output{}, err
	}
	return Output{Status: e.status(), JSON: r.out[r.base:]}, nil
}
