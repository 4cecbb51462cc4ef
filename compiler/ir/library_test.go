package ir_test

import (
	"testing"

	"github.com/avapd/avapd/compiler/ir"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/catalog"
	"github.com/avapd/avapd/runtime/library"
)

// TestLibraryTable compares the compiler's view of the guest library with the
// library itself.
func TestLibraryTable(t *testing.T) {
	for _, l := range ir.Libraries() {
		f, ok := library.Lookup(l.Name)
		if !ok {
			t.Errorf("%s is not in the library", l.Name)
			continue
		}
		if got := signature(f); got != l.Sig {
			t.Errorf("%s: signature %s, the library has %s", l.Name, l.Sig, got)
		}
		// Catch ends an error; what it is made of only looks as if it could fail.
		if f.Fallible && !l.Fallible && l.Name != "Catch" {
			t.Errorf("%s can fail", l.Name)
		}
	}
}

func signature(f library.Function) string { return letters(f.Params) + ":" + letters(f.Results) }

// letters writes a pair of tag and payload as V.
func letters(list []wasm.ValType) string {
	s := ""
	for i := 0; i < len(list); i++ {
		switch {
		case list[i] == wasm.F64:
			s += "d"
		case i+1 < len(list) && list[i+1] == wasm.I64:
			s += "V"
			i++
		default:
			s += "i"
		}
	}
	return s
}

func TestCatalogueHasLibraryFunctions(t *testing.T) {
	has := func(what, name string) {
		if name != "" && !ir.HasLibrary(name) {
			t.Errorf("%s names %s, which is no library function", what, name)
		}
	}
	for _, c := range catalog.Commands() {
		has(c.Name, c.Guest)
	}
	for _, f := range append(catalog.Builtins(), catalog.Methods()...) {
		has(f.Name, f.Guest)
	}
}
