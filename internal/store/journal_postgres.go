package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// PostgresJournal is the journal in the database of a store, by its connections.
type PostgresJournal struct{ store *Postgres }

var _ Journal = (*PostgresJournal)(nil)

// Journal gives the journal that is in the same database. Closing it leaves the
// store open.
func (p *Postgres) Journal() *PostgresJournal { return &PostgresJournal{p} }

// Close implements Journal.
func (*PostgresJournal) Close() error { return nil }

// Extend implements Journal. When a connection goes away before the commit is
// answered, the next attempt finds the chain as one or the other head has it.
func (j *PostgresJournal) Extend(ctx context.Context, e Extension) error {
	if !e.valid() {
		return ErrInvalid
	}
	return j.store.call(ctx, func(ctx context.Context, conn *pgx.Conn) error { return extend(ctx, conn, &e) })
}

func extend(ctx context.Context, conn *pgx.Conn, e *Extension) error {
	var now Head
	batch := &pgx.Batch{}
	batch.Queue("BEGIN")
	batch.Queue(postgresAddChain, e.Chain.Name, present(e.Chain.Key), now.Hash[:])
	batch.Queue(postgresHead, e.Chain.Name).QueryRow(func(row pgx.Row) error {
		var hash []byte
		err := row.Scan(&now.Last, &hash)
		copy(now.Hash[:], hash)
		return err
	})
	if err := conn.SendBatch(ctx, batch).Close(); err != nil {
		return err
	}
	switch {
	case now == e.Chain.Head && e.Chain.Head != e.From:
		return nil // it was written before
	case now != e.From:
		return fmt.Errorf("%w: the chain %s ends with %d and not with %d", ErrConflict, e.Chain.Name, now.Last, e.From.Last)
	}
	batch = &pgx.Batch{}
	queueBlocks(batch, e)
	for _, m := range e.Marks {
		batch.Queue(postgresAddMark, e.Chain.Name, m.Sequence, m.Kind, present(m.Document))
	}
	batch.Queue(postgresSetHead, e.Chain.Name, e.Chain.Last, e.Chain.Hash[:])
	var outcome pgconn.CommandTag
	batch.Queue("COMMIT").Exec(func(tag pgconn.CommandTag) error {
		outcome = tag
		return nil
	})
	err := conn.SendBatch(ctx, batch).Close()
	if err == nil && outcome.String() != "COMMIT" {
		err = fmt.Errorf("%w: the transaction ended with %s", ErrUnavailable, outcome)
	}
	return err
}

func queueBlocks(batch *pgx.Batch, e *Extension) {
	n, bytes := len(e.Blocks), 0
	for _, b := range e.Blocks {
		bytes += len(b.Records)
	}
	first, last, from, until := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	positions, lengths, records := make([]int32, n), make([]int32, n), make([]byte, 0, bytes)
	for i, b := range e.Blocks {
		first[i], last[i], from[i], until[i] = b.First, b.Last, b.FromTime, b.UntilTime
		positions[i], lengths[i] = int32(len(records)+1), int32(len(b.Records))
		records = append(records, b.Records...)
	}
	if n > 0 {
		batch.Queue(postgresAddBlocks, e.Chain.Name, first, last, from, until, positions, lengths, records)
	}
}

// Chains implements Journal.
func (j *PostgresJournal) Chains(ctx context.Context) (chains []Chain, err error) {
	err = j.rows(ctx, func(rows pgx.Rows) error {
		chains, err = scanChains(rows)
		return err
	}, postgresChains)
	return chains, err
}

// Blocks implements Journal.
func (j *PostgresJournal) Blocks(ctx context.Context, q BlockQuery) (blocks []Block, err error) {
	statement := postgresBlocks
	if q.Descending {
		statement = postgresBlocksDescending
	}
	err = j.rows(ctx, func(rows pgx.Rows) error {
		blocks, err = scanBlocks(rows)
		return err
	}, statement, q.arguments()...)
	return blocks, err
}

// Marks implements Journal.
func (j *PostgresJournal) Marks(ctx context.Context, q MarkQuery) (marks []Mark, err error) {
	statement := postgresMarks
	if q.Descending {
		statement = postgresMarksDescending
	}
	err = j.rows(ctx, func(rows pgx.Rows) error {
		marks, err = scanMarks(rows)
		return err
	}, statement, q.arguments()...)
	return marks, err
}

func (j *PostgresJournal) rows(ctx context.Context, read func(pgx.Rows) error, statement string, arguments ...any) error {
	return j.store.call(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, statement, arguments...)
		if err != nil {
			return err
		}
		defer rows.Close()
		err = read(rows)
		return errors.Join(err, rows.Err())
	})
}

// Cut implements Journal.
func (j *PostgresJournal) Cut(ctx context.Context, chain string, last int64) (more bool, err error) {
	err = j.store.call(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		tag, err := conn.Exec(ctx, postgresCutBlocks, chain, last, cutBlocks)
		if more = tag.RowsAffected() == cutBlocks; err != nil || more {
			return err
		}
		_, err = conn.Exec(ctx, postgresCutMarks, chain, last)
		return err
	})
	return more, err
}
