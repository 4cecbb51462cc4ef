package emit

import (
	"slices"

	"github.com/avapd/avapd/compiler/ir"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

// host imports a function of the host at its first use.
func (e *emitter) host(h *ir.Host) *wasm.Func {
	f, ok := e.hosts[h.Name]
	if !ok {
		f = e.mod.ImportFunc(abi.HostModule, h.Name,
			wasm.FuncType{Params: []wasm.ValType{wasm.I32}, Results: []wasm.ValType{wasm.I32}})
		e.hosts[h.Name] = f
	}
	return f
}

// hostCall calls the host by way of the control block. All arguments are
// computed before the first one is stored, since computing them may call the
// host as well.
func (u *unit) hostCall(x *ir.Expr) {
	f := u.f
	for _, a := range x.Args {
		u.value(a)
	}
	t, p := f.Temp(wasm.I32), f.Temp(wasm.I64)
	for i := range slices.Backward(x.Args) {
		at := uint32(abi.CallArgs + i*abi.CellSize)
		f.LocalSet(p)
		f.LocalSet(t)
		u.storeControl(at+abi.CellTag, func() { f.LocalGet(t) })
		u.base()
		f.LocalGet(p)
		f.Mem(wasm.OpI64Store, 3, at+abi.CellPayload)
	}
	f.Release(t, p)
	u.setSite(x.Site)
	f.I32Const(int32(len(x.Args)))
	f.Call(u.e.host(x.Host))
	u.failIf()
	u.pushResult(x.Type)
}

// pushResult leaves what the host answered in the form of its kinds.
func (u *unit) pushResult(k ir.Kinds) {
	f := u.f
	r := repOfKinds(k)
	if r == pair {
		u.loadControl(abi.CallResult + abi.CellTag)
	}
	u.base()
	f.Mem(wasm.OpI64Load, 3, abi.CallResult+abi.CellPayload)
	switch r {
	case float:
		f.Op(wasm.OpF64ReinterpretI64)
	case boolean:
		f.Op(wasm.OpI32WrapI64)
	}
}
