package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// keptKeys is how many commits a key is remembered for. It is looked for
// within the timeout of a call.
const keptKeys = 10_000

// Commit implements Store. It is repeated when it certainly did not happen.
// When that is not certain, because the connection went away between the
// request to commit and its answer, the key that is stored with the commit
// tells.
func (p *Postgres) Commit(ctx context.Context, batch Batch) (int64, error) {
	if err := batch.valid(); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, p.options.Timeout)
	defer cancel()
	c := &commit{batch: batch, key: make([]byte, 16)}
	_, _ = rand.Read(c.key) // it never fails
	for {
		err := p.call(ctx, c.run)
		open, is := errors.AsType[*unsettled](err)
		if !is {
			return c.revision, err
		}
		revision, happened, err := p.settle(ctx, c.key, open)
		if err != nil || happened {
			return revision, err
		}
	}
}

// commit is one on its way.
type commit struct {
	batch    Batch
	key      []byte
	revision int64
}

// unsettled is the failure of a commit that may have happened.
type unsettled struct {
	cause error
	pid   uint32    // of the session
	began time.Time // when it did
}

func (u *unsettled) Error() string { return u.cause.Error() }
func (u *unsettled) Unwrap() error { return u.cause }

func (c *commit) run(ctx context.Context, conn *pgx.Conn) error {
	if len(c.batch.Puts) == 0 {
		return c.keepArtifacts(ctx, conn)
	}
	now, there, err := c.begin(ctx, conn)
	if err != nil {
		return err
	}
	next, rows, err := plan(now, there, c.batch.Puts)
	if err != nil {
		return err
	}
	c.revision = next.Revision
	return c.end(ctx, conn, next, rows)
}

// keepArtifacts may be done twice.
func (c *commit) keepArtifacts(ctx context.Context, conn *pgx.Conn) error {
	batch := &pgx.Batch{}
	queueArtifacts(batch, c.batch.Artifacts)
	batch.Queue(postgresSummary).QueryRow(func(row pgx.Row) error {
		summary, err := readSummary(row)
		c.revision = summary.Revision
		return err
	})
	return conn.SendBatch(ctx, batch).Close()
}

// queueArtifacts keeps to one order, so that two commits with the same
// artifacts do not wait for each other.
func queueArtifacts(batch *pgx.Batch, artifacts []Artifact) {
	for _, artifact := range slices.SortedFunc(slices.Values(artifacts), func(a, b Artifact) int { return bytes.Compare(a.Digest[:], b.Digest[:]) }) {
		batch.Queue(postgresKeepArtifact, artifact.Digest[:], present(artifact.Bytes))
	}
}

// present is content that is not NULL.
func present(content []byte) []byte {
	if content == nil {
		return []byte{}
	}
	return content
}

// begin takes the lock, after what takes long, and reads what is there.
func (c *commit) begin(ctx context.Context, conn *pgx.Conn) (now Summary, there map[id]version, err error) {
	batch := &pgx.Batch{}
	batch.Queue("BEGIN")
	queueArtifacts(batch, c.batch.Artifacts)
	batch.Queue(postgresLock).QueryRow(func(row pgx.Row) (err error) {
		now, err = readSummary(row)
		return err
	})
	kinds, names := make([]string, len(c.batch.Puts)), make([]string, len(c.batch.Puts))
	for i, put := range c.batch.Puts {
		kinds[i], names[i] = put.Kind, put.Name
	}
	there = make(map[id]version, len(c.batch.Puts))
	batch.Queue(postgresVersions, kinds, names).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var name id
			var v version
			var hash []byte
			if err := rows.Scan(&name.kind, &name.name, &v.revision, &v.deleted, &hash); err != nil {
				return err
			}
			copy(v.hash[:], hash)
			there[name] = v
		}
		return rows.Err()
	})
	err = conn.SendBatch(ctx, batch).Close()
	return now, there, err
}

// end writes and commits in one message.
func (c *commit) end(ctx context.Context, conn *pgx.Conn, next Summary, rows []row) error {
	kinds, names, deleted := make([]string, len(rows)), make([]string, len(rows)), make([]bool, len(rows))
	hashes, firsts, lengths := make([][]byte, len(rows)), make([]int32, len(rows)), make([]int32, len(rows))
	documents := make([]byte, 0, c.documentBytes())
	for i, r := range rows {
		kinds[i], names[i], deleted[i], hashes[i] = r.Kind, r.Name, r.Deleted, r.hash[:]
		firsts[i], lengths[i] = int32(len(documents)+1), int32(len(r.Document))
		documents = append(documents, r.Document...)
	}
	var outcome pgconn.CommandTag
	batch := &pgx.Batch{}
	batch.Queue(postgresPut, kinds, names, next.Revision, deleted, hashes, firsts, lengths, documents)
	batch.Queue(postgresSetState, next.Revision, int64(next.Records), next.Digest[:])
	batch.Queue(postgresKeepKey, c.key, next.Revision)
	batch.Queue(postgresForgetKeys, next.Revision-keptKeys)
	batch.Queue(postgresNotify)
	batch.Queue("COMMIT").Exec(func(tag pgconn.CommandTag) error {
		outcome = tag
		return nil
	})
	err := conn.SendBatch(ctx, batch).Close()
	switch {
	case err == nil && outcome.String() == "COMMIT":
		return nil
	case err == nil:
		return fmt.Errorf("%w: the transaction ended with %s", ErrUnavailable, outcome)
	case refused(err):
		return err
	}
	// pgconn.SafeToRetry does not help here: of a connection that ends while a
	// batch is answered it says that nothing was sent.
	start, _ := conn.PgConn().CustomData()[began].(time.Time)
	return &unsettled{cause: err, pid: conn.PgConn().PID(), began: start}
}

func (c *commit) documentBytes() (n int) {
	for _, put := range c.batch.Puts {
		n += len(put.Document)
	}
	return n
}

// refused reports whether the server said that a statement failed, which
// ends the transaction. When it ends the session besides, that may be after
// the commit.
func refused(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.SeverityUnlocalized == "ERROR"
}

// settle finds out whether a commit happened. Its transaction had the lock:
// whoever has it afterwards sees the end of it.
func (p *Postgres) settle(ctx context.Context, key []byte, open *unsettled) (revision int64, happened bool, err error) {
	p.options.Log.LogAttrs(ctx, slogWarn, "the fate of a commit is looked up", slogErr(open))
	for {
		err := p.call(ctx, func(ctx context.Context, conn *pgx.Conn) error {
			revision, happened, err = findKey(ctx, conn, key, open)
			return err
		})
		if err == nil {
			return revision, happened, nil
		}
		if ctx.Err() != nil {
			return 0, false, fmt.Errorf("%w: %w: %w: %w", ErrUnavailable, ErrUncertain, context.Cause(ctx), open)
		}
		select {
		case <-ctx.Done():
		case <-time.After(firstPause):
		}
	}
}

func findKey(ctx context.Context, conn *pgx.Conn, key []byte, open *unsettled) (revision int64, happened bool, err error) {
	batch := &pgx.Batch{}
	batch.Queue(postgresEnd, int64(open.pid), open.began)
	batch.Queue("BEGIN")
	batch.Queue(postgresLockTimeout)
	batch.Queue(postgresLock)
	batch.Queue(postgresFindKey, key).QueryRow(func(row pgx.Row) error {
		err := row.Scan(&revision)
		happened = err == nil
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	batch.Queue("ROLLBACK")
	err = conn.SendBatch(ctx, batch).Close()
	return revision, happened, err
}
