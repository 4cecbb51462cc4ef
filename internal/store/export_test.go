package store

import (
	"context"
	"database/sql"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
)

// MigrateTo brings an empty database's schema to a version: of this program's
// migrations, and of those that a later one might add (testdata/next).
func MigrateTo(ctx context.Context, m *Migrator, dialect goose.Dialect, version int64) error {
	dir := sqliteMigrations
	if dialect == goose.DialectPostgres {
		dir = postgresMigrations
	}
	own, err := fs.Sub(files, dir)
	if err != nil {
		return err
	}
	for _, steps := range []fs.FS{own, os.DirFS(filepath.Join("testdata", "next", filepath.Base(dir)))} {
		provider, err := goose.NewProvider(dialect, m.db, steps, goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true))
		if err != nil {
			return err
		}
		if _, err := provider.UpTo(ctx, version); err != nil {
			return err
		}
	}
	return nil
}

// DB is the migrator's database.
func (m *Migrator) DB() *sql.DB { return m.db }

// WithSchemaAsItIs makes a store use the schema that it finds.
func (p *Postgres) WithSchemaAsItIs() *Postgres {
	p.schema.isOpen = true
	return p
}

// Connected says how many connections were made.
func (p *Postgres) Connected() int64 { return p.pool.Stat().NewConnsCount() }

// WithSilence makes Watch ask soon whether anybody is there.
func (p *Postgres) WithSilence(d time.Duration) *Postgres {
	p.silence = d
	return p
}

// Files are the migrations, and the directories of the dialects.
var Files = files

const (
	PostgresEnd        = postgresEnd
	FullPageBytes      = fullPageBytes
	SQLiteMigrations   = sqliteMigrations
	PostgresMigrations = postgresMigrations
	JournalMigrations  = journalMigrations
)
