package datasource

import (
	"fmt"
	"strings"
	"sync/atomic"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// guard is the authorizer of one connection: SQLite asks it about everything
// that a statement would do, while it compiles the statement.
type guard struct {
	own     atomic.Bool // a transaction's statement of ours is being compiled
	inside  atomic.Bool // in a transaction of ours
	refused atomic.Pointer[string]
}

// reset forgets what was refused, and tells it.
func (g *guard) reset() string {
	if refusal := g.refused.Swap(nil); refusal != nil {
		return *refusal
	}
	return ""
}

// isOpen reports whether a transaction of ours was left open.
func (g *guard) isOpen() bool { return g.inside.Load() }

// deniedActions are what no script's statement may do.
var deniedActions = map[sqlite.AuthorizerActionCode]string{
	sqlite.AuthAttach:            "ATTACH", // VACUUM and VACUUM INTO come as this, too
	sqlite.AuthDetach:            "DETACH",
	sqlite.AuthCreateTempIndex:   "a temporary index",
	sqlite.AuthCreateTempTable:   "a temporary table",
	sqlite.AuthCreateTempTrigger: "a trigger",
	sqlite.AuthCreateTempView:    "a temporary view",
	sqlite.AuthCreateTrigger:     "a trigger",
	sqlite.AuthDropTrigger:       "a trigger",
	sqlite.AuthDropTempIndex:     "a temporary index",
	sqlite.AuthDropTempTable:     "a temporary table",
	sqlite.AuthDropTempTrigger:   "a trigger",
	sqlite.AuthDropTempView:      "a temporary view",
	sqlite.AuthCreateVTable:      "a virtual table",
	sqlite.AuthDropVTable:        "a virtual table",
	sqlite.AuthAnalyze:           "ANALYZE",
	sqlite.AuthSavepoint:         "SAVEPOINT",
}

// deniedSQLiteFunctions reach outside of the database, or exist to attack it.
var deniedSQLiteFunctions = map[string]bool{
	"load_extension": true, "fts3_tokenizer": true, "readfile": true, "writefile": true, "edit": true, "sqlite_log": true,
}

func (g *guard) authorize(action sqlite.AuthorizerActionCode, first, second, _, _ string) sqlite.AuthorizerReturnCode {
	refusal := deniedActions[action]
	switch action {
	case sqlite.AuthPragma:
		// ALTER TABLE ADD COLUMN tests the rows by this one.
		if !strings.EqualFold(first, "quick_check") {
			refusal = "PRAGMA"
		}
	case sqlite.AuthTransaction:
		if !g.own.Load() {
			refusal = first
		}
	case sqlite.AuthFunction:
		if deniedSQLiteFunctions[strings.ToLower(second)] {
			refusal = "the function " + second
		}
	}
	if refusal == "" {
		return sqlite.AuthorizerOK
	}
	g.refused.Store(&refusal)
	return sqlite.AuthorizerDeny
}

// sqliteLimits bound what a statement may ask of the engine.
var sqliteLimits = []struct{ id, value int }{
	{sqlite3.SQLITE_LIMIT_ATTACHED, 0},
	{sqlite3.SQLITE_LIMIT_LENGTH, sqliteValueBytes},
	{sqlite3.SQLITE_LIMIT_SQL_LENGTH, maxStatementBytes + maxParameters},
	{sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, maxParameters},
	{sqlite3.SQLITE_LIMIT_COLUMN, 1000},
	{sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 500},
	{sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 200},
	{sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 10_000},
	{sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 10},
	{sqlite3.SQLITE_LIMIT_WORKER_THREADS, 0},
}

// wall limits a new connection and sets its guard.
func (c *connection) wall() error {
	for _, limit := range sqliteLimits {
		if _, err := sqlite.Limit(c.conn, limit.id, limit.value); err != nil {
			return err
		}
		if now, err := sqlite.Limit(c.conn, limit.id, -1); err != nil || now > limit.value {
			return fmt.Errorf("SQLite's limit %d is %d instead of %d", limit.id, now, limit.value)
		}
	}
	return c.conn.Raw(func(raw any) error {
		handle, err := sqliteHandle(raw)
		if err != nil {
			return err
		}
		c.handle = handle
		registerer, ok := raw.(sqlite.AuthorizerRegisterer)
		if !ok {
			return fmt.Errorf("the SQLite driver offers no authorizer")
		}
		return registerer.RegisterAuthorizer(c.guard.authorize)
	})
}
