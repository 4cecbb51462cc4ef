package wasmhost

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/internal/wasm/validate"
	"github.com/avapd/avapd/runtime/abi"
	"github.com/avapd/avapd/runtime/library"
)

// foreignManifest is what a module of somebody else's making says of itself.
func foreignManifest() abi.Manifest {
	return abi.Manifest{
		Format: abi.ManifestFormat, ABI: abi.Version, DataEnd: abi.ScriptBase + 4096, Files: []string{"module"}, Functions: []string{""},
		Globals: []string{"x"}, Sites: []abi.SourceSite{{}, {Line: 1, Column: 1}},
	}
}

// loadForeign validates a module as admission does, and loads it.
func loadForeign(t testing.TB, h *Host, module []byte, manifest abi.Manifest) *Module {
	t.Helper()
	b, err := validate.Module(module, validate.Max)
	if err != nil {
		t.Fatal(err)
	}
	m, err := h.LoadForeign(b, manifest, validate.Max)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Release)
	return m
}

// attack is a module in testdata/foreign: what it tries stands in its first
// lines, behind two semicolons, and what must come of it in the line that
// begins with want: a code, or "ok" and the results.
type attack struct {
	name   string
	module []byte
	want   string
	limits Limits
}

// attacks reads the fixtures. The binaries lie beside the texts, so that the
// tests need no assembler.
func attacks(t *testing.T) []attack {
	t.Helper()
	texts, err := filepath.Glob("testdata/foreign/*.wat")
	if err != nil || len(texts) < 15 {
		t.Fatalf("%d fixtures, %v", len(texts), err)
	}
	var out []attack
	for _, text := range texts {
		source, err := os.ReadFile(text)
		if err != nil {
			t.Fatal(err)
		}
		module, err := os.ReadFile(strings.TrimSuffix(text, ".wat") + ".wasm")
		if err != nil {
			t.Fatal(err)
		}
		a := attack{name: strings.TrimSuffix(filepath.Base(text), ".wat"), module: module, limits: testLimits}
		for line := range strings.Lines(string(source)) {
			comment, ok := strings.CutPrefix(line, ";; ")
			if !ok {
				break
			}
			a.read(t, strings.TrimSpace(comment))
		}
		out = append(out, a)
	}
	return out
}

// TestForeignFixtures holds the binaries to the texts, where there is an
// assembler.
func TestForeignFixtures(t *testing.T) {
	assembler, err := exec.LookPath("wat2wasm")
	if err != nil {
		t.Skip("wat2wasm is not installed")
	}
	for _, a := range attacks(t) {
		text, out := filepath.Join("testdata/foreign", a.name+".wat"), filepath.Join(t.TempDir(), "out.wasm")
		message, err := exec.CommandContext(t.Context(), assembler, text, "-o", out).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %s", text, message)
			continue
		}
		made, err := os.ReadFile(out)
		if err != nil || !bytes.Equal(made, a.module) {
			t.Errorf("%s: the binary beside it is of another text: %v", text, err)
		}
	}
}

func (a *attack) read(t *testing.T, comment string) {
	t.Helper()
	key, value, _ := strings.Cut(comment, ": ")
	switch key {
	case "want":
		a.want = value
	case "fuel", "time_ms":
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if key == "fuel" {
			a.limits.Fuel = n
		} else {
			a.limits.Duration = time.Duration(n) * time.Millisecond
		}
	}
}

// TestForeignAttacks runs modules that try to get more than they are given.
func TestForeignAttacks(t *testing.T) {
	list := attacks(t)
	onBothEngines(t, func(c *Config) { c.Library = library.Module }, func(t *testing.T, h *Host) {
		for _, a := range list {
			t.Run(a.name, func(t *testing.T) {
				if h.config.Engine == EngineInterpreter && a.limits.Fuel == testLimits.Fuel {
					a.limits.Fuel = 1e7 // it is slow
				}
				m := loadForeign(t, h, a.module, foreignManifest())
				out, usage, failure := h.Run(context.Background(), m, &Input{}, a.limits, nil)
				got := "ok " + string(out.Result.Of(out.JSON))
				if failure != nil {
					got = string(failure.Code) + " " + failure.Message
				}
				if !strings.HasPrefix(got, a.want) {
					t.Errorf("got %s, want %s", got, a.want)
				}
				if usage.MemoryPages > a.limits.MemoryPages || usage.FuelUsed > a.limits.Fuel {
					t.Errorf("used %d pages and %d units", usage.MemoryPages, usage.FuelUsed)
				}
			})
		}
	})
}

