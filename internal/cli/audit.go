package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/avapd/avapd/internal/audit"
	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/store"
	"github.com/avapd/avapd/internal/telemetry"
)

// auditCloseTime is how long the end of a server waits for the audit log.
const auditCloseTime = 10 * time.Second

// auditLog is the audit log of a server, with what it lives on. Without one its
// methods do nothing.
type auditLog struct {
	*audit.Log

	journal *store.SQLiteJournal
	// unlock lets another process write the log.
	unlock func() error
	log    *slog.Logger
}

// openAudit opens the log, with the database of the server's own data as the
// central one if that is PostgreSQL, and writes down that the server begins.
func openAudit(ctx context.Context, c *config.Config, central *store.Postgres, metrics *telemetry.Metrics, log *slog.Logger) (*auditLog, error) {
	a := &auditLog{log: log}
	if c.Audit.Durability == "off" {
		return a, nil
	}
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	key, err := audit.OpenKey(filepath.Join(c.DataDir, audit.KeyFileName))
	if err != nil {
		return nil, usageError("%v; check --data-dir", err)
	}
	file := filepath.Join(c.DataDir, store.JournalFileName)
	// A chain has one writer. One that is about to end is waited for.
	if a.unlock, err = store.LockFile(ctx, filepath.Join(c.DataDir, "audit.lock")); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = errors.New("it did not end")
		}
		return nil, usageError("another server writes the audit log in %s: %v; stop it, or give this one another --data-dir", c.DataDir, err)
	}
	if a.journal, err = store.OpenSQLiteJournal(ctx, file, store.Options{Log: log}); err != nil {
		return nil, errors.Join(usageError("cannot open %s: %v; check --data-dir", file, err), a.unlock())
	}
	settings := audit.Config{
		Journal: a.journal, Key: key, CheckpointFile: filepath.Join(c.DataDir, audit.CheckpointFileName), Group: c.Audit.Durability == "group",
		AtRisk: durationMS(c.Audit.AtRiskMS), Wait: durationMS(c.Audit.WaitMS), Buffer: int(c.Audit.BufferRecords),
		CheckpointRecords: c.Audit.CheckpointRecords, CheckpointEvery: durationMS(c.Audit.CheckpointMS), Keep: auditKeep(c), Log: log,
	}
	if central != nil {
		settings.Central = central.Journal()
	}
	if a.Log, err = audit.Open(ctx, settings); err != nil {
		return nil, errors.Join(err, a.journal.Close(), a.unlock())
	}
	metrics.Audit(a.Stats)
	log.Info("audit log", "node", a.Node(), "public_key", fmt.Sprintf("%x", []byte(a.PublicKey().Key)))
	if err := a.Note(ctx, audit.Record{Time: time.Now(), Kind: audit.Start, Principal: audit.Server, Action: "server.start", Outcome: "ok", Detail: "avap " + Version}); err != nil {
		return nil, errors.Join(err, a.close())
	}
	return a, nil
}

func durationMS(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

func auditKeep(c *config.Config) audit.Keep {
	const day = 24 * time.Hour
	return audit.Keep{Age: time.Duration(c.Audit.KeepDays) * day, Bytes: c.Audit.KeepBytes}
}

// reloaded writes down that settings changed, or that the new ones have faults.
func (a *auditLog) reloaded(reason string, changes []config.Change, err error) {
	if a.Log == nil {
		return
	}
	r := audit.Record{Time: time.Now(), Kind: audit.Reload, Principal: audit.Server, Action: "config.reload", Target: reason, Outcome: "ok"}
	if err != nil {
		r.Outcome, r.Detail = "refused", "the former settings hold"
	}
	for _, c := range changes {
		if r.Detail != "" {
			r.Detail += " "
		}
		r.Detail += c.Key
	}
	if err := a.Note(context.Background(), r); err != nil {
		a.log.Error("a reload could not be written to the audit log", "error", err.Error())
	}
}

// close writes the end of the server down, with all that is left.
func (a *auditLog) close() error {
	if a.Log == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), auditCloseTime)
	defer cancel()
	err := a.Note(ctx, audit.Record{Time: time.Now(), Kind: audit.Stop, Principal: audit.Server, Action: "server.stop", Outcome: "ok"})
	if err = errors.Join(err, a.Close(ctx), a.journal.Close(), a.unlock()); err != nil {
		return fmt.Errorf("close the audit log: %w", err)
	}
	return nil
}
