package admit

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/internal/wasm/validate"
	"github.com/avapd/avapd/runtime/abi"
)

// foreign is a module that is admitted as it is, and from which each case
// departs.
type foreign struct {
	*wasm.Module

	run, clock, push, command *wasm.Func
	manifest                  abi.Manifest
}

var i32 = []wasm.ValType{wasm.I32}

func newForeign() *foreign {
	f := &foreign{Module: &wasm.Module{Memory: &wasm.Memory{
		Limits: wasm.Limits{Min: abi.StartPages}, Import: &wasm.ImportName{Module: abi.LibraryModule, Field: abi.MemoryExport},
	}}}
	f.push = f.ImportFunc(abi.LibraryModule, "Push", wasm.FuncType{Params: []wasm.ValType{wasm.I32, wasm.I64, wasm.I32, wasm.I64}})
	f.clock = f.ImportFunc(abi.HostModule, abi.ClockField, clockType)
	f.command = f.ImportFunc(abi.HostModule, "http_get", hostCallType)
	f.run = f.NewFunc("run", entryType)
	f.run.I32Const(0)
	f.run.Exports = []string{abi.RunExport}
	f.handler("handler hello")
	f.handler("task 0")
	f.Table = &wasm.Table{Limits: wasm.Limits{Min: 2, Max: 2, HasMax: true}, Elements: []*wasm.Func{f.run, f.run}}
	f.Data = []wasm.Data{{Offset: abi.ScriptBase + 16, Bytes: []byte("constant")}}
	f.manifest = abi.Manifest{
		Format: abi.ManifestFormat, ABI: abi.Version, DataEnd: abi.ScriptBase + 100,
		Files: []string{"main"}, Functions: []string{"", "hello"}, Globals: []string{"x"},
		Sites:     []abi.SourceSite{{}, {Line: 1, Column: 1, Function: 1}},
		Endpoints: []abi.Endpoint{{Path: "/hello", Method: "GET", Handler: "hello", Site: 1}},
		Tasks:     []abi.Task{{Function: 1, Globals: []int{0}}},
		Imports:   []string{"http_get", abi.ClockField}, Capabilities: []string{"http"},
	}
	return f
}

// handler adds an exported function that the host can call.
func (f *foreign) handler(name string) *wasm.Func {
	fn := f.NewFunc(name, entryType)
	fn.I32Const(0)
	fn.Exports = []string{name}
	return fn
}

func (f *foreign) encode(t testing.TB) []byte {
	t.Helper()
	manifest, err := json.Marshal(f.manifest)
	if err != nil {
		t.Fatal(err)
	}
	f.Customs = append(f.Customs, wasm.Custom{Name: "names of somebody"}, wasm.Custom{Name: abi.ManifestSection, Bytes: manifest})
	return f.Encode()
}

func TestAdmitted(t *testing.T) {
	f := newForeign()
	f.Start = f.NewFunc("start", wasm.FuncType{})
	b, manifest, err := Module(f.encode(t), validate.Default)
	if err != nil {
		t.Fatal(err)
	}
	if manifest.DataEnd != f.manifest.DataEnd || len(b.Customs) != 1 || b.Customs[0].Name != abi.ManifestSection {
		t.Errorf("manifest %+v, custom sections %v", manifest, b.Customs)
	}
	if again, _, err := Module(b.Encode(), validate.Default); err != nil || !again.HasStart {
		t.Errorf("encoded again: %v", err)
	}
}

