package datasource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/avapd/avapd/internal/fairqueue"
)

// PostgresOptions describe a PostgreSQL database.
type PostgresOptions struct {
	URL              string
	Connections      int           // at most; zero means 8
	PerClient        int           // of them for one client; zero means half
	StatementTimeout time.Duration // of the session, whatever a call asks for; zero means 30 s
	Policy           Policy
}

const (
	defaultConnections      = 8
	defaultStatementTimeout = 30 * time.Second

	statementName  = "avap"
	messageBytes   = 64 << 10 // of a protocol message besides a row's values
	discardTimeout = 5 * time.Second
)

// postgresEngine speaks the protocol's extended form only, with values and
// results as text: what the server itself reads and writes in SQL.
type postgresEngine struct {
	pool  *pgxpool.Pool
	slots *fairqueue.Slots // as many as the pool has connections
}

// CheckPostgresURL reports whether a URL can be understood, without connecting.
func CheckPostgresURL(url string) error {
	_, err := parsePostgresURL(url)
	return err
}

func parsePostgresURL(url string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, &Error{Kind: KindUnavailable, Message: "the URL of the PostgreSQL database is malformed"} // the cause may quote the password
	}
	return config, nil
}

// OpenPostgres makes a pool. It does not connect yet; Check does.
func OpenPostgres(ctx context.Context, options PostgresOptions) (Source, error) {
	config, err := parsePostgresURL(options.URL)
	if err != nil {
		return nil, err
	}
	if options.Connections <= 0 {
		options.Connections = defaultConnections
	}
	if options.StatementTimeout <= 0 {
		options.StatementTimeout = defaultStatementTimeout
	}
	if options.PerClient <= 0 {
		options.PerClient = half(options.Connections)
	}
	config.MaxConns = int32(min(options.Connections, math.MaxInt32))
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	config.AfterRelease = discard
	timeout := strconv.FormatInt(options.StatementTimeout.Milliseconds(), 10)
	maps.Copy(config.ConnConfig.RuntimeParams, map[string]string{
		"statement_timeout": timeout, "idle_in_transaction_session_timeout": timeout,
		"TimeZone": "UTC", "DateStyle": "ISO, YMD", "IntervalStyle": "iso_8601", "bytea_output": "hex",
		"standard_conforming_strings": "on", "client_encoding": "UTF8", "client_min_messages": "error",
	})
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "avap"
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, unavailable(err)
	}
	slots := fairqueue.New(fairqueue.Limits{Slots: options.Connections, ClientSlots: options.PerClient})
	return &database{engine: &postgresEngine{pool: pool, slots: slots}, policy: options.Policy}, nil
}

// half is the part of the connections that one client can have.
func half(connections int) int { return (connections + 1) / 2 }

// discard resets a session after its use: settings, locks, prepared
// statements, temporary objects.
func discard(conn *pgx.Conn) bool {
	ctx, cancel := context.WithTimeout(context.Background(), discardTimeout)
	defer cancel()
	return conn.PgConn().Exec(ctx, "DISCARD ALL").Close() == nil
}

func (e *postgresEngine) dialect() Dialect { return Postgres }

// PoolStats is how a pool of connections is.
type PoolStats struct {
	InUse, Idle, Limit int
	// Acquires counts connections that were taken, in AcquireTime altogether, and
	// Canceled attempts that were given up.
	Acquires, Canceled int64
	AcquireTime        time.Duration
}

// Pool tells how the connections of a source are, if it is one that has a pool.
func Pool(s Source) (PoolStats, bool) {
	d, _ := s.(*database)
	if d == nil {
		return PoolStats{}, false
	}
	e, ok := d.engine.(*postgresEngine)
	if !ok {
		return PoolStats{}, false
	}
	now := e.pool.Stat()
	return PoolStats{
		InUse: int(now.AcquiredConns()), Idle: int(now.IdleConns()), Limit: int(now.MaxConns()),
		Acquires: now.AcquireCount(), Canceled: now.CanceledAcquireCount(), AcquireTime: now.AcquireDuration(),
	}, true
}

