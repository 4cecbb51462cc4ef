package wasmhost

import (
	"errors"
	"testing"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

// withTask gives a script a task that stores a value in Return, and its parent
// a global that the task can read.
func withTask(t *testing.T, value cell) *script {
	t.Helper()
	s := newScript([]string{"x"}, nil)
	f := s.module.NewFunc("task", wasm.FuncType{Results: []wasm.ValType{wasm.I32}})
	f.Exports = []string{abi.TaskExport(0)}
	f.I32Const(abi.Return)
	f.I32Const(int32(value.tag))
	f.Mem(wasm.OpI32Store, 2, abi.CellTag)
	f.I32Const(abi.Return)
	f.I64Const(int64(value.bits))
	f.Mem(wasm.OpI64Store, 3, abi.CellPayload)
	f.I32Const(0)
	s.manifest.Tasks = []abi.Task{{Function: 1, Globals: []int{0}}}
	return s
}

// What a script says of its tasks is as hostile as all guest memory.
func TestHostileSpawn(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, h *Host) {
		for name, args := range map[string][]cell{
			"no task":           {},
			"no such task":      {integer(1), {abi.KindList, 0}},
			"negative task":     {integer(-1), {abi.KindList, 0}},
			"task is no number": {floating(0), {abi.KindList, 0}},
			"list out of range": {integer(0), {abi.KindList, 1 << 31}},
			"unknown kind":      {integer(0), {9, 0}},
		} {
			t.Run(name, func(t *testing.T) {
				m := withTask(t, null()).callField(t, h, &image{}, abi.SpawnField, args...)
				f := mustFail(t, h, m, Input{}, testLimits, diag.Internal)
				if !errors.Is(f.Cause, errCorrupt) {
					t.Error(f.Cause)
				}
			})
		}
	})
}

// A child that leaves nonsense behind ends the execution, whoever waits.
func TestHostileValueOfATask(t *testing.T) {
	onBothEngines(t, nil, func(t *testing.T, h *Host) {
		for name, value := range map[string]cell{
			"text out of memory": textCell(1<<31, 5, 0),
			"list out of memory": {abi.KindList, 1 << 31},
			"unknown kind":       {9, 0},
		} {
			t.Run(name, func(t *testing.T) {
				s := withTask(t, value)
				g := &image{base: s.manifest.DataEnd}
				none := g.list()
				spawn := s.module.ImportFunc(abi.HostModule, abi.SpawnField, i32ToI32)
				s.storeCell(abi.CallArgs, integer(0))
				s.storeCell(abi.CallArgs+abi.CellSize, none)
				s.run.I32Const(2)
				s.run.Call(spawn)
				s.run.Op(wasm.OpDrop)
				handle := g.text("task-1")
				f := mustFail(t, h, s.callField(t, h, g, abi.GatherField, handle), Input{}, testLimits, diag.Internal)
				if !errors.Is(f.Cause, errCorrupt) {
					t.Error(f.Cause)
				}
			})
		}
	})
}

// A manifest must describe the tasks that the module has.
func TestManifestOfTasks(t *testing.T) {
	h := newHost(t, EngineCompiler, nil)
	for name, tasks := range map[string][]abi.Task{
		"no export": {{}, {}},
		"no global": {{Globals: []int{1}}},
		"negative":  {{Globals: []int{-1}}},
	} {
		s := withTask(t, null())
		s.manifest.Tasks = tasks
		s.run.I32Const(0)
		if m, err := h.Load(s.module.Encode(), s.manifest); err == nil {
			m.Release()
			t.Errorf("%s: loaded", name)
		}
	}
}
