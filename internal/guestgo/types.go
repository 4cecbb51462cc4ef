package guestgo

import (
	"go/types"

	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
)

// scalar gives the wasm type of a basic Go type, or 0. Untyped bool is what a
// comparison yields.
func scalar(t types.Type) wasm.ValType {
	b, ok := t.Underlying().(*types.Basic)
	if !ok {
		return 0
	}
	switch b.Kind() {
	case types.Bool, types.UntypedBool, types.Int32, types.Uint32:
		return wasm.I32
	case types.Int64, types.Uint64:
		return wasm.I64
	case types.Float64:
		return wasm.F64
	}
	return 0
}

// small reports whether a type exists only as the element of a table.
func small(t types.Type) bool {
	b, ok := t.Underlying().(*types.Basic)
	return ok && (b.Kind() == types.Uint8 || b.Kind() == types.Uint16)
}

// flatten appends the wasm types that make up t, or reports that there are
// none.
func flatten(ts []wasm.ValType, t types.Type) ([]wasm.ValType, bool) {
	switch u := t.Underlying().(type) {
	case *types.Basic:
		if small(u) {
			return append(ts, wasm.I32), true
		}
		v := scalar(u)
		return append(ts, v), v != 0
	case *types.Struct:
		ok := u.NumFields() > 0
		for f := range u.Fields() {
			var fine bool
			if ts, fine = flatten(ts, f.Type()); !fine {
				ok = false
			}
		}
		return ts, ok
	case *types.Tuple:
		for v := range u.Variables() {
			var fine bool
			if ts, fine = flatten(ts, v.Type()); !fine {
				return ts, false
			}
		}
		return ts, true
	}
	return ts, false
}

// parts gives the wasm types of a type that passed the check.
func parts(t types.Type) []wasm.ValType {
	ts, _ := flatten(nil, t)
	return ts
}

// fieldRange gives the first part of a field and the number of its parts.
func fieldRange(t types.Type, index int) (from, n int) {
	s := t.Underlying().(*types.Struct)
	for i := range index {
		from += len(parts(s.Field(i).Type()))
	}
	return from, len(parts(s.Field(index).Type()))
}

// signature gives a function's type, the receiver first.
func signature(sig *types.Signature) wasm.FuncType {
	var t wasm.FuncType
	if r := sig.Recv(); r != nil {
		t.Params = parts(r.Type())
	}
	t.Params = append(t.Params, parts(sig.Params())...)
	t.Results = parts(sig.Results())
	return t
}

func importType(imp abi.Import) wasm.FuncType {
	letters := func(s string) []wasm.ValType {
		var ts []wasm.ValType
		for _, c := range s {
			ts = append(ts, map[rune]wasm.ValType{'i': wasm.I32, 'l': wasm.I64, 'd': wasm.F64}[c])
		}
		return ts
	}
	return wasm.FuncType{Params: letters(imp.Params), Results: letters(imp.Results)}
}

func isSigned(t types.Type) bool {
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&types.IsInteger != 0 && b.Info()&types.IsUnsigned == 0
}

func isStruct(t types.Type) bool {
	_, ok := t.Underlying().(*types.Struct)
	return ok
}

// sameBits reports whether a conversion between two types needs no
// instruction.
func sameBits(from, to types.Type) bool {
	if isStruct(from) && isStruct(to) {
		return true
	}
	f := scalar(from)
	return f == scalar(to) && f != 0
}
