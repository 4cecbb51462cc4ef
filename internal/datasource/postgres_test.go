package datasource

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/testservices"
)

// What a text means on PostgreSQL only.
func TestPostgresValues(t *testing.T) {
	source := newPostgres(t, PostgresOptions{})
	for sql, want := range map[string]string{
		"SELECT 12345678901234567890.12 AS v":                                   `"12345678901234567890.12"`,
		"SELECT 0.1::numeric AS v":                                              `0.1`,
		"SELECT 1.50::numeric(10,4) AS v":                                       `1.5`,
		"SELECT 99999999999999999999::numeric AS v":                             `"99999999999999999999"`,
		"SELECT sum(n) AS v FROM (VALUES (1::bigint), (2)) q (n)":               `3`,
		"SELECT 'NaN'::numeric::text AS v":                                      `"NaN"`,
		"SELECT 0.1::real AS v":                                                 `0.1`,
		"SELECT 1e20::float8 AS v":                                              `1e+20`,
		"SELECT TIMESTAMPTZ '2024-01-02 03:04:05.5+02' AS v":                    `"2024-01-02T01:04:05.5+00:00"`,
		"SELECT TIMESTAMP '2024-01-02 03:04:05' AS v":                           `"2024-01-02T03:04:05"`,
		"SELECT DATE '2024-02-29' AS v":                                         `"2024-02-29"`,
		"SELECT 'infinity'::timestamp AS v":                                     `"infinity"`,
		"SELECT INTERVAL '1 day 2 hours' AS v":                                  `"P1DT2H"`,
		`SELECT '{"b": 1, "a": [1.0, 2, "x", null, true]}'::json AS v`:          `{"b":1,"a":[1.0,2,"x",null,true]}`,
		`SELECT '\x6869'::bytea AS v`:                                           `"aGk="`,
		`SELECT ARRAY[1, NULL, 3] AS v`:                                         `[1,null,3]`,
		`SELECT ARRAY[[1, 2], [3, 4]] AS v`:                                     `[[1,2],[3,4]]`,
		`SELECT ARRAY['a b', 'c"d', 'e\f', 'NULL', '', '{x,y}'] AS v`:           `["a b","c\"d","e\\f","NULL","","{x,y}"]`,
		`SELECT '{}'::int[] AS v`:                                               `[]`,
		`SELECT '[2:3]={7,8}'::int[] AS v`:                                      `[7,8]`,
		`SELECT ARRAY[true, false] AS v`:                                        `[true,false]`,
		`SELECT ARRAY['{"a": 1}'::jsonb] AS v`:                                  `[{"a":1}]`,
		`SELECT 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid AS v`:              `"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"`,
		`SELECT '10.0.0.1'::inet AS v`:                                          `"10.0.0.1"`,
		`SELECT '{"a": {"b": 7}}'::jsonb #> '{a,b}' AS v`:                       `7`,
		`SELECT $t$it's$t$ AS v`:                                                `"it's"`,
		`SELECT '{"a": 1}'::jsonb ? 'a' AS v`:                                   `true`,
		`(SELECT 1 AS v) UNION (SELECT 1)`:                                      `1`,
		`SELECT count(*) AS v FROM pg_settings WHERE name = 'TimeZone'`:         `1`,
		`SELECT setting AS v FROM pg_settings WHERE name = 'TimeZone'`:          `"UTC"`,
		`SELECT setting AS v FROM pg_settings WHERE name = 'statement_timeout'`: `"30000"`,
	} {
		result, err := source.Exec(t.Context(), Constant(sql), Limits{})
		if err != nil {
			t.Errorf("%s: %v", sql, err)
			continue
		}
		if got := rowsText(result); got != "[["+want+"]]" {
			t.Errorf("%s: %s, want %s", sql, got, want)
		}
	}
}

// Parameters have the types that constants would have, or what fits.
func TestPostgresParameters(t *testing.T) {
	source := newPostgres(t, PostgresOptions{})
	for _, c := range []struct {
		parts []Part
		want  string
	}{
		{[]Part{Text("SELECT DATE '2024-01-31' + "), Value(int64(1)), Text(" AS v")}, `"2024-02-01"`},
		{[]Part{Text("SELECT TIMESTAMP '2024-01-01' + INTERVAL '"), Value(int64(3)), Text(" days' AS v")}, `"2024-01-04T00:00:00"`},
		{[]Part{Text("SELECT DATE '"), Value("2024-01-01"), Text("' AS v")}, `"2024-01-01"`},
		{[]Part{Text("SELECT '[10,20]'::jsonb -> "), Value(int64(1)), Text(" AS v")}, `20`},
		{[]Part{Text("SELECT concat("), Value("a"), Text(", "), Value(int64(1)), Text(") AS v")}, `"a1"`},
		{[]Part{Text("SELECT jsonb_build_object('k', "), Value("v"), Text(") AS v")}, `{"k":"v"}`},
		{[]Part{Text("SELECT 'x' || "), Value(int64(5)), Text(" AS v")}, `"x5"`},
		{[]Part{Text("SELECT round("), Value(2.567), Text(", 1) AS v")}, `2.6`},
		{[]Part{Text("SELECT 1 AS v WHERE 'a'::varchar = ANY (ARRAY["), Value([]any{"a", "b"}), Text("])")}, `1`},
		{[]Part{Text("SELECT "), Value(true), Text(" AS v")}, `true`},
		{[]Part{Text("SELECT "), Value(1e300), Text(" AS v")}, `1e+300`},
		{[]Part{Text("SELECT v FROM generate_series(1, 5) v ORDER BY v DESC LIMIT "), Value(int64(1)), Text(" OFFSET "), Value("2")}, `3`},
	} {
		result, err := source.Exec(t.Context(), Template(c.parts...), Limits{})
		if err != nil {
			t.Errorf("%v: %v", c.parts, err)
			continue
		}
		if got := rowsText(result); got != "[["+c.want+"]]" {
			t.Errorf("%v: %s, want %s", c.parts, got, c.want)
		}
	}
}

