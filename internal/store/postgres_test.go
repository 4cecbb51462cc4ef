package store_test

import (
	"testing"

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
