package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// files are numbered steps, one directory per dialect. docs/operations.md has
// the rules for them; migrations_test.go holds the files to these.
//
//go:embed migrations
var files embed.FS

const (
	sqliteMigrations   = "migrations/sqlite"
	postgresMigrations = "migrations/postgres"
	// A journal in a file has a schema of its own; one in PostgreSQL is part of
	// the other.
	journalMigrations = "migrations/journal"

	versionTable = "avap_migrations"
	// The advisory lock of whoever migrates a PostgreSQL database.
	lockID = 0x61766170
	// A step may build an index over much that is there.
	migrationTimeout = 10 * time.Minute
)

// newest is the number of the last migration that this program knows.
func newest(dir string) (number int64, err error) {
	entries, err := files.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	for _, entry := range entries {
		digits, _, _ := strings.Cut(entry.Name(), "_")
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			return 0, err
		}
		number = max(number, n)
	}
	return number, nil
}

// fits refuses a schema that a contracting step has taken away from this
// program. Expanding steps leave `compatible` as it is.
func fits(compatible, known int64) error {
	if compatible > known {
		return fmt.Errorf("%w: it needs migration %d and this program knows %d; use a newer avap", ErrSchema, compatible, known)
	}
	return nil
}

// Migration is a step of the schema.
type Migration struct {
	Number  int64
	Name    string
	Applied time.Time // zero: not yet
}

// Migrator changes the schema of one database.
type Migrator struct {
	db       *sql.DB
	provider *goose.Provider
	// exclusive keeps others from migrating the same database.
	exclusive func(context.Context) (unlock func() error, err error)
	// run does it, and puts a cause under what callers tell apart.
	run func(context.Context, func(context.Context) error) error
	// mend repairs what a step left behind that failed, and unused makes sure that
	// nobody else has the database open; nil where there is nothing to be done.
	mend, unused func(context.Context) error
}

// MigratePostgres gives the migrator of a PostgreSQL database.
func MigratePostgres(url string) (*Migrator, error) {
	config, err := postgresConfig(url, Options{}.withDefaults(defaultConns))
	if err != nil {
		return nil, err
	}
	return migratePostgres(config.ConnConfig)
}

func migratePostgres(config *pgx.ConnConfig) (*Migrator, error) {
	config = config.Copy()
	config.RuntimeParams["statement_timeout"] = milliseconds(migrationTimeout)
	config.RuntimeParams["lock_timeout"] = "5000"
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(lockID), lock.WithLockTimeout(1, uint64(migrationTimeout.Seconds())))
	if err != nil {
		return nil, err
	}
	m := &Migrator{db: stdlib.OpenDB(*config)}
	m.run = func(ctx context.Context, do func(context.Context) error) error { return postgresError(ctx, do(ctx)) }
	m.exclusive = func(context.Context) (func() error, error) { return func() error { return nil }, nil } // the locker does it
	m.mend = m.mendIndexes
	return m.with(goose.DialectPostgres, postgresMigrations, goose.WithSessionLocker(locker))
}

// MigrateSQLite gives the migrator of a file, which is made if need be.
func MigrateSQLite(path string) (*Migrator, error) { return migrateSQLite(path, recordFiles) }

func migrateSQLite(path string, kind sqliteKind) (*Migrator, error) {
	if err := makePrivate(path); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	// The log is switched on here: readers cannot, and it stays with the file, as
	// does the size of pages, which has to come first.
	db, err := connectSQLite(path, 1, "rwc", fmt.Sprintf("page_size(%d)", kind.pageBytes), "journal_mode(WAL)", "synchronous(FULL)")
	if err != nil {
		return nil, err
	}
	m := &Migrator{db: db, run: patiently}
	m.exclusive = func(ctx context.Context) (func() error, error) { return LockFile(ctx, path+".lock") }
	m.unused = m.checkUnused
	return m.with(goose.DialectSQLite3, kind.migrations)
}

// makePrivate makes a file that only its owner can read, if there is none, and its
// directory. SQLite would leave the first to the umask; the files that it makes
// beside it have the same mode.
func makePrivate(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY, 0o600) //nolint:gosec // the path is the operator's own
	if err != nil {
		return err
	}
	return file.Close()
}

func (m *Migrator) with(dialect goose.Dialect, dir string, options ...goose.ProviderOption) (*Migrator, error) {
	steps, err := fs.Sub(files, dir)
	if err == nil {
		options = append(options, goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true))
		m.provider, err = goose.NewProvider(dialect, m.db, steps, options...)
	}
	if err != nil {
		return nil, errors.Join(err, m.db.Close())
	}
	return m, nil
}

