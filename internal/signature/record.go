package signature

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"slices"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/wasm"
)

// preamble is the version of the format, what is signed and how it is hashed.
// Both the payload and the message begin with it.
var preamble = []byte{1, 1, 1}

const algorithmEd25519 = 1

// hashSet is a list of hashes and those who signed it.
type hashSet struct {
	hashes  [][]byte
	records []record
}

// record is one signature. Of one that cannot be read, as another algorithm
// made it, only the bytes are there.
type record struct {
	raw       []byte
	keyID     []byte
	signature []byte
}

// message is what the records of the set sign.
func (s *hashSet) message() []byte {
	m := append([]byte("wasmsig"), preamble...)
	return append(m, bytes.Join(s.hashes, nil)...)
}

// covers reports whether the set is about the whole module with this hash.
func (s *hashSet) covers(hash []byte) bool {
	return len(s.hashes) > 0 && bytes.Equal(s.hashes[len(s.hashes)-1], hash)
}

func (s *hashSet) sameHashes(hashes [][]byte) bool {
	return slices.EqualFunc(s.hashes, hashes, bytes.Equal)
}

func encode(sets []hashSet) []byte {
	out := slices.Clone(preamble)
	out = wasm.AppendUleb(out, uint64(len(sets)))
	for _, s := range sets {
		out = appendBytes(out, s.encode())
	}
	return out
}

func (s *hashSet) encode() []byte {
	out := wasm.AppendUleb(nil, uint64(len(s.hashes)))
	for _, h := range s.hashes {
		out = append(out, h...)
	}
	out = wasm.AppendUleb(out, uint64(len(s.records)))
	for _, r := range s.records {
		out = appendBytes(out, r.raw)
	}
	return out
}

func newRecord(keyID, signature []byte) record {
	raw := appendBytes(nil, keyID)
	raw = append(raw, algorithmEd25519)
	return record{appendBytes(raw, signature), keyID, signature}
}

func appendBytes(out, b []byte) []byte {
	return append(wasm.AppendUleb(out, uint64(len(b))), b...)
}

// decode reads the payload of a signature section, or a detached signature.
func decode(payload []byte) ([]hashSet, error) {
	if len(payload) > maxPayloadBytes {
		return nil, refuse(diag.SignatureMalformed, "a signature of %d bytes, at most %d are read", len(payload), maxPayloadBytes)
	}
	c := cursor{b: payload}
	if begin := c.bytes(uint32(len(preamble))); !bytes.Equal(begin, preamble) {
		return nil, refuse(diag.SignatureMalformed, "the signature begins with % x; this program reads % x: version 1, of a module, with SHA-256", begin, preamble)
	}
	count := c.u32()
	if count > maxHashes {
		return nil, refuse(diag.SignatureMalformed, "%d sets of hashes in the signature, at most %d are read", count, maxHashes)
	}
	var sets []hashSet
	records := 0
	for range count {
		set, err := decodeSet(c.bytes(c.u32()))
		if err != nil {
			return nil, err
		}
		if records += len(set.records); records > maxRecords {
			return nil, tooManyRecords()
		}
		sets = append(sets, set)
	}
	// Whatever can be written in two ways is refused in all but one of them.
	if c.failed || !bytes.Equal(encode(sets), payload) {
		return nil, refuse(diag.SignatureMalformed, "the parts of the signature do not fit its length")
	}
	return sets, nil
}

func tooManyRecords() error {
	return refuse(diag.SignatureMalformed, "more than %d signatures", maxRecords)
}

func decodeSet(b []byte) (hashSet, error) {
	c := cursor{b: b}
	count := c.u32()
	if count > maxHashes {
		return hashSet{}, refuse(diag.SignatureMalformed, "%d hashes in a set of the signature, at most %d are read", count, maxHashes)
	}
	var s hashSet
	for range count {
		s.hashes = append(s.hashes, c.bytes(sha256.Size))
	}
	count = c.u32()
	if count > maxRecords {
		return hashSet{}, tooManyRecords()
	}
	for range count {
		s.records = append(s.records, decodeRecord(c.bytes(c.u32())))
	}
	if c.failed || len(c.rest()) > 0 {
		return hashSet{}, refuse(diag.SignatureMalformed, "a set of hashes in the signature does not fit its length")
	}
	return s, nil
}

// decodeRecord leaves out what it cannot read; the format wants records of
// unknown algorithms to be passed over.
func decodeRecord(raw []byte) record {
	c := cursor{b: raw}
	keyID := c.bytes(c.u32())
	algorithm := c.byte()
	signature := c.bytes(c.u32())
	if c.failed || algorithm != algorithmEd25519 || len(signature) != ed25519.SignatureSize {
		return record{raw: raw}
	}
	if known := newRecord(keyID, signature); bytes.Equal(known.raw, raw) {
		return known
	}
	return record{raw: raw}
}
