package admit

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/internal/wasm/validate"
	"github.com/avapd/avapd/runtime/abi"
	"github.com/avapd/avapd/runtime/catalog"
	"github.com/avapd/avapd/runtime/library"
)

// The types that the contract gives to functions of the host and to what the
// host calls.
var (
	hostCallType = wasm.FuncType{Params: []wasm.ValType{wasm.I32}, Results: []wasm.ValType{wasm.I32}}
	clockType    = wasm.FuncType{Results: []wasm.ValType{wasm.F64}}
	entryType    = wasm.FuncType{Results: []wasm.ValType{wasm.I32}}
)

// reservedExports are names under which the host looks for something that only
// metering adds, or that only the library has. A module that exports memory
// counts as merged with the library.
var reservedExports = []string{abi.FuelExport, abi.DepthExport, abi.StartExport, abi.LibraryFuelExport, abi.MemoryExport}

// check holds a valid module to the policy. Each step relies on those before.
func check(b *wasm.Binary, m *abi.Manifest, limits validate.Limits) error {
	if err := m.Check(limits.MemoryPages); err != nil {
		return refuse(diag.ModuleManifest, "%v", err)
	}
	if err := checkImports(b, m); err != nil {
		return err
	}
	if err := checkExports(b, m); err != nil {
		return err
	}
	return checkSegments(b, m, limits)
}

// checkImports admits functions and the memory of the library with exactly
// their types, and functions of the host that the manifest declares. Functions
// that metering calls are not among them, and no globals or tables: nothing
// else of another instance can be reached.
func checkImports(b *wasm.Binary, m *abi.Manifest) error {
	var fields []string
	for i := range b.Imports {
		imp := &b.Imports[i]
		var err error
		switch {
		case imp.Kind == wasm.KindFunc && imp.Module == abi.LibraryModule:
			err = checkLibraryImport(imp, b.Types[imp.Type])
		case imp.Kind == wasm.KindFunc && imp.Module == abi.HostModule:
			fields = append(fields, imp.Field)
			err = checkHostImport(imp, b.Types[imp.Type], m)
		case imp.Kind == wasm.KindMemory && imp.Module == abi.LibraryModule && imp.Field == abi.MemoryExport:
			err = checkMemoryImport(imp, m)
		default:
			err = refuse(diag.ModuleImport, "%s %s may not be imported", kindName(imp.Kind), importName(imp))
		}
		if err != nil {
			return err
		}
	}
	if len(b.Memories) > 0 {
		return refuse(diag.ModuleImport, "the module has a memory of its own; import %s.%s", abi.LibraryModule, abi.MemoryExport)
	}
	return checkDeclared(fields, m)
}

// checkDeclared compares the functions of the host that are imported with the
// manifest, by which permission to run is given.
func checkDeclared(fields []string, m *abi.Manifest) error {
	slices.Sort(fields)
	if declared := slices.Sorted(slices.Values(m.Imports)); !slices.Equal(declared, slices.Compact(fields)) {
		return refuse(diag.ModuleManifest, "the module imports other functions of the host than the manifest declares")
	}
	if needed := catalog.Capabilities(m.Imports); !slices.Equal(needed, m.Capabilities) {
		return refuse(diag.ModuleManifest, "the imports take the capabilities %q, the manifest declares others", needed)
	}
	return nil
}

func importName(imp *wasm.Import) string { return fmt.Sprintf("%q.%q", imp.Module, imp.Field) }

func kindName(kind wasm.ExportKind) string {
	switch kind {
	case wasm.KindTable:
		return "table"
	case wasm.KindMemory:
		return "memory"
	case wasm.KindGlobal:
		return "global"
	}
	return "function"
}

func checkLibraryImport(imp *wasm.Import, t wasm.FuncType) error {
	f, ok := library.Lookup(imp.Field)
	switch {
	case !ok:
		return refuse(diag.ModuleImport, "the library has no function %s", importName(imp))
	case !f.Type().Equal(t):
		return refuse(diag.ModuleImport, "function %s is imported with another type than it has", importName(imp))
	}
	return nil
}

func checkHostImport(imp *wasm.Import, t wasm.FuncType, m *abi.Manifest) error {
	want := hostCallType
	switch {
	case imp.Field == abi.ClockField:
		want = clockType
	case !catalog.IsHostFunction(imp.Field):
		return refuse(diag.ModuleImport, "function %s may not be imported", importName(imp))
	}
	switch {
	case !want.Equal(t):
		return refuse(diag.ModuleImport, "function %s is imported with another type than it has", importName(imp))
	case !slices.Contains(m.Imports, imp.Field):
		return refuse(diag.ModuleImport, "function %s is not among the imports that the manifest declares", importName(imp))
	}
	return nil
}