func (e *postgresEngine) close() error {
	e.pool.Close()
	return nil
}

// check says which rights the role has that scripts should not have.
func (e *postgresEngine) check(ctx context.Context) ([]string, error) {
	const rights = `SELECT r.rolsuper, r.rolcreaterole, r.rolcreatedb, r.rolbypassrls,
		EXISTS (SELECT 1 FROM pg_catalog.pg_roles g WHERE g.rolname IN
			('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program', 'pg_signal_backend')
			AND pg_catalog.pg_has_role(r.oid, g.oid, 'MEMBER'))
		FROM pg_catalog.pg_roles r WHERE r.rolname = current_user`
	var has [5]bool
	if err := e.pool.QueryRow(ctx, rights).Scan(&has[0], &has[1], &has[2], &has[3], &has[4]); err != nil {
		return nil, postgresError(err)
	}
	var findings []string
	for i, right := range []string{
		"is a superuser", "may create roles", "may create databases", "bypasses row-level security", "may reach the server's files or processes",
	} {
		if has[i] {
			findings = append(findings, "the role that scripts use "+right+": give them a role with rights on their tables only")
		}
	}
	return findings, nil
}

func (e *postgresEngine) run(ctx context.Context, q *query, limits Limits) (*Result, error) {
	if err := e.slots.Wait(ctx, fairqueue.NewWaiter(limits.Client)); err != nil {
		return nil, err
	}
	defer e.slots.Leave(limits.Client)
	conn, err := e.pool.Acquire(ctx)
	if err != nil {
		return nil, unavailable(err)
	}
	defer conn.Release()
	pc := conn.Conn().PgConn()
	pc.Frontend().SetMaxBodyLen(int(min(limits.Bytes, math.MaxInt32-messageBytes)) + messageBytes)
	args := encode(q.args)
	description, err := prepare(ctx, pc, q.sql, args)
	if err != nil {
		return nil, postgresError(err)
	}
	if !q.kind.writes {
		return execute(ctx, pc, description, q, args, limits)
	}
	// Rows beyond the limits undo the writing that returns them.
	if err := pc.Exec(ctx, "BEGIN").Close(); err != nil {
		return nil, postgresError(err)
	}
	result, err := execute(ctx, pc, description, q, args, limits)
	if err != nil {
		// Where the connection is closed already, the server rolls back.
		rollback(ctx, pc)
		return nil, err
	}
	return result, postgresError(pc.Exec(ctx, "COMMIT").Close())
}

func rollback(ctx context.Context, pc *pgconn.PgConn) {
	if pc.IsClosed() {
		return
	}
	if err := pc.Exec(ctx, "ROLLBACK").Close(); err != nil {
		closeNow(pc)
	}
}

// closeNow drops a connection whose state is not wanted; the pool forgets it.
func closeNow(pc *pgconn.PgConn) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = pc.Close(ctx) // it is given up
}

// argument is a value with the type that PostgreSQL would give to it as a
// constant in SQL text.
type argument struct {
	text []byte
	oid  uint32 // zero: as the context wants, which is what a text literal gets
}

func encode(values []any) []argument {
	args := make([]argument, len(values))
	for i, value := range values {
		switch value := value.(type) {
		case bool:
			args[i] = argument{strconv.AppendBool(nil, value), pgtype.BoolOID}
		case int64:
			oid := uint32(pgtype.Int8OID)
			if value >= math.MinInt32 && value <= math.MaxInt32 {
				oid = pgtype.Int4OID
			}
			args[i] = argument{strconv.AppendInt(nil, value, 10), oid}
		case float64:
			text := floatText(value)
			oid := uint32(pgtype.NumericOID)
			for _, c := range text {
				if c >= 'a' { // an exponent, inf, nan
					oid = pgtype.Float8OID
				}
			}
			args[i] = argument{[]byte(text), oid}
		case string:
			args[i] = argument{text: []byte(value)}
		}
	}
	return args
}

