package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Postgres is a store in a PostgreSQL database. The URL may name several
// hosts; the one that takes writes is used.
type Postgres struct {
	pool    *pgxpool.Pool
	config  *pgx.ConnConfig
	options Options
	schema  gate
	silence time.Duration // see watchSilence
}

var _ Store = (*Postgres)(nil)

const (
	connectTimeout = 3 * time.Second // of one host, where the URL does not say
	pingTimeout    = time.Second     // of a connection that was idle
	healthPeriod   = 15 * time.Second
	idleTime       = 5 * time.Minute

	// A writer that stalls between two messages holds the lock that all
	// writers take; the server ends its session after this.
	idleInTransaction = 5 * time.Second

	closeTimeout = time.Second

	attempts   = 3
	firstPause = 50 * time.Millisecond
)

// OpenPostgres makes a store. It does not connect: that, and bringing the
// schema up to date, is part of the first call that succeeds.
func OpenPostgres(ctx context.Context, url string, options Options) (*Postgres, error) {
	options = options.withDefaults(defaultConns)
	config, err := postgresConfig(url, options)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	p := &Postgres{pool: pool, config: config.ConnConfig, options: options, silence: watchSilence}
	p.schema.prepare = p.prepare
	return p, nil
}

func postgresConfig(url string, options Options) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("the URL of the PostgreSQL database is malformed") // the cause may quote the password
	}
	config.MaxConns = int32(min(options.Connections, math.MaxInt32))
	config.MaxConnIdleTime = idleTime
	config.HealthCheckPeriod = healthPeriod
	config.PingTimeout = pingTimeout
	config.AfterConnect = begin
	c := config.ConnConfig
	// Statements are not prepared by name, so that a pooler may stand between.
	c.DefaultQueryExecMode = pgx.QueryExecModeExec
	c.Tracer = queryTracer{}
	c.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	if c.ConnectTimeout <= 0 || c.ConnectTimeout > options.Timeout {
		c.ConnectTimeout = min(connectTimeout, options.Timeout)
	}
	maps.Copy(c.RuntimeParams, map[string]string{
		"statement_timeout":                   milliseconds(options.Timeout),
		"idle_in_transaction_session_timeout": milliseconds(idleInTransaction),
		"standard_conforming_strings":         "on", "client_encoding": "UTF8", "client_min_messages": "error",
	})
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "avap store"
	}
	return config, nil
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// began is the key under which a connection has the start of its session.
const began = "avap.began"

func begin(ctx context.Context, conn *pgx.Conn) error {
	var start time.Time
	var durable, watching *string
	if err := conn.QueryRow(ctx, postgresSession).Scan(&start, &durable, &watching); err != nil {
		return err
	}
	conn.PgConn().CustomData()[began] = start
	return nil
}

// PoolStats is how a pool of connections is.
type PoolStats struct {
	InUse, Idle, Limit int
	// Acquires counts connections that were taken, in AcquireTime altogether, and
	// Canceled attempts that were given up.
	Acquires, Canceled int64
	AcquireTime        time.Duration
}

// Pool tells how the connections are.
func (p *Postgres) Pool() PoolStats {
	now := p.pool.Stat()
	return PoolStats{
		InUse: int(now.AcquiredConns()), Idle: int(now.IdleConns()), Limit: int(now.MaxConns()),
		Acquires: now.AcquireCount(), Canceled: now.CanceledAcquireCount(), AcquireTime: now.AcquireDuration(),
	}
}

// Close ends the connections. It does not wait for long where the server is
// silent; then they end by themselves.
func (p *Postgres) Close() error {
	p.schema.close()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		p.pool.Close()
	}()
	select {
	case <-closed:
	case <-time.After(closeTimeout):
	}
	return nil
}

// Summary implements Store.
func (p *Postgres) Summary(ctx context.Context) (summary Summary, err error) {
	err = p.call(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		var err error
		summary, err = readSummary(conn.QueryRow(ctx, postgresSummary))
		return err
	})
	return summary, err
}

func readSummary(row pgx.Row) (s Summary, err error) {
	var digest []byte
	err = row.Scan(&s.Epoch, &s.Revision, &s.Records, &digest)
	copy(s.Digest[:], digest)
	return s, err
}

// Changes implements Store.
func (p *Postgres) Changes(ctx context.Context, after int64, limit int) (page Page, err error) {
	err = p.call(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, postgresChanges, after, int64(pageLimit(limit)))
		if err != nil {
			return err
		}
		defer rows.Close()
		page, err = scanPage(rows)
		return errors.Join(err, rows.Err())
	})
	return page, err
}

// Artifact implements Store.
func (p *Postgres) Artifact(ctx context.Context, digest [32]byte) (content []byte, err error) {
	err = p.call(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, postgresArtifact, digest[:]).Scan(&content)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, notFound(digest)
	}
	return content, err
}

// call does something that may be done twice, within the context's deadline.
// It tries again when the connection fails: an attempt that is not the last
// has half of the time that is left.
func (p *Postgres) call(ctx context.Context, do func(context.Context, *pgx.Conn) error) error {
	bounded, cancel := context.WithTimeout(ctx, p.options.Timeout)
	defer cancel()
	if err := p.schema.wait(bounded); err != nil {
		return postgresError(bounded, err)
	}
	pause := firstPause
	for attempt := 1; ; attempt++ {
		err := p.attempt(bounded, attempt == attempts, do)
		if !again(err) || attempt == attempts || bounded.Err() != nil {
			return postgresError(bounded, err)
		}
		p.options.Log.LogAttrs(ctx, slogWarn, "the store is tried again", slogErr(err))
		select {
		case <-bounded.Done():
			return postgresError(bounded, err)
		case <-time.After(pause):
			pause *= 2
		}
	}
}

