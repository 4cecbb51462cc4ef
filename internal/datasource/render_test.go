package datasource

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestRender(t *testing.T) {
	var cases []struct {
		Name             string
		Parts            json.RawMessage
		SQLite, Postgres string // SQL, or ! and what a refusal says
		Args             json.RawMessage
	}
	readTests(t, "render.json", &cases)
	for _, c := range cases {
		parts, err := testParts(c.Parts)
		if err != nil {
			t.Fatal(err)
		}
		for dialect, want := range map[Dialect]string{SQLite: c.SQLite, Postgres: c.Postgres} {
			if want == "" {
				continue
			}
			q, err := compile(dialect, Template(parts...))
			if refusal, refused := strings.CutPrefix(want, "!"); refused {
				if err == nil || !strings.Contains(err.Error(), refusal) {
					t.Errorf("%s, %v: %v %v, want a refusal: %s", c.Name, dialect, q, err, refusal)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s, %v: %v", c.Name, dialect, err)
				continue
			}
			args := string(appendJSON(nil, append([]any{}, q.args...)))
			wantArgs := "[]"
			if c.Args != nil {
				wantArgs = string(appendJSON(nil, testValue(c.Args)))
			}
			if q.sql != want || args != wantArgs {
				t.Errorf("%s, %v:\n%q %s, want\n%q %s", c.Name, dialect, q.sql, args, want, wantArgs)
			}
		}
	}
}

// Whatever the constant text and the values are, the SQL does not depend on
// what the values say.
func FuzzCompile(f *testing.F) {
	f.Add("SELECT '", "x", "', E'a\\", "'--", "b' /* */")
	f.Add("SELECT ", "1", " WHERE a IN (", "$$", ")")
	f.Add("SELECT $a$ $a$, ", "\x00", " -- \r", "y", ";")
	f.Fuzz(func(t *testing.T, a, v, b, w, c string) {
		for _, dialect := range []Dialect{SQLite, Postgres} {
			one, err := compile(dialect, Template(Text(a), Value(v), Text(b), Value(w), Text(c)))
			other, otherErr := compile(dialect, Template(Text(a), Value("x"), Text(b), Value("y"), Text(c)))
			if (err == nil) != (otherErr == nil) {
				t.Fatalf("%v: %v, but %v with other values", dialect, err, otherErr)
			}
			if err == nil && (one.sql != other.sql || one.kind != other.kind || len(one.args) != len(other.args)) {
				t.Fatalf("%v: %q became %q with other values", dialect, one.sql, other.sql)
			}
		}
	})
}
