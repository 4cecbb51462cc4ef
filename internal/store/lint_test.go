package store_test

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/avapd/avapd/internal/store"
)

// TestMigrationsKeepTheRules holds the migrations to docs/operations.md.
func TestMigrationsKeepTheRules(t *testing.T) {
	for _, dir := range []string{store.SQLiteMigrations, store.JournalMigrations, store.PostgresMigrations} {
		entries, err := fs.ReadDir(store.Files, dir)
		if err != nil {
			t.Fatal(err)
		}
		for i, entry := range entries {
			text, err := fs.ReadFile(store.Files, dir+"/"+entry.Name())
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(entry.Name(), fmt.Sprintf("%05d_", i+1)) {
				t.Errorf("%s/%s is not number %d", dir, entry.Name(), i+1)
			}
			for _, complaint := range lint(string(text), dir == store.PostgresMigrations) {
				t.Errorf("%s/%s: %s", dir, entry.Name(), complaint)
			}
		}
	}
}

// TestLint holds the rules to what they are to refuse.
func TestLint(t *testing.T) {
	const timeout = "SET LOCAL lock_timeout = '5s';\n"
	for _, c := range []struct{ name, up, want string }{
		{"fine", timeout + "ALTER TABLE t ADD COLUMN c bigint NOT NULL DEFAULT 0;", ""},
		{"fine on a new table", timeout + "CREATE TABLE t (c text); CREATE INDEX i ON t (c); ALTER TABLE t ALTER COLUMN c SET NOT NULL;", ""},
		{"no timeout", "ALTER TABLE t ADD COLUMN c bigint;", "lock_timeout"},
		{"timeout too late", "CREATE TABLE t (c text);" + timeout, "lock_timeout"},
		{"index", timeout + "CREATE UNIQUE INDEX i ON t (c);", "CONCURRENTLY"},
		{"index in a transaction", timeout + "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (c);", "NO TRANSACTION"},
		{"index that fails again", "-- +goose NO TRANSACTION\nSET lock_timeout = '5s';\nCREATE INDEX CONCURRENTLY i ON t (c);", "IF NOT EXISTS"},
		{"drop index", timeout + "DROP INDEX i;", "CONCURRENTLY"},
		{"reindex", timeout + "REINDEX TABLE t;", "locks"},
		{"two steps without a transaction", "-- +goose NO TRANSACTION\nSET lock_timeout = '5s';\nALTER TABLE t ADD COLUMN c text; ALTER TABLE t ADD COLUMN d text;", "one statement"},
		{"not null", timeout + "ALTER TABLE t ALTER c SET NOT NULL;", "SET NOT NULL"},
		{"not null, checked", timeout + "ALTER TABLE t ADD CONSTRAINT k CHECK (c IS NOT NULL) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT k; ALTER TABLE t ALTER c SET NOT NULL;", ""},
		{"constraint", timeout + "ALTER TABLE t ADD CONSTRAINT k CHECK (c > 0);", "NOT VALID"},
		{"foreign key", timeout + "ALTER TABLE t ADD FOREIGN KEY (c) REFERENCES u (c);", "NOT VALID"},
		{"unique", timeout + "ALTER TABLE t ADD CONSTRAINT k UNIQUE (c);", "USING INDEX"},
		{"volatile default", timeout + "ALTER TABLE t ADD COLUMN c uuid DEFAULT gen_random_uuid();", "volatile"},
		{"column without default", timeout + "ALTER TABLE t ADD c text NOT NULL;", "without a default"},
		{"serial", timeout + "ALTER TABLE t ADD COLUMN c bigserial;", "volatile"},
		{"generated", timeout + "ALTER TABLE t ADD COLUMN c bigint GENERATED ALWAYS AS (d + 1) STORED;", "volatile"},
		{"type", timeout + "ALTER TABLE t ALTER COLUMN c TYPE text;", "contract"},
		{"drop column", timeout + "ALTER TABLE t DROP COLUMN c;", "contract"},
		{"rename", timeout + "ALTER TABLE t RENAME c TO d;", "contract"},
		{"drop table", timeout + "DROP TABLE t;", "contract"},
		{"contract", "-- contract: nothing reads c since 2\n" + timeout + "ALTER TABLE t DROP COLUMN c; UPDATE avap_state SET compatible = 2;", ""},
		{"contract without a mark in the schema", "-- contract: nothing reads c since 2\n" + timeout + "ALTER TABLE t DROP COLUMN c;", "compatible"},
		{"lock", timeout + "LOCK TABLE t;", "locks"},
		{"comment", timeout + "-- DROP TABLE t;\nSELECT 'DROP TABLE t;';", ""},
	} {
		text := "-- +goose Up\n" + c.up + "\n-- +goose Down\n" + strings.Replace(timeout, "LOCAL ", "", 1) + "DROP TABLE t;"
		if !strings.Contains(c.up, "NO TRANSACTION") {
			text = strings.Replace(text, "Down\nSET", "Down\nSET LOCAL", 1)
		}
		complaints := lint(text, true)
		if fits := len(complaints) == 1 && strings.Contains(complaints[0], c.want); c.want == "" && len(complaints) > 0 || c.want != "" && !fits {
			t.Errorf("%s: %q, want %q", c.name, complaints, c.want)
		}
	}
	if complaints := lint("-- +goose Up\nALTER TABLE t ADD COLUMN c TEXT;\nALTER TABLE t RENAME TO u;\n-- +goose Down\nDROP TABLE t;", false); len(complaints) != 1 {
		t.Errorf("SQLite: %q", complaints)
	}
	if complaints := lint("-- +goose Up\nCREATE TABLE t (c TEXT);", false); len(complaints) != 1 || !strings.Contains(complaints[0], "Down") {
		t.Errorf("no way back: %q", complaints)
	}
}

