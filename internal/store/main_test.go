package store_test

import (
	"context"
	"os"
	"testing"

	"github.com/avapd/avapd/internal/store"
	"github.com/avapd/avapd/internal/store/storetest"
)

func TestMain(m *testing.M) {
	storetest.Child(openAny)
	os.Exit(m.Run())
}

// openAny opens what a location of the suite stands for.
func openAny(ctx context.Context, location string) (store.Store, error) {
	return store.OpenSQLite(ctx, location, store.Options{})
}