// prepare finds the types of the parameters. A value has the type it would
// have in SQL text; where nothing fits that, the column decides alone, so that
// a text column can be compared with a number as in SQLite; and where nothing
// decides, text is text.
func prepare(ctx context.Context, pc *pgconn.PgConn, sql string, args []argument) (*pgconn.StatementDescription, error) {
	natural := make([]uint32, len(args))
	texts := make([]uint32, len(args))
	for i, arg := range args {
		natural[i], texts[i] = arg.oid, arg.oid
		if arg.oid == 0 {
			texts[i] = pgtype.TextOID
		}
	}
	var first error
	for _, types := range [][]uint32{natural, make([]uint32, len(args)), texts} {
		description, err := pc.Prepare(ctx, statementName, sql, types)
		if err == nil {
			return description, nil
		}
		if first == nil {
			first = err
		}
		if len(args) == 0 || !aboutTypes(err) {
			break
		}
	}
	return nil, first
}

// aboutTypes reports whether other types of parameters may help.
func aboutTypes(err error) bool {
	var failure *pgconn.PgError
	if !errors.As(err, &failure) {
		return false
	}
	switch failure.Code {
	case "42883", "42804", "42P18", "42725", "42846", "42P08":
		return true
	}
	return false
}

func execute(ctx context.Context, pc *pgconn.PgConn, description *pgconn.StatementDescription, q *query, args []argument, limits Limits) (*Result, error) {
	texts := make([][]byte, len(args))
	for i, arg := range args {
		texts[i] = arg.text
	}
	reader := pc.ExecPrepared(ctx, description.Name, texts, nil, nil)
	fields := description.Fields
	if len(fields) == 0 {
		tag, err := reader.Close()
		if err != nil {
			return nil, postgresError(err)
		}
		result := &Result{}
		if !q.kind.ddl {
			result.Affected = tag.RowsAffected()
		}
		return result, nil
	}
	names := make([]string, len(fields))
	for i, field := range fields {
		names[i] = field.Name
	}
	set := newRowset(names, limits)
	for reader.NextRow() {
		values := reader.Values()
		row, err := set.begin(rawSize(values))
		if err != nil {
			closeNow(pc)
			_, _ = reader.Close() // says that the connection is closed
			return nil, err
		}
		for i, value := range values {
			row[set.place[i]] = postgresValue(fields[i].DataTypeOID, value)
		}
	}
	tag, err := reader.Close()
	if err != nil {
		return nil, postgresError(err)
	}
	if q.kind.writes {
		set.result.Affected = tag.RowsAffected()
	}
	return set.result, nil
}

func rawSize(values [][]byte) int64 {
	size := 0
	for _, value := range values {
		size += len(value)
	}
	return int64(size)
}

// postgresError keeps the server's own message, and nothing that names the
// connection.
func postgresError(err error) error {
	if err == nil {
		return nil
	}
	var failure *pgconn.PgError
	if errors.As(err, &failure) && !isConnect(err) {
		switch failure.Code {
		case "57014": // query_canceled, by statement_timeout
			return &Error{Kind: KindLimit, Code: failure.Code, Message: "the statement takes too long", cause: err}
		case "57P01", "57P02", "57P03":
			return unavailable(err)
		}
		return &Error{Kind: KindDatabase, Code: failure.Code, Message: failure.Message, cause: err}
	}
	if tooLong, ok := errors.AsType[*pgproto3.ExceededMaxBodyLenErr](err); ok {
		return limitError("a row of the result is larger than %d bytes", tooLong.MaxExpectedBodyLen)
	}
	var own *Error
	if errors.As(err, &own) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || isConnect(err) || pgconn.Timeout(err) || pgconn.SafeToRetry(err) {
		return unavailable(err)
	}
	return &Error{Kind: KindUnavailable, Message: "the connection to the database failed", cause: fmt.Errorf("postgresql: %w", err)}
}

func isConnect(err error) bool {
	var connect *pgconn.ConnectError
	return errors.As(err, &connect)
}
