package emit

import (
	"github.com/avapd/avapd/compiler/ir"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

// tasks exports what the script starts beside itself. The manifest numbers all
// tasks, so one that only dead code starts is exported, too, without a body.
func (e *emitter) tasks() {
	for i, t := range e.prog.Tasks {
		name := abi.TaskExport(i)
		if t.Func.Reached {
			e.task(name, t.Func)
			continue
		}
		f := e.mod.NewFunc(name, taskType)
		f.Exports = []string{name}
		f.Op(wasm.OpUnreachable)
	}
}

var taskType = wasm.FuncType{Results: []wasm.ValType{wasm.I32}}

// task writes the exported form of a task: the arguments come from the list in
// TaskArgs, which has as many items as there are parameters, and the value goes
// to Return. The first slot of the call stack is the caller's: the host puts
// the place there that started the task.
func (e *emitter) task(name string, fn *ir.Func) {
	f := e.mod.NewFunc(name, taskType)
	f.Exports = []string{name}
	cells := f.NewLocal(wasm.I32)
	f.I32Const(0)
	f.Mem(wasm.OpI32Load, 2, abi.TaskArgs+abi.CellPayload)
	f.Mem(wasm.OpI32Load, 2, abi.ListCells)
	f.LocalSet(cells)
	e.beginStack(f, f.NewLocal(wasm.I32))
	f.I32Const(stackSlot)
	f.Op(wasm.OpI32Add)
	for i := range fn.Params {
		at := uint32(i) * abi.CellSize
		r := repOfKinds(fn.ParamKinds[i])
		if r == pair {
			f.LocalGet(cells)
			f.Mem(wasm.OpI32Load, 2, at+abi.CellTag)
		}
		f.LocalGet(cells)
		f.Mem(wasm.OpI64Load, 3, at+abi.CellPayload)
		r.fromPayload(f)
	}
	f.Call(e.funcs[fn.Number])
	repOfKinds(fn.Result).toPayload(f)
	tag, payload := f.NewLocal(wasm.I32), f.NewLocal(wasm.I64)
	f.LocalSet(payload)
	f.LocalTee(tag)
	e.reportFailure(f)
	f.I32Const(0)
	f.LocalGet(tag)
	f.Mem(wasm.OpI32Store, 2, abi.Return+abi.CellTag)
	f.I32Const(0)
	f.LocalGet(payload)
	f.Mem(wasm.OpI64Store, 3, abi.Return+abi.CellPayload)
	f.I32Const(0)
}
