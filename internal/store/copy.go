package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
)

// Apply implements Copy.
func (s *SQLite) Apply(ctx context.Context, to Summary, records []Record) error {
	return s.follow(ctx, to, records, false)
}

// Replace implements Copy.
func (s *SQLite) Replace(ctx context.Context, to Summary, records []Record) error {
	return s.follow(ctx, to, records, true)
}

func (s *SQLite) follow(ctx context.Context, to Summary, records []Record, anew bool) error {
	if !s.options.Copy {
		return fmt.Errorf("%w: this store was not opened as a copy", ErrReadOnly)
	}
	return s.writing(ctx, func(tx sqliteTx) error {
		now, _, err := tx.state()
		if err != nil {
			return err
		}
		switch {
		case anew:
			now = Summary{Epoch: to.Epoch}
			err = tx.exec(sqliteForget)
		case now.Records == 0:
			now.Epoch = to.Epoch
		case now.Epoch != to.Epoch:
			err = fmt.Errorf("%w: it is of another epoch", ErrDiverged)
		}
		if err != nil {
			return err
		}
		now.Revision = to.Revision
		for _, record := range records {
			if err := tx.follow(&now, record); err != nil {
				return err
			}
		}
		if now != to {
			return fmt.Errorf("%w: %d records, the summary has %d; or the digests differ", ErrDiverged, now.Records, to.Records)
		}
		return tx.setState(now, "copy")
	})
}

// follow writes a record with the revision it has elsewhere.
func (t sqliteTx) follow(s *Summary, record Record) error {
	there := make(map[id]version, 1)
	if err := t.version(there, record.Kind, record.Name); err != nil {
		return err
	}
	old, exists := there[id{record.Kind, record.Name}]
	if exists && old.revision >= record.Revision {
		return nil
	}
	return t.put(s.replace(record, old, exists))
}

// KeepArtifact implements Copy.
func (s *SQLite) KeepArtifact(ctx context.Context, artifact Artifact) error {
	if err := artifact.valid(); err != nil {
		return err
	}
	return s.writing(ctx, func(tx sqliteTx) error { return tx.keep(artifact) })
}

// Followed implements Copy.
func (s *SQLite) Followed(ctx context.Context) (bool, error) {
	var origin string
	err := s.reading(ctx, func(ctx context.Context) error {
		return s.read.QueryRowContext(ctx, sqliteOrigin).Scan(&origin)
	})
	return origin == "copy", err
}

// Missing implements Copy.
func (s *SQLite) Missing(ctx context.Context, digests [][32]byte) (missing [][32]byte, err error) {
	list, err := hexList(digests)
	if err != nil {
		return nil, err
	}
	err = s.reading(ctx, func(ctx context.Context) error {
		missing = nil
		rows, err := s.read.QueryContext(ctx, sqliteMissing, list)
		if err != nil {
			return err
		}
		defer rows.Close() // Err says what went wrong
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				return err
			}
			var digest [32]byte
			if _, err := hex.Decode(digest[:], []byte(text)); err != nil {
				return err
			}
			missing = append(missing, digest)
		}
		return rows.Err()
	})
	return missing, err
}

func newEpoch() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // it never fails
	return hex.EncodeToString(random[:])
}
