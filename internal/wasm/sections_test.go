package wasm

import (
	"slices"
	"testing"
)

// TestSections lists the sections of a module that has one of each kind.
func TestSections(t *testing.T) {
	module := everythingModule().Encode()
	sections, err := Sections(module)
	if err != nil {
		t.Fatal(err)
	}
	total := len(Header)
	var names []string
	for _, s := range sections {
		total += s.Bytes
		if s.Custom != slices.Contains([]string{"first", "name", "avap"}, s.Name) {
			t.Errorf("section %q: custom is %v", s.Name, s.Custom)
		}
		names = append(names, s.Name)
	}
	if total != len(module) {
		t.Errorf("%d bytes in sections, the module has %d", total, len(module))
	}
	for _, want := range []string{"first", "type", "import", "function", "memory", "global", "export", "code", "data", "name", "avap"} {
		if !slices.Contains(names, want) {
			t.Errorf("no section %q in %v", want, names)
		}
	}
	for _, bad := range [][]byte{nil, []byte("no module"), module[:len(module)-1], append(slices.Clone(module), 13, 0), append(slices.Clone(module), 0, 1, 9)} {
		if got, err := Sections(bad); err == nil {
			t.Errorf("%x has sections %v", bad, got)
		}
	}
}
