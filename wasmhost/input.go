package wasmhost

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
	"unsafe"

	"github.com/tetratelabs/wazero/api"

	"github.com/avapd/avapd/internal/jsonscan"
	"github.com/avapd/avapd/runtime/abi"
)

const (
	// maxInputDepth bounds how deep the request's JSON may be nested.
	maxInputDepth = 500
	// dedupeLinear is the number of members up to which repeated names are
	// looked for pair by pair.
	dedupeLinear = 16
)

var (
	// errInputMemory says that the inputs do not fit the memory limit.
	errInputMemory = errors.New("the request's inputs exceed the memory limit")
	errNotObject   = errors.New("must be an object")
	errInputDepth  = fmt.Errorf("is nested deeper than %d levels", maxInputDepth)
)

// builder makes values in guest memory, before the run and for the results of
// commands. Every container is written once, when its end is reached: until
// then its parts wait in scratch.
type builder struct {
	slot   *slot
	grower api.Memory
	// bufferBytes is the limit of a buffer, which mem is without a slot.
	bufferBytes uint64
	mem         memory
	top         uint64

	json    jsonscan.Text
	scratch []cell
	depth   int
}

// start makes the builder write from offset top on.
func (b *builder) start(s *slot, grower api.Memory, top uint64) {
	b.slot, b.grower, b.mem, b.top = s, grower, s.memory(), top
	b.scratch, b.depth = b.scratch[:0], 0
}

// reserve makes sure that memory reaches end.
func (b *builder) reserve(end uint64) error {
	if end <= uint64(len(b.mem)) {
		return nil
	}
	if b.slot == nil {
		return b.growBuffer(end)
	}
	if end > b.slot.limitBytes {
		return errInputMemory
	}
	// Twice what there is, as the guest itself grows, while the limit allows.
	for _, want := range [...]uint64{min(max(end, 2*uint64(len(b.mem))), b.slot.limitBytes), end} {
		pages := (want+abi.PageBytes-1)/abi.PageBytes - uint64(len(b.mem))/abi.PageBytes
		if _, ok := b.grower.Grow(uint32(pages)); ok {
			b.mem = b.slot.memory()
			return nil
		}
	}
	return errInputMemory
}

// alloc gives n bytes; before the run they are zero.
func (b *builder) alloc(n uint64) (uint32, error) {
	p := (b.top + 7) &^ 7
	if err := b.reserve(p + n); err != nil {
		return 0, err
	}
	b.top = p + n
	return uint32(p), nil
}

// text copies s to guest memory.
func (b *builder) text(s string) (cell, error) {
	p, err := b.alloc(uint64(len(s)))
	if err != nil {
		return cell{}, err
	}
	copy(b.mem[p:], s)
	return textCell(p, len(s), asciiFlag(s)), nil
}

func asciiFlag[S string | []byte](s S) uint32 {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return 0
		}
	}
	return abi.FlagASCII
}

// list makes a list of items.
func (b *builder) list(items []cell) (cell, error) {
	n := uint32(len(items))
	p, err := b.alloc(abi.ListSize + uint64(n)*abi.CellSize)
	if err != nil {
		return cell{}, err
	}
	cells := p + abi.ListSize
	clear(b.mem[p:cells])
	b.mem.put32(p+abi.ListLen, n)
	b.mem.put32(p+abi.ListCap, n)
	b.mem.put32(p+abi.ListCells, cells)
	for i, v := range items {
		b.mem.putCell(cells+uint32(i)*abi.CellSize, v)
	}
	return cell{abi.KindList, uint64(p)}, nil
}

// dict makes a dict of pairs, a key and a value in turn, with distinct keys.
func (b *builder) dict(pairs []cell) (cell, error) {
	n := uint32(len(pairs) / 2)
	p, err := b.alloc(abi.DictSize + uint64(n)*abi.EntrySize)
	if err != nil {
		return cell{}, err
	}
	entries := p + abi.DictSize
	clear(b.mem[p:entries])
	b.mem.put32(p+abi.DictCount, n)
	b.mem.put32(p+abi.DictUsed, n)
	b.mem.put32(p+abi.DictCap, n)
	b.mem.put32(p+abi.DictEntries, entries)
	for i := range n {
		e := entries + i*abi.EntrySize
		b.mem.putCell(e+abi.EntryKey, pairs[2*i])
		b.mem.putCell(e+abi.EntryValue, pairs[2*i+1])
	}
	return cell{abi.KindDict, uint64(p)}, nil
}

// close drops everything that belongs to one execution.
func (b *builder) close() {
	b.slot, b.grower, b.mem = nil, nil, nil
	b.json.Open(nil)
	b.scratch = emptied(b.scratch)
}

// maxKept bounds the slices that an execution keeps for the next one.
const maxKept = 4096

// emptied gives a slice without elements, which keeps its room if that is not
// too large.
func emptied[E any](s []E) []E {
	if cap(s) > maxKept {
		return nil
	}
	return s[:0]
}

// object reads a whole JSON text that must be an object, and leaves its
// members as pairs on scratch. wanted may be nil; it selects members by name.
// Repeated names are for dedupe to deal with.
func (b *builder) object(raw []byte, wanted func(name []byte) bool) ([]cell, error) {
	b.json.Open(raw)
	b.depth = 1
	base := len(b.scratch)
	err := errNotObject
	if b.json.Next() == '{' {
		err = b.members(wanted)
	} else if b.json.Skip(0) != nil {
		err = jsonscan.ErrSyntax
	}
	if err := b.json.Whole(err); err != nil {
		return nil, err
	}
	return b.dedupe(b.scratch[base:]), nil
}

