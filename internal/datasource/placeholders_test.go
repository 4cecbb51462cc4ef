package datasource

import "testing"

func TestWithParameters(t *testing.T) {
	for _, c := range []struct {
		sql        string
		parameters []any
		want       string // of SQLite; empty: refused
	}{
		{"SELECT 1", nil, "SELECT 1"},
		{"SELECT * FROM t WHERE a = ? AND b = %s", []any{1, "x"}, "SELECT * FROM t WHERE a = ?  AND b = ?"},
		{"SELECT '?%s', \"?\", a -- ?\n, ?", []any{1}, "SELECT '?%s', \"?\", a  \n, ?"},
		{"SELECT a FROM t WHERE a IN (%s)", []any{[]any{1, 2}}, "SELECT a FROM t WHERE a IN (? ,? )"},
		{"SELECT a % sum FROM t WHERE b=?", []any{1}, "SELECT a % sum FROM t WHERE b= ?"},
		{"SELECT ?", []any{1, 2}, ""},
		{"SELECT ?, ?", []any{1}, ""},
		{"SELECT '?'", []any{1}, ""},
		{"SELECT ?; DROP TABLE t", []any{1}, ""},
	} {
		statement, err := WithParameters(SQLite, c.sql, c.parameters)
		var q *query
		if err == nil {
			q, err = compile(SQLite, statement)
		}
		if (err != nil) != (c.want == "") || err == nil && q.sql != c.want {
			t.Errorf("%s: %+v, %v", c.sql, q, err)
		}
	}
}
