package datasource

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/avapd/avapd/internal/testservices"
)

var (
	postgres    *testservices.Postgres
	postgresErr error
)

func TestMain(m *testing.M) {
	postgres, postgresErr = testservices.StartPostgres()
	code := m.Run()
	if err := postgres.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// onBoth runs a test on an empty database of each dialect.
func onBoth(t *testing.T, test func(t *testing.T, source Source)) {
	t.Run("sqlite", func(t *testing.T) { test(t, newSQLite(t, SQLiteOptions{})) })
	t.Run("postgres", func(t *testing.T) { test(t, newPostgres(t, PostgresOptions{})) })
}

func newSQLite(t testing.TB, options SQLiteOptions) Source {
	t.Helper()
	if options.Path == "" {
		options.Path = filepath.Join(t.TempDir(), "with ?#% data.db")
	}
	source, err := OpenSQLite(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, source)
	return source
}

func newPostgres(t testing.TB, options PostgresOptions) Source {
	t.Helper()
	testservices.Need(t, postgresErr)
	if options.URL == "" {
		options.URL = postgres.Schema(t)
	}
	source, err := OpenPostgres(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, source)
	return source
}

func closeAtEnd(t testing.TB, source Source) {
	t.Cleanup(func() {
		if err := source.Close(); err != nil {
			t.Error(err)
		}
	})
}

func mustExec(t testing.TB, source Source, sql string) *Result {
	t.Helper()
	result, err := source.Exec(context.Background(), Constant(sql), Limits{})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return result
}

// testValue reads a value of a test file.
func testValue(raw json.RawMessage) any { return decodeJSON(string(raw)) }

// testParts reads a statement of a test file: text, or a list of texts and
// {"v": value}.
func testParts(raw json.RawMessage) ([]Part, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return []Part{Text(text)}, nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, err
	}
	var parts []Part
	for _, item := range list {
		if json.Unmarshal(item, &text) == nil {
			parts = append(parts, Text(text))
			continue
		}
		var value struct{ V json.RawMessage }
		if err := json.Unmarshal(item, &value); err != nil {
			return nil, err
		}
		parts = append(parts, Value(testValue(value.V)))
	}
	return parts, nil
}

func readTests(t testing.TB, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}
