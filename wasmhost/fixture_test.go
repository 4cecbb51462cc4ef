package wasmhost

import (
	"context"
	"encoding/binary"
	"math"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	refuelType = wasm.FuncType{Params: []wasm.ValType{wasm.I32}, Results: []wasm.ValType{wasm.I64}}
	runType    = wasm.FuncType{Results: []wasm.ValType{wasm.I32}}
	i32ToI32   = wasm.FuncType{Params: []wasm.ValType{wasm.I32}, Results: []wasm.ValType{wasm.I32}}
	takesI32   = wasm.FuncType{Params: []wasm.ValType{wasm.I32}}
)

// charge emits the metering of a loop's head: one unit, and refuel when there
// is none left.
func charge(f *wasm.Func, fuel *wasm.Global, refuel *wasm.Func, units int64, site int32) {
	f.GlobalGet(fuel)
	f.I64Const(units)
	f.Op(wasm.OpI64Sub)
	f.GlobalSet(fuel)
	f.GlobalGet(fuel)
	f.I64Const(0)
	f.Op(wasm.OpI64LtS)
	f.If()
	f.GlobalGet(fuel)
	f.I32Const(site)
	f.Call(refuel)
	f.Op(wasm.OpI64Add)
	f.GlobalSet(fuel)
	f.End()
}

// testLibrary stands for the guest library: memory, fuel, a metered loop and a
// way to grow the memory.
func testLibrary() []byte {
	m := &wasm.Module{Memory: &wasm.Memory{Limits: wasm.Limits{Min: abi.StartPages}, Exports: []string{abi.MemoryExport}}}
	refuel := m.ImportFunc(abi.HostModule, abi.RefuelField, refuelType)
	fuel := m.NewGlobal("fuel", wasm.I64, 0)
	fuel.Exports = []string{abi.FuelExport}

	spin := m.NewFunc("Spin", takesI32)
	spin.Exports = []string{"Spin"}
	head := spin.Loop()
	charge(spin, fuel, refuel, 1, 0)
	spin.LocalGet(spin.Param(0))
	spin.I32Const(1)
	spin.Op(wasm.OpI32Sub)
	spin.LocalTee(spin.Param(0))
	spin.BrIf(head)
	spin.End()

	grow := m.NewFunc("Grow", i32ToI32)
	grow.Exports = []string{"Grow"}
	grow.LocalGet(grow.Param(0))
	grow.MemoryGrow()
	return m.Encode()
}

// script is a script module under construction.
type script struct {
	module             *wasm.Module
	refuel, spin, grow *wasm.Func
	fuel               *wasm.Global
	run                *wasm.Func
	manifest           abi.Manifest
}

// newScript starts a script with the given globals. Its data ends behind them
// and the extra bytes.
func newScript(globals []string, data []byte) *script {
	dataEnd := abi.ScriptBase + uint32(len(globals))*abi.CellSize
	s := &script{module: &wasm.Module{Memory: &wasm.Memory{
		Limits: wasm.Limits{Min: 1}, Import: &wasm.ImportName{Module: abi.LibraryModule, Field: abi.MemoryExport},
	}}}
	if len(data) > 0 {
		s.module.Data = []wasm.Data{{Offset: dataEnd, Bytes: data}}
	}
	s.refuel = s.module.ImportFunc(abi.HostModule, abi.RefuelField, refuelType)
	s.spin = s.module.ImportFunc(abi.LibraryModule, "Spin", takesI32)
	s.grow = s.module.ImportFunc(abi.LibraryModule, "Grow", i32ToI32)
	s.fuel = s.module.NewGlobal("fuel", wasm.I64, 0)
	s.fuel.Exports = []string{abi.FuelExport}
	s.run = s.module.NewFunc("run", runType)
	s.run.Exports = []string{abi.RunExport}
	s.manifest = abi.Manifest{
		Format: abi.ManifestFormat, ABI: abi.Version, Files: []string{"test.avap"},
		Globals: globals, DataEnd: dataEnd + uint32(len(data)), Functions: []string{"", "f"},
		Sites: []abi.SourceSite{{}, {Line: 7, Column: 3, Command: "while"}, {Line: 9, Column: 1, Function: 1, Command: "addVar"}},
	}
	return s
}

// finish ends run with a result and loads the module.
func (s *script) finish(t testing.TB, h *Host, result int32) *Module {
	t.Helper()
	s.run.I32Const(result)
	m, err := h.Load(s.module.Encode(), s.manifest)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Release)
	return m
}

func (s *script) store32(p uint32, v uint32) {
	s.run.I32Const(int32(p))
	s.run.I32Const(int32(v))
	s.run.Mem(wasm.OpI32Store, 2, 0)
}

