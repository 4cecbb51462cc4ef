package abi

import (
	"errors"
	"fmt"
	"slices"
)

// Check refuses a manifest of another contract, and one whose numbers do not fit
// together, or not into a memory of so many pages.
func (m *Manifest) Check(memoryPages int) error {
	switch {
	case m.Format != ManifestFormat:
		return fmt.Errorf("manifest format %d; this program reads %d", m.Format, ManifestFormat)
	case m.ABI != Version:
		return fmt.Errorf("made for version %d of the contract; this program has %d", m.ABI, Version)
	case m.EntryFuel < 0:
		return errors.New("entry_fuel is negative")
	case uint64(m.DataEnd) < ScriptBase+uint64(len(m.Globals))*CellSize:
		return errors.New("data_end lies before the last global")
	case uint64(m.DataEnd) > uint64(memoryPages)*PageBytes:
		return fmt.Errorf("data_end lies beyond %d pages of memory", memoryPages)
	}
	return m.checkIndices()
}

// checkIndices makes sure that what the manifest refers to by number is there.
func (m *Manifest) checkIndices() error {
	for i, s := range m.Sites {
		if !below(s.File, m.Files) || !below(s.Function, m.Functions) || s.Line < 0 || s.Column < 0 {
			return fmt.Errorf("site %d refers to a file or function that does not exist", i)
		}
	}
	for i := range m.Endpoints {
		if !below(m.Endpoints[i].Site, m.Sites) {
			return fmt.Errorf("endpoint %d refers to a site that does not exist", i)
		}
	}
	for i := range m.Tasks {
		t := &m.Tasks[i]
		if !below(t.Function, m.Functions) || slices.ContainsFunc(t.Globals, func(g int) bool { return !below(g, m.Globals) }) {
			return fmt.Errorf("task %d refers to a function or global that does not exist", i)
		}
	}
	return nil
}

// below reports whether an index exists.
func below[T any](i int, s []T) bool { return i >= 0 && i < len(s) }
