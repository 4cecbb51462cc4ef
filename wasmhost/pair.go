package wasmhost

import (
	"context"
	"fmt"

	"github.com/tetratelabs/wazero/api"

	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

// dataImage is what a module's data segments write into a fresh memory.
type dataImage []wasm.Data

// put writes the image.
func (im dataImage) put(m memory) {
	for _, d := range im {
		copy(m[d.Offset:], d.Bytes)
	}
}

// imageOf gives the image of a module whose whole state is its memory and its
// fuel cell, or false. The state of an instance is its globals, memories,
// tables, and the segments not yet dropped (WebAssembly Core Specification 2.0,
// section 4.2.6): with one global, no table, no start function and none but
// active data segments, memory and fuel cell are all there is, and putting
// them back makes an instance that nothing can tell from a fresh one.
func imageOf(module []byte) (dataImage, bool, error) {
	b, err := wasm.Decode(module)
	if err != nil {
		return nil, false, fmt.Errorf("read the module: %w", err)
	}
	tables := len(b.Tables) + b.ImportCount(wasm.KindTable)
	globals := len(b.Globals) + b.ImportCount(wasm.KindGlobal)
	if tables > 0 || globals != 1 || !exportsFuel(b) || b.HasStart || len(b.Elements) > 0 {
		return nil, false, nil
	}
	im := make(dataImage, len(b.Segments))
	for i, s := range b.Segments {
		offset, ok := constantOffset(s)
		if !ok {
			return nil, false, nil
		}
		// The bytes are the caller's.
		im[i] = wasm.Data{Offset: offset, Bytes: append([]byte(nil), s.Bytes...)}
	}
	return im, true, nil
}

func exportsFuel(b *wasm.Binary) bool {
	for _, e := range b.Exports {
		if e.Kind == wasm.KindGlobal && e.Name == abi.FuelExport {
			return e.Index == 0
		}
	}
	return false
}

// constantOffset is where an active segment goes, if that is written as a
// number.
func constantOffset(s wasm.DataSegment) (uint32, bool) {
	if s.Mode != wasm.SegmentActive {
		return 0, false
	}
	code := wasm.NewCodeReader(s.Offset, 0)
	first, ok := code.Next()
	return uint32(first.Bits), ok && first.Op == wasm.OpI32Const
}

// pair is the library and a script, instantiated over one memory slot, with
// their fuel cells. It is made for one execution, and kept for a later one of
// the same script when it can be put back into the state of a fresh pair.
type pair struct {
	library, script         api.Module
	libraryFuel, scriptFuel api.MutableGlobal
	// callsLeft counts the calls of a foreign module down; begun tells that it
	// has got them.
	callsLeft api.MutableGlobal
	begun     bool
	// of is the script.
	of *Module
	// startBytes is the size of the memory before the script ran.
	startBytes uint64
	// intact tells that the last call into the pair returned: nothing was
	// unwound.
	intact bool
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

// park keeps a used pair for its script, or closes it: a memory that grew cannot
// shrink again, and a call that was unwound is not worth a proof. The slot is
// wiped afterwards.
func (e *execution) park() {
	p := &e.pair
	if p.of == nil || !p.of.resettable || !p.intact || p.startBytes != e.slot.sizeBytes {
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
	e.host.libraryImage.put(mem)
	p.of.image.put(mem)
	p.libraryFuel.Set(0)
	p.scriptFuel.Set(0)
	return true
}