// lint says what is wrong with a migration: what locks a table for longer than
// a moment, and what programs of the version before cannot live with.
func lint(text string, postgres bool) (complaints []string) {
	up, down, found := strings.Cut(text, "-- +goose Down")
	if !found || !strings.Contains(up, "-- +goose Up") {
		return []string{"it lacks a part Up or Down"}
	}
	l := linter{text: text, alone: strings.Contains(text, "-- +goose NO TRANSACTION"), contract: strings.Contains(text, "-- contract: ")}
	l.statements = split(up)
	if postgres {
		l.checkTimeout(l.statements)
		l.checkTimeout(split(down))
		l.checkLocks()
	}
	l.checkContract()
	slices.Sort(l.complaints)
	return slices.Compact(l.complaints)
}

type linter struct {
	text            string
	statements      []string
	alone, contract bool
	complaints      []string
}

func (l *linter) add(complaint string) { l.complaints = append(l.complaints, complaint) }

var (
	comment = regexp.MustCompile(`(?m)--.*$`)
	literal = regexp.MustCompile(`'[^']*'`)
	space   = regexp.MustCompile(`\s+`)

	created = regexp.MustCompile(`^CREATE TABLE (?:IF NOT EXISTS )?(\S+)`)
	target  = regexp.MustCompile(`^(?:ALTER TABLE (?:IF EXISTS )?(?:ONLY )?(\S+)|CREATE (?:UNIQUE )?INDEX .*? ON (?:ONLY )?([^ (]+))`)
	added   = regexp.MustCompile(`\bADD (?:COLUMN (?:IF NOT EXISTS )?)?(\S+) ([^,]*)`)
	rewrite = regexp.MustCompile(`DEFAULT [^,]*\(|SERIAL|GENERATED`)
	notNull = regexp.MustCompile(`ALTER (?:COLUMN )?(\S+) SET NOT NULL`)
)

// split gives the statements in capitals, without comments and texts.
func split(part string) (statements []string) {
	part = literal.ReplaceAllString(comment.ReplaceAllString(part, ""), "''")
	for statement := range strings.SplitSeq(part, ";") {
		if statement = strings.TrimSpace(space.ReplaceAllString(strings.ToUpper(statement), " ")); statement != "" {
			statements = append(statements, statement)
		}
	}
	return statements
}

// checkTimeout wants each part to begin with a bound on its waiting for locks:
// whoever waits for one makes all others wait behind.
func (l *linter) checkTimeout(statements []string) {
	want := "SET LOCAL LOCK_TIMEOUT = ''"
	if l.alone {
		want = "SET LOCK_TIMEOUT = ''"
	}
	if len(statements) == 0 || statements[0] != want {
		l.add("each part begins with SET LOCAL lock_timeout (without LOCAL where there is no transaction)")
	}
	if l.alone && len(statements) > 2 {
		l.add("without a transaction a part has one statement, so that it fails whole")
	}
}

