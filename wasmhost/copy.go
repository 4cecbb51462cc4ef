package wasmhost

import (
	"fmt"
	"hash/maphash"

	"github.com/avapd/avapd/runtime/abi"
)

// copier copies values from one guest's memory to another, or to and from a
// buffer of the host. What is shared, or contains itself, is so in the copy.
// There is no recursion, and every step takes room on the side copied to, whose
// limit therefore bounds the work.
type copier struct {
	from memory
	to   *builder
	// dataEnd is where the script's data ends, if both sides are memories of the
	// same script: its constant texts are in place already.
	dataEnd uint32
	// connector translates the numbers of connectors; nil leaves them.
	connector func(uint64) cell
	// plain leaves out what texts know of their making.
	plain bool

	seen map[cell]cell
	work []pending
}

// pending is a container whose elements are still to be copied.
type pending struct {
	from []byte
	to   uint32
	dict bool
}

// maxCopyParts bounds the containers and long texts of one copy: they have to
// be remembered.
const maxCopyParts = 1 << 19

var errCopyParts = fmt.Errorf("there is too much to copy: more than %d lists, dicts and texts", maxCopyParts)

// smallText is the length up to which a text is copied as often as it is met.
const smallText = 64

// value copies a value with everything in it.
func (c *copier) value(v cell) (cell, error) {
	v, err := c.shallow(v)
	for err == nil && len(c.work) > 0 {
		last := len(c.work) - 1
		p := c.work[last]
		c.work = c.work[:last]
		err = c.fill(p)
	}
	return v, err
}

// shallow copies a value but for the elements of containers.
func (c *copier) shallow(v cell) (cell, error) {
	kind := v.kind()
	switch kind {
	case abi.KindUndefined, abi.KindNull, abi.KindBool, abi.KindInt, abi.KindFloat:
		return v, nil
	case abi.KindConnector:
		if c.connector != nil {
			return c.connector(v.bits), nil
		}
		return v, nil
	case abi.KindText, abi.KindList, abi.KindDict:
	default:
		return cell{}, errCorrupt
	}
	if kind == abi.KindText && c.plain {
		v.tag &^= abi.FlagConst | abi.FlagParts
	}
	if kind == abi.KindText && c.isConstant(v) {
		return v, nil
	}
	if done, ok := c.seen[v]; ok {
		return done, nil
	}
	var out cell
	var err error
	switch {
	case kind == abi.KindText:
		out, err = c.text(v)
		if v.bits>>32 <= smallText && v.tag&abi.FlagParts == 0 {
			return out, err
		}
	case v.bits>>32 != 0:
		return cell{}, errCorrupt
	case kind == abi.KindList:
		out, err = c.list(uint32(v.bits))
	default:
		out, err = c.dict(uint32(v.bits))
	}
	if c.seen == nil {
		c.seen = make(map[cell]cell)
	}
	if len(c.seen) == maxCopyParts {
		return cell{}, errCopyParts
	}
	c.seen[v] = out
	return out, err
}

func (c *copier) isConstant(v cell) bool {
	start, end := v.bits&0xffffffff, v.bits&0xffffffff+v.bits>>32
	return v.tag&abi.FlagParts == 0 && start >= abi.ScriptBase && end <= uint64(c.dataEnd)
}

func (c *copier) text(v cell) (cell, error) {
	at, n := v.bits&0xffffffff, v.bits>>32
	s, ok := c.from.bytes(at, n)
	if !ok {
		return cell{}, errCorrupt
	}
	before := uint64(0)
	var parts cell
	if v.tag&abi.FlagParts != 0 {
		header, ok := c.from.u32(uint32(at) - abi.PartsSize)
		if !ok || at < abi.PartsSize {
			return cell{}, errCorrupt
		}
		var err error
		if parts, err = c.shallow(cell{abi.KindList, uint64(header)}); err != nil {
			return cell{}, err
		}
		before = abi.PartsSize
	}
	p, err := c.to.alloc(before + n)
	if err != nil {
		return cell{}, err
	}
	if before > 0 {
		c.to.mem.put64(p, parts.bits)
		p += abi.PartsSize
	}
	copy(c.to.mem[p:], s)
	return cell{v.tag, uint64(p) | n<<32}, nil
}

