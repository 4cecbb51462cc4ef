package audit_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/avapd/avapd/internal/audit"
	"github.com/avapd/avapd/internal/store"
	"github.com/avapd/avapd/internal/testservices"
)

var (
	postgres    *testservices.Postgres
	postgresErr error
)

func TestMain(m *testing.M) {
	child()
	postgres, postgresErr = testservices.StartPostgres()
	code := m.Run()
	if err := postgres.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if err := goleak.Find(append(testservices.Leaks(), goleak.IgnoreAnyFunction("github.com/jackc/pgx/v5/pgxpool.(*Pool).Close"))...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func TestCentralPostgres(t *testing.T) {
	testservices.Need(t, postgresErr)
	testCentral(t, func(t *testing.T) store.Journal {
		t.Helper()
		s, err := store.OpenPostgres(context.Background(), postgres.Schema(t), store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s.Journal()
	})
}

// childDir is the environment variable that makes a test binary the writer that
// TestKilled kills.
const childDir = "AVAP_AUDIT_DIR"

// child writes records until it is killed, and says which are acknowledged.
func child() {
	dir, is := os.LookupEnv(childDir)
	if !is {
		return
	}
	fmt.Fprintln(os.Stderr, writeForever(dir))
	os.Exit(1)
}

func writeForever(dir string) error {
	ctx := context.Background()
	j, err := store.OpenSQLiteJournal(ctx, dir+"/"+store.JournalFileName, store.Options{})
	if err != nil {
		return err
	}
	key, err := audit.OpenKey(dir + "/" + audit.KeyFileName)
	if err != nil {
		return err
	}
	c := home{dir: dir}.configOf(j, key)
	c.Group = true
	l, err := audit.Open(ctx, c)
	if err != nil {
		return err
	}
	failed := make(chan error)
	for worker := range 4 {
		go func() {
			for i := worker; ; i += 4 {
				r := execution(i)
				if err := errors.Join(l.Reserve(ctx), l.Add(ctx, &r)); err != nil {
					failed <- err
				}
				fmt.Printf("%d\n", i) // one write, so that it is whole
			}
		}()
	}
	go func() {
		for {
			if err := l.Append(ctx, audit.Record{Time: time.Now(), Kind: audit.Change, Action: "command.put"}); err != nil {
				failed <- err
			}
			fmt.Println("change")
		}
	}()
	return <-failed
}
