package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// SQLite is a store in a file. One connection writes, since SQLite has one
// writer anyway; the write-ahead log lets the others read meanwhile.
type SQLite struct{ sqliteFile }

// sqliteFile is a file with the connection that writes and those that read.
type sqliteFile struct {
	write, read *sql.DB
	options     Options
}

// Pool tells how the connections to the file are. How often they are taken is not
// counted, AcquireTime is of those that waited.
func (s *sqliteFile) Pool() PoolStats {
	one, others := s.write.Stats(), s.read.Stats()
	return PoolStats{
		InUse: one.InUse + others.InUse, Idle: one.Idle + others.Idle, Limit: one.MaxOpenConnections + others.MaxOpenConnections,
		AcquireTime: one.WaitDuration + others.WaitDuration,
	}
}

var (
	_ Store = (*SQLite)(nil)
	_ Copy  = (*SQLite)(nil)
)

// sqliteKind is what files of a kind have in common.
type sqliteKind struct {
	// migrations is the directory of what makes their schema.
	migrations string
	pageBytes  int64
}

var (
	recordFiles = sqliteKind{sqliteMigrations, 4 << 10}
	// Blocks of a journal fill many pages, each of which is written twice: first to
	// the log, and from there to its place. Large pages are fewer system calls.
	journalFiles = sqliteKind{journalMigrations, 16 << 10}
)

const (
	// SQLite waits for another process's lock deaf to contexts: briefly, and
	// again as long as the context allows.
	busyTimeout = 100 * time.Millisecond
	busyPause   = time.Millisecond // some locks it does not wait for
)

// OpenSQLite opens the store in a file, creating it or bringing its schema up
// to date if need be. A damaged file that is to be a copy is moved aside.
func OpenSQLite(ctx context.Context, path string, options Options) (*SQLite, error) {
	options = options.withDefaults(defaultReaders)
	s, err := openSQLite(ctx, path, options)
	if options.Copy && errors.Is(err, ErrDamaged) {
		options.Log.LogAttrs(ctx, slogWarn, "a damaged copy is moved aside and made anew", slogErr(err))
		if err := moveAside(path); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		return openSQLite(ctx, path, options)
	}
	return s, err
}

