package datasource

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/fairqueue"
)

const (
	endless    = "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT n FROM r"
	endlessSum = "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 1000000000) SELECT count(*) FROM r"
	// One row at once, and then none for a long time.
	endlessSecond = "SELECT 1 AS n UNION ALL SELECT n FROM (WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 1000000000) SELECT n FROM r) q WHERE n < 0"
)

func isLimit(err error, says string) bool {
	var failure *Error
	return errors.As(err, &failure) && failure.Kind == KindLimit && strings.Contains(failure.Message, says)
}

func TestRowAndByteLimits(t *testing.T) {
	onBoth(t, func(t *testing.T, source Source) {
		if _, err := source.Exec(t.Context(), Constant(endless+" LIMIT 11"), Limits{Rows: 10}); !isLimit(err, "more than 10 rows") {
			t.Errorf("11 rows of 10: %v", err)
		}
		if result, err := source.Exec(t.Context(), Constant(endless+" LIMIT 10"), Limits{Rows: 10}); err != nil || len(result.Rows) != 10 {
			t.Errorf("10 rows of 10: %v", err)
		}
		wide := Template(Text("SELECT "), Value(strings.Repeat("x", 100_000)), Text(" AS v"))
		if _, err := source.Exec(t.Context(), wide, Limits{Bytes: 20_000}); !isLimit(err, "larger than") {
			t.Errorf("100 KB of 20: %v", err)
		}
		if result, err := source.Exec(t.Context(), wide, Limits{Bytes: 110_000}); err != nil || result.BytesRead < 100_000 {
			t.Errorf("100 KB of 110: %v", err)
		}
		// What returns too much has not been written.
		mustExec(t, source, "CREATE TABLE t (id INTEGER)")
		_, err := source.Exec(t.Context(), Constant("INSERT INTO t VALUES (1), (2), (3) RETURNING id"), Limits{Rows: 2})
		if !isLimit(err, "rows") {
			t.Errorf("3 rows of 2 returned: %v", err)
		}
		if result := mustExec(t, source, "SELECT count(*) AS n FROM t"); result.Rows[0][0] != int64(0) {
			t.Errorf("%v rows were written", result.Rows[0][0])
		}
		mustExec(t, source, "INSERT INTO t VALUES (1) RETURNING id")
		if _, err := source.Exec(t.Context(), Constant("SELECT '"+strings.Repeat("x", maxStatementBytes)+"'"), Limits{}); !isLimit(err, "longer than") {
			t.Errorf("long SQL: %v", err)
		}
	})
}

// A statement that names no limits has them, too.
func TestDefaultLimits(t *testing.T) {
	if got := (Limits{Client: "c"}).withDefaults(); got != (Limits{Client: "c", Rows: 10_000, Bytes: 8388608, Timeout: 5 * time.Second}) {
		t.Errorf("%+v", got)
	}
	onBoth(t, func(t *testing.T, source Source) {
		if _, err := source.Exec(t.Context(), Constant(endless+" LIMIT 10001"), Limits{}); !isLimit(err, "more than 10000 rows") {
			t.Errorf("10001 rows: %v", err)
		}
		if result, err := source.Exec(t.Context(), Constant(endless+" LIMIT 10000"), Limits{}); err != nil || len(result.Rows) != 10_000 {
			t.Errorf("10000 rows: %v", err)
		}
	})
}