// Up applies what is missing.
func (m *Migrator) Up(ctx context.Context) (applied []Migration, err error) {
	err = m.alone(ctx, func(ctx context.Context) error {
		results, err := m.provider.Up(ctx)
		for _, result := range results {
			applied = append(applied, migration(result.Source))
		}
		if err == nil && m.mend != nil {
			err = m.mend(ctx)
		}
		return err
	})
	return applied, err
}

// mendIndexes builds indexes again whose building was broken off: the step that
// did so takes them for done, as they are there, and nothing uses them.
func (m *Migrator) mendIndexes(ctx context.Context) (err error) {
	conn, err := m.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() {
		_, unlocked := conn.ExecContext(context.WithoutCancel(ctx), postgresMigrationUnlock, lockID)
		err = errors.Join(err, unlocked, conn.Close())
	}()
	// An index that somebody builds just now looks the same.
	if _, err := conn.ExecContext(ctx, postgresMigrationLock, lockID); err != nil {
		return err
	}
	statements, err := brokenIndexes(ctx, conn)
	if err != nil {
		return err
	}
	for _, statement := range statements {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// brokenIndexes gives what mends each.
func brokenIndexes(ctx context.Context, conn *sql.Conn) (statements []string, err error) {
	rows, err := conn.QueryContext(ctx, postgresBrokenIndexes)
	if err != nil {
		return nil, err
	}
	defer rows.Close() // Err says what went wrong
	for rows.Next() {
		var statement string
		if err := rows.Scan(&statement); err != nil {
			return nil, err
		}
		statements = append(statements, statement)
	}
	return statements, rows.Err()
}

// checkUnused refuses a file that another program has open. SQLite gives the
// write-ahead log up only to who is alone, and takes it up again.
func (m *Migrator) checkUnused(ctx context.Context) error {
	var mode string
	err := m.db.QueryRowContext(ctx, sqliteAlone).Scan(&mode)
	if isBusy(err) || err == nil && mode == "wal" {
		return fmt.Errorf("%w: another program has the file open; stop the server first", ErrUnavailable)
	}
	if err == nil {
		err = m.db.QueryRowContext(ctx, sqliteLogged).Scan(&mode)
	}
	return err
}

// Down takes back the last step, with what is stored in it. It gives nothing
// where there is none.
func (m *Migrator) Down(ctx context.Context) (undone []Migration, err error) {
	err = m.alone(ctx, func(ctx context.Context) error {
		if m.unused != nil {
			if err := m.unused(ctx); err != nil {
				return err
			}
		}
		result, err := m.provider.Down(ctx)
		if errors.Is(err, goose.ErrNoNextVersion) {
			return nil
		}
		if result != nil {
			undone = append(undone, migration(result.Source))
		}
		return err
	})
	return undone, err
}

// Status lists all steps.
func (m *Migrator) Status(ctx context.Context) (steps []Migration, err error) {
	err = m.alone(ctx, func(ctx context.Context) error { // it makes the table of versions
		list, err := m.provider.Status(ctx)
		steps = nil
		for _, step := range list {
			s := migration(step.Source)
			if step.State == goose.StateApplied {
				s.Applied = step.AppliedAt
			}
			steps = append(steps, s)
		}
		return err
	})
	return steps, err
}

// Close ends the connection.
func (m *Migrator) Close() error { return m.db.Close() }

func (m *Migrator) alone(ctx context.Context, do func(context.Context) error) error {
	unlock, err := m.exclusive(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return errors.Join(m.run(ctx, do), unlock())
}

func migration(source *goose.Source) Migration {
	_, name, _ := strings.Cut(strings.TrimSuffix(path.Base(source.Path), ".sql"), "_")
	return Migration{Number: source.Version, Name: strings.ReplaceAll(name, "_", " ")}
}

// migrateSQLiteUp brings a file's schema up to date. The lock is taken only
// where there is something to do.
func migrateSQLiteUp(ctx context.Context, path string, kind sqliteKind) (known int64, err error) {
	if known, err = newest(kind.migrations); err != nil {
		return 0, err
	}
	m, err := migrateSQLite(path, kind)
	if err != nil {
		return 0, err
	}
	defer m.Close() // nothing is under way
	ctx, cancel := context.WithTimeout(ctx, migrationTimeout)
	defer cancel()
	var version int64
	err = patiently(ctx, func(ctx context.Context) (err error) {
		version, err = sqliteVersionOf(ctx, m.db)
		return err
	})
	if err != nil || version >= known {
		return known, err
	}
	_, err = m.Up(ctx)
	return known, err
}

func sqliteVersionOf(ctx context.Context, db *sql.DB) (version int64, err error) {
	var tables int
	if err := db.QueryRowContext(ctx, sqliteHasSchema).Scan(&tables); err != nil || tables == 0 {
		return 0, err
	}
	err = db.QueryRowContext(ctx, sqliteSchema).Scan(&version)
	return version, err
}
