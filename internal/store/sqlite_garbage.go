package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
)

// Collect implements Store. The tombstones of a copy are those of the store that
// it follows, which takes them away.
func (s *SQLite) Collect(ctx context.Context, g Garbage) (done Collected, err error) {
	named, err := hexList(g.Named)
	if err != nil {
		return Collected{}, err
	}
	err = s.writing(ctx, func(tx sqliteTx) error {
		done = Collected{}
		now, origin, err := tx.state()
		if err != nil {
			return err
		}
		if err := g.fits(now); err != nil {
			return err
		}
		var last int64
		if err := tx.tx.QueryRowContext(ctx, sqliteLastSweep).Scan(&last); err != nil || !g.due(last) {
			return err
		}
		done.Done = true
		if err := tx.collectArtifacts(&g, named, &done); err != nil {
			return err
		}
		old := now.Revision
		if !s.options.Copy {
			if old, err = tx.collectTombstones(&g, now, origin, &done); err != nil {
				return err
			}
		}
		return errors.Join(tx.exec(sqliteForgetSweeps, old, now.Revision), tx.exec(sqliteAddSweep, now.Revision, g.at()))
	})
	if err != nil {
		return Collected{}, err
	}
	return done, nil
}

func hexList(digests [][32]byte) (string, error) {
	texts := make([]string, len(digests))
	for i, digest := range digests {
		texts[i] = hex.EncodeToString(digest[:])
	}
	list, err := json.Marshal(texts)
	return string(list), err
}

func (t sqliteTx) collectArtifacts(g *Garbage, named string, done *Collected) error {
	if err := errors.Join(t.exec(sqliteMarkGarbage, named, g.at()), t.exec(sqliteUnmarkGarbage, named)); err != nil {
		return err
	}
	err := t.each(func(rows *sql.Rows) (bool, error) {
		var digest []byte
		var size int64
		err := rows.Scan(&digest, &size)
		return err == nil && !done.add(digest, size), err
	}, sqliteOldGarbage, g.cutoff())
	for _, digest := range done.Artifacts {
		if err == nil {
			err = t.exec(sqliteForgetArtifact, digest[:])
		}
		if err == nil {
			err = t.exec(sqliteForgetGarbage, digest[:])
		}
	}
	return err
}

// collectTombstones takes away those up to a revision that is old, which it gives.
func (t sqliteTx) collectTombstones(g *Garbage, now Summary, origin string, done *Collected) (old int64, err error) {
	if err := t.tx.QueryRowContext(t.ctx, sqliteOldSweep, g.cutoff(), now.Revision).Scan(&old); err != nil {
		return 0, err
	}
	var hashes [][]byte
	err = t.each(func(rows *sql.Rows) (bool, error) {
		var hash []byte
		err := rows.Scan(&hash)
		hashes = append(hashes, hash)
		return true, err
	}, sqliteTombstones, old)
	if err != nil || len(hashes) == 0 || len(hashes) < g.Tombstones {
		return old, err
	}
	done.Tombstones = len(hashes)
	now.bury(hashes)
	return old, errors.Join(t.exec(sqliteBury, old), t.setState(now, origin))
}

// each calls read with the rows of a query, as long as that wants more.
func (t sqliteTx) each(read func(*sql.Rows) (more bool, err error), query string, args ...any) error {
	rows, err := t.tx.QueryContext(t.ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close() // Err says what went wrong
	for rows.Next() {
		if more, err := read(rows); err != nil || !more {
			return err
		}
	}
	return rows.Err()
}
