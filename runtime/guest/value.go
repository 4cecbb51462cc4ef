package guest

import "github.com/avapd/avapd/runtime/abi"

// Tag is a value's kind and flags; negative for a failed operation.
type Tag int32

// Kind is the tag without its flags.
func (t Tag) Kind() Tag { return t & abi.KindMask }

// Value is a value in flight: two words in locals, parameters and results.
type Value struct {
	Tag  Tag
	Bits uint64
}

// Ptr is an offset into linear memory.
type Ptr uint32

// List is the offset of a list header.
type List uint32

// Dict is the offset of a dict header.
type Dict uint32

func (v Value) isText() bool  { return v.Tag&abi.KindMask == abi.KindText }
func (v Value) isASCII() bool { return v.Tag&abi.FlagASCII != 0 }

// points reports whether a value's payload is an offset into memory.
func (v Value) points() bool { return v.Tag&abi.KindMask-abi.KindText < 3 && v.Tag >= 0 }
func (v Value) failed() bool { return v.Tag < 0 }

func (v Value) int() int64     { return int64(v.Bits) }
func (v Value) float() float64 { return float64frombits(v.Bits) }
func (v Value) list() List     { return List(v.Bits) }
func (v Value) dict() Dict     { return Dict(v.Bits) }

// textPtr is where a text's bytes start.
func (v Value) textPtr() Ptr { return Ptr(uint32(v.Bits)) }

// textLen is a text's length in bytes.
func (v Value) textLen() uint32 { return uint32(v.Bits >> 32) }

func undefined() Value         { return Value{abi.KindUndefined, 0} }
func null() Value              { return Value{abi.KindNull, 0} }
func boolean(b bool) Value     { return Value{abi.KindBool, b2u(b)} }
func integer(i int64) Value    { return Value{abi.KindInt, uint64(i)} }
func floating(f float64) Value { return Value{abi.KindFloat, float64bits(f)} }
func listValue(l List) Value   { return Value{abi.KindList, uint64(l)} }
func dictValue(d Dict) Value   { return Value{abi.KindDict, uint64(d)} }

// textValue makes a text of bytes that lie in memory; flag is abi.FlagASCII
// or 0.
func textValue(p Ptr, n uint32, flag Tag) Value {
	return Value{abi.KindText | flag, uint64(uint32(p)) | uint64(n)<<32}
}

func b2u(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// loadValue reads a cell.
func loadValue(p Ptr) Value {
	return Value{Tag(load32(p + abi.CellTag)), load64(p + abi.CellPayload)}
}

// storeValue writes a cell and leaves its extra word alone.
func storeValue(p Ptr, v Value) {
	store32(p+abi.CellTag, uint32(v.Tag))
	store64(p+abi.CellPayload, v.Bits)
}
