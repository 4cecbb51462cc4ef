package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// sweepLock is the first half of the advisory lock of whoever collects garbage;
// the second is that of the schema.
const sweepLock int32 = lockID

// Collect implements Store. It may be done twice, since what is gone is gone;
// then the second one does not tell of the first.
func (p *Postgres) Collect(ctx context.Context, g Garbage) (done Collected, err error) {
	named := make([][]byte, len(g.Named))
	for i := range g.Named {
		named[i] = g.Named[i][:]
	}
	err = p.call(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		c := &collection{ctx: ctx, conn: conn, garbage: &g, named: named}
		err := c.run()
		done = c.done
		return err
	})
	if err != nil {
		return Collected{}, err
	}
	return done, nil
}

// collection is one on its way.
type collection struct {
	ctx     context.Context
	conn    *pgx.Conn
	garbage *Garbage
	named   [][]byte
	done    Collected
}

// run does what takes long first, as commits wait from where the state is
// locked.
func (c *collection) run() error {
	if err := c.exec("BEGIN"); err != nil {
		return err
	}
	var alone bool
	var last int64
	if err := c.conn.QueryRow(c.ctx, postgresSweepLock, sweepLock).Scan(&alone, &last); err != nil {
		return err
	}
	if !alone || !c.garbage.due(last) {
		return c.exec("ROLLBACK")
	}
	if err := c.exec(postgresMarkGarbage, c.named, c.garbage.at()); err != nil {
		return err
	}
	if err := c.exec(postgresUnmarkGarbage, c.named); err != nil {
		return err
	}
	now, err := readSummary(c.conn.QueryRow(c.ctx, postgresLock))
	if err != nil {
		return err
	}
	if err := c.garbage.fits(now); err != nil {
		return err
	}
	if err := c.artifacts(); err != nil {
		return err
	}
	if err := c.tombstones(now); err != nil {
		return err
	}
	tag, err := c.conn.Exec(c.ctx, "COMMIT")
	if err == nil && tag.String() != "COMMIT" {
		err = fmt.Errorf("%w: the transaction ended with %s", ErrUnavailable, tag)
	}
	c.done.Done = err == nil
	return err
}

func (c *collection) exec(statement string, args ...any) error {
	_, err := c.conn.Exec(c.ctx, statement, args...)
	return err
}

// artifacts takes away those that nothing has named for long. One that a commit
// is about to store is locked by that, and passed over.
func (c *collection) artifacts() error {
	rows, err := c.conn.Query(c.ctx, postgresOldGarbage, c.garbage.cutoff(), collectArtifacts+1)
	if err != nil {
		return err
	}
	var digest []byte
	var size int64
	full := false
	_, err = pgx.ForEachRow(rows, []any{&digest, &size}, func() error {
		full = full || c.done.add(digest, size)
		return nil
	})
	if err != nil || len(c.done.Artifacts) == 0 {
		return err
	}
	gone := make([][]byte, len(c.done.Artifacts))
	for i := range c.done.Artifacts {
		gone[i] = c.done.Artifacts[i][:]
	}
	if err := c.exec(postgresForgetArtifacts, gone); err != nil {
		return err
	}
	return c.exec(postgresForgetGarbage, gone)
}

func (c *collection) tombstones(now Summary) error {
	var old int64
	if err := c.conn.QueryRow(c.ctx, postgresOldSweep, c.garbage.cutoff(), now.Revision).Scan(&old); err != nil {
		return err
	}
	if err := c.exec(postgresForgetSweeps, old, now.Revision); err != nil {
		return err
	}
	if err := c.exec(postgresAddSweep, now.Revision, c.garbage.at()); err != nil {
		return err
	}
	rows, err := c.conn.Query(c.ctx, postgresBury, old, max(1, c.garbage.Tombstones))
	if err != nil {
		return err
	}
	hashes, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil || len(hashes) == 0 {
		return err
	}
	c.done.Tombstones = len(hashes)
	now.bury(hashes)
	return c.exec(postgresSetState, now.Revision, int64(now.Records), now.Digest[:])
}