func (s *script) storeCell(p uint32, c cell) {
	s.store32(p, c.tag)
	s.run.I32Const(int32(p))
	s.run.I64Const(int64(c.bits))
	s.run.Mem(wasm.OpI64Store, 3, abi.CellPayload)
}

// endless emits a metered loop without an end.
func (s *script) endless() {
	head := s.run.Loop()
	charge(s.run, s.fuel, s.refuel, 1, 1)
	s.run.Br(head)
	s.run.End()
}

// count emits a metered loop of n turns.
func (s *script) count(n int32) {
	i := s.run.NewLocal(wasm.I32)
	s.run.I32Const(n)
	s.run.LocalSet(i)
	head := s.run.Loop()
	charge(s.run, s.fuel, s.refuel, 1, 1)
	s.run.LocalGet(i)
	s.run.I32Const(1)
	s.run.Op(wasm.OpI32Sub)
	s.run.LocalTee(i)
	s.run.BrIf(head)
	s.run.End()
}

// image builds values as bytes that lie at base.
type image struct {
	base uint32
	b    []byte
}

func (g *image) at() uint32 { return g.base + uint32(len(g.b)) }

func (g *image) words(ws ...uint32) uint32 {
	p := g.at()
	for _, w := range ws {
		g.b = binary.LittleEndian.AppendUint32(g.b, w)
	}
	return p
}

func (g *image) cells(cs ...cell) uint32 {
	p := g.at()
	for _, c := range cs {
		g.b = binary.LittleEndian.AppendUint32(g.b, c.tag)
		g.b = binary.LittleEndian.AppendUint32(g.b, 0)
		g.b = binary.LittleEndian.AppendUint64(g.b, c.bits)
	}
	return p
}

func (g *image) text(s string) cell {
	p := g.at()
	g.b = append(g.b, s...)
	for len(g.b)%16 != 0 {
		g.b = append(g.b, 0)
	}
	return textCell(p, len(s), 0)
}

func (g *image) list(items ...cell) cell {
	cells := g.cells(items...)
	n := uint32(len(items))
	return cell{abi.KindList, uint64(g.words(n, n, cells, 0))}
}

func (g *image) dict(pairs ...cell) cell {
	entries := g.cells(pairs...)
	n := uint32(len(pairs) / 2)
	return cell{abi.KindDict, uint64(g.words(n, n, n, entries, 0, 0, 0, 0))}
}

func integer(i int64) cell    { return cell{abi.KindInt, uint64(i)} }
func floating(f float64) cell { return cell{abi.KindFloat, math.Float64bits(f)} }
func boolean(b uint64) cell   { return cell{abi.KindBool, b} }
func null() cell              { return cell{tag: abi.KindNull} }

var testLimits = Limits{Fuel: 1e9, Duration: time.Minute, MemoryPages: 64, CallDepth: 1000, OutputBytes: 1 << 20}

func newHost(t testing.TB, engine Engine, change func(*Config)) *Host {
	t.Helper()
	config := Config{
		Library: testLibrary(), Engine: engine, MaxMemoryPages: 1024, MaxInstances: 8, IdleInstances: 4,
		HashSeed: func() uint64 { return 1 },
	}
	if change != nil {
		change(&config)
	}
	h, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// onBothEngines runs a test with the compiler and with the interpreter.
func onBothEngines(t *testing.T, change func(*Config), test func(*testing.T, *Host)) {
	t.Helper()
	for name, engine := range map[string]Engine{"compiler": EngineCompiler, "interpreter": EngineInterpreter} {
		t.Run(name, func(t *testing.T) { test(t, newHost(t, engine, change)) })
	}
}

// mustRun runs a module that has to succeed.
func mustRun(t testing.TB, h *Host, m *Module, in Input) Output {
	t.Helper()
	return mustRunWithin(t, h, m, in, testLimits)
}

func mustRunWithin(t testing.TB, h *Host, m *Module, in Input, limits Limits) Output {
	t.Helper()
	out, _, failure := h.Run(context.Background(), m, &in, limits, nil)
	if failure != nil {
		t.Fatalf("run failed: %v (%v)", failure, failure.Cause)
	}
	return out
}

// mustFail runs a module that has to end with the given code.
func mustFail(t testing.TB, h *Host, m *Module, in Input, limits Limits, code diag.Code) *diag.Failure {
	t.Helper()
	out, _, failure := h.Run(context.Background(), m, &in, limits, nil)
	if failure == nil {
		t.Fatalf("run succeeded with %.200s, want %s", out.JSON, code)
	}
	if failure.Code != code {
		t.Fatalf("run ended with %s %q (%v), want %s", failure.Code, failure.Message, failure.Cause, code)
	}
	return failure
}

// dataAt is the image as a data segment.
func dataAt(g *image) []wasm.Data { return []wasm.Data{{Offset: g.base, Bytes: g.b}} }