// checkMemoryImport admits a memory as large as the module's own data takes,
// which is what the host provides, and without a maximum, as it has none.
func checkMemoryImport(imp *wasm.Import, m *abi.Manifest) error {
	pages := max(libraryPages(), (uint64(m.DataEnd)+abi.PageBytes-1)/abi.PageBytes)
	switch {
	case imp.Memory.HasMax:
		return refuse(diag.ModuleImport, "memory %s is imported with a maximum; it has none", importName(imp))
	case uint64(imp.Memory.Min) > pages:
		return refuse(diag.ModuleImport, "memory %s is imported with at least %d pages, and data_end takes %d; import that many and let the module grow it, or raise data_end", importName(imp), imp.Memory.Min, pages)
	}
	return nil
}

// libraryPages is the initial size of the library's memory.
var libraryPages = sync.OnceValue(func() uint64 {
	b, err := wasm.Decode(library.Module)
	if err != nil || len(b.Memories) != 1 {
		panic("admit: the embedded library is broken")
	}
	return uint64(b.Memories[0].Min)
})

// checkExports admits functions that the module defines, under names that mean
// nothing to the host or exactly what they say. The start function may do what
// any other may: metering turns it into an export that is called with fuel.
func checkExports(b *wasm.Binary, m *abi.Manifest) error {
	missing := entryNames(m)
	imported := b.ImportCount(wasm.KindFunc)
	for i := range b.Exports {
		e := &b.Exports[i]
		entry := missing[e.Name]
		switch {
		case slices.Contains(reservedExports, e.Name):
			return refuse(diag.ModuleExport, "the name %q is reserved for modules of avap build; those run without --untrusted and, as commands, if their signer was added with --trusted-compiler", e.Name)
		case e.Kind != wasm.KindFunc:
			return refuse(diag.ModuleExport, "%s %q may not be exported", kindName(e.Kind), e.Name)
		case int(e.Index) < imported:
			return refuse(diag.ModuleExport, "%q is an imported function, and may not be exported again", e.Name)
		case !entry && strings.ContainsRune(e.Name, ' '):
			return refuse(diag.ModuleExport, "%q is no entry that the manifest declares; names with a blank are reserved", e.Name)
		case entry && !entryType.Equal(b.Types[b.Funcs[int(e.Index)-imported]]):
			return refuse(diag.ModuleExport, "function %q must take nothing and give an i32", e.Name)
		}
		delete(missing, e.Name)
	}
	for name := range missing {
		return refuse(diag.ModuleExport, "the module must export a function %q", name)
	}
	return nil
}

// entryNames are the exports that the host calls.
func entryNames(m *abi.Manifest) map[string]bool {
	names := map[string]bool{abi.RunExport: true}
	for i := range m.Endpoints {
		names[abi.HandlerExport(m.Endpoints[i].Handler)] = true
		for _, function := range m.Endpoints[i].Middleware {
			names[abi.HandlerExport(function)] = true
		}
	}
	for i := range m.Tasks {
		names[abi.TaskExport(i)] = true
	}
	return names
}

// checkSegments refuses what would fail when the module is instantiated, and
// tables that could grow without end: what a table takes is the host's own
// memory.
func checkSegments(b *wasm.Binary, m *abi.Manifest, limits validate.Limits) error {
	for i, t := range b.Tables {
		if !t.Limits.HasMax || int64(t.Limits.Max) > int64(limits.TableElements) {
			return refuse(diag.ModuleLimit, "table %d can grow without end; declare a maximum of at most %d", i, limits.TableElements)
		}
	}
	for i := range b.Segments {
		s := &b.Segments[i]
		if s.Mode == wasm.SegmentActive {
			from, ok := wasm.IntegerConstant(s.Offset)
			if !ok || from < abi.ScriptBase || from+uint64(len(s.Bytes)) > uint64(m.DataEnd) {
				return refuse(diag.ModuleManifest, "data segment %d lies outside of the module's own data, which is from %d to data_end", i, abi.ScriptBase)
			}
		}
	}
	for i := range b.Elements {
		e := &b.Elements[i]
		if e.Mode == wasm.SegmentActive {
			from, ok := wasm.IntegerConstant(e.Offset)
			if !ok || from+uint64(len(e.Funcs)+len(e.Exprs)) > uint64(b.Tables[e.Table].Limits.Min) {
				return refuse(diag.ModuleInvalid, "element segment %d lies outside of its table", i)
			}
		}
	}
	return nil
}
