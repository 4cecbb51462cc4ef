package wasmhost

import (
	"github.com/tetratelabs/wazero/api"

	"github.com/avapd/avapd/internal/wasm"
)

// Looking up an entry makes the machine stack that it is called on, 12 KiB that
// grow with the depth of calls and never shrink. It costs as much as the rest
// of a short execution, so a kept pair keeps its entries too, as long as the
// stack stays small: for modules of at most entryCodeBytes in which no function
// can call itself (the library's own recursion has its nesting limit). A module cannot read what an earlier call left on the stack:
// each local is set before its first use, to zero if by nothing else
// (WebAssembly Core Specification 2.0, section 4.4.10.1).
const (
	entryCodeBytes = 64 << 10
	// maxEntries bounds the entries kept; an endpoint has a few, a script one.
	maxEntries = 4
)

// entry is an exported function of a script.
type entry struct {
	api.Function

	name string
}

// entry looks up a function that the script exports; nil if there is none.
func (p *pair) entry(name string) api.Function {
	for i := range p.entries {
		if p.entries[i].name == name {
			return p.entries[i].Function
		}
	}
	f := p.script.ExportedFunction(name)
	if f != nil && p.of.keepsEntries && len(p.entries) < maxEntries {
		p.entries = append(p.entries, entry{f, name})
	}
	return f
}

// isShallow reports whether the stack of a module's calls is bounded by its
// code: no function can be under way twice.
func isShallow(b *wasm.Binary) bool {
	graph := callGraph{binary: b, imported: uint32(b.ImportCount(wasm.KindFunc)), state: make([]visit, len(b.Bodies))}
	for i := range b.Bodies {
		if graph.cycle(uint32(i)) {
			return false
		}
	}
	return true
}

// visit is how far the search for a cycle has got with a function.
type visit byte

const (
	unseen visit = iota
	underWay
	done
)

type callGraph struct {
	binary   *wasm.Binary
	imported uint32
	state    []visit
}

// cycle reports whether a path of calls from a function comes back to one on
// it. What cannot be followed counts as a cycle.
func (g *callGraph) cycle(function uint32) bool {
	switch g.state[function] {
	case underWay:
		return true
	case done:
		return false
	}
	g.state[function] = underWay
	body := g.binary.Bodies[function]
	code := wasm.NewCodeReader(body.Code, body.Offset)
	for in, ok := code.Next(); ok; in, ok = code.Next() {
		switch {
		case in.Op == wasm.OpCallIndirect:
			return true
		case in.Op == wasm.OpCall && in.Index >= g.imported && g.cycle(in.Index-g.imported):
			return true
		}
	}
	g.state[function] = done
	return code.Err() != nil
}
