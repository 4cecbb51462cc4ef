package datasource

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// engineOf is what stands behind the lexer.
func engineOf[E engine](t *testing.T, source Source) E {
	t.Helper()
	e, ok := source.(*database).engine.(E)
	if !ok {
		t.Fatal("another engine")
	}
	return e
}

// Each of these is refused by the lexer, and, when it is passed by, by the wall.
func TestSQLiteWall(t *testing.T) {
	dir := t.TempDir()
	source := newSQLite(t, SQLiteOptions{Path: filepath.Join(dir, "data.db")})
	mustExec(t, source, "CREATE TABLE t (id INTEGER)")
	mustExec(t, source, "INSERT INTO t VALUES (1)")
	other := filepath.Join(dir, "other.db")
	engine := engineOf[*sqliteEngine](t, source)
	for _, sql := range []string{
		"ATTACH '" + other + "' AS o",
		"DETACH main",
		"VACUUM",
		"VACUUM INTO '" + other + "'",
		"PRAGMA journal_mode = DELETE",
		"PRAGMA user_version",
		"PRAGMA writable_schema = 1",
		"PRAGMA table_info(t)",
		"SELECT * FROM pragma_table_info('t')",
		"SELECT load_extension('" + other + "')",
		"CREATE TEMP TABLE x (a)",
		"CREATE TRIGGER x AFTER INSERT ON t BEGIN DELETE FROM t; END",
		"CREATE VIRTUAL TABLE x USING fts5(a)",
		"BEGIN", "COMMIT", "SAVEPOINT x", "ANALYZE",
		"SELECT 1; DROP TABLE t",
		"SELECT 1;DROP TABLE t --",
		"INSERT INTO t VALUES (2); ATTACH '" + other + "' AS o",
		"DELETE FROM sqlite_master",
	} {
		// pragma_table_info, load_extension and sqlite_master are the engine's to refuse.
		if _, err := source.Exec(t.Context(), Constant(sql), Limits{}); err == nil {
			t.Errorf("%s was executed", sql)
		}
		for _, k := range []kind{{}, {writes: true}, {rows: true}, {rows: true, writes: true}} {
			if result, err := engine.run(t.Context(), &query{sql: sql, kind: k}, Limits{}.withDefaults()); err == nil {
				t.Errorf("%s passed the wall as %+v: %v", sql, k, result)
			}
		}
	}
	if result := mustExec(t, source, "SELECT id FROM t"); rowsText(result) != "[[1]]" {
		t.Errorf("rows %s", rowsText(result))
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), "data.db") {
			t.Errorf("a script made the file %s", entry.Name())
		}
	}
}

func TestSQLiteLimits(t *testing.T) {
	source := newSQLite(t, SQLiteOptions{})
	for _, pool := range []*connections{engineOf[*sqliteEngine](t, source).read, engineOf[*sqliteEngine](t, source).write} {
		c, err := pool.take(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		if now, err := sqlite.Limit(c.conn, sqlite3.SQLITE_LIMIT_ATTACHED, -1); now != 0 || err != nil {
			t.Errorf("%d databases may be attached: %v", now, err)
		}
		pool.give(c, "", false)
	}
	var failure *Error
	if _, err := source.Exec(t.Context(), Constant("SELECT zeroblob(100000000)"), Limits{}); !errors.As(err, &failure) || failure.Kind != KindDatabase {
		t.Errorf("a blob of 100 MB: %v", err)
	}
}

func TestSQLiteFileSize(t *testing.T) {
	source := newSQLite(t, SQLiteOptions{MaxBytes: 128 << 10})
	mustExec(t, source, "CREATE TABLE t (n TEXT)")
	_, err := source.Exec(t.Context(), Template(Text("INSERT INTO t VALUES ("), Value(strings.Repeat("x", 1<<20)), Text(")")), Limits{})
	if err == nil || !strings.Contains(err.Error(), "full") {
		t.Errorf("1 MB in a file of 128 KB: %v", err)
	}
	mustExec(t, source, "INSERT INTO t VALUES ('x')")
}

// Reading goes on while a writer waits or works.
func TestSQLiteReadsBesideWriter(t *testing.T) {
	source := newSQLite(t, SQLiteOptions{})
	mustExec(t, source, "CREATE TABLE t (id INTEGER)")
	engine := engineOf[*sqliteEngine](t, source)
	writer, err := engine.write.take(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, source, "SELECT * FROM t")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := source.Exec(ctx, Constant("DELETE FROM t"), Limits{}); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for the writer: %v", err)
	}
	engine.write.give(writer, "", true)
	mustExec(t, source, "DELETE FROM t")
}

func TestSQLiteClosed(t *testing.T) {
	source := newSQLite(t, SQLiteOptions{})
	if err := source.Close(); err != nil {
		t.Fatal(err)
	}
	var failure *Error
	if _, err := source.Exec(t.Context(), Constant("SELECT 1"), Limits{}); !errors.As(err, &failure) || failure.Kind != KindUnavailable {
		t.Errorf("after Close: %v", err)
	}
}

func TestSQLiteCannotOpen(t *testing.T) {
	_, err := OpenSQLite(t.Context(), SQLiteOptions{Path: filepath.Join(t.TempDir(), "missing", "data.db")})
	var failure *Error
	if !errors.As(err, &failure) || failure.Kind != KindUnavailable || strings.Contains(failure.Message, "missing") {
		t.Errorf("error %v", err)
	}
}
