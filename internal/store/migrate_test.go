package store_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/avapd/avapd/internal/store"
)

// dialects runs a test on a new database of each.
func dialects(t *testing.T, test func(t *testing.T, dialect goose.Dialect, location string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, goose.DialectSQLite3, sqlitePath(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, goose.DialectPostgres, postgresURL(t)) })
}

func migrator(t *testing.T, location string) *store.Migrator {
	t.Helper()
	open := store.MigrateSQLite
	if strings.HasPrefix(location, "postgres:") {
		open = store.MigratePostgres
	}
	m, err := open(location)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func migrateTo(t *testing.T, dialect goose.Dialect, location string, version int64) {
	t.Helper()
	if err := store.MigrateTo(t.Context(), migrator(t, location), dialect, version); err != nil {
		t.Fatal(err)
	}
}

// exercise uses all that a store can do.
func exercise(t *testing.T, s store.Store) {
	t.Helper()
	content := []byte("module")
	digest := sha256.Sum256(content)
	batch := store.Batch{Puts: []store.Put{document("a", 0), document("b", 0)}, Artifacts: []store.Artifact{{Digest: digest, Bytes: content}}}
	revision, err := s.Commit(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	mustCommit(t, s, document("a", revision), store.Put{Kind: "command", Name: "b", Expect: revision, Delete: true})
	if _, err := s.Commit(t.Context(), batch); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a repeated commit: %v", err)
	}
	mustCommit(t, s, document("b", 0))
	if got, err := s.Artifact(t.Context(), digest); err != nil || string(got) != "module" {
		t.Errorf("%q, %v", got, err)
	}
	page := changes(t, s, 0)
	if summary, err := s.Summary(t.Context()); err != nil || summary != page.Summary || summary.Digest != store.Digest(page.Records) {
		t.Errorf("%+v, %v", summary, err)
	}
	mustCommit(t, s, store.Put{Kind: "command", Name: "a", Expect: revision + 1, Delete: true}, store.Put{Kind: "command", Name: "b", Expect: revision + 2, Delete: true})
}

// TestOlderSchema has this program's statements on the schema of the first
// migration: another one is bringing the schema up to date.
func TestOlderSchema(t *testing.T) {
	location := postgresURL(t)
	migrateTo(t, goose.DialectPostgres, location, 1)
	s, err := store.OpenPostgres(t.Context(), location, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	exercise(t, s.WithSchemaAsItIs())
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestNewerSchema has this program on a schema that a later one has expanded.
func TestNewerSchema(t *testing.T) {
	dialects(t, func(t *testing.T, dialect goose.Dialect, location string) {
		before := mustOpen(t, location)
		exercise(t, before)
		migrateTo(t, dialect, location, 90_000)
		exercise(t, before)
		exercise(t, mustOpen(t, location))
		m := migrator(t, location)
		if steps, err := m.Up(t.Context()); err != nil || len(steps) != 0 {
			t.Errorf("%v, %v", steps, err)
		}
		if steps, err := m.Status(t.Context()); err != nil || steps[0].Applied.IsZero() {
			t.Errorf("%v, %v", steps, err)
		}
	})
}

func mustOpen(t *testing.T, location string) store.Store {
	t.Helper()
	s, err := openAny(t.Context(), location)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestContractedSchema has this program on a schema that was taken away from it.
func TestContractedSchema(t *testing.T) {
	dialects(t, func(t *testing.T, dialect goose.Dialect, location string) {
		m := migrator(t, location)
		if err := store.MigrateTo(t.Context(), m, dialect, 90_000); err != nil {
			t.Fatal(err)
		}
		if _, err := m.DB().ExecContext(t.Context(), `UPDATE avap_state SET compatible = 90000`); err != nil {
			t.Fatal(err)
		}
		s, err := openAny(t.Context(), location)
		if err == nil {
			_, err = s.Summary(t.Context())
			defer s.Close()
		}
		if !errors.Is(err, store.ErrSchema) || !strings.Contains(err.Error(), "use a newer avap") {
			t.Error(err)
		}
	})
}

// TestMigrateTogether starts several programs on an empty database.
func TestMigrateTogether(t *testing.T) {
	dialects(t, func(t *testing.T, _ goose.Dialect, location string) {
		var starting sync.WaitGroup
		for range 4 {
			starting.Go(func() {
				s, err := openAny(t.Context(), location)
				if err == nil {
					_, err = s.Summary(t.Context())
					err = errors.Join(err, s.Close())
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		starting.Wait()
	})
}

func TestMigrateDownAndUp(t *testing.T) {
	dialects(t, func(t *testing.T, _ goose.Dialect, location string) {
		m := migrator(t, location)
		steps, err := m.Up(t.Context())
		if err != nil || len(steps) == 0 {
			t.Fatal(steps, err)
		}
		for range steps {
			if undone, err := m.Down(t.Context()); err != nil || len(undone) != 1 {
				t.Fatal(undone, err)
			}
		}
		if undone, err := m.Down(t.Context()); err != nil || len(undone) != 0 {
			t.Error(undone, err)
		}
		exercise(t, mustOpen(t, location))
	})
}

// TestPostgresWithoutRights has a role that may use tables and not make any.
func TestPostgresWithoutRights(t *testing.T) {
	location := postgresURL(t)
	owner, err := url.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	schema := owner.User.Username()
	role := schema + "_user"
	exec := func(statements string) {
		t.Helper()
		if err := postgres.Exec(context.Background(), "", statements); err != nil {
			t.Error(err)
		}
	}
	exec(`CREATE ROLE ` + role + ` LOGIN PASSWORD 'x'; ALTER ROLE ` + role + ` SET search_path = ` + schema + `; GRANT USAGE ON SCHEMA ` + schema + ` TO ` + role)
	t.Cleanup(func() { exec(`DROP OWNED BY ` + role + `; DROP ROLE ` + role) })
	user := *owner
	user.User = url.UserPassword(role, "x")
	s := mustOpen(t, user.String())
	if _, err := s.Summary(t.Context()); !errors.Is(err, store.ErrSchema) || !strings.Contains(err.Error(), "avap migrate up") {
		t.Errorf("a schema without tables: %v", err)
	}
	if _, err := migrator(t, location).Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	exec(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ` + schema + ` TO ` + role)
	exercise(t, s)
}

func TestPostgresThatTakesNoWrites(t *testing.T) {
	s := mustOpen(t, strings.Replace(postgresURL(t), "?", "?options=-c%20default_transaction_read_only%3Don&", 1))
	if _, err := s.Summary(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Error(err)
	}
}

// TestBrokenIndex has an index whose building failed, as it does when a server
// ends meanwhile: it is there and not used, and a step that makes it if it is not
// there leaves it so.
func TestBrokenIndex(t *testing.T) {
	m := migrator(t, postgresURL(t))
	ctx := t.Context()
	if _, err := m.Up(ctx); err != nil {
		t.Fatal(err)
	}
	exec := func(statement string) error {
		_, err := m.DB().ExecContext(ctx, statement)
		return err
	}
	if err := exec(`INSERT INTO avap_commits (key, revision) VALUES ('a', 1), ('b', 1)`); err != nil {
		t.Fatal(err)
	}
	if err := exec(`CREATE UNIQUE INDEX CONCURRENTLY avap_broken ON avap_commits (revision)`); err == nil {
		t.Fatal("an index over what is there twice was made")
	}
	broken := func() (n int) {
		t.Helper()
		err := m.DB().QueryRowContext(ctx, `SELECT count(*) FROM pg_index WHERE NOT indisvalid AND indrelid = 'avap_commits'::regclass`).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := broken(); n != 1 {
		t.Fatalf("%d indexes are broken", n)
	}
	if err := exec(`DELETE FROM avap_commits WHERE key = 'b'`); err != nil {
		t.Fatal(err)
	}
	if steps, err := m.Up(ctx); err != nil || len(steps) != 0 || broken() != 0 {
		t.Errorf("%v, %v, %d are broken", steps, err, broken())
	}
}

// TestDownWhileInUse has a server on the file.
func TestDownWhileInUse(t *testing.T) {
	path := sqlitePath(t)
	s, err := store.OpenSQLite(t.Context(), path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := migrator(t, path)
	if undone, err := m.Down(t.Context()); !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "stop the server first") {
		t.Errorf("%v, %v", undone, err)
	}
	exercise(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if undone, err := m.Down(t.Context()); err != nil || len(undone) != 1 {
		t.Errorf("%v, %v", undone, err)
	}
	exercise(t, mustOpen(t, path))
}
