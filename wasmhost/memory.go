package wasmhost

import (
	"encoding/binary"
	"errors"
	"unicode/utf8"

	"github.com/avapd/avapd/runtime/abi"
)

// memory is a view of guest memory. Reads are checked; a false result means
// that the guest's data is corrupt.
type memory []byte

// errCorrupt says that guest memory breaks the contract in runtime/abi.
var errCorrupt = errors.New("guest memory is corrupt")

func (m memory) u32(p uint32) (uint32, bool) {
	if uint64(p)+4 > uint64(len(m)) {
		return 0, false
	}
	return binary.LittleEndian.Uint32(m[p:]), true
}

// bytes is the range of n bytes at p.
func (m memory) bytes(p, n uint64) ([]byte, bool) {
	end := p + n
	if end < p || end > uint64(len(m)) {
		return nil, false
	}
	return m[p:end:end], true
}

// cell is a value as it lies in memory, without the extra word.
type cell struct {
	tag  uint32
	bits uint64
}

// kind is the value's kind; tags with unknown bits have a kind that none of
// the abi constants equals.
func (c cell) kind() uint32 {
	if c.tag&^(abi.KindMask|abi.FlagASCII|abi.FlagConst|abi.FlagParts) != 0 {
		return abi.KindMask
	}
	return c.tag & abi.KindMask
}

func (m memory) cell(p uint32) (cell, bool) {
	if uint64(p)+abi.CellSize > uint64(len(m)) {
		return cell{}, false
	}
	return m.cellAt(m[p:]), true
}

// cellAt decodes the cell that b starts with.
func (memory) cellAt(b []byte) cell {
	return cell{
		tag:  binary.LittleEndian.Uint32(b[abi.CellTag:]),
		bits: binary.LittleEndian.Uint64(b[abi.CellPayload:]),
	}
}

// text is the checked contents of a text value.
func (m memory) text(c cell) ([]byte, bool) {
	if c.kind() != abi.KindText {
		return nil, false
	}
	b, ok := m.bytes(c.bits&0xffffffff, c.bits>>32)
	return b, ok && utf8.Valid(b)
}

// put32 and put64 write where the host itself laid things out.
func (m memory) put32(p, v uint32)        { binary.LittleEndian.PutUint32(m[p:], v) }
func (m memory) put64(p uint32, v uint64) { binary.LittleEndian.PutUint64(m[p:], v) }

// putCell leaves the extra word alone.
func (m memory) putCell(p uint32, c cell) {
	m.put32(p+abi.CellTag, c.tag)
	m.put64(p+abi.CellPayload, c.bits)
}

func textCell(p uint32, n int, flag uint32) cell {
	return cell{abi.KindText | flag, uint64(p) | uint64(n)<<32}
}
