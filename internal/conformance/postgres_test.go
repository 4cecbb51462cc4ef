package conformance

import (
	"context"
	"os"
	"testing"

	"github.com/avapd/avapd/internal/testservices"
)

// TestDatabaseOnPostgres runs the cases of the database on PostgreSQL, where they have the same answers.
func TestDatabaseOnPostgres(t *testing.T) {
	if testing.Short() {
		t.Skip("the servers are processes of their own: nothing here for the race detector")
	}
	postgres, err := testservices.StartPostgres()
	testservices.Need(t, err)
	t.Cleanup(func() {
		if err := postgres.Stop(); err != nil {
			t.Error(err)
		}
	})
	server := startServer(t, "--data-url", postgres.Schema(t))
	ran := 0
	for _, dir := range []string{definition, derived} {
		cases, err := Load(os.DirFS(dir))
		if err != nil {
			t.Fatal(err)
		}
		for i := range cases {
			if cases[i].Area != "database" {
				continue
			}
			ran++
			if err := server.Run(context.Background(), &cases[i], ""); err != nil {
				t.Errorf("%s\n%s\n%v", cases[i].ID, indent(cases[i].Script), err)
			}
		}
	}
	if ran == 0 {
		t.Error("there are no cases of the database")
	}
}
