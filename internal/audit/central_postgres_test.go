package audit_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/avapd/avapd/internal/audit"
	"github.com/avapd/avapd/internal/store"
	"github.com/avapd/avapd/internal/testservices"
)

// What is changed, missing or moved in PostgreSQL is found there.
func TestTamperingPostgres(t *testing.T) {
	testservices.Need(t, postgresErr)
	for _, c := range []struct {
		name, problem string
		alter         []string
		bad           int64
	}{
		{"nothing", "", nil, 0},
		{"changed", "was changed", []string{`UPDATE avap_blocks SET records = overlay(records PLACING 'request 61'::bytea FROM position('request 16'::bytea IN records)) WHERE first <= 17 AND last >= 17`}, 17},
		{"missing", "missing", []string{`DELETE FROM avap_blocks WHERE first = 17`}, 17},
		{"the end is missing", "missing", []string{`DELETE FROM avap_blocks WHERE first > 38`}, 39},
		{"reordered", "not what it says", []string{
			`UPDATE avap_blocks SET first = -first WHERE first IN (20, 21)`,
			`UPDATE avap_blocks SET first = CASE first WHEN -20 THEN 21 ELSE 20 END WHERE first < 0`,
		}, 20},
		{"a checkpoint", "damaged", []string{`UPDATE avap_marks SET document = '{}' WHERE sequence = 20`}, 11},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := postgres.Schema(t)
			s, err := store.OpenPostgres(t.Context(), url, store.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			h := newHome(t)
			config := h.config(h.journal())
			config.Group, config.Central = true, s.Journal()
			l := open(t, config)
			for i := range 40 {
				add(t, l, execution(i))
			}
			closeLog(t, l)
			alterPostgres(t, url, c.alter)
			report, err := audit.VerifyJournal(t.Context(), s.Journal(), audit.VerifyOptions{})
			if err != nil || len(report.Chains) != 1 {
				t.Fatalf("%+v, %v", report, err)
			}
			if got := report.Chains[0]; got.FirstBad != c.bad || !strings.Contains(got.Problem, c.problem) || report.OK != (c.bad == 0) {
				t.Errorf("first bad is %d (%s), want %d", got.FirstBad, got.Problem, c.bad)
			}
		})
	}
}

// alterPostgres changes the tables behind the log's back.
func alterPostgres(t *testing.T, url string, statements []string) {
	t.Helper()
	db, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close(context.Background()) }()
	for _, statement := range statements {
		result, err := db.Exec(t.Context(), statement)
		if err != nil || result.RowsAffected() == 0 {
			t.Fatal(statement, err)
		}
	}
}
