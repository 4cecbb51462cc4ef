package datasource

import (
	"context"
	"testing"
)

// place is where a statement has a value.
type place struct {
	before, after string
	read          func(value string) string // what the only cell answers
}

func same(value string) string { return value }

// places are the forms in which an author writes a text value.
var places = []place{
	{"SELECT ", " AS v", same},
	{"SELECT '", "' AS v", same},
	{"SELECT `", "` AS v", same},
	{"SELECT 'a''", "b' AS v", func(v string) string { return "a'" + v + "b" }},
	{"SELECT '%", "%' AS v", func(v string) string { return "%" + v + "%" }},
	{"SELECT n FROM canary WHERE n = ", "", nil},
	{"SELECT n FROM canary WHERE n = '", "' OR n = 'none'", nil},
	{"SELECT n FROM canary WHERE n LIKE '%", "-none%'", nil},
	{"SELECT n FROM canary WHERE n IN (", ", 'none')", nil},
	{"SELECT n FROM canary WHERE (n = '", "') AND 1 = 0 -- it's", nil},
	{"UPDATE canary SET n = n WHERE n = ", "", nil},
	{"DELETE FROM canary WHERE n = '", "'", nil},
	{"INSERT INTO sink (n) VALUES ('", "')", nil},
	{"INSERT INTO sink (n) VALUES (", ") RETURNING n AS v", same},
	{"WITH q AS (SELECT '", "' AS v) SELECT v FROM q", same},
	{"SELECT /* it's */ coalesce(", ", 'x') AS v", same},
}

// No value changes the structure of a statement: the SQL text is the one of a
// harmless value, the value comes back as it was, and what it asks for does
// not happen.
func TestInjection(t *testing.T) {
	var values []string
	readTests(t, "injections.json", &values)
	if len(values)*len(places) < 60 {
		t.Fatal("the corpus is too small")
	}
	onBoth(t, func(t *testing.T, source Source) {
		mustExec(t, source, "CREATE TABLE canary (id INTEGER, n TEXT)")
		mustExec(t, source, "CREATE TABLE sink (n TEXT)")
		mustExec(t, source, "INSERT INTO canary VALUES (1, 'bird')")
		for _, p := range places {
			for _, value := range values {
				p.check(t, source, value)
			}
		}
		if result := mustExec(t, source, "SELECT id, n FROM canary"); rowsText(result) != `[[1,"bird"]]` {
			t.Errorf("the canary is gone: %s", rowsText(result))
		}
		inserted := int64(len(values) * 2)
		if result := mustExec(t, source, "SELECT count(*) FROM sink"); result.Rows[0][0] != inserted {
			t.Errorf("%v rows inserted, want %d", result.Rows[0][0], inserted)
		}
	})
}

func (p place) check(t *testing.T, source Source, value string) {
	t.Helper()
	statement := func(v any) Statement { return Template(Text(p.before), Value(v), Text(p.after)) }
	harmless, err := compile(source.Dialect(), statement("x"))
	if err != nil {
		t.Fatal(err)
	}
	q, err := compile(source.Dialect(), statement(value))
	if err != nil || q.sql != harmless.sql || len(q.args) != len(harmless.args) {
		t.Errorf("%q became %q: %v", harmless.sql, q.sql, err)
		return
	}
	result, err := source.Exec(context.Background(), statement(value), Limits{})
	switch {
	case err != nil:
		t.Errorf("%s%q%s: %v", p.before, value, p.after, err)
	case p.read == nil && (len(result.Rows) > 0 || result.Affected > 1):
		t.Errorf("%s%q%s: rows %v, affected %d", p.before, value, p.after, result.Rows, result.Affected)
	case p.read != nil && (len(result.Rows) != 1 || result.Rows[0][0] != p.read(value)):
		t.Errorf("%s%q%s: rows %q", p.before, value, p.after, result.Rows)
	}
}

// Where a value cannot stand it is refused, whatever it is.
func TestInjectionRefused(t *testing.T) {
	var values []string
	readTests(t, "injections.json", &values)
	for _, p := range []place{
		{"SELECT 1 -- ", "", nil},
		{"SELECT 1 /* ", " */", nil},
		{"SELECT n AS \"", "\" FROM canary", nil},
		{"SELECT * FROM t", "", nil},
		{"SELECT X'", "'", nil},
		{"SELECT 1; ", "", nil},
		{"SELECT 1", "2", nil},
	} {
		for _, value := range values {
			for _, dialect := range []Dialect{SQLite, Postgres} {
				if q, err := compile(dialect, Template(Text(p.before), Value(value), Text(p.after))); err == nil {
					t.Errorf("%v takes %s%q%s as %s", dialect, p.before, value, p.after, q.sql)
				}
			}
		}
	}
}

// Names and types are no place for SQL either.
func TestInjectionNames(t *testing.T) {
	var values []string
	readTests(t, "injections.json", &values)
	onBoth(t, func(t *testing.T, source Source) {
		ctx := context.Background()
		mustExec(t, source, "CREATE TABLE canary (id INTEGER, n TEXT)")
		for _, value := range values {
			if isName(value) {
				continue
			}
			if _, err := source.Select(ctx, []any{"n", value}, "canary", Statement{}, Limits{}); err == nil {
				t.Errorf("a field may be %q", value)
			}
			if _, err := source.Delete(ctx, "canary"+value+" x", Statement{}, Limits{}); err == nil {
				t.Errorf("a table may be %q", value)
			}
			if _, err := source.CreateTable(ctx, []any{"a"}, []any{value}, "new", Limits{}); err == nil {
				t.Errorf("a type may be %q", value)
			}
			if is, err := source.TableExists(ctx, value, Limits{}); is || err != nil {
				t.Errorf("table %q: %v, %v", value, is, err)
			}
		}
	})
}
