package wasmhost

import (
	"errors"
	"math"
	"slices"
	"strconv"

	"github.com/avapd/avapd/runtime/abi"
)

const (
	// maxOutputDepth bounds how deep an answer is nested.
	maxOutputDepth = 1000
	// pathLinear is the nesting up to which cycles are looked for by a walk
	// along the path; deeper ones are looked up in a set.
	pathLinear = 32
	// escapeChunk is how much text is escaped before the limit is looked at:
	// escapes can make it six times as long.
	escapeChunk = 512
)

var (
	errOutputLimit = errors.New("the answer is larger than the output limit")
	errCycle       = errors.New("the value contains itself")
	errOutputDepth = errors.New("the value is nested too deep")
)

// reader turns values in guest memory into JSON. Every value it meets adds at
// least one byte to out, so the output limit bounds the work as well: shared
// parts may be met exponentially often.
type reader struct {
	mem memory
	out []byte
	// base is where the document starts in out.
	base int
	// left is how many more bytes may be written. Bytes that were written and
	// taken back stay spent.
	left int

	path []uint32
	deep map[uint32]struct{}
}

func (r *reader) start(mem memory, out []byte, limit int) {
	r.mem, r.out, r.left = mem, out, limit
	r.path = r.path[:0]
	clear(r.deep)
}

func (r *reader) close() {
	r.mem, r.out = nil, nil
	if len(r.deep) > maxOutputDepth/2 {
		r.deep = nil
	}
}

// raw writes bytes that are JSON already.
func (r *reader) raw(b []byte) error {
	if r.left -= len(b); r.left < 0 {
		return errOutputLimit
	}
	r.out = append(r.out, b...)
	return nil
}

// literal is raw for constants.
func (r *reader) literal(s string) error {
	if r.left -= len(s); r.left < 0 {
		return errOutputLimit
	}
	r.out = append(r.out, s...)
	return nil
}

// value writes any value.
func (r *reader) value(c cell) error {
	switch c.kind() {
	case abi.KindNull, abi.KindConnector:
		return r.literal("null")
	case abi.KindBool:
		return r.boolean(c)
	case abi.KindInt, abi.KindFloat:
		return r.number(c)
	case abi.KindText:
		return r.text(c)
	case abi.KindList, abi.KindDict:
		return r.container(c)
	}
	return errCorrupt
}

func (r *reader) boolean(c cell) error {
	if c.bits != 0 {
		return r.literal("true")
	}
	return r.literal("false")
}

func (r *reader) number(c cell) error {
	var room [32]byte
	if c.kind() == abi.KindInt {
		return r.raw(strconv.AppendInt(room[:0], int64(c.bits), 10))
	}
	f := math.Float64frombits(c.bits)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return r.literal("null")
	}
	return r.raw(appendFloat(room[:0], f))
}

func (r *reader) text(c cell) error {
	// The length is tested before the contents are looked at: a forged list
	// can refer to one huge text a million times.
	if uint64(max(r.left, 0)) < c.bits>>32 {
		return errOutputLimit
	}
	s, ok := r.mem.text(c)
	if !ok {
		return errCorrupt
	}
	if err := r.literal(`"`); err != nil {
		return err
	}
	for len(s) > 0 {
		part := s[:min(len(s), escapeChunk)]
		s = s[len(part):]
		before := len(r.out)
		r.out = appendEscaped(r.out, part)
		if r.left -= len(r.out) - before; r.left < 0 {
			return errOutputLimit
		}
	}
	return r.literal(`"`)
}

// container writes a list or dict and watches the path to it for itself.
func (r *reader) container(c cell) error {
	p := uint32(c.bits)
	if c.bits>>32 != 0 {
		return errCorrupt
	}
	if err := r.enter(p); err != nil {
		return err
	}
	defer r.leave(p)
	if c.kind() == abi.KindList {
		return r.list(p)
	}
	return r.dict(p)
}

func (r *reader) enter(p uint32) error {
	if slices.Contains(r.path[:min(len(r.path), pathLinear)], p) {
		return errCycle
	}
	if len(r.path) >= pathLinear {
		if _, ok := r.deep[p]; ok {
			return errCycle
		}
	}
	if len(r.path) >= maxOutputDepth {
		return errOutputDepth
	}
	if len(r.path) >= pathLinear {
		if r.deep == nil {
			r.deep = make(map[uint32]struct{})
		}
		r.deep[p] = struct{}{}
	}
	r.path = append(r.path, p)
	return nil
}

func (r *reader) leave(p uint32) {
	r.path = r.path[:len(r.path)-1]
	if len(r.path) >= pathLinear {
		delete(r.deep, p)
	}
}

// cells is the checked block of a list's cells.
func (r *reader) cells(p uint32) ([]byte, bool) {
	head, ok := r.mem.bytes(uint64(p), abi.ListSize)
	if !ok {
		return nil, false
	}
	n, _ := memory(head).u32(abi.ListLen)
	at, _ := memory(head).u32(abi.ListCells)
	return r.mem.bytes(uint64(at), uint64(n)*abi.CellSize)
}

func (r *reader) list(p uint32) error {
	cells, ok := r.cells(p)
	if !ok {
		return errCorrupt
	}
	if err := r.literal("["); err != nil {
		return err
	}
	for i := 0; i < len(cells); i += abi.CellSize {
		if i > 0 {
			if err := r.literal(","); err != nil {
				return err
			}
		}
		if err := r.value(r.mem.cellAt(cells[i:])); err != nil {
			return err
		}
	}
	return r.literal("]")
}

// entries is the checked block of a dict's entries.
func (r *reader) entries(p uint32) ([]byte, bool) {
	head, ok := r.mem.bytes(uint64(p), abi.DictSize)
	if !ok {
		return nil, false
	}
	n, _ := memory(head).u32(abi.DictUsed)
	at, _ := memory(head).u32(abi.DictEntries)
	return r.mem.bytes(uint64(at), uint64(n)*abi.EntrySize)
}

func (r *reader) dict(p uint32) error {
	entries, ok := r.entries(p)
	if !ok {
		return errCorrupt
	}
	if err := r.literal("{"); err != nil {
		return err
	}
	first := true
	for ; len(entries) > 0; entries = entries[abi.EntrySize:] {
		key := r.mem.cellAt(entries[abi.EntryKey:])
		if key.kind() == abi.KindUndefined {
			// A deleted entry writes nothing, so it is charged by hand.
			if r.left--; r.left < 0 {
				return errOutputLimit
			}
			continue
		}
		if err := r.member(first, key, r.mem.cellAt(entries[abi.EntryValue:])); err != nil {
			return err
		}
		first = false
	}
	return r.literal("}")
}

func (r *reader) member(first bool, key, value cell) error {
	if !first {
		if err := r.literal(","); err != nil {
			return err
		}
	}
	if err := r.key(key); err != nil {
		return err
	}
	if err := r.literal(":"); err != nil {
		return err
	}
	return r.value(value)
}

// key writes a dict key as Python's json.dumps does.
func (r *reader) key(c cell) error {
	if c.kind() == abi.KindText {
		return r.text(c)
	}
	var room [40]byte
	b := append(room[:0], '"')
	switch c.kind() {
	case abi.KindNull:
		b = append(b, "null"...)
	case abi.KindBool:
		b = strconv.AppendBool(b, c.bits != 0)
	case abi.KindInt:
		b = strconv.AppendInt(b, int64(c.bits), 10)
	case abi.KindFloat:
		b = appendFloatKey(b, math.Float64frombits(c.bits))
	default:
		return errCorrupt
	}
	return r.raw(append(b, '"'))
}