// members reads an object from its brace on and pushes its pairs.
func (b *builder) members(wanted func([]byte) bool) error {
	if b.json.IsEmpty('}') {
		return nil
	}
	for more := true; more; {
		err := b.member(wanted)
		if err != nil {
			return err
		}
		if more, err = b.json.More('}'); err != nil {
			return err
		}
	}
	return nil
}

// member reads a member and pushes it, if it is wanted.
func (b *builder) member(wanted func([]byte) bool) error {
	mark := b.top
	key, err := b.quoted()
	if err != nil {
		return err
	}
	if err := b.json.Colon(); err != nil {
		return err
	}
	if wanted != nil {
		if name, _ := b.mem.bytes(key.bits&0xffffffff, key.bits>>32); !wanted(name) {
			clear(b.mem[mark:b.top])
			b.top = mark
			return b.json.Skip(b.depth)
		}
	}
	b.scratch = append(b.scratch, key)
	v, err := b.value()
	b.scratch = append(b.scratch, v)
	return err
}

// value reads the next JSON value.
func (b *builder) value() (cell, error) {
	switch c := b.json.Next(); c {
	case '"':
		return b.quoted()
	case '[', '{':
		if b.depth++; b.depth > maxInputDepth {
			return cell{}, errInputDepth
		}
		base := len(b.scratch)
		v, err := b.container(c, base)
		b.scratch = b.scratch[:base]
		b.depth--
		return v, err
	}
	raw, err := b.json.Scalar()
	if err != nil {
		return cell{}, err
	}
	switch raw[0] {
	case 'n':
		return cell{tag: abi.KindNull}, nil
	case 't':
		return cell{abi.KindBool, 1}, nil
	case 'f':
		return cell{abi.KindBool, 0}, nil
	}
	return number(raw), nil
}

// container reads an array or object. What is on scratch from base on is its.
func (b *builder) container(start byte, base int) (cell, error) {
	if start == '{' {
		if err := b.members(nil); err != nil {
			return cell{}, err
		}
		return b.dict(b.dedupe(b.scratch[base:]))
	}
	if b.json.IsEmpty(']') {
		return b.list(nil)
	}
	for more := true; more; {
		v, err := b.value()
		if err != nil {
			return cell{}, err
		}
		b.scratch = append(b.scratch, v)
		if more, err = b.json.More(']'); err != nil {
			return cell{}, err
		}
	}
	return b.list(b.scratch[base:])
}

// quoted reads a string and takes its escapes out while copying it to guest
// memory. The text is never longer than its source.
func (b *builder) quoted() (cell, error) {
	raw, escaped, err := b.json.Quoted()
	if err != nil {
		return cell{}, err
	}
	if !escaped {
		inner := raw[1 : len(raw)-1]
		return b.text(unsafe.String(unsafe.SliceData(inner), len(inner))) // not kept
	}
	p, err := b.alloc(uint64(len(raw)))
	if err != nil {
		return cell{}, err
	}
	s, err := jsonscan.Unquote(b.mem[p:p:uint64(p)+uint64(len(raw))], raw)
	if err != nil {
		return cell{}, err
	}
	if len(s) > 0 && &s[0] != &b.mem[p] {
		copy(b.mem[p:b.top], s)
	}
	b.top = uint64(p) + uint64(len(s))
	return textCell(p, len(s), asciiFlag(s)), nil
}

// number reads a JSON number: an integer of 64 bits, or else a float, which
// is infinite when it is too large.
func number(raw []byte) cell {
	s := unsafe.String(&raw[0], len(raw)) // not kept
	if bytes.IndexByte(raw, '.') < 0 && !bytes.ContainsAny(raw, "eE") {
		if i, err := strconv.ParseInt(s, 10, 64); err == nil {
			return cell{abi.KindInt, uint64(i)}
		}
	}
	// The grammar is known to be right, so the only error is one of range, and
	// then the infinity is the nearest float.
	f, _ := strconv.ParseFloat(s, 64)
	return cell{abi.KindFloat, math.Float64bits(f)}
}

// dedupe leaves of pairs with the same name the last value at the first
// place. It works in place.
func (b *builder) dedupe(pairs []cell) []cell {
	kept := 0
	var places map[string]int
	if len(pairs)/2 > dedupeLinear {
		places = make(map[string]int, len(pairs)/2)
	}
	for i := 0; i < len(pairs); i += 2 {
		at := b.place(pairs[:kept], pairs[i], places)
		if at < 0 {
			pairs[kept], at = pairs[i], kept
			kept += 2
		}
		pairs[at+1] = pairs[i+1]
	}
	return pairs[:kept]
}

// place finds a key among pairs, or remembers it in places.
func (b *builder) place(pairs []cell, key cell, places map[string]int) int {
	name, _ := b.mem.bytes(key.bits&0xffffffff, key.bits>>32)
	if places != nil {
		if at, ok := places[string(name)]; ok {
			return at
		}
		places[string(name)] = len(pairs)
		return -1
	}
	for at := 0; at < len(pairs); at += 2 {
		if pairs[at].bits>>32 != key.bits>>32 {
			continue
		}
		if other, _ := b.mem.bytes(pairs[at].bits&0xffffffff, key.bits>>32); bytes.Equal(other, name) {
			return at
		}
	}
	return -1
}
