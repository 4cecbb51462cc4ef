package catalogimport

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"github.com/avapd/avapd/internal/testservices"
)

var update = flag.Bool("update", false, "write the golden file")

// started is the server of the tests that ask for one; fuzzing does not.
var started *testservices.Postgres

func postgres(t *testing.T) *testservices.Postgres {
	t.Helper()
	if started == nil {
		var err error
		started, err = testservices.StartPostgres()
		testservices.Need(t, err)
	}
	return started
}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := errors.Join(started.Stop(), goleak.Find()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func fixture(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/catalogue.sql")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func mustRead(t *testing.T, name string, file []byte) *Catalogue {
	t.Helper()
	c, err := FromFile(t.Context(), name, file)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func written(t *testing.T, r *Report) []byte {
	t.Helper()
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(text, '\n')
}

const golden = "testdata/report.json"

// Whichever way the tables come, the report is the same.
func TestReport(t *testing.T) {
	if *update {
		if err := os.WriteFile(golden, written(t, Assess(mustRead(t, "", fixture(t)))), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, read := range map[string]func(*testing.T) *Catalogue{
		"sql": func(t *testing.T) *Catalogue { return mustRead(t, "dump.sql", fixture(t)) },
		"copy": func(t *testing.T) *Catalogue {
			return mustRead(t, "dump.sql", []byte(asCopy(mustRead(t, "", fixture(t)))))
		},
		"json":     func(t *testing.T) *Catalogue { return mustRead(t, "dump.json", asJSON(t, mustRead(t, "", fixture(t)))) },
		"sqlite":   func(t *testing.T) *Catalogue { return mustRead(t, "dump.db", asSQLite(t, mustRead(t, "", fixture(t)))) },
		"postgres": fromRealPostgres,
	} {
		t.Run(name, func(t *testing.T) {
			got := written(t, Assess(read(t)))
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("the report is\n%s", got)
			}
		})
	}
}

func fromRealPostgres(t *testing.T) *Catalogue {
	url := postgres(t).Schema(t)
	conn, err := pgconn.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	statements := strings.ReplaceAll(string(fixture(t)), `\set ON_ERROR_STOP on`, "") // that is psql's
	if err := errors.Join(conn.Exec(t.Context(), statements).Close(), conn.Close(context.Background())); err != nil {
		t.Fatal(err)
	}
	c, err := FromPostgres(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (f *Function) interfaceText() string {
	if f.interfaceNote != "" {
		return "not json"
	}
	text, _ := json.Marshal(f.Interface)
	return string(text)
}

func asCopy(c *Catalogue) string {
	escape := strings.NewReplacer("\\", `\\`, "\n", `\n`, "\t", `\t`, "\r", `\r`).Replace
	var b strings.Builder
	b.WriteString("COPY public.obex_dapl_functions (name, description, code, interface) FROM stdin;\n")
	for _, f := range c.Functions {
		code := escape(f.Code)
		if code == "" {
			code = `\N`
		}
		fmt.Fprintf(&b, "%s\t%s\t%s\t%s\n", f.Name, escape(f.Description), code, escape(f.interfaceText()))
	}
	b.WriteString("\\.\n\nCOPY public.avap_bytecode (command_name, bytecode) FROM stdin;\n")
	for _, x := range c.Bytecode {
		fmt.Fprintf(&b, "%s\t\\\\x%s\n", x.Command, hex.EncodeToString(x.Content))
	}
	return b.String() + "\\.\n"
}

func asJSON(t *testing.T, c *Catalogue) []byte {
	t.Helper()
	type row map[string]any
	tables := map[string][]row{}
	for _, f := range c.Functions {
		r := row{"name": f.Name, "description": f.Description, "code": f.Code, "interface": f.Interface, "id": 1}
		if f.interfaceNote != "" {
			r["interface"] = "not json"
		}
		tables["obex_dapl_functions"] = append(tables["obex_dapl_functions"], r)
	}
	for _, b := range c.Bytecode {
		tables["avap_bytecode"] = append(tables["avap_bytecode"], row{"command_name": b.Command, "bytecode": b.Content})
	}
	text, err := json.Marshal(tables)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func asSQLite(t *testing.T, c *Catalogue) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "catalogue.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	exec := func(statement string, args ...any) {
		t.Helper()
		if _, err := db.Exec(statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE obex_dapl_functions (name TEXT, interface TEXT, description TEXT, code TEXT)")
	exec("CREATE TABLE avap_bytecode (command_name TEXT, bytecode BLOB)")
	for _, f := range c.Functions {
		exec("INSERT INTO obex_dapl_functions VALUES (?, ?, ?, ?)", f.Name, f.interfaceText(), f.Description, f.Code)
	}
	for _, b := range c.Bytecode {
		exec("INSERT INTO avap_bytecode VALUES (?, ?)", b.Command, b.Content)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// CSV is of the function table alone.
func TestCSV(t *testing.T) {
	c := mustRead(t, "", fixture(t))
	var file bytes.Buffer
	w := csv.NewWriter(&file)
	w.Write([]string{"Code", "NAME", "interface", "description"})
	for _, f := range c.Functions {
		w.Write([]string{f.Code, f.Name, f.interfaceText(), f.Description})
	}
	w.Flush()
	got := mustRead(t, "functions.csv", file.Bytes())
	c.Bytecode = nil
	if got, want := written(t, Assess(got)), written(t, Assess(c)); !bytes.Equal(got, want) {
		t.Errorf("the report is\n%s\nwant\n%s", got, want)
	}
}

func TestNoCatalogue(t *testing.T) {
	for name, file := range map[string]string{
		"empty": "", "nothing.csv": "", "other.csv": "a,b\n1,2\n", "other.sql": "CREATE TABLE t (a int); INSERT INTO t VALUES (1);",
		"list.json": "[]x", "object.json": `{"obex_dapl_functions": 1}`, "other.json": `{"t": []}`,
		"cut.sql": "INSERT INTO obex_dapl_functions (name, code) VALUES ('a", "cut2.sql": "INSERT INTO obex_dapl_functions (name",
		"cut3.sql": "COPY obex_dapl_functions (name, code) FROM stdin;\na\tb\n", "custom.dump": "PGDMP\x01\x0e", "broken.db": "SQLite format 3\x00and nothing",
		"quote.csv": "name,code\n\"a",
	} {
		if c, err := FromFile(t.Context(), name, []byte(file)); err == nil {
			t.Errorf("%s: %+v", name, c)
		}
	}
	if _, err := FromPostgres(t.Context(), postgres(t).Schema(t)); !errors.Is(err, ErrNoTable) {
		t.Error(err)
	}
}

func TestUses(t *testing.T) {
	for code, want := range map[string]string{
		"import os":                  "os",
		"import os.path as p, json":  "json os",
		"from requests import get":   "requests",
		"x = 1; import re":           "re",
		"  import hashlib # comment": "hashlib",
		"'import os'":                "",
		"'''\nimport os\n'''":        "",
		`"a\" import os"`:            "",
		"# import os":                "",
		"self.open(x)":               "",
		"reopen(x)":                  "",
		"json.loads(x)":              "json",
		"self.json.loads(x)":         "",
		"open(x)":                    "open",
		"a=eval(x)":                  "eval",
		"importos = 1":               "",
		"import":                     "",
		"from x":                     "",
		"x = 'unclosed\nimport os":   "os",
		"x = '''unclosed\nimport os": "",
		"import unknown_thing":       "unknown_thing",
		"x = f(\"\"\"eval(1)\"\"\") + eval(\"2\")": "eval",
	} {
		var names []string
		for _, u := range uses(code) {
			names = append(names, u.Uses)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%q uses %q, want %q", code, got, want)
		}
	}
}

// No file makes the readers panic or hang.
func FuzzFromFile(f *testing.F) {
	text, err := os.ReadFile("testdata/catalogue.sql")
	if err != nil {
		f.Fatal(err)
	}
	f.Add("a.sql", text)
	f.Add("a.csv", []byte("name,code\na,import os\n"))
	f.Add("a.json", []byte(`[{"name":"a","code":"open(1)"}]`))
	f.Add("a.sql", []byte("COPY obex_dapl_functions (name, code) FROM stdin;\na\t\\x\\N\n\\.\n"))
	f.Fuzz(func(t *testing.T, name string, file []byte) {
		if bytes.HasPrefix(file, []byte("SQLite")) {
			return // the driver's own business, and slow
		}
		c, err := FromFile(t.Context(), name, file)
		if err != nil {
			return
		}
		r := Assess(c)
		if n := r.BuiltIn + r.Rewrite + r.LeftOut; n != len(r.Commands) || n < len(c.Functions) {
			t.Errorf("%d functions became %d commands, %d counted", len(c.Functions), len(r.Commands), n)
		}
	})
}
