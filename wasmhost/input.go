package wasmhost

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tetratelabs/wazero/api"

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

	decoder *jsontext.Decoder
	source  bytes.Buffer
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

// open starts reading a JSON text. Repeated names are for dedupe to deal with.
func (b *builder) open(raw []byte) {
	b.source = *bytes.NewBuffer(raw)
	if b.decoder == nil {
		b.decoder = jsontext.NewDecoder(&b.source, jsontext.AllowDuplicateNames(true))
		return
	}
	b.decoder.Reset(&b.source, jsontext.AllowDuplicateNames(true))
}

// close drops everything that belongs to one execution.
func (b *builder) close() {
	b.slot, b.grower, b.mem = nil, nil, nil
	if b.source.Cap() > 0 {
		// The decoder must not hold on to the request's text either.
		b.source = bytes.Buffer{}
		b.decoder.Reset(&b.source)
	}
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
func (b *builder) object(raw []byte, wanted func(name []byte) bool) ([]cell, error) {
	b.open(raw)
	if b.decoder.PeekKind() != '{' {
		if _, err := b.decoder.ReadToken(); err != nil {
			return nil, err
		}
		return nil, errNotObject
	}
	base := len(b.scratch)
	if err := b.members(wanted); err != nil {
		return nil, err
	}
	if err := b.atEnd(); err != nil {
		return nil, err
	}
	return b.dedupe(b.scratch[base:]), nil
}

var errTrailing = errors.New("is followed by more text")

func (b *builder) atEnd() error {
	if rest := bytes.TrimLeft(b.decoder.UnreadBuffer(), " \t\r\n"); len(rest) > 0 {
		return errTrailing
	}
	return nil
}

// members reads an object from its brace on and pushes its pairs.
func (b *builder) members(wanted func([]byte) bool) error {
	if b.depth++; b.depth > maxInputDepth {
		return errInputDepth
	}
	defer func() { b.depth-- }()
	if _, err := b.decoder.ReadToken(); err != nil {
		return err
	}
	for b.decoder.PeekKind() != '}' {
		mark := b.top
		key, err := b.value()
		if err != nil {
			return err
		}
		if wanted != nil {
			if name, _ := b.mem.text(key); !wanted(name) {
				clear(b.mem[mark:b.top])
				b.top = mark
				if err := b.decoder.SkipValue(); err != nil {
					return err
				}
				continue
			}
		}
		b.scratch = append(b.scratch, key)
		v, err := b.value()
		if err != nil {
			return err
		}
		b.scratch = append(b.scratch, v)
	}
	_, err := b.decoder.ReadToken()
	return err
}

// value reads the next JSON value.
func (b *builder) value() (cell, error) {
	switch b.decoder.PeekKind() {
	case '"', '0':
		raw, err := b.decoder.ReadValue()
		if err != nil {
			return cell{}, err
		}
		if raw[0] == '"' {
			return b.quoted(raw)
		}
		return number(raw), nil
	case '[':
		return b.array()
	case '{':
		base := len(b.scratch)
		if err := b.members(nil); err != nil {
			return cell{}, err
		}
		v, err := b.dict(b.dedupe(b.scratch[base:]))
		b.scratch = b.scratch[:base]
		return v, err
	}
	return b.constant()
}

// constant reads null, true or false, or finds out why there is no value.
func (b *builder) constant() (cell, error) {
	token, err := b.decoder.ReadToken()
	if err != nil {
		return cell{}, err
	}
	switch token.Kind() {
	case 't':
		return cell{abi.KindBool, 1}, nil
	case 'f':
		return cell{abi.KindBool, 0}, nil
	}
	return cell{tag: abi.KindNull}, nil
}

func (b *builder) array() (cell, error) {
	if b.depth++; b.depth > maxInputDepth {
		return cell{}, errInputDepth
	}
	defer func() { b.depth-- }()
	if _, err := b.decoder.ReadToken(); err != nil {
		return cell{}, err
	}
	base := len(b.scratch)
	for b.decoder.PeekKind() != ']' {
		v, err := b.value()
		if err != nil {
			return cell{}, err
		}
		b.scratch = append(b.scratch, v)
	}
	if _, err := b.decoder.ReadToken(); err != nil {
		return cell{}, err
	}
	v, err := b.list(b.scratch[base:])
	b.scratch = b.scratch[:base]
	return v, err
}

// quoted takes the escapes of a JSON string out while copying it to guest
// memory. The text is never longer than its source.
func (b *builder) quoted(raw []byte) (cell, error) {
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return b.text(unsafe.String(unsafe.SliceData(inner), len(inner))) // not kept
	}
	p, err := b.alloc(uint64(len(raw)))
	if err != nil {
		return cell{}, err
	}
	room := b.mem[p : p : uint64(p)+uint64(len(raw))]
	s, err := jsontext.AppendUnquote(room, raw)
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
