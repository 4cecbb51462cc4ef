package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/audit"
	"github.com/avapd/avapd/internal/registry"
	"github.com/avapd/avapd/internal/store"
)

// newAudit makes an audit log that ends with the test.
func newAudit(t testing.TB) *audit.Log {
	t.Helper()
	return newAuditWith(t, func(*audit.Config) {})
}

func newAuditWith(t testing.TB, set func(*audit.Config)) *audit.Log {
	t.Helper()
	dir := t.TempDir()
	key, err := audit.OpenKey(filepath.Join(dir, audit.KeyFileName))
	if err != nil {
		t.Fatal(err)
	}
	journal, err := store.OpenSQLiteJournal(t.Context(), filepath.Join(dir, store.JournalFileName), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := audit.Config{
		Journal: journal, Key: key, AtRisk: 50 * time.Millisecond, Wait: 200 * time.Millisecond, Buffer: 8192,
		CheckpointRecords: 10_000, CheckpointEvery: time.Hour, Log: slog.New(slog.DiscardHandler),
	}
	set(&c)
	l, err := audit.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = l.Close(ctx) // what a journal does not take is lost here
		if err := journal.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// stubborn is a journal that can refuse everything.
type stubborn struct {
	store.Journal
	refuses atomic.Bool
}

func (s *stubborn) Extend(ctx context.Context, e store.Extension) error {
	if s.refuses.Load() {
		return errors.Join(store.ErrFull)
	}
	return s.Journal.Extend(ctx, e) //nolint:wrapcheck // it stands in for the journal
}

// When the audit log cannot be written, nothing is changed, and executions are
// answered 503 once no more of them can be written down.
func TestAuditIsFull(t *testing.T) {
	j := new(stubborn)
	h := startCommandsOn(t, newAuditWith(t, func(c *audit.Config) { j.Journal, c.Journal, c.Group = c.Journal, j, true }), func(*registry.Config) {})
	if r := h.execute(`{"script":"x = 1"}`); r.StatusCode != http.StatusOK {
		t.Fatalf("%s", r.body)
	}
	j.refuses.Store(true)
	before := h.commands.State().Revision()
	for name, r := range map[string]reply{
		"a change":     h.do(http.MethodPut, "/api/v1/commands/one", "text/plain", strings.NewReader("x = 1"), "Authorization", "Bearer "+testToken),
		"an execution": h.execute(`{"script":"x = 1"}`),
	} {
		if r.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(r.body), "AVAP5055") {
			t.Errorf("%s: %d %s", name, r.StatusCode, r.body)
		}
	}
	if h.commands.State().Revision() != before {
		t.Error("something was changed")
	}
	j.refuses.Store(false)
	for r := h.execute(`{"script":"x = 1"}`); r.StatusCode != http.StatusOK; r = h.execute(`{"script":"x = 1"}`) {
		if r.StatusCode != http.StatusServiceUnavailable {
			t.Fatalf("%d %s", r.StatusCode, r.body)
		}
	}
}
