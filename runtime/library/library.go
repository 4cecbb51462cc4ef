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
