package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
)

// migrations are numbered steps, one directory per dialect. docs/operations.md
// has the rules for them; migrations_test.go holds the files to these.
//
//go:embed migrations
var migrations embed.FS

const versionTable = "avap_migrations"

// sources are the migrations of a dialect.
func sources(dialect goose.Dialect) (fs.FS, error) {
	dir := "migrations/sqlite"
	if dialect == goose.DialectPostgres {
		dir = "migrations/postgres"
	}
	return fs.Sub(migrations, dir)
}

func newProvider(dialect goose.Dialect, db *sql.DB, files fs.FS, options ...goose.ProviderOption) (*goose.Provider, error) {
	return goose.NewProvider(dialect, db, files, append(options,
		goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true))...)
}

// newest is the number of the last migration of this program, which is the
// same for both dialects.
const newest = 1

// fits refuses a schema that a contracting step has taken away from this
// program. Expanding steps leave `compatible` as it is.
func fits(compatible int64) error {
	if compatible > newest {
		return fmt.Errorf("%w: it needs migration %d and this program knows %d; use a newer avap", ErrSchema, compatible, newest)
	}
	return nil
}

// migrateSQLiteUp brings a file's schema up to date. The lock is taken only
// where there is something to do.
func migrateSQLiteUp(ctx context.Context, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	// The log is switched on here: readers cannot, and it stays with the file.
	db, err := connectSQLite(path, 1, "rwc", "journal_mode(WAL)", "synchronous(FULL)")
	if err != nil {
		return err
	}
	defer db.Close() // nothing is under way
	version, err := sqliteVersionOf(ctx, db)
	if err == nil && version >= newest {
		return nil
	}
	unlock, err := lockFile(ctx, path+".lock")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	files, err := sources(goose.DialectSQLite3)
	if err != nil {
		return errors.Join(err, unlock())
	}
	provider, err := newProvider(goose.DialectSQLite3, db, files)
	if err == nil {
		_, err = provider.Up(ctx)
	}
	return errors.Join(sqliteError(ctx, err), unlock())
}

func sqliteVersionOf(ctx context.Context, db *sql.DB) (version int64, err error) {
	var tables int
	if err := db.QueryRowContext(ctx, sqliteHasSchema).Scan(&tables); err != nil || tables == 0 {
		return 0, err
	}
	err = db.QueryRowContext(ctx, sqliteSchema).Scan(&version)
	return version, err
}