// The server takes one statement only, whatever the lexer says, and sessions
// are as new after each use.
func TestPostgresWall(t *testing.T) {
	source := newPostgres(t, PostgresOptions{Connections: 1})
	mustExec(t, source, "CREATE TABLE t (id INTEGER)")
	engine := engineOf[*postgresEngine](t, source)
	for _, sql := range []string{"SELECT 1; DROP TABLE t", "SELECT 1;DROP TABLE t --"} {
		for _, k := range []kind{{}, {writes: true}} {
			if _, err := engine.run(t.Context(), &query{sql: sql, kind: k}, Limits{}.withDefaults()); err == nil || !strings.Contains(err.Error(), "multiple commands") {
				t.Errorf("%s: %v", sql, err)
			}
		}
	}
	// Past the lexer, so that the reset is what is tested.
	const change = "SELECT set_config('search_path', 'pg_catalog', false), pg_advisory_lock(7)"
	if _, err := engine.run(t.Context(), &query{sql: change}, Limits{}.withDefaults()); err != nil {
		t.Fatal(err)
	}
	mustExec(t, source, "SELECT * FROM t")
	if result := mustExec(t, source, "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory'"); result.Rows[0][0] != int64(0) {
		t.Error("a lock outlived its session")
	}
	for _, sql := range []string{
		"COPY t FROM '/etc/passwd'", "SET ROLE postgres", "LISTEN x", "NOTIFY x", "VACUUM", "TRUNCATE t", "GRANT ALL ON t TO PUBLIC",
		"PREPARE x AS SELECT 1", "EXECUTE x", "DEALLOCATE ALL", "CALL x()", "LOCK TABLE t", "RESET ALL", "SHOW ALL", "DISCARD ALL",
		"START TRANSACTION", "ROLLBACK", "CREATE ROLE x", "CREATE EXTENSION x", "ALTER SYSTEM SET x = 1", "DROP DATABASE x",
		"SELECT set_config('role', 'postgres', false)", "SELECT pg_catalog . pg_terminate_backend(1)", "SELECT query_to_xml('x', true, true, '')",
		"SELECT dblink_connect('x')", "SELECT lo_import('/etc/passwd')",
	} {
		var failure *Error
		if _, err := source.Exec(t.Context(), Constant(sql), Limits{}); !errors.As(err, &failure) || failure.Kind != KindRefused {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

func TestPostgresStatementTimeout(t *testing.T) {
	source := newPostgres(t, PostgresOptions{StatementTimeout: 100 * time.Millisecond})
	if _, err := source.Exec(t.Context(), Constant("SELECT pg_sleep(20)"), Limits{}); !isLimit(err, "too long") {
		t.Errorf("error %v", err)
	}
}

// Messages for scripts name neither host nor user nor password.
func TestPostgresSecrets(t *testing.T) {
	testservices.Need(t, postgresErr)
	good := postgres.Schema(t)
	for name, url := range map[string]string{
		"malformed":      "postgres://user:hidden-word@host:port/x",
		"unreachable":    "postgres://user:hidden-word@127.0.0.1:1/x",
		"no such role":   strings.Replace(good, "//avap_", "//hidden-word", 1),
		"no such server": "postgres://user:hidden-word@hidden-word.invalid/x",
	} {
		source, err := OpenPostgres(t.Context(), PostgresOptions{URL: url})
		if err == nil {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			_, err = source.Exec(ctx, Constant("SELECT 1"), Limits{})
			cancel()
			closeAtEnd(t, source)
		}
		var failure *Error
		if !errors.As(err, &failure) || failure.Kind != KindUnavailable {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), "hidden-word") || strings.Contains(err.Error(), "user") {
			t.Errorf("%s: the message says %s", name, err)
		}
	}
}

func TestPostgresCheck(t *testing.T) {
	source := newPostgres(t, PostgresOptions{})
	if findings, err := source.Check(t.Context()); err != nil || len(findings) != 0 {
		t.Errorf("a modest role: %q, %v", findings, err)
	}
	super := newPostgres(t, PostgresOptions{URL: postgres.URL()})
	if findings, err := super.Check(t.Context()); err != nil || len(findings) == 0 || !strings.Contains(findings[0], "superuser") {
		t.Errorf("a superuser: %q, %v", findings, err)
	}
}
