package store_test

import (
	"context"
	"testing"

	"github.com/avapd/avapd/internal/store"
	"github.com/avapd/avapd/internal/store/storetest"
	"github.com/avapd/avapd/internal/testservices"
)

func postgresURL(t testing.TB) string {
	t.Helper()
	testservices.Need(t, postgresErr)
	return postgres.Schema(t)
}

func TestPostgres(t *testing.T) {
	storetest.Run(t, storetest.Backend{New: postgresURL, Open: openAny})
}

// postgresJournal is a journal with a store of its own.
type postgresJournal struct {
	*store.PostgresJournal
	store *store.Postgres
}

func (j postgresJournal) Close() error { return j.store.Close() }

func TestPostgresJournal(t *testing.T) {
	storetest.RunJournal(t, storetest.JournalBackend{New: postgresURL, Open: func(ctx context.Context, location string) (store.Journal, error) {
		s, err := store.OpenPostgres(ctx, location, store.Options{})
		if err != nil {
			return nil, err
		}
		return postgresJournal{s.Journal(), s}, nil
	}})
}
