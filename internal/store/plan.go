package store

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Hash is the record's part of a store's digest: SHA-256 over kind and name
// with their lengths, revision, the mark of deletion, and the SHA-256 of the
// document.
func (r Record) Hash() [32]byte {
	text := make([]byte, 0, MaxKindBytes+MaxNameBytes+64)
	for _, part := range []string{r.Kind, r.Name} {
		text = binary.BigEndian.AppendUint32(text, uint32(len(part)))
		text = append(text, part...)
	}
	text = binary.BigEndian.AppendUint64(text, uint64(r.Revision))
	if r.Deleted {
		text = append(text, 1)
	} else {
		text = append(text, 0)
	}
	document := sha256.Sum256(r.Document)
	return sha256.Sum256(append(text, document[:]...))
}

// Digest is that of a store with these records: the exclusive or of their
// hashes, so that a commit takes out what it replaces and puts in what is new.
func Digest(records []Record) (digest [32]byte) {
	for _, r := range records {
		toggle(&digest, r.Hash())
	}
	return digest
}

func toggle(digest *[32]byte, hash [32]byte) {
	for i, b := range hash {
		digest[i] ^= b
	}
}

// id names a record within a store.
type id struct{ kind, name string }

// version is what a write must know about the record it replaces.
type version struct {
	revision int64
	deleted  bool
	hash     [32]byte
}

// row is a record with its hash, as it is stored.
type row struct {
	Record
	hash [32]byte
}

// plan checks the conditions of a batch against the records that are there,
// and says what the store becomes.
func plan(now Summary, there map[id]version, puts []Put) (Summary, []row, error) {
	next := now
	next.Revision++
	rows := make([]row, 0, len(puts))
	for _, put := range puts {
		old, exists := there[id{put.Kind, put.Name}]
		if put.Expect != old.revision && (put.Expect != 0 || !old.deleted) || put.Delete && old.deleted {
			return now, nil, fmt.Errorf("%w: %s %q is at revision %d, expected was %d", ErrConflict, put.Kind, put.Name, old.revision, put.Expect)
		}
		record := Record{Kind: put.Kind, Name: put.Name, Revision: next.Revision, Deleted: put.Delete, Document: put.Document}
		rows = append(rows, next.replace(record, old, exists))
	}
	return next, rows, nil
}

// replace carries the summary over the writing of one record.
func (s *Summary) replace(record Record, old version, exists bool) row {
	if exists {
		toggle(&s.Digest, old.hash)
	} else {
		s.Records++
	}
	r := row{record, record.Hash()}
	toggle(&s.Digest, r.hash)
	return r
}

// valid checks what does not depend on the store.
func (b Batch) valid() error {
	if len(b.Puts) > MaxBatchPuts {
		return invalid("%d records, at most %d are allowed", len(b.Puts), MaxBatchPuts)
	}
	seen := make(map[id]bool, len(b.Puts))
	documents := 0
	for _, put := range b.Puts {
		if err := put.valid(); err != nil {
			return err
		}
		if seen[id{put.Kind, put.Name}] {
			return invalid("%s %q is in it twice", put.Kind, put.Name)
		}
		seen[id{put.Kind, put.Name}] = true
		documents += len(put.Document)
	}
	if documents > MaxBatchBytes {
		return invalid("documents of %d bytes, at most %d are allowed", documents, MaxBatchBytes)
	}
	artifacts := 0
	for _, artifact := range b.Artifacts {
		if artifacts += len(artifact.Bytes); artifacts > MaxArtifactBytes {
			return invalid("artifacts of more than %d bytes", MaxArtifactBytes)
		}
		if err := artifact.valid(); err != nil {
			return err
		}
	}
	return nil
}

func (p Put) valid() error {
	if err := validName("kind", p.Kind, MaxKindBytes); err != nil {
		return err
	}
	if err := validName("name", p.Name, MaxNameBytes); err != nil {
		return err
	}
	switch {
	case p.Expect < 0:
		return invalid("%s %q expects revision %d", p.Kind, p.Name, p.Expect)
	case p.Delete && (p.Expect == 0 || len(p.Document) > 0):
		return invalid("%s %q is deleted without an expected revision, or with a document", p.Kind, p.Name)
	case len(p.Document) > MaxDocumentBytes:
		return invalid("%s %q has a document of %d bytes, at most %d are allowed", p.Kind, p.Name, len(p.Document), MaxDocumentBytes)
	case !p.Delete && !json.Valid(p.Document):
		return invalid("the document of %s %q is not JSON", p.Kind, p.Name)
	}
	return nil
}

func validName(what, text string, most int) error {
	if text == "" || len(text) > most || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return invalid("a %s must be UTF-8 text of 1 to %d bytes without NUL", what, most)
	}
	return nil
}

func (a Artifact) valid() error {
	if len(a.Bytes) > MaxArtifactBytes {
		return invalid("an artifact of %d bytes, at most %d are allowed", len(a.Bytes), MaxArtifactBytes)
	}
	if sha256.Sum256(a.Bytes) != a.Digest {
		return invalid("an artifact's digest is not that of its bytes")
	}
	return nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}
