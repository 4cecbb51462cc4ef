package catalogimport

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/avapd/avapd/internal/datasource"
)

// limits bound what is read of a database.
var limits = datasource.Limits{Rows: maxRows + 1, Bytes: 256 << 20, Timeout: 30 * time.Second}

// ErrUnreachable tells that there is no connection to the database.
var ErrUnreachable = errors.New("the database cannot be reached")

// FromPostgres reads the tables of a PostgreSQL database. It writes nothing.
func FromPostgres(ctx context.Context, url string) (*Catalogue, error) {
	source, err := datasource.OpenPostgres(ctx, datasource.PostgresOptions{URL: url, Connections: 1, Policy: datasource.Policy{ReadOnly: true}})
	if err != nil {
		return nil, err
	}
	c, err := fromSource(ctx, source)
	if failure, ok := errors.AsType[*datasource.Error](err); ok && failure.Kind == datasource.KindUnavailable {
		err = ErrUnreachable
	}
	return c, errors.Join(err, source.Close())
}

// fromSQLite reads the tables of a SQLite file's content. The file itself is
// not opened, since that would make other files beside it.
func fromSQLite(ctx context.Context, file []byte) (*Catalogue, error) {
	dir, err := os.MkdirTemp("", "avap-catalogue-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "catalogue.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		return nil, err
	}
	source, err := datasource.OpenSQLite(ctx, datasource.SQLiteOptions{Path: path, Readers: 1})
	if err != nil {
		return nil, err
	}
	c, err := fromSource(ctx, source)
	return c, errors.Join(err, source.Close())
}

func fromSource(ctx context.Context, source datasource.Source) (*Catalogue, error) {
	tables := make(map[string]*table)
	for _, name := range []string{functionTable, bytecodeTable} {
		there, err := source.TableExists(ctx, name, limits)
		if err != nil {
			return nil, err
		}
		if !there {
			continue
		}
		result, err := source.Select(ctx, nil, name, datasource.Statement{}, limits)
		if err != nil {
			return nil, err
		}
		t := &table{columns: result.Columns}
		for _, row := range result.Rows {
			t.rows = append(t.rows, texts(row))
		}
		tables[name] = t
	}
	return catalogue(tables)
}

func texts(row []any) []string {
	list := make([]string, len(row))
	for i, value := range row {
		if value != nil {
			list[i] = fmt.Sprint(value)
		}
	}
	return list
}
