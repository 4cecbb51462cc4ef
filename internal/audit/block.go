package audit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/bits"

	"github.com/avapd/avapd/internal/store"
)

const (
	// blockBytes ends a block; a record is never larger than the rest.
	blockBytes = 96 << 10
	// blockBodyBytes ends it as well: so much are the bodies in it, which those who
	// read it make from it.
	blockBodyBytes = 512 << 10
	// packedForm begins blocks that leave out what is as in the record before. No
	// block of whole records, which there were before, begins so: no body is empty.
	packedForm = 0
)

// The fields of a body behind its time, in their order.
const (
	contentFields     = 21
	capabilitiesField = 10
	// numberFields has a bit for each of them that is a number.
	numberFields = 1<<8 | 1<<12 | 1<<14 | 1<<15 | 1<<16 | 1<<20
)

// field gives the bytes of one of them, the next.
func (r *bodyReader) field(i int) []byte {
	from := r.rest
	switch {
	case i == capabilitiesField:
		for n := r.number(); n > 0 && !r.bad; n-- {
			r.bytes(MaxTextBytes)
		}
	case numberFields>>i&1 != 0:
		r.number()
	default:
		r.bytes(MaxInputBytes)
	}
	return from[:len(from)-len(r.rest)]
}

// packer writes the records of a block. What it has been given must stay as it is
// until the block ends.
type packer struct {
	time   int64
	bodies int64
	fields [contentFields][]byte
}

// begin writes what is ahead of the first record.
func (p *packer) begin(block []byte, sequence int64) []byte {
	*p = packer{}
	return binary.AppendUvarint(append(block, packedForm), uint64(sequence))
}

// add writes the record that a chain has just got.
func (p *packer) add(block []byte, w *chainWriter, content []byte) []byte {
	block = binary.AppendUvarint(block, uint64(w.time-p.time))
	p.time = w.time
	p.bodies += int64(len(w.link) - hashBytes)
	changed := uint64(0)
	b := bodyReader{rest: content}
	for i, same := range &p.fields {
		// No field begins with the bytes of another one: it need not be taken apart.
		if len(same) > 0 && bytes.HasPrefix(b.rest, same) {
			b.rest = b.rest[len(same):]
			continue
		}
		p.fields[i] = b.field(i)
		changed |= 1 << i
	}
	block = binary.AppendUvarint(block, changed)
	for ; changed != 0; changed &= changed - 1 {
		block = append(block, p.fields[bits.TrailingZeros64(changed)]...)
	}
	return append(block, w.hash[:]...)
}

// entry is a record as a block has it.
type entry struct {
	body []byte
	hash Hash
}

var errBlock = errors.New("the bytes are no block of records")

// splitBlock calls yield with the records of a block until that returns false. A
// body is only there until then. It fails where the bytes are no block.
func splitBlock(block []byte, yield func(entry) bool) error {
	if len(block) > 0 && block[0] == packedForm {
		return splitPacked(block[1:], yield)
	}
	for len(block) > 0 {
		b := bodyReader{rest: block}
		body := b.bytes(store.MaxBlockBytes)
		if b.bad || len(b.rest) < hashBytes {
			return errBlock
		}
		if !yield(entry{body, Hash(b.rest[:hashBytes])}) {
			return nil
		}
		block = b.rest[hashBytes:]
	}
	return nil
}

func splitPacked(block []byte, yield func(entry) bool) error {
	var fields [contentFields][]byte
	var body []byte
	b := bodyReader{rest: block}
	sequence, micros := b.number(), uint64(0)
	for bodies := 0; len(b.rest) > 0; sequence++ {
		micros += b.number()
		changed := b.number()
		for i := range fields {
			if changed>>i&1 != 0 {
				fields[i] = b.field(i)
			}
		}
		body = appendPlace(body[:0], int64(sequence), int64(micros))
		for _, f := range fields {
			body = append(body, f...)
		}
		bodies += len(body)
		if b.bad || len(b.rest) < hashBytes || bodies > blockBodyBytes+store.MaxBlockBytes {
			return errBlock
		}
		if !yield(entry{body, Hash(b.rest[:hashBytes])}) {
			return nil
		}
		b.rest = b.rest[hashBytes:]
	}
	if b.bad {
		return errBlock
	}
	return nil
}