// errSlow says that an attempt took too much of the time of its call.
var errSlow = errors.New("no answer")

func (p *Postgres) attempt(ctx context.Context, last bool, do func(context.Context, *pgx.Conn) error) error {
	deadline, _ := ctx.Deadline()
	bounded := ctx
	if !last {
		var cancel func()
		bounded, cancel = context.WithDeadlineCause(ctx, time.Now().Add(time.Until(deadline)/2), errSlow)
		defer cancel()
	}
	start := time.Now()
	conn, err := p.pool.Acquire(bounded)
	if err == nil {
		err = do(bounded, conn.Conn())
		finish(bounded, conn.Conn())
		conn.Release()
	}
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w: %w", errSlow, err)
	}
	// The other connections lead to where this one did, unless it was the
	// caller who had no more patience.
	if isLost(err) && (bounded.Err() == nil || time.Since(start) >= pingTimeout && !errors.Is(ctx.Err(), context.Canceled)) {
		p.pool.Reset()
	}
	return err
}

// finish undoes a transaction that was not committed. Where the connection is
// closed already, the server does that.
func finish(ctx context.Context, conn *pgx.Conn) {
	if !conn.IsClosed() && conn.PgConn().TxStatus() != 'I' {
		_, _ = conn.Exec(ctx, "ROLLBACK") // the pool drops a connection where it fails
	}
}

// again reports whether a failure is worth a second attempt. The error of a
// commit whose fate is open is not.
func again(err error) bool {
	if _, open := errors.AsType[*unsettled](err); err == nil || open {
		return false
	}
	switch sqlState(err) {
	case "40001", "40P01": // serialization failure, deadlock
		return true
	}
	return isLost(err)
}

// isLost reports whether the connection is of no use any more, or leads to a
// server that is of none.
func isLost(err error) bool {
	if err == nil || errors.Is(err, pgx.ErrNoRows) || isOurs(err) {
		return false
	}
	state := sqlState(err)
	switch {
	case state == "":
		return !isScan(err)
	case strings.HasPrefix(state, "08"), strings.HasPrefix(state, "57P"), state == "53300", state == "25006", state == "25P03":
		return true
	}
	return false
}

// isScan reports whether a row could not be read into Go values.
func isScan(err error) bool {
	_, is := errors.AsType[pgx.ScanArgError](err)
	return is
}

func sqlState(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// postgresError puts a cause under what callers tell apart.
func postgresError(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, pgx.ErrNoRows) || isOurs(err) {
		return err
	}
	if _, open := errors.AsType[*unsettled](err); open {
		return err
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w: %w", ErrUnavailable, context.Cause(ctx), err)
	}
	switch sqlState(err) {
	case "53100":
		return fmt.Errorf("%w: %w", ErrFull, err)
	case "42P01", "42703": // no such table, no such column
		return fmt.Errorf("%w: %w", ErrSchema, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// gate lets calls through once the schema is up to date. One of them makes
// it so, for longer than its own deadline if need be.
type gate struct {
	prepare func(context.Context) error

	mu     sync.Mutex
	isOpen bool
	closed bool
	run    *preparation
}

type preparation struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

func (g *gate) wait(ctx context.Context) error {
	g.mu.Lock()
	if g.isOpen || g.closed {
		g.mu.Unlock()
		return nil
	}
	run := g.run
	if run == nil {
		run = g.start()
	}
	g.mu.Unlock()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-run.done:
		return run.err
	}
}

func (g *gate) start() *preparation {
	ctx, cancel := context.WithTimeout(context.Background(), migrationTimeout)
	run := &preparation{cancel: cancel, done: make(chan struct{})}
	g.run = run
	go func() {
		defer close(run.done)
		defer cancel()
		run.err = g.prepare(ctx)
		g.mu.Lock()
		g.run, g.isOpen = nil, run.err == nil
		g.mu.Unlock()
	}()
	return run
}

func (g *gate) close() {
	g.mu.Lock()
	g.closed = true
	run := g.run
	g.mu.Unlock()
	if run != nil {
		run.cancel()
		<-run.done
	}
}

// prepare looks at the schema, and migrates where this program needs more.
func (p *Postgres) prepare(ctx context.Context) error {
	var compatible, version int64
	err := func() error {
		quick, cancel := context.WithTimeout(ctx, p.options.Timeout)
		defer cancel()
		return p.attempt(quick, true, func(ctx context.Context, conn *pgx.Conn) error {
			return conn.QueryRow(ctx, postgresSchema).Scan(&compatible, &version)
		})
	}()
	target, known := newest(postgresMigrations)
	switch {
	case known != nil:
		return known
	case err == nil && version >= target:
		return fits(compatible, target)
	case err != nil && sqlState(err) != "42P01": // the tables are not there yet
		return err
	}
	m, err := migratePostgres(p.config)
	if err != nil {
		return err
	}
	_, err = m.Up(ctx)
	if sqlState(err) == "42501" { // insufficient privilege
		err = fmt.Errorf("%w: this role may not change it; run `avap migrate up` as one that may: %w", ErrSchema, err)
	}
	return errors.Join(err, m.Close())
}
