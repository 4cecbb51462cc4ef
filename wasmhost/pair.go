package wasmhost

import (
	"context"
	"fmt"
	"slices"

	"github.com/tetratelabs/wazero/api"

	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

// freshState is the state of a fresh instance, apart from its fuel cell: what its
// data segments write into memory, and what its other globals have in them.
type freshState struct {
	data    []wasm.Data
	globals []globalStart
}

// globalStart is a mutable global by its export, and its initial value.
type globalStart struct {
	export string
	bits   uint64
}

// put writes the data.
func (s freshState) put(m memory) {
	for _, d := range s.data {
		copy(m[d.Offset:], d.Bytes)
	}
}

// freshStateOf gives the state of a module's fresh instance, or false when not
// all of it can be put back. The state of an instance is its globals, memories,
// tables, and the segments not yet dropped (WebAssembly Core Specification 2.0,
// section 4.2.6): with no table, no start function, none but active data
// segments, and only globals that are exported and begin as numbers, putting
// back memory and globals makes an instance that nothing can tell from a fresh
// one.
func freshStateOf(b *wasm.Binary) (freshState, bool, error) {
	if !slices.ContainsFunc(b.Exports, func(e wasm.Export) bool { return e.Kind == wasm.KindGlobal && e.Name == abi.FuelExport }) {
		return freshState{}, false, fmt.Errorf("the module does not count fuel: it exports no global %q", abi.FuelExport)
	}
	tables := len(b.Tables) + b.ImportCount(wasm.KindTable)
	if tables > 0 || b.ImportCount(wasm.KindGlobal) > 0 || b.HasStart || len(b.Elements) > 0 {
		return freshState{}, false, nil
	}
	var state freshState
	var ok bool
	if state.globals, ok = globalStarts(b); !ok {
		return freshState{}, false, nil
	}
	for _, s := range b.Segments {
		offset, ok := wasm.IntegerConstant(s.Offset)
		if !ok || s.Mode != wasm.SegmentActive {
			return freshState{}, false, nil
		}
		// The bytes are the caller's.
		state.data = append(state.data, wasm.Data{Offset: uint32(offset), Bytes: append([]byte(nil), s.Bytes...)})
	}
	return state, true, nil
}

// globalStarts lists the globals besides the first, which must be the fuel
// cell. It is false when one of them cannot be put back.
func globalStarts(b *wasm.Binary) ([]globalStart, bool) {
	names := make([]string, len(b.Globals))
	for _, e := range b.Exports {
		if e.Kind == wasm.KindGlobal {
			names[e.Index] = e.Name
		}
	}
	if len(names) == 0 || names[0] != abi.FuelExport {
		return nil, false
	}
	var starts []globalStart
	for i, g := range b.Globals[1:] {
		bits, ok := wasm.IntegerConstant(g.Init)
		if !ok || names[i+1] == "" || !g.Mutable || g.Type != wasm.I32 && g.Type != wasm.I64 {
			return nil, false
		}
		starts = append(starts, globalStart{names[i+1], bits})
	}
	return starts, true
}

// pair is the library and a script, instantiated over one memory slot, with
// their fuel cells. It is made for one execution, and kept for a later one of
// the same script when it can be put back into the state of a fresh pair.
type pair struct {
	library, script         api.Module
	libraryFuel, scriptFuel api.MutableGlobal
	// others are the globals besides, with what they begin with.
	others []otherGlobal
	// callsLeft counts the calls of a foreign module down; begun tells that it
	// has got them.
	callsLeft api.MutableGlobal
	begun     bool
	// entries are the script's entries that were called before.
	entries []entry
	// of is the script.
	of *Module
	// startBytes is the size of the memory before the script ran.
	startBytes uint64
	// intact tells that the last call into the pair returned: nothing was
	// unwound.
	intact bool
}

// otherGlobal is a global of an instance that is not its fuel cell.
type otherGlobal struct {
	api.MutableGlobal

	start uint64
}

// findGlobals looks up the globals of a fresh state in an instance.
func (p *pair) findGlobals(instance api.Module, state freshState) error {
	for _, g := range state.globals {
		global, ok := instance.ExportedGlobal(g.export).(api.MutableGlobal)
		if !ok {
			return fmt.Errorf("a module does not export the global %q", g.export)
		}
		p.others = append(p.others, otherGlobal{global, g.bits})
	}
	return nil
}

// close closes the instances, the script before the library whose memory it
// uses.
func (p *pair) close() {
	if p.library == p.script {
		p.library = nil
	}
	for _, instance := range []api.Module{p.script, p.library} {
		if instance != nil {
			// Closing an instance without files has nothing to report.
			_ = instance.Close(context.Background())
		}
	}
	*p = pair{}
}

// park keeps a used pair for its script, or closes it: a call that was unwound is
// not worth a proof. The slot is wiped afterwards.
func (e *execution) park() {
	p := &e.pair
	if p.of == nil || !p.of.resettable || !p.intact || !e.slot.shrink(p.library.Memory(), p.startBytes) {
		p.close()
	}
	p.intact = false
}

// unpark makes a kept pair what instantiating would make, if it is of the
// execution's script and has a memory of the right size; otherwise it is
// closed, and the slot as good as new.
func (e *execution) unpark(startBytes uint64) bool {
	p := &e.pair
	if p.of == nil || p.of != e.module || p.startBytes != startBytes {
		p.close()
		return false
	}
	e.slot.sizeBytes, e.slot.highBytes = startBytes, startBytes
	mem := e.slot.memory()
	e.host.libraryState.put(mem)
	p.of.state.put(mem)
	p.libraryFuel.Set(0)
	p.scriptFuel.Set(0)
	for _, g := range p.others {
		g.Set(g.start)
	}
	return true
}
