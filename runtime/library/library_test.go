package library

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/avapd/avapd/internal/guestgo"
	"github.com/avapd/avapd/runtime/abi"
)

// TestFresh compiles the sources again.
func TestFresh(t *testing.T) {
	lib, err := guestgo.CompileDir("../guest", "../abi")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(lib.Module.Encode(), Module) {
		t.Error("rt.wasm is stale: run go generate ./runtime/...")
	}
	var table []Function
	for _, f := range lib.Functions {
		table = append(table, Function(f))
	}
	if !reflect.DeepEqual(table, functions) {
		t.Error("functions.go is stale: run go generate ./runtime/...")
	}
}

// exportsOfVersion is a version of the contract, and the digest of what scripts
// find in the library and in memory at it.
const exportsOfVersion = "4 57cba89275681e9b"

// TestExportsOfVersion pins the library's functions and the map of memory to a
// version of the contract: modules that import others need another version, or
// older hosts would refuse them without saying why, and those that find their data
// elsewhere would read and write the wrong cells.
func TestExportsOfVersion(t *testing.T) {
	h := sha256.New()
	for _, f := range functions {
		fmt.Fprintf(h, "%s %x %x\n", f.Name, f.Params, f.Results)
	}
	fmt.Fprintln(h, abi.ControlEnd, abi.LibraryBase, abi.Remembered, abi.ScriptBase, abi.StartPages)
	got := fmt.Sprintf("%d %x", abi.Version, h.Sum(nil)[:8])
	if got != exportsOfVersion {
		t.Errorf("functions and version are %q, want %q: if what scripts find changed, raise abi.Version; then take this here", got, exportsOfVersion)
	}
}

func TestLookup(t *testing.T) {
	if !slices.IsSortedFunc(functions, func(a, b Function) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("the table is not sorted")
	}
	for _, f := range Functions() {
		if got, ok := Lookup(f.Name); !ok || got.Name != f.Name {
			t.Errorf("%s not found", f.Name)
		}
	}
	if _, ok := Lookup("Nothing"); ok {
		t.Error("found a function that is not there")
	}
}

// TestImports pins what the library may ask of its host: pure functions and
// fuel, nothing with an effect.
func TestImports(t *testing.T) {
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	defer r.Close(ctx)
	m, err := r.CompileModule(ctx, Module)
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{}
	for _, imp := range abi.LibraryImports {
		allowed[imp.Field] = true
	}
	for _, f := range m.ImportedFunctions() {
		module, field, _ := f.Import()
		if module != abi.HostModule || !allowed[field] {
			t.Errorf("imports %s.%s", module, field)
		}
	}
	exports := m.ExportedFunctions()
	if len(exports) != len(functions) {
		t.Errorf("%d exported functions, %d in the table", len(exports), len(functions))
	}
	for _, f := range functions {
		def := exports[f.Name]
		if def == nil {
			t.Errorf("%s is not exported", f.Name)
			continue
		}
		if len(def.ParamTypes()) != len(f.Params) || len(def.ResultTypes()) != len(f.Results) {
			t.Errorf("%s has another signature", f.Name)
		}
	}
}
