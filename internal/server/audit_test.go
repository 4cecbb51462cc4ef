package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/audit"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/registry"
	"github.com/avapd/avapd/internal/store"
)

// newAudit makes an audit log that ends with the test. It waits for its journal for
// as long as a busy machine may need; shortWait is for journals that refuse.
func newAudit(t testing.TB) *audit.Log {
	t.Helper()
	return newAuditWith(t, func(*audit.Config) {})
}

const shortWait = time.Second

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
		Journal: journal, Key: key, AtRisk: 50 * time.Millisecond, Wait: time.Minute, Buffer: 8192,
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
	h := startCommandsOn(t, newAuditWith(t, func(c *audit.Config) { j.Journal, c.Journal, c.Group, c.Wait = c.Journal, j, true, shortWait }), func(*registry.Config) {})
	// The wait is short: also a journal that takes everything may need several.
	untilAnswered := func() {
		t.Helper()
		for r := h.execute(`{"script":"x = 1"}`); r.StatusCode != http.StatusOK; r = h.execute(`{"script":"x = 1"}`) {
			if r.StatusCode != http.StatusServiceUnavailable {
				t.Fatalf("%d %s", r.StatusCode, r.body)
			}
		}
	}
	untilAnswered()
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
	untilAnswered()
}

// counting is a journal that counts the queries for its blocks.
type counting struct {
	store.Journal
	queries atomic.Int64
}

func (j *counting) Blocks(ctx context.Context, q store.BlockQuery) ([]store.Block, error) {
	j.queries.Add(1)
	return j.Journal.Blocks(ctx, q) //nolint:wrapcheck // it stands in for the journal
}

// Anybody may ask for an execution, and nobody has the server read all of its log by
// an identifier that never was.
func TestUnknownExecutionReadsLittle(t *testing.T) {
	j := new(counting)
	log := newAuditWith(t, func(c *audit.Config) { j.Journal, c.Journal, c.Group = c.Journal, j, true })
	h := startWith(t, func(o *Options) { o.Audit = log }, "--executions-kept", "0")
	var ended string
	for range 40 { // each has a block
		ended = h.execute(`{"script":"echo"}`).Header.Get(api.HeaderExecution)
	}
	if state := h.state(ended); state.State != api.Succeeded {
		t.Errorf("%+v", state)
	}
	unknown := newExecutionID(time.Now().Add(-24 * time.Hour))
	j.queries.Store(0)
	h.do(http.MethodGet, pathExecutions+"/"+unknown.String(), "", nil).wantProblem(t, http.StatusNotFound, diag.NoSuchExecution)
	if got := j.queries.Load(); got != 1 {
		t.Errorf("the log was read %d times", got)
	}
}

// What stops an execution does not stop its record, and who waits for both is told
// that it was cancelled. Once it is no longer in memory, the audit log is asked.
func TestStoppedIsRecorded(t *testing.T) {
	for _, group := range []bool{false, true} {
		t.Run(fmt.Sprintf("group=%t", group), func(t *testing.T) {
			file := tokenFile(t)
			token, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			log := newAuditWith(t, func(c *audit.Config) { c.Group, c.Wait = group, time.Minute })
			h := startWith(t, func(o *Options) { o.Audit = log }, "--admin-token-file", file, "--executions-kept", "0")
			authorization := []string{"Authorization", "Bearer " + strings.TrimSpace(string(token))}
			answered := make(chan reply, 1)
			go func() { answered <- h.execute(`{"script":"wait"}`) }()
			<-h.engine.started
			id := h.running("", authorization...).Executions[0].ID
			path := pathExecutions + "/" + id
			if r := h.do(http.MethodDelete, path, "", nil, authorization...); r.StatusCode != http.StatusAccepted {
				t.Errorf("%d %s", r.StatusCode, r.body)
			}
			(<-answered).wantProblem(t, http.StatusServiceUnavailable, diag.Cancelled)
			state := h.state(id)
			if state.State != api.Cancelled || state.Code != string(diag.Cancelled) || state.Status != http.StatusServiceUnavailable ||
				state.Script != digestOf("wait") || state.Client != "127.0.0.1" || state.Usage == nil {
				t.Errorf("%+v", state)
			}
			h.do(http.MethodDelete, path, "", nil, authorization...).wantProblem(t, http.StatusConflict, diag.ExecutionOver)
			ended := h.execute(`{"script":"fail AVAP4001"}`).Header.Get(api.HeaderExecution)
			if state := h.state(ended); state.State != api.Failed || state.Code != "AVAP4001" || state.Usage.Fuel != 42 {
				t.Errorf("%+v", state)
			}
		})
	}
}

// Who has gone, or was stopped, while there was no room in the audit log is not
// told that this is what ended the execution.
func TestStoppedBeforeItBegan(t *testing.T) {
	s := &Server{audit: newAuditWith(t, func(c *audit.Config) { c.Buffer, c.Wait = 0, time.Minute })}
	ctx := new(runContext)
	ctx.end(errStopped)
	p, ok := errors.AsType[*problem](s.reserve(ctx))
	if !ok || p.code != diag.Cancelled || !errors.Is(p, errStopped) {
		t.Errorf("%+v", p)
	}
}
