package wasm

// ValType is the type of a value on the operand stack, in a local or a global.
type ValType byte

// The value types of WebAssembly 2.0 without vectors.
const (
	I32       ValType = 0x7f
	I64       ValType = 0x7e
	F32       ValType = 0x7d
	F64       ValType = 0x7c
	FuncRef   ValType = 0x70
	ExternRef ValType = 0x6f
)

// String gives the type's name in the text format.
func (t ValType) String() string {
	switch t {
	case I32:
		return "i32"
	case I64:
		return "i64"
	case F32:
		return "f32"
	case F64:
		return "f64"
	case FuncRef:
		return "funcref"
	case ExternRef:
		return "externref"
	}
	return "?"
}

// FuncType is a function's signature.
type FuncType struct {
	Params, Results []ValType
}

// Equal reports whether both signatures are the same.
func (t FuncType) Equal(u FuncType) bool {
	return equalTypes(t.Params, u.Params) && equalTypes(t.Results, u.Results)
}

func equalTypes(a, b []ValType) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// Limits bounds a memory (in pages of 64 KiB) or a table (in elements).
type Limits struct {
	Min    uint32
	Max    uint32
	HasMax bool
}

// PageSize is the size of a memory page in bytes.
const PageSize = 65536

// ExportKind says what an export or import refers to.
type ExportKind byte

// The kinds of imports and exports.
const (
	KindFunc   ExportKind = 0
	KindTable  ExportKind = 1
	KindMemory ExportKind = 2
	KindGlobal ExportKind = 3

	kindTag ExportKind = 4
)