// TestForeignFuelIsTheSame holds the fuel of a module to be the same on both
// engines, and in every run.
func TestForeignFuelIsTheSame(t *testing.T) {
	used := map[string]int64{}
	list := attacks(t)
	onBothEngines(t, func(c *Config) { c.Library = library.Module }, func(t *testing.T, h *Host) {
		for _, a := range list {
			if !strings.HasPrefix(a.want, "ok") {
				continue
			}
			m := loadForeign(t, h, a.module, foreignManifest())
			for range 2 {
				_, usage, failure := h.Run(context.Background(), m, &Input{}, a.limits, nil)
				if failure != nil {
					t.Errorf("%s: %v", a.name, failure)
				}
				if before, ok := used[a.name]; ok && before != usage.FuelUsed {
					t.Errorf("%s: %d units, %d before", a.name, usage.FuelUsed, before)
				}
				used[a.name] = usage.FuelUsed
			}
		}
	})
	if len(used) < 3 {
		t.Errorf("only %d modules end well", len(used))
	}
}

// foreignModule starts a module that imports the memory.
func foreignModule() (m *wasm.Module, run *wasm.Func) {
	m = &wasm.Module{Memory: &wasm.Memory{Limits: wasm.Limits{Min: abi.StartPages}, Import: &wasm.ImportName{Module: abi.LibraryModule, Field: abi.MemoryExport}}}
	run = m.NewFunc("run", runType)
	run.Exports = []string{abi.RunExport}
	return m, run
}

// blame fails a test when a module's doing is taken for a defect of the server.
func blame(t *testing.T, h *Host, what string, m *Module, limits Limits) {
	t.Helper()
	_, _, failure := h.Run(context.Background(), m, &Input{EchoVariables: true}, limits, nil)
	if failure != nil && failure.Code == diag.Internal {
		t.Errorf("%s: %v (%v)", what, failure, failure.Cause)
	}
}

// TestForeignGarbageInMemory has modules fill everything below their own data,
// where host and library keep what they agree on, and end in every way.
func TestForeignGarbageInMemory(t *testing.T) {
	h := realHost(t)
	limits := testLimits
	limits.Fuel = 1e7
	for _, result := range []int32{0, 1, 7} {
		for _, fill := range []int32{0, 1, 2, 3, 4, 5, 6, 7, 8, 15, 16, 0x55, 0x7f, 0x80, 0xff} {
			for _, from := range []uint32{0, abi.ControlBase, abi.Results, abi.Logs, abi.Message, abi.LibraryBase, abi.ScriptBase} {
				m, run := foreignModule()
				run.I32Const(int32(from))
				run.I32Const(fill)
				run.I32Const(int32(abi.ScriptBase + 64 - min(from, abi.ScriptBase)))
				run.MemoryFill()
				run.I32Const(result)
				blame(t, h, fmt.Sprintf("fill %#x from %d, result %d", fill, from, result), loadForeign(t, h, m.Encode(), foreignManifest()), limits)
			}
		}
	}
}

// TestForeignCells has modules leave cells of every kind with payloads that
// point anywhere, where the host reads results, logs, variables and messages.
func TestForeignCells(t *testing.T) {
	h := realHost(t)
	limits := testLimits
	limits.Fuel = 1e7
	payloads := []uint64{0, 1, abi.Results, abi.ScriptBase, abi.ScriptBase - 1, 2*wasm.PageSize - 1, 1<<32 - 1, 1 << 32, 1<<63 - 1, 1<<64 - 1, 0xffffffff<<32 | abi.ScriptBase}
	for _, at := range []uint32{abi.Results, abi.Logs, abi.Message, abi.Return, abi.ScriptBase} {
		for tag := range uint32(17) {
			for _, payload := range payloads {
				m, run := foreignModule()
				s := &script{run: run}
				s.storeCell(at, cell{tag, payload})
				run.I32Const(int32(at) % 2)
				blame(t, h, fmt.Sprintf("cell %d, kind %d, payload %#x", at, tag, payload), loadForeign(t, h, m.Encode(), foreignManifest()), limits)
			}
		}
	}
}

// TestForeignCallsOfTheLibrary calls every function of the library with
// arguments that are no values, over memory that is garbage.
func TestForeignCallsOfTheLibrary(t *testing.T) {
	h := realHost(t)
	limits := testLimits
	limits.Fuel, limits.Duration = 1e7, 5*time.Second
	for _, f := range library.Functions() {
		for _, bits := range []int64{0, -1, abi.ScriptBase, 6, 1 << 40} {
			for _, tag := range []int32{abi.KindText, abi.KindList, abi.KindDict, -1, abi.KindInt, 1 << 20} {
				m, run := foreignModule()
				imported := m.ImportFunc(abi.LibraryModule, f.Name, f.Type())
				run.I32Const(abi.ScriptBase)
				run.I32Const(tag)
				run.I32Const(4096)
				run.MemoryFill()
				for _, p := range f.Params {
					switch p {
					case wasm.I32:
						run.I32Const(tag)
					case wasm.I64:
						run.I64Const(bits)
					default:
						run.F64Const(float64(bits))
					}
				}
				run.Call(imported)
				for range f.Results {
					run.Op(wasm.OpDrop)
				}
				run.I32Const(0)
				blame(t, h, fmt.Sprintf("%s(%d, %#x)", f.Name, tag, bits), loadForeign(t, h, m.Encode(), foreignManifest()), limits)
			}
		}
	}
}

