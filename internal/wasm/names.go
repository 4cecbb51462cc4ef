package wasm

import (
	"maps"
	"slices"
)

// Names holds what a name section says. Missing names are empty.
type Names struct {
	Module string
	Funcs  map[uint32]string
	Locals map[uint32]map[uint32]string
}

// Names reads the name section. Names are only for people, so a section that
// is wrong gives those before the mistake.
func (b *Binary) Names() Names {
	n := Names{Funcs: map[uint32]string{}, Locals: map[uint32]map[uint32]string{}}
	section, ok := b.Custom("name")
	if !ok {
		return n
	}
	r := &reader{b: section}
	for r.left() > 0 && r.err == nil {
		id := r.byte()
		sub := &reader{b: r.bytes(r.count("bytes of names", 1, len(section)))}
		if r.err != nil {
			break
		}
		switch id {
		case 0:
			n.Module = sub.name(MaxBounds.NameBytes)
		case 1:
			sub.nameMap(n.Funcs)
		case 2:
			for range sub.count("functions", 2, MaxBounds.Functions) {
				f := sub.u32()
				locals := map[uint32]string{}
				sub.nameMap(locals)
				if sub.err != nil {
					break
				}
				n.Locals[f] = locals
			}
		}
	}
	return n
}

func (r *reader) nameMap(m map[uint32]string) {
	for range r.count("names", 2, MaxBounds.Functions) {
		i, name := r.u32(), r.name(MaxBounds.NameBytes)
		if r.err != nil {
			return
		}
		m[i] = name
	}
}

// Encode gives the contents of a name section.
func (n Names) Encode() []byte {
	var b []byte
	if n.Module != "" {
		b = appendSub(b, 0, AppendName(nil, n.Module))
	}
	if len(n.Funcs) > 0 {
		b = appendSub(b, 1, appendNameMap(nil, n.Funcs))
	}
	if len(n.Locals) > 0 {
		locals := AppendUleb(nil, uint64(len(n.Locals)))
		for _, f := range slices.Sorted(maps.Keys(n.Locals)) {
			locals = AppendUleb(locals, uint64(f))
			locals = appendNameMap(locals, n.Locals[f])
		}
		b = appendSub(b, 2, locals)
	}
	return b
}

func appendNameMap(b []byte, m map[uint32]string) []byte {
	b = AppendUleb(b, uint64(len(m)))
	for _, i := range slices.Sorted(maps.Keys(m)) {
		b = AppendUleb(b, uint64(i))
		b = AppendName(b, m[i])
	}
	return b
}