func TestTimeLimit(t *testing.T) {
	onBoth(t, func(t *testing.T, source Source) {
		mustExec(t, source, "CREATE TABLE t (id INTEGER)")
		for _, sql := range []string{endlessSum, endlessSecond, "INSERT INTO t " + endless, "INSERT INTO t " + endless + " RETURNING id"} {
			start := time.Now()
			_, err := source.Exec(t.Context(), Constant(sql), Limits{Timeout: 100 * time.Millisecond})
			if !isLimit(err, "100ms") {
				t.Errorf("%s: %v", sql, err)
			}
			if took := time.Since(start); took > 5*time.Second { // of hours
				t.Errorf("%s stopped after %v", sql, took)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			if _, err := source.Exec(ctx, Constant(sql), Limits{}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v instead of the caller's deadline", sql, err)
			}
			cancel()
		}
		if result := mustExec(t, source, "SELECT count(*) AS n FROM t"); result.Rows[0][0] != int64(0) {
			t.Errorf("%v rows were written", result.Rows[0][0])
		}
	})
}

func TestPolicy(t *testing.T) {
	check := func(t *testing.T, source Source) {
		ctx := t.Context()
		if _, err := source.Exec(ctx, dynamic("SELECT 1"), Limits{}); err == nil || !strings.Contains(err.Error(), "template") {
			t.Errorf("dynamic text: %v", err)
		}
		if _, err := source.Select(ctx, "*", "t", dynamic("1 = 1"), Limits{}); err == nil || !strings.Contains(err.Error(), "template") {
			t.Errorf("dynamic condition: %v", err)
		}
		for _, sql := range []string{"CREATE TABLE t (id INTEGER)", "WITH x AS (SELECT 1) DELETE FROM t", "EXPLAIN DELETE FROM t"} {
			if _, err := source.Exec(ctx, Constant(sql), Limits{}); err == nil || !strings.Contains(err.Error(), "read-only") {
				t.Errorf("%s: %v", sql, err)
			}
		}
		mustExec(t, source, "SELECT replace('a', 'a', 'b') AS v")
	}
	policy := Policy{RequireParameters: true, ReadOnly: true}
	t.Run("sqlite", func(t *testing.T) { check(t, newSQLite(t, SQLiteOptions{Policy: policy})) })
	t.Run("postgres", func(t *testing.T) { check(t, newPostgres(t, PostgresOptions{Policy: policy})) })
	onBoth(t, func(t *testing.T, source Source) {
		result, err := source.Exec(t.Context(), dynamic("SELECT 1 AS a"), Limits{})
		if err != nil || !result.Unsafe {
			t.Errorf("%+v, %v", result, err)
		}
		if mustExec(t, source, "SELECT 1 AS a").Unsafe {
			t.Error("constant text is unsafe")
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	onBoth(t, func(t *testing.T, source Source) {
		mustExec(t, source, "CREATE TABLE t (id INTEGER, n TEXT)")
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() {
				for j := range 20 {
					insert := Template(Text("INSERT INTO t VALUES ("), Value(i*100+j), Text(", '"), Value(fmt.Sprint(i)), Text("')"))
					if _, err := source.Exec(t.Context(), insert, Limits{}); err != nil {
						t.Error(err)
					}
					if _, err := source.Exec(t.Context(), Constant("SELECT * FROM t"), Limits{}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		if result := mustExec(t, source, "SELECT count(*) AS n FROM t"); result.Rows[0][0] != int64(160) {
			t.Errorf("%v rows", result.Rows[0][0])
		}
	})
}

// dynamic is a statement whose text was computed.
func dynamic(sql string) Statement { return Statement{Parts: []Part{Text(sql)}, Dynamic: true} }

// A client whose statements have no end keeps no other waiting.
func TestOneClientLeavesConnectionsToOthers(t *testing.T) {
	onBoth(t, func(t *testing.T, source Source) {
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() {
				if _, err := source.Exec(ctx, Constant(endlessSum), Limits{Client: "a", Timeout: time.Hour}); !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
		}
		slots := func() *fairqueue.Slots {
			if e, ok := source.(*database).engine.(*sqliteEngine); ok {
				return e.read.slots
			}
			return engineOf[*postgresEngine](t, source).slots
		}()
		for slots.Waiting() == 0 {
			runtime.Gosched()
		}
		for range 3 {
			if _, err := source.Exec(t.Context(), Constant("SELECT 1 AS n"), Limits{Client: "v", Timeout: time.Minute}); err != nil {
				t.Error(err)
			}
		}
		cancel()
		group.Wait()
	})
}