// TestRefused holds what a module might try, and what it is told.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(f *foreign)
		code   diag.Code
		want   string
	}{
		{"reaches the library's fuel", func(f *foreign) {
			f.Globals = append(f.Globals, &wasm.Global{Type: wasm.I64, Mutable: true, Import: &wasm.ImportName{Module: abi.LibraryModule, Field: abi.FuelExport}})
		}, diag.ModuleImport, `global "rt"."fuel"`},
		{"takes slices of fuel itself", func(f *foreign) {
			f.ImportFunc(abi.HostModule, abi.RefuelField, wasm.FuncType{Params: i32, Results: []wasm.ValType{wasm.I64}})
		}, diag.ModuleImport, `"avap"."refuel" may not`},
		{"poses as metered", func(f *foreign) { f.NewGlobal("fuel", wasm.I64, 1<<60).Exports = []string{abi.FuelExport} }, diag.ModuleExport, `"fuel" is reserved`},
		{"exports fuel as a function", func(f *foreign) { f.handler(abi.FuelExport) }, diag.ModuleExport, `"fuel" is reserved`},
		{"exports a depth of its own", func(f *foreign) { f.NewGlobal("depth", wasm.I32, 1<<30).Exports = []string{abi.DepthExport} }, diag.ModuleExport, `"depth" is reserved`},
		{"exports a start of its own", func(f *foreign) { f.handler(abi.StartExport) }, diag.ModuleExport, `"start" is reserved`},
		{"poses as merged with the library", func(f *foreign) { f.handler(abi.LibraryFuelExport) }, diag.ModuleExport, `"library_fuel" is reserved`},
		{"exports our memory again", func(f *foreign) { f.Memory.Exports = []string{"mine"} }, diag.ModuleExport, `memory "mine"`},
		{"exports our memory under its name", func(f *foreign) { f.Memory.Exports = []string{abi.MemoryExport} }, diag.ModuleExport, `"memory" is reserved`},
		{"exports our function as run", func(f *foreign) { f.run.Exports, f.push.Exports = nil, []string{abi.RunExport} }, diag.ModuleExport, `"run" is an imported function`},
		{"exports a table", func(f *foreign) { f.Table.Exports = []string{"table"} }, diag.ModuleExport, `table "table"`},
		{"has no run", func(f *foreign) { f.run.Exports = nil }, diag.ModuleExport, `must export a function "run"`},
		{"run takes a value", func(f *foreign) {
			f.run.Exports = nil
			run := f.NewFunc("run", hostCallType)
			run.I32Const(0)
			run.Exports = []string{abi.RunExport}
		}, diag.ModuleExport, `function "run" must take nothing`},
		{"has a handler that it does not declare", func(f *foreign) { f.handler("handler other") }, diag.ModuleExport, `"handler other" is no entry`},
		{"lacks a task that it declares", func(f *foreign) { f.manifest.Tasks = append(f.manifest.Tasks, abi.Task{}) }, diag.ModuleExport, `a function "task 1"`},
		{"imports a command it does not declare", func(f *foreign) { f.ImportFunc(abi.HostModule, "sql_direct", hostCallType) }, diag.ModuleImport, `"avap"."sql_direct" is not among`},
		{"declares a command it does not import", func(f *foreign) { f.manifest.Imports = append(f.manifest.Imports, "sql_direct") }, diag.ModuleManifest, "other functions of the host"},
		{"hides a capability", func(f *foreign) { f.manifest.Capabilities = nil }, diag.ModuleManifest, `the capabilities ["http"]`},
		{"imports what does not exist", func(f *foreign) { f.ImportFunc(abi.HostModule, "format_disk", hostCallType) }, diag.ModuleImport, `"avap"."format_disk" may not`},
		{"imports what only the library may", func(f *foreign) { f.ImportFunc(abi.HostModule, "digest", hostCallType) }, diag.ModuleImport, `"avap"."digest" may not`},
		{"imports a command under the empty name", func(f *foreign) { f.ImportFunc(abi.HostModule, "", hostCallType) }, diag.ModuleImport, `"avap"."" may not`},
		{"imports a command with another type", func(f *foreign) { f.command.Type = entryType }, diag.ModuleImport, `"avap"."http_get" is imported with another type`},
		{"imports the clock with another type", func(f *foreign) { f.clock.Type = hostCallType }, diag.ModuleImport, `"avap"."clock" is imported with another type`},
		{"imports a library function with another type", func(f *foreign) { f.push.Type = entryType }, diag.ModuleImport, `"rt"."Push" is imported with another type`},
		{"imports an unknown library function", func(f *foreign) { f.ImportFunc(abi.LibraryModule, "push", entryType) }, diag.ModuleImport, `no function "rt"."push"`},
		{"imports from elsewhere", func(f *foreign) { f.ImportFunc("wasi_snapshot_preview1", "fd_write", entryType) }, diag.ModuleImport, `function "wasi_snapshot_preview1"."fd_write"`},
		{"imports a table", func(f *foreign) { f.Table.Import = &wasm.ImportName{Module: abi.LibraryModule, Field: "table"} }, diag.ModuleImport, `table "rt"."table"`},
		{"imports memory from the host", func(f *foreign) { f.Memory.Import.Module = abi.HostModule }, diag.ModuleImport, `memory "avap"."memory"`},
		{"has a memory of its own", func(f *foreign) { f.Memory.Import = nil }, diag.ModuleImport, "memory of its own"},
		{"wants more memory than there is", func(f *foreign) { f.Memory.Limits.Min = 2 }, diag.ModuleImport, "at least 2 pages, and data_end takes 1"},
		{"caps our memory", func(f *foreign) { f.Memory.Limits = wasm.Limits{Min: 1, Max: 1, HasMax: true} }, diag.ModuleImport, "with a maximum"},
		{"has a table without end", func(f *foreign) { f.Table.Limits.HasMax = false }, diag.ModuleLimit, "table 0 can grow"},
		{"has a table of a high maximum", func(f *foreign) { f.Table.Limits.Max = 1 << 30 }, diag.ModuleLimit, "table 0 can grow"},
		{"fills beyond its table", func(f *foreign) { f.Table.Limits.Min = 1 }, diag.ModuleInvalid, "element segment 0"},
		{"writes into the library's data", func(f *foreign) { f.Data[0].Offset = abi.ControlBase }, diag.ModuleManifest, "data segment 0"},
		{"writes beyond its data", func(f *foreign) { f.Data[0].Offset = f.manifest.DataEnd }, diag.ModuleManifest, "data segment 0"},
		{"has no manifest", func(f *foreign) { f.Customs = nil }, diag.ModuleManifest, ""},
		{"has two manifests", func(f *foreign) {
			f.Customs = append(f.Customs, wasm.Custom{Name: abi.ManifestSection, Bytes: []byte("{}")})
		}, diag.ModuleManifest, "2 sections"},
		{"has a manifest of another format", func(f *foreign) { f.manifest.Format++ }, diag.ModuleManifest, "manifest format 2"},
		{"is made for another contract", func(f *foreign) { f.manifest.ABI++ }, diag.ModuleManifest, "of the contract"},
		{"has data that end before the globals", func(f *foreign) { f.manifest.DataEnd = abi.ScriptBase }, diag.ModuleManifest, "before the last global"},
		{"has data beyond memory", func(f *foreign) { f.manifest.DataEnd = 1<<32 - 1 }, diag.ModuleManifest, "beyond 256 pages"},
		{"has a site in no file", func(f *foreign) { f.manifest.Sites[1].File = 1 }, diag.ModuleManifest, "site 1"},
		{"has a site in no function", func(f *foreign) { f.manifest.Sites[1].Function = -1 }, diag.ModuleManifest, "site 1"},
		{"has an endpoint without a site", func(f *foreign) { f.manifest.Endpoints[0].Site = 2 }, diag.ModuleManifest, "endpoint 0"},
		{"has a task of no function", func(f *foreign) { f.manifest.Tasks[0].Function = 2 }, diag.ModuleManifest, "task 0"},
		{"has a task with no such global", func(f *foreign) { f.manifest.Tasks[0].Globals = []int{1} }, diag.ModuleManifest, "task 0"},
		{"has a huge manifest", func(f *foreign) { f.manifest.Compiler = strings.Repeat("x", manifestMaxBytes) }, diag.ModuleLimit, "a manifest of"},
	} {
		f := newForeign()
		c.change(f)
		b := f.encode(t)
		if c.name == "has no manifest" {
			f.Customs = nil
			b = f.Encode()
		}
		_, _, err := Module(b, validate.Default)
		var d diag.Diagnostic
		if !errors.As(err, &d) || d.Code != c.code || !strings.Contains(d.Message, c.want) {
			t.Errorf("%s: got %v, want %s: … %s", c.name, err, c.code, c.want)
		}
	}
}