func (l *linter) checkLocks() {
	fresh := make(map[string]bool)
	for _, s := range l.statements {
		if table := created.FindStringSubmatch(s); table != nil {
			fresh[table[1]] = true
		}
		if table := target.FindStringSubmatch(s); table != nil && fresh[table[1]+table[2]] {
			continue // nobody else has it yet
		}
		switch {
		case strings.Contains(s, "INDEX ") && (strings.HasPrefix(s, "CREATE ") || strings.HasPrefix(s, "DROP ")):
			l.checkIndex(s)
		case strings.HasPrefix(s, "ALTER TABLE "):
			l.checkAlter(s)
		case strings.HasPrefix(s, "LOCK "), strings.HasPrefix(s, "TRUNCATE "), strings.HasPrefix(s, "CLUSTER"), strings.HasPrefix(s, "VACUUM"), strings.HasPrefix(s, "REINDEX"):
			l.add("it locks a table for long: " + s)
		}
	}
}

func (l *linter) checkIndex(s string) {
	switch {
	case !strings.Contains(s, " CONCURRENTLY "):
		l.add("an index of a table in use is made and dropped CONCURRENTLY")
	case !l.alone:
		l.add("CONCURRENTLY needs -- +goose NO TRANSACTION")
	case !strings.Contains(s, " EXISTS "):
		l.add("what runs without a transaction can be repeated: IF NOT EXISTS")
	}
}

func (l *linter) checkAlter(s string) {
	if column := notNull.FindStringSubmatch(s); column != nil {
		check := "CHECK (" + column[1] + " IS NOT NULL) NOT VALID"
		if !slices.ContainsFunc(l.statements, func(s string) bool { return strings.Contains(s, check) }) || !strings.Contains(l.text, "VALIDATE CONSTRAINT") {
			l.add("SET NOT NULL reads the whole table under a lock; add CHECK (… IS NOT NULL) NOT VALID and validate it first")
		}
	}
	for _, column := range added.FindAllStringSubmatch(s, -1) {
		switch kind := column[1]; {
		case kind == "CONSTRAINT" || kind == "CHECK" || kind == "FOREIGN" || kind == "UNIQUE" || kind == "PRIMARY":
			l.checkConstraint(s)
		case rewrite.MatchString(column[2]):
			l.add("a volatile default, or a generated column, rewrites the table: " + s)
		case strings.Contains(column[2], "NOT NULL") && !strings.Contains(column[2], "DEFAULT"):
			l.add("programs of before write rows without the column: NOT NULL without a default")
		}
	}
}

func (l *linter) checkConstraint(s string) {
	isIndex := strings.Contains(s, "UNIQUE") || strings.Contains(s, "PRIMARY KEY")
	switch {
	case isIndex && !strings.Contains(s, "USING INDEX"):
		l.add("a UNIQUE or PRIMARY KEY is made from an index: USING INDEX")
	case !isIndex && !strings.Contains(s, "NOT VALID"):
		l.add("a constraint reads the whole table under a lock; add it NOT VALID and validate it in a step of its own")
	}
}

var narrowing = regexp.MustCompile(`^DROP (TABLE|VIEW|SCHEMA|TYPE)|^ALTER TABLE .*(\bDROP (COLUMN )?(IF EXISTS )?[A-Z_]+|\bRENAME\b|\bTYPE\b)`)

// checkContract lets only marked steps take away what programs of the version
// before use, and has them say so in the schema.
func (l *linter) checkContract() {
	marked := slices.ContainsFunc(l.statements, func(s string) bool { return strings.HasPrefix(s, "UPDATE AVAP_STATE SET COMPATIBLE = ") })
	for _, s := range l.statements {
		if narrowing.MatchString(s) && !l.contract {
			l.add("only a step with a comment `-- contract: why` takes away or renames: " + s)
		}
	}
	if l.contract && !marked {
		l.add("a contracting step sets avap_state.compatible to the first version that can live with it")
	}
}
