package store

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	slogWarn = slog.LevelWarn

	watchSilence = 5 * time.Second // after which it is asked whether anybody is there
	watchTimeout = 2 * time.Second // of its answer
	longestPause = 2 * time.Second
)

func slogErr(err error) slog.Attr { return slog.String("error", err.Error()) }

// Watch calls changed after each commit, on a connection of its own, until the
// context ends. It connects again by itself, and calls changed after that too,
// since it has missed what happened meanwhile. Calls are one at a time, and
// several commits may be one call.
func (p *Postgres) Watch(ctx context.Context, changed func()) error {
	pause := firstPause
	for {
		heard := false
		err := p.listen(ctx, func() {
			heard = true
			changed()
		})
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		p.options.Log.LogAttrs(ctx, slogWarn, "listening to PostgreSQL is tried again", slogErr(err))
		if heard {
			pause = firstPause
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
			pause = min(2*pause, longestPause)
		}
	}
}

// listenerName is what the session that waits for changes is called in
// pg_stat_activity.
const listenerName = "avap changes"

func (p *Postgres) listen(ctx context.Context, changed func()) (err error) {
	connecting, cancel := context.WithTimeout(ctx, p.options.Timeout)
	defer cancel()
	config := p.config.Copy()
	config.RuntimeParams["application_name"] = listenerName
	conn, err := pgx.ConnectConfig(connecting, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, hangUp(conn)) }()
	if _, err := conn.Exec(connecting, postgresListen); err != nil {
		return err
	}
	for changed(); ; {
		waiting, cancel := context.WithTimeout(ctx, p.silence)
		_, err := conn.WaitForNotification(waiting)
		cancel()
		switch {
		case err == nil:
			changed()
		case ctx.Err() != nil || conn.IsClosed():
			return err
		default:
			answering, cancel := context.WithTimeout(ctx, watchTimeout)
			err := conn.Ping(answering)
			cancel()
			if err != nil {
				return err
			}
		}
	}
}

// hangUp closes a connection without waiting for a server that may be gone.
func hangUp(conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(context.Background(), firstPause)
	defer cancel()
	return conn.Close(ctx)
}
