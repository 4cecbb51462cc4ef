package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
)

// JournalFileName is what the file of a journal is called in the data directory.
const JournalFileName = "audit.db"

// SQLiteJournal is a journal in a file.
type SQLiteJournal struct {
	sqliteFile

	// extend are the statements of Extend, which are compiled once; a file that is
	// only read has none.
	extend *extendStatements
}

type extendStatements struct{ head, addBlock, addMark, setHead *sql.Stmt }

// prepare compiles the statements on the connection that writes.
func (j *SQLiteJournal) prepare(ctx context.Context) error {
	j.extend = new(extendStatements)
	for statement, into := range map[string]**sql.Stmt{
		sqliteHead: &j.extend.head, sqliteAddBlock: &j.extend.addBlock, sqliteAddMark: &j.extend.addMark, sqliteSetHead: &j.extend.setHead,
	} {
		err := j.reading(ctx, func(ctx context.Context) (err error) {
			*into, err = j.write.PrepareContext(ctx, statement) //nolint:sqlclosecheck // Close does
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Close implements Journal.
func (j *SQLiteJournal) Close() error {
	var err error
	if e := j.extend; e != nil {
		for _, s := range []*sql.Stmt{e.head, e.addBlock, e.addMark, e.setHead} {
			if s != nil {
				err = errors.Join(err, s.Close())
			}
		}
	}
	return errors.Join(err, j.sqliteFile.Close())
}

var _ Journal = (*SQLiteJournal)(nil)

// OpenSQLiteJournal opens the journal in a file, creating it or bringing its
// schema up to date if need be.
func OpenSQLiteJournal(ctx context.Context, path string, options Options) (*SQLiteJournal, error) {
	file, known, err := openSQLiteFile(ctx, path, journalFiles, options.withDefaults(defaultReaders))
	if err != nil {
		return nil, err
	}
	j := &SQLiteJournal{sqliteFile: *file}
	if err := j.check(ctx, known); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	if err := j.prepare(ctx); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return j, nil
}

// ReadSQLiteJournal opens a file that is there, and changes nothing in it.
func ReadSQLiteJournal(ctx context.Context, path string, options Options) (*SQLiteJournal, error) {
	options = options.withDefaults(defaultReaders)
	known, err := newest(journalMigrations)
	if err != nil {
		return nil, err
	}
	read, err := connectSQLite(path, options.Connections, "ro", "query_only(1)")
	if err != nil {
		return nil, err
	}
	j := &SQLiteJournal{sqliteFile: sqliteFile{write: read, read: read, options: options}}
	if err := j.check(ctx, known); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return j, nil
}

func (j *SQLiteJournal) check(ctx context.Context, known int64) error {
	var compatible int64
	err := j.reading(ctx, func(ctx context.Context) error {
		return j.read.QueryRowContext(ctx, sqliteJournalCompatible).Scan(&compatible)
	})
	if err != nil {
		return err
	}
	return fits(compatible, known)
}

// Extend implements Journal.
func (j *SQLiteJournal) Extend(ctx context.Context, e Extension) error {
	if !e.valid() {
		return ErrInvalid
	}
	if j.extend == nil {
		return ErrReadOnly
	}
	return j.writing(ctx, func(t sqliteTx) error {
		// What writes has the lock already, and waits for the disk at most, which is deaf
		// to contexts: with one that may end, each statement would have a goroutine.
		t.ctx = context.WithoutCancel(t.ctx)
		now, err := t.head(j.extend.head, e.Chain.Name)
		switch {
		case err != nil:
			return err
		case now == e.Chain.Head && e.Chain.Head != e.From:
			return nil // it was written before
		case now != e.From:
			return fmt.Errorf("%w: the chain %s ends with %d and not with %d", ErrConflict, e.Chain.Name, now.Last, e.From.Last)
		}
		for _, b := range e.Blocks {
			if err := t.run(j.extend.addBlock, e.Chain.Name, b.First, b.Last, b.FromTime, b.UntilTime, b.Records); err != nil {
				return err
			}
		}
		for _, m := range e.Marks {
			if err := t.run(j.extend.addMark, e.Chain.Name, m.Sequence, m.Kind, m.Document); err != nil {
				return err
			}
		}
		return t.run(j.extend.setHead, e.Chain.Name, e.Chain.Key, e.Chain.Last, e.Chain.Hash[:])
	})
}

// run executes a statement that was compiled on this connection.
func (t sqliteTx) run(statement *sql.Stmt, args ...any) error {
	_, err := t.tx.StmtContext(t.ctx, statement).ExecContext(t.ctx, args...) //nolint:sqlclosecheck // the transaction does
	return err
}

func (t sqliteTx) head(statement *sql.Stmt, chain string) (head Head, err error) {
	var hash []byte
	err = t.tx.StmtContext(t.ctx, statement).QueryRowContext(t.ctx, chain).Scan(&head.Last, &hash) //nolint:sqlclosecheck // as above
	if errors.Is(err, sql.ErrNoRows) {
		return Head{}, nil
	}
	copy(head.Hash[:], hash)
	return head, err
}

// Chains implements Journal.
func (j *SQLiteJournal) Chains(ctx context.Context) (chains []Chain, err error) {
	err = j.reading(ctx, func(ctx context.Context) error {
		rows, err := j.read.QueryContext(ctx, sqliteChains)
		if err != nil {
			return err
		}
		defer rows.Close()
		chains, err = scanChains(rows)
		return errors.Join(err, rows.Err())
	})
	return chains, err
}

// scanner is what rows of both databases are read by.
type scanner interface {
	Next() bool
	Scan(into ...any) error
}

func scanChains(rows scanner) (chains []Chain, err error) {
	for rows.Next() {
		var c Chain
		var hash []byte
		if err := rows.Scan(&c.Name, &c.Key, &c.Last, &hash); err != nil {
			return nil, err
		}
		copy(c.Hash[:], hash)
		chains = append(chains, c)
	}
	return chains, nil
}

// arguments are those of the query for blocks.
func (q *BlockQuery) arguments() []any {
	before, until := q.Before, q.UntilTime
	if before == 0 {
		before = math.MaxInt64
	}
	if until == 0 {
		until = math.MaxInt64
	}
	return []any{q.Chain, q.After, before, q.FromTime, until, int64(pageBlocks)}
}

// Blocks implements Journal.
func (j *SQLiteJournal) Blocks(ctx context.Context, q BlockQuery) (blocks []Block, err error) {
	statement := sqliteBlocks
	if q.Descending {
		statement = sqliteBlocksDescending
	}
	err = j.reading(ctx, func(ctx context.Context) error {
		rows, err := j.read.QueryContext(ctx, statement, q.arguments()...)
		if err != nil {
			return err
		}
		defer rows.Close()
		blocks, err = scanBlocks(rows)
		return errors.Join(err, rows.Err())
	})
	return blocks, err
}

func scanBlocks(rows scanner) (blocks []Block, err error) {
	for rows.Next() {
		var b Block
		if err := rows.Scan(&b.First, &b.Last, &b.FromTime, &b.UntilTime, &b.Records); err != nil {
			return nil, err
		}
		blocks = append(blocks, b)
	}
	return blocks, nil
}

// arguments are those of the query for marks.
func (q *MarkQuery) arguments() []any {
	until := q.Until
	if until == 0 {
		until = math.MaxInt64
	}
	return []any{q.Chain, q.Kind, q.After, until, int64(pageMarks)}
}

// Marks implements Journal.
func (j *SQLiteJournal) Marks(ctx context.Context, q MarkQuery) (marks []Mark, err error) {
	statement := sqliteMarks
	if q.Descending {
		statement = sqliteMarksDescending
	}
	err = j.reading(ctx, func(ctx context.Context) error {
		rows, err := j.read.QueryContext(ctx, statement, q.arguments()...)
		if err != nil {
			return err
		}
		defer rows.Close()
		marks, err = scanMarks(rows)
		return errors.Join(err, rows.Err())
	})
	return marks, err
}

func scanMarks(rows scanner) (marks []Mark, err error) {
	for rows.Next() {
		var m Mark
		if err := rows.Scan(&m.Sequence, &m.Kind, &m.Document); err != nil {
			return nil, err
		}
		marks = append(marks, m)
	}
	return marks, nil
}

// Cut implements Journal.
func (j *SQLiteJournal) Cut(ctx context.Context, chain string, last int64) (more bool, err error) {
	err = j.writing(ctx, func(t sqliteTx) error {
		result, err := t.tx.ExecContext(t.ctx, sqliteCutBlocks, chain, last, cutBlocks)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		if more = n == cutBlocks; err != nil || more {
			return err
		}
		return t.exec(sqliteCutMarks, chain, last)
	})
	return more, err
}
