package audit

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/signature"
	"github.com/avapd/avapd/internal/store"
)

// KeysOf is a list of keys.
func KeysOf(keys ...ed25519.PublicKey) []ed25519.PublicKey { return keys }

// Retain has records go that are not to be kept, between two writes.
func Retain(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Note(t.Context(), Record{Time: time.Now(), Kind: Reload}); err != nil {
		t.Fatal(err)
	}
	l.mu.Lock() // the writer waits for records
	w := l.writer
	l.mu.Unlock()
	if err := w.retain(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	for w.cutting {
		w.removeSome()
	}
}

// Forge copies the chain of a journal with a record changed, 0 for none, and all
// hashes made anew from there on, as someone does who can write the journal and does
// not have the key. Its blocks are of whole records, as all of them once were.
func Forge(t *testing.T, from, to store.Journal, sequence int64) {
	t.Helper()
	chains, err := from.Chains(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	chain := chains[0]
	w := chainWriter{hash: genesis(chain.Key)}
	e := store.Extension{Chain: chain}
	err = eachBlock(t.Context(), from, store.BlockQuery{Chain: chain.Name}, func(b store.Block) bool {
		var made []byte
		_ = splitBlock(b.Records, func(e entry) bool {
			r, err := decodeBody(e.body)
			if err != nil {
				t.Fatal(err)
			}
			if r.Sequence == sequence {
				r.Principal = "somebody else"
			}
			w.append(r.Time.UnixMicro(), appendContent(nil, &r))
			body := w.link[hashBytes:]
			made = append(binary.AppendUvarint(made, uint64(len(body))), body...)
			made = append(made, w.hash[:]...)
			return true
		})
		b.Records = made
		e.Blocks = append(e.Blocks, b)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	if e.Marks, err = from.Marks(t.Context(), store.MarkQuery{Chain: chain.Name, Kind: checkpointKind}); err != nil {
		t.Fatal(err)
	}
	e.Chain.Head = headOf(&w)
	if err := to.Extend(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

// Sign signs a checkpoint, as someone does who has the key.
func Sign(c *Checkpoint, key signature.PrivateKey) { c.sign(key) }

// Counts adds up the events that the records of an export stand for.
func Counts(t *testing.T, export []byte) (events, records int64) {
	t.Helper()
	for line := range bytes.Lines(export) {
		var l lineOfRecord
		if err := strictly(line, &l); err != nil {
			t.Fatal(err)
		}
		events += l.Count
		records++
	}
	return events, records
}