func (c *copier) list(header uint32) (cell, error) {
	r := reader{mem: c.from}
	cells, ok := r.cells(header)
	if !ok {
		return cell{}, errCorrupt
	}
	p, err := c.to.alloc(abi.ListSize + uint64(len(cells)))
	if err != nil {
		return cell{}, err
	}
	m, n := c.to.mem, uint32(len(cells)/abi.CellSize)
	clear(m[p : uint64(p)+abi.ListSize+uint64(len(cells))])
	m.put32(p+abi.ListLen, n)
	m.put32(p+abi.ListCap, n)
	m.put32(p+abi.ListCells, p+abi.ListSize)
	c.work = append(c.work, pending{from: cells, to: p + abi.ListSize})
	return cell{abi.KindList, uint64(p)}, nil
}

func (c *copier) dict(header uint32) (cell, error) {
	r := reader{mem: c.from}
	entries, ok := r.entries(header)
	if !ok {
		return cell{}, errCorrupt
	}
	n := uint32(0)
	for at := 0; at < len(entries); at += abi.EntrySize {
		if key := c.from.cellAt(entries[at+abi.EntryKey:]); key.kind() != abi.KindUndefined {
			n++
		}
	}
	size := abi.DictSize + uint64(n)*abi.EntrySize
	p, err := c.to.alloc(size)
	if err != nil {
		return cell{}, err
	}
	m := c.to.mem
	clear(m[p : uint64(p)+size])
	m.put32(p+abi.DictCount, n)
	m.put32(p+abi.DictUsed, n)
	m.put32(p+abi.DictCap, n)
	m.put32(p+abi.DictEntries, p+abi.DictSize)
	c.work = append(c.work, pending{from: entries, to: p + abi.DictSize, dict: true})
	return cell{abi.KindDict, uint64(p)}, nil
}

// fill copies the elements of a container: cells one after the other, or those
// of the live entries of a dict.
func (c *copier) fill(p pending) error {
	for at := 0; at < len(p.from); at += abi.CellSize {
		v := c.from.cellAt(p.from[at:])
		if isKey := p.dict && at%abi.EntrySize == abi.EntryKey; isKey && v.kind() == abi.KindUndefined {
			at += abi.EntrySize - abi.CellSize
			continue
		}
		out, err := c.shallow(v)
		if err != nil {
			return err
		}
		c.to.mem.putCell(p.to, out)
		p.to += abi.CellSize
	}
	return nil
}

// startBuffer makes the builder write to a buffer of the host instead of guest
// memory.
func (b *builder) startBuffer(limitBytes uint64) {
	b.slot, b.grower, b.bufferBytes = nil, nil, limitBytes
	clear(b.mem)
	b.mem, b.top = b.mem[:0], bufferStart
	b.scratch, b.depth = b.scratch[:0], 0
}

// bufferStart keeps offset 0 free, as in guest memory.
const bufferStart = 16

// growBuffer makes the buffer reach end.
func (b *builder) growBuffer(end uint64) error {
	if end > b.bufferBytes {
		return errInputMemory
	}
	want := min(max(end, 2*uint64(len(b.mem))), b.bufferBytes)
	if want <= uint64(cap(b.mem)) {
		b.mem = b.mem[:want]
		return nil
	}
	grown := make(memory, want)
	copy(grown, b.mem)
	b.mem = grown
	return nil
}

var printSeed = maphash.MakeSeed()

// fingerprint tells whether a value, or anything in it, is another one than
// before. Scratch is a builder for buffers alone.
func fingerprint(from memory, v cell, scratch *builder, limitBytes uint64) (uint64, error) {
	scratch.startBuffer(limitBytes)
	c := copier{from: from, to: scratch}
	out, err := c.value(v)
	if err != nil {
		return 0, err
	}
	var h maphash.Hash
	h.SetSeed(printSeed)
	if n := min(scratch.top, uint64(len(scratch.mem))); n > bufferStart {
		h.Write(scratch.mem[bufferStart:n])
	}
	var end [abi.CellSize]byte
	memory(end[:]).putCell(0, out)
	h.Write(end[:])
	return h.Sum64(), nil
}