// TestWritesGlobalToCome has a module write a global that it does not have. The
// cells that metering adds get the numbers behind the module's own globals, so
// this module would be valid, and give itself fuel, if it were metered first.
func TestWritesGlobalToCome(t *testing.T) {
	f := newForeign()
	f.run.I64Const(1 << 60)
	f.run.GlobalSet(f.NewGlobal("taken away", wasm.I64, 0))
	b, err := wasm.Decode(f.encode(t))
	if err != nil {
		t.Fatal(err)
	}
	b.Globals = nil
	_, _, err = Module(b.Encode(), validate.Default)
	var d diag.Diagnostic
	if !errors.As(err, &d) || d.Code != diag.ModuleInvalid || !strings.Contains(d.Message, "global 0 does not exist") {
		t.Errorf("got %v", err)
	}
}

// TestRefusedBytes holds what is wrong before anyone looks at a policy.
func TestRefusedBytes(t *testing.T) {
	f := newForeign()
	right := f.encode(t)
	for _, c := range []struct {
		name string
		b    []byte
		code diag.Code
	}{
		{"text", []byte("addVar(x, 1)"), diag.ModuleMalformed},
		{"cut", right[:len(right)-1], diag.ModuleMalformed},
		{"vectors", []byte(wasm.Header + "\x01\x05\x01\x60\x01\x7b\x00"), diag.ModuleFeature},
		{"large", append([]byte(wasm.Header), make([]byte, validate.Default.ModuleBytes)...), diag.ModuleLimit},
	} {
		_, _, err := Module(c.b, validate.Default)
		var d diag.Diagnostic
		if !errors.As(err, &d) || d.Code != c.code {
			t.Errorf("%s: got %v, want %s", c.name, err, c.code)
		}
	}
}

// FuzzModule gives the gate anything: it must not panic, and what it let in
// once, and encoded, it must let in again.
func FuzzModule(f *testing.F) {
	f.Add(newForeign().encode(f))
	started := newForeign()
	started.Start = started.NewFunc("start", wasm.FuncType{})
	f.Add(started.encode(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, _, err := Module(data, validate.Default)
		var d diag.Diagnostic
		switch {
		case err != nil && !errors.As(err, &d):
			t.Errorf("%v is no diagnostic", err)
		case err == nil:
			if _, _, err := Module(b.Encode(), validate.Default); err != nil {
				t.Errorf("encoded again: %v", err)
			}
		}
	})
}
