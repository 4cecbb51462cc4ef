package wasm

import "strings"

// Section is what a section is called and how much of a module it takes.
type Section struct {
	// Name is that of a custom section, or what the specification calls the
	// section otherwise.
	Name   string
	Custom bool
	// Bytes is its length with its head.
	Bytes int
}

var sectionNames = []string{
	"custom", "type", "import", "function", "table", "memory", "global", "export", "start", "element", "code", "data", "data count",
}

// Sections lists the sections of a module, which need not be valid.
func Sections(module []byte) ([]Section, error) {
	r := &reader{b: module}
	if !strings.HasPrefix(string(r.bytes(min(len(module), len(Header)))), Header) {
		r.at = 0
		r.fail("not a WebAssembly module of version 1")
	}
	var out []Section
	for r.err == nil && r.left() > 0 {
		start := r.at
		id := r.byte()
		body := r.bytes(int(r.u32()))
		s := Section{Bytes: r.at - start, Custom: id == sectionCustom}
		switch {
		case s.Custom:
			name := &reader{b: body, base: r.at - len(body)}
			s.Name = name.name(MaxBounds.NameBytes)
			if r.err == nil {
				r.err = name.err
			}
		case int(id) < len(sectionNames):
			s.Name = sectionNames[id]
		default:
			r.fail("unknown section %d", id)
		}
		out = append(out, s)
	}
	if r.err != nil {
		return nil, r.err
	}
	return out, nil
}
