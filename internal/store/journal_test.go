package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"modernc.org/sqlite"
)

// lookedAt counts the calls of a function of SQL that gives its argument.
var (
	lookedAt      atomic.Int64
	countsLooking = sync.OnceFunc(func() {
		sqlite.MustRegisterDeterministicScalarFunction("looked_at", 1, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			lookedAt.Add(1)
			return args[0], nil
		})
	})
)

// What is newer than the end of a time is not looked at, in either order.
func TestBlocksUntilATimeSkipWhatIsNewer(t *testing.T) {
	countsLooking()
	j, err := OpenSQLiteJournal(t.Context(), filepath.Join(t.TempDir(), JournalFileName), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	const blocks, until, match = 500, 41, 5 // blocks of 10 records, whose times are their numbers
	e := Extension{Chain: Chain{Name: "a", Key: []byte("key"), Head: Head{Last: blocks * 10}}}
	for i := range int64(blocks) {
		e.Blocks = append(e.Blocks, Block{First: i*10 + 1, Last: i*10 + 10, FromTime: i*10 + 1, UntilTime: i*10 + 10, Records: []byte("x")})
	}
	if err := j.Extend(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	for name, statement := range map[string]string{"ascending": sqliteBlocks, "descending": sqliteBlocksDescending} {
		q := BlockQuery{Chain: "a", UntilTime: until}
		lookedAt.Store(0)
		found := 0
		err := j.reading(t.Context(), func(ctx context.Context) error {
			rows, err := j.read.QueryContext(ctx, strings.Replace(statement, "from_time <=", "looked_at(from_time) <=", 1), q.arguments()...)
			if err != nil {
				return err
			}
			defer rows.Close()
			list, err := scanBlocks(rows)
			found = len(list)
			return errors.Join(err, rows.Err())
		})
		if n := lookedAt.Load(); err != nil || found != match || n != match {
			t.Errorf("%s: %v, %d blocks were found, %d looked at", name, err, found, n)
		}
	}
}