// moveAside renames a file and what belongs to it. What was moved before stays,
// as only the first one may have been more than a copy.
func moveAside(path string) error {
	for _, suffix := range []string{"-shm", "-wal", ""} {
		from, to := path+suffix, path+".damaged"+suffix
		if _, err := os.Lstat(to); err == nil {
			to = path + ".damaged-again" + suffix
		}
		if err := os.Rename(from, to); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func openSQLite(ctx context.Context, path string, options Options) (*SQLite, error) {
	file, known, err := openSQLiteFile(ctx, path, recordFiles, options)
	if err != nil {
		return nil, err
	}
	s := &SQLite{*file}
	if err := s.check(ctx, known); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// openSQLiteFile opens a file of a kind, and tells the last of its migrations.
func openSQLiteFile(ctx context.Context, path string, kind sqliteKind, options Options) (file *sqliteFile, known int64, err error) {
	if known, err = migrateSQLiteUp(ctx, path, kind); err != nil {
		return nil, 0, err
	}
	write, err := connectSQLite(path, 1, "rwc", "synchronous(FULL)", fmt.Sprintf("max_page_count(%d)", max(options.MaxBytes/kind.pageBytes, 1)))
	if err != nil {
		return nil, 0, err
	}
	read, err := connectSQLite(path, options.Connections, "ro", "query_only(1)")
	if err != nil {
		return nil, 0, errors.Join(err, write.Close())
	}
	return &sqliteFile{write: write, read: read, options: options}, known, nil
}

// connectSQLite makes a pool; it connects when it is first used.
func connectSQLite(path string, connections int, mode string, pragmas ...string) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	pragmas = append([]string{fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "trusted_schema(0)"}, pragmas...)
	parameters := url.Values{"mode": {mode}, "_pragma": pragmas, "_defensive": {"1"}, "_dqs": {"0"}, "_error_rc": {"1"}, "_txlock": {"immediate"}}
	dsn := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: parameters.Encode(), OmitHost: true}
	connector, err := sqlite.NewConnector(dsn.String())
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// check refuses files that this program must not use, or not so.
func (s *SQLite) check(ctx context.Context, known int64) error {
	var compatible int64
	var records int
	var origin string
	err := s.reading(ctx, func(ctx context.Context) error {
		return s.read.QueryRowContext(ctx, sqliteCompatible).Scan(&compatible, &origin, &records)
	})
	if err != nil {
		return err
	}
	if err := fits(compatible, known); err != nil {
		return err
	}
	if s.options.Copy && origin == "own" {
		return fmt.Errorf("%w: the file has %d records of its own, which following another store would erase; move it away, or push its commands to the other store first", ErrReadOnly, records)
	}
	return nil
}

// Close waits for what is under way.
func (s *sqliteFile) Close() error { return errors.Join(s.read.Close(), s.write.Close()) }

// Commit implements Store.
func (s *SQLite) Commit(ctx context.Context, batch Batch) (revision int64, err error) {
	if s.options.Copy {
		return 0, ErrReadOnly
	}
	if err := batch.valid(); err != nil {
		return 0, err
	}
	err = s.writing(ctx, func(tx sqliteTx) error {
		for _, artifact := range batch.Artifacts {
			if err := tx.keep(artifact); err != nil {
				return err
			}
		}
		now, origin, err := tx.state()
		if revision = now.Revision; err != nil || len(batch.Puts) == 0 {
			return err
		}
		there := make(map[id]version, len(batch.Puts))
		for _, put := range batch.Puts {
			if err := tx.version(there, put.Kind, put.Name); err != nil {
				return err
			}
		}
		next, rows, err := plan(now, there, batch.Puts)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := tx.put(row); err != nil {
				return err
			}
		}
		if origin == "copy" {
			next.Epoch = newEpoch() // what it was a copy of goes its own way
		}
		revision = next.Revision
		return tx.setState(next, "own")
	})
	return revision, err
}

// Summary implements Store.
func (s *SQLite) Summary(ctx context.Context) (summary Summary, err error) {
	err = s.reading(ctx, func(ctx context.Context) error {
		return scanSummary(s.read.QueryRowContext(ctx, sqliteSummary), &summary)
	})
	return summary, err
}

// Changes implements Store.
func (s *SQLite) Changes(ctx context.Context, after int64, limit int) (page Page, err error) {
	err = s.reading(ctx, func(ctx context.Context) error {
		rows, err := s.read.QueryContext(ctx, sqliteChanges, after, pageLimit(limit))
		if err != nil {
			return err
		}
		defer rows.Close()
		page, err = scanPage(rows)
		return errors.Join(err, rows.Err())
	})
	return page, err
}

// Artifact implements Store.
func (s *SQLite) Artifact(ctx context.Context, digest [32]byte) (content []byte, err error) {
	err = s.reading(ctx, func(ctx context.Context) error {
		return s.read.QueryRowContext(ctx, sqliteArtifact, digest[:]).Scan(&content)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, notFound(digest)
	}
	return content, err
}

func notFound(digest [32]byte) error { return fmt.Errorf("%w: %x", ErrNotFound, digest) }

// reading runs a query within the timeout of a call.
func (s *sqliteFile) reading(ctx context.Context, query func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	return patiently(bounded, query)
}

// patiently does something again while another process locks the file.
func patiently(ctx context.Context, do func(context.Context) error) error {
	for {
		err := do(ctx)
		if !isBusy(err) || ctx.Err() != nil {
			return sqliteError(ctx, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(busyPause):
		}
	}
}

// writing runs a transaction. A commit of SQLite has happened or not when it
// returns.
func (s *sqliteFile) writing(ctx context.Context, write func(sqliteTx) error) error {
	return s.reading(ctx, func(ctx context.Context) error {
		tx, err := s.write.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		if err := write(sqliteTx{ctx, tx}); err != nil {
			if undone := tx.Rollback(); undone != nil && !errors.Is(undone, sql.ErrTxDone) {
				return errors.Join(err, undone)
			}
			return err
		}
		return tx.Commit()
	})
}

// sqliteTx is a transaction that writes.
type sqliteTx struct {
	ctx context.Context
	tx  *sql.Tx
}

func (t sqliteTx) exec(statement string, args ...any) error {
	_, err := t.tx.ExecContext(t.ctx, statement, args...)
	return err
}

func (t sqliteTx) state() (summary Summary, origin string, err error) {
	err = errors.Join(scanSummary(t.tx.QueryRowContext(t.ctx, sqliteSummary), &summary),
		t.tx.QueryRowContext(t.ctx, sqliteOrigin).Scan(&origin))
	return summary, origin, err
}

func (t sqliteTx) setState(s Summary, origin string) error {
	return t.exec(sqliteSetState, s.Epoch, origin, s.Revision, s.Records, s.Digest[:])
}

// version adds what is known about a record, if it is there.
func (t sqliteTx) version(there map[id]version, kind, name string) error {
	var v version
	var hash []byte
	err := t.tx.QueryRowContext(t.ctx, sqliteVersion, kind, name).Scan(&v.revision, &v.deleted, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	copy(v.hash[:], hash)
	there[id{kind, name}] = v
	return err
}

func (t sqliteTx) put(r row) error {
	document := r.Document
	if document == nil {
		document = []byte{} // nil would be NULL
	}
	return t.exec(sqlitePut, r.Kind, r.Name, r.Revision, r.Deleted, r.hash[:], document)
}

func (t sqliteTx) keep(artifact Artifact) error {
	content := artifact.Bytes
	if content == nil {
		content = []byte{}
	}
	return t.exec(sqliteKeepArtifact, artifact.Digest[:], content)
}

func scanSummary(row *sql.Row, s *Summary) error {
	var digest []byte
	err := row.Scan(&s.Epoch, &s.Revision, &s.Records, &digest)
	copy(s.Digest[:], digest)
	return err
}

// scanPage reads rows that have the state and, unless nothing changed, a record.
func scanPage(rows interface {
	Next() bool
	Scan(into ...any) error
},
) (Page, error) {
	var page Page
	documents := 0
	for rows.Next() {
		var digest []byte
		var kind, name sql.NullString
		var revision sql.NullInt64
		var deleted sql.NullBool
		var document []byte
		s := &page.Summary
		if err := rows.Scan(&s.Epoch, &s.Revision, &s.Records, &digest, &kind, &name, &revision, &deleted, &document); err != nil {
			return Page{}, err
		}
		copy(s.Digest[:], digest)
		if !kind.Valid {
			continue
		}
		if n := len(page.Records); documents >= fullPageBytes && page.Records[n-1].Revision < revision.Int64 {
			break
		}
		documents += len(document)
		page.add(Record{kind.String, name.String, revision.Int64, deleted.Bool, document})
	}
	page.end()
	return page, nil
}

func (p *Page) add(r Record) {
	if r.Deleted {
		r.Document = nil
	}
	p.Records = append(p.Records, r)
}

func (p *Page) end() {
	p.More = len(p.Records) > 0 && p.Records[len(p.Records)-1].Revision < p.Summary.Revision
}

func isBusy(err error) bool {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		primary := e.Code() & 0xff
		return primary == sqlite3.SQLITE_BUSY || primary == sqlite3.SQLITE_LOCKED
	}
	return false
}

// sqliteError puts a cause under what callers tell apart.
func sqliteError(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, sql.ErrNoRows) || isOurs(err) {
		return err
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		// A quota or a limit on file sizes is a failed write to SQLite.
		switch e.Code() {
		case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE:
			return fmt.Errorf("%w: %w", ErrFull, err)
		}
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
			return fmt.Errorf("%w: %w: %w", ErrUnavailable, ErrDamaged, err)
		}
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// isOurs reports whether an error has been put under one of ours already.
func isOurs(err error) bool {
	for _, known := range []error{ErrConflict, ErrNotFound, ErrUnavailable, ErrFull, ErrReadOnly, ErrInvalid, ErrDiverged, ErrSchema} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}
