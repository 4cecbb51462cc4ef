package emit

import (
	"github.com/avapd/avapd/compiler/ir"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

// handlers exports the functions that endpoints name. The host calls them one
// after the other, because it alone decides by the status whether the next one
// runs, as it decides what status the answer has.
func (e *emitter) handlers() {
	for _, fn := range e.prog.Functions[1:] {
		if fn.IsHandler && fn.Reached {
			e.handler(fn)
		}
	}
}

// handler writes the exported form of a function: without arguments, and with
// the result of the function that runs the top level. The first slot of the
// call stack is the caller's.
func (e *emitter) handler(fn *ir.Func) {
	f := e.mod.NewFunc("handler "+fn.Name, wasm.FuncType{Results: []wasm.ValType{wasm.I32}})
	f.Exports = []string{abi.HandlerExport(fn.Name)}
	e.beginStack(f, f.NewLocal(wasm.I32))
	f.I32Const(stackSlot)
	f.Op(wasm.OpI32Add)
	for range fn.Params { // of any kind, since it is a handler
		f.I32Const(abi.KindNull)
		f.I64Const(0)
	}
	f.Call(e.funcs[fn.Number])
	f.Op(wasm.OpDrop)
	e.reportFailure(f)
	f.I32Const(0)
}

// reportFailure ends an exported function with 1 when the tag on the stack is
// that of a failed call, and has the library word the error.
func (e *emitter) reportFailure(f *wasm.Func) {
	f.I32Const(0)
	f.Op(wasm.OpI32LtS)
	f.If()
	f.Call(e.lib(ir.Library("Failure")))
	f.I32Const(1)
	f.Op(wasm.OpReturn)
	f.End()
}

// stackSlot is the size of a slot of the call stack.
const stackSlot = 4
