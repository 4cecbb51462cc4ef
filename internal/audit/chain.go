package audit

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/avapd/avapd/internal/signature"
	"github.com/avapd/avapd/internal/store"
)

const (
	genesisPrefix    = "avap audit chain 1\n"
	checkpointPrefix = "avap audit checkpoint 1\n"
)

// Hash is that of a chain at a record.
type Hash [hashBytes]byte

// MarshalText writes hexadecimal digits.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads what MarshalText writes.
func (h *Hash) UnmarshalText(text []byte) error {
	if len(text) != 2*len(h) {
		return fmt.Errorf("%q is no hash", text)
	}
	_, err := hex.Decode(h[:], text)
	return err //nolint:wrapcheck // it says which character is no digit
}

// genesis is the hash before the first record of the chain of a key.
func genesis(key ed25519.PublicKey) Hash {
	return sha256.Sum256(append([]byte(genesisPrefix), key...))
}

// NodeOf is the name of the chain of a key.
func NodeOf(key ed25519.PublicKey) string {
	hash := genesis(key)
	return hex.EncodeToString(hash[:8])
}

// chainWriter puts records behind each other.
type chainWriter struct {
	last int64
	hash Hash
	time int64 // of the last record, in microseconds
	// total counts the bytes of bodies.
	total int64
	// link is what was hashed last: a hash, and the body behind it.
	link []byte
}

// append gives a record its place: its time, and what appendContent wrote of it.
func (w *chainWriter) append(micros int64, content []byte) {
	w.last++
	w.time = max(w.time, micros)
	w.link = appendPlace(append(w.link[:0], w.hash[:]...), w.last, w.time)
	w.link = append(w.link, content...)
	w.hash = sha256.Sum256(w.link)
	w.total += int64(len(w.link) - hashBytes)
}

// The kinds of checkpoints, as marks of a journal and in what is signed.
const (
	checkpointKind = "checkpoint"
	cutKind        = "cut"
)

// Checkpoint says, signed, what the hash of a chain was at a record.
type Checkpoint struct {
	Kind     string    `json:"kind"`
	Node     string    `json:"node"`
	Sequence int64     `json:"sequence"`
	Time     time.Time `json:"time"`
	Hash     Hash      `json:"hash"`
	Bytes    int64     `json:"bytes"`
	// Signature is in hexadecimal digits.
	Signature string `json:"signature"`
}

func (c *Checkpoint) message() []byte {
	m := appendText([]byte(checkpointPrefix), c.Kind)
	m = appendText(m, c.Node)
	m = binary.AppendUvarint(m, uint64(c.Sequence))
	m = binary.AppendUvarint(m, uint64(c.Time.UnixMicro()))
	m = appendFixed(m, c.Hash[:], false)
	return binary.AppendUvarint(m, uint64(c.Bytes))
}

func (c *Checkpoint) sign(key signature.PrivateKey) {
	c.Time = c.Time.UTC().Truncate(time.Microsecond)
	c.Signature = hex.EncodeToString(key.SignMessage(c.message()))
}

// holds tells whether the checkpoint is one of the key's chain.
func (c *Checkpoint) holds(key ed25519.PublicKey) bool {
	signed, err := hex.DecodeString(c.Signature)
	return err == nil && len(key) == ed25519.PublicKeySize && c.Node == NodeOf(key) && c.Sequence >= 0 && c.Bytes >= 0 &&
		!c.Time.Before(time.Unix(0, 0)) && ed25519.Verify(key, c.message(), signed)
}

// mark is the checkpoint as a journal keeps it.
func (c *Checkpoint) mark() (store.Mark, error) {
	document, err := json.Marshal(c)
	if err != nil {
		return store.Mark{}, fmt.Errorf("encode a checkpoint: %w", err)
	}
	return store.Mark{Sequence: c.Sequence, Kind: c.Kind, Document: document}, nil
}

// parseCheckpoint reads a mark's document.
func parseCheckpoint(document []byte) (c Checkpoint, err error) {
	if err := json.Unmarshal(document, &c, json.RejectUnknownMembers(true)); err != nil {
		return Checkpoint{}, fmt.Errorf("read a checkpoint: %w", err)
	}
	return c, nil
}
