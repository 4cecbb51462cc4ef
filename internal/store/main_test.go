package store_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/avapd/avapd/internal/store"
	"github.com/avapd/avapd/internal/store/storetest"
	"github.com/avapd/avapd/internal/testservices"
)

var (
	postgres    *testservices.Postgres
	postgresErr error
)

func TestMain(m *testing.M) {
	storetest.Child(openAny)
	postgres, postgresErr = testservices.StartPostgres()
	code := m.Run()
	if err := postgres.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	// A pool that was closed in a black hole takes its time; see Close.
	if err := goleak.Find(append(testservices.Leaks(), goleak.IgnoreAnyFunction("github.com/jackc/pgx/v5/pgxpool.(*Pool).Close"))...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// openAny opens what a location of the suite stands for.
func openAny(ctx context.Context, location string) (store.Store, error) {
	options := store.Options{Timeout: 2 * time.Minute} // the largest artifact, on a machine with other work
	if strings.HasPrefix(location, "postgres:") {
		return store.OpenPostgres(ctx, location, options)
	}
	return store.OpenSQLite(ctx, location, options)
}
