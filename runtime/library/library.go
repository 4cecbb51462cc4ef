// Package library holds the guest library in compiled form: the module that
// every script module imports its functions and its memory from.
//
// rt.wasm and functions.go are generated from runtime/guest; a test compiles
// the sources again and compares.
package library

import (
	_ "embed"
	"slices"
	"strings"

	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/internal/wasm/link"
	"github.com/avapd/avapd/runtime/abi"
)

//go:generate go run ../../internal/guestgo/generate ../guest ../abi .

// Module is the library's WebAssembly module.
//
//go:embed rt.wasm
var Module []byte

// Function is an exported function of the library.
type Function struct {
	Name            string
	Params, Results []wasm.ValType
	// Fallible is set when the first result may be negative: the operation
	// failed, and the error cells say how.
	Fallible bool
}

// Type gives the function's signature.
func (f Function) Type() wasm.FuncType {
	return wasm.FuncType{Params: f.Params, Results: f.Results}
}

// Merge makes one module of a script's and what that reaches of the library.
// It runs as the pair does, and costs the same fuel.
func Merge(script []byte) (*link.Merged, error) {
	return link.Merge(Module, script, link.Options{
		Library: abi.LibraryModule,
		Imports: map[wasm.ImportName]wasm.ImportName{
			{Module: abi.HostModule, Field: abi.RefuelField}: {Module: abi.HostModule, Field: abi.LibraryRefuelField},
		},
		Exports: map[string]string{abi.MemoryExport: abi.MemoryExport, abi.FuelExport: abi.LibraryFuelExport},
	})
}

// Functions lists the exported functions, sorted by name.
func Functions() []Function { return slices.Clone(functions) }

// Lookup finds an exported function.
func Lookup(name string) (Function, bool) {
	i, ok := slices.BinarySearchFunc(functions, name, func(f Function, name string) int {
		return strings.Compare(f.Name, name)
	})
	if !ok {
		return Function{}, false
	}
	return functions[i], true
}
