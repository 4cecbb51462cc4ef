package store_test

import (
	"path/filepath"
	"testing"

	"github.com/avapd/avapd/internal/store/storetest"
)

func sqlitePath(t testing.TB) string { return filepath.Join(t.TempDir(), "with ?#% avapd.db") }

func TestSQLite(t *testing.T) {
	storetest.Run(t, storetest.Backend{New: sqlitePath, Open: openAny})
}