// TestForeignFramesCount has a function with very many locals call itself.
func TestForeignFramesCount(t *testing.T) {
	h := realHost(t)
	m, run := foreignModule()
	for range 40_000 {
		run.NewLocal(wasm.I64)
	}
	run.Call(run)
	f := mustFail(t, h, loadForeign(t, h, m.Encode(), foreignManifest()), Input{}, testLimits, diag.RecursionLimit)
	if f.Usage.FuelUsed > 100_000 {
		t.Errorf("it went on for %d units", f.Usage.FuelUsed)
	}
}

// TestForeignRunIsWhatItWas runs a module between others on one slot: nothing
// of a run is left for the next.
func TestForeignRunIsWhatItWas(t *testing.T) {
	h := newHost(t, EngineCompiler, func(c *Config) { c.Library, c.MaxInstances, c.IdleInstances = library.Module, 1, 1 })
	m, run := foreignModule()
	seen := m.NewGlobal("seen", wasm.I32, 0)
	run.GlobalGet(seen)
	run.I32Const(0)
	run.Mem(wasm.OpI32Load, 2, abi.ScriptBase+512)
	run.Op(wasm.OpI32Or)
	run.I32Const(1)
	run.GlobalSet(seen)
	run.I32Const(0)
	run.I32Const(1)
	run.Mem(wasm.OpI32Store, 2, abi.ScriptBase+512)
	foreign, ours := loadForeign(t, h, m.Encode(), foreignManifest()), plain([]string{"x"}, nil).finish(t, h, 0)
	for range 3 {
		mustRun(t, h, foreign, Input{})
		mustRun(t, h, ours, Input{})
	}
}

// A module has all of its calls in every run, and its start function is run in
// each of them; so has one that another host loads again.
func TestForeignRunsBeginAnew(t *testing.T) {
	oneSlot := func(c *Config) {
		c.Library, c.MaxInstances, c.IdleInstances, c.KeepBinaries = library.Module, 1, 1, true
	}
	h := newHost(t, EngineCompiler, oneSlot)
	m, run := foreignModule()
	deep := m.NewFunc("deep", i32ToI32)
	deep.LocalGet(deep.Param(0))
	deep.If()
	deep.LocalGet(deep.Param(0))
	deep.I32Const(1)
	deep.Op(wasm.OpI32Sub)
	deep.Call(deep)
	deep.Op(wasm.OpDrop)
	deep.End()
	deep.I32Const(0)
	m.Start = m.NewFunc("start", wasm.FuncType{})
	m.Start.I32Const(0)
	m.Start.I32Const(7)
	m.Start.Mem(wasm.OpI32Store, 2, abi.ScriptBase+512)
	run.I32Const(int32(testLimits.CallDepth) - 2)
	run.Call(deep)
	run.Op(wasm.OpDrop)
	run.I32Const(0)
	run.Mem(wasm.OpI32Load, 2, abi.ScriptBase+512)
	run.I32Const(7)
	run.Op(wasm.OpI32Ne)
	foreign := loadForeign(t, h, m.Encode(), foreignManifest())
	other := newHost(t, EngineInterpreter, oneSlot)
	again, err := other.LoadAgain(foreign)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(again.Release)
	for range 3 {
		mustRun(t, h, foreign, Input{})
		mustRun(t, other, again, Input{})
	}
}

// TestForeignCompileIsBounded has a module that is within the limits, and that
// metering makes too much work to compile.
func TestForeignCompileIsBounded(t *testing.T) {
	h := realHost(t)
	m, run := foreignModule()
	for range 200 {
		run.NewLocal(wasm.I64)
	}
	for range 900 {
		run.Loop()
		run.End()
	}
	run.I32Const(0)
	b, err := validate.Module(m.Encode(), validate.Default)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.LoadForeign(b, foreignManifest(), validate.Default)
	if refused, ok := errors.AsType[*wasm.Error](err); !ok || refused.Reason != wasm.TooLarge {
		t.Errorf("got %v", err)
	}
}

func TestLoadForeignRefuses(t *testing.T) {
	h := realHost(t)
	for name, change := range map[string]func(m *wasm.Module, run *wasm.Func){
		"a fuel cell": func(m *wasm.Module, _ *wasm.Func) { m.NewGlobal("", wasm.I64, 0).Exports = []string{abi.FuelExport} },
		"refuel":      func(m *wasm.Module, _ *wasm.Func) { m.ImportFunc(abi.HostModule, abi.RefuelField, refuelType) },
		"a memory":    func(m *wasm.Module, _ *wasm.Func) { m.Memory.Exports = []string{abi.MemoryExport} },
		"no run":      func(_ *wasm.Module, run *wasm.Func) { run.Exports = nil },
	} {
		t.Run(name, func(t *testing.T) {
			m, run := foreignModule()
			run.I32Const(0)
			change(m, run)
			b, err := validate.Module(m.Encode(), validate.Max)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := h.LoadForeign(b, foreignManifest(), validate.Max); err == nil {
				t.Error("loaded")
			}
		})
	}
}
