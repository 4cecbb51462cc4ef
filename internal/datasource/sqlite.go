package datasource

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync"

	"modernc.org/libc"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/avapd/avapd/internal/fairqueue"
)

// SQLiteOptions describe an embedded database.
type SQLiteOptions struct {
	Path     string
	MaxBytes int64 // of the file; zero means DefaultFileBytes
	Readers  int   // connections that read at the same time; zero means 4
	Policy   Policy
}

const (
	// DefaultFileBytes is how large the file may grow.
	DefaultFileBytes = 1 << 30

	defaultReaders   = 4
	sqlitePageBytes  = 4096
	sqliteValueBytes = 16 << 20 // the longest text or blob
)

// sqliteEngine has one connection that writes, since SQLite has one writer
// anyway, and some that read, which the file's write-ahead log lets go on
// meanwhile.
type sqliteEngine struct {
	write *connections
	read  *connections
}

// OpenSQLite opens an embedded database, creating its file if need be.
func OpenSQLite(ctx context.Context, options SQLiteOptions) (Source, error) {
	if options.MaxBytes <= 0 {
		options.MaxBytes = DefaultFileBytes
	}
	if options.Readers <= 0 {
		options.Readers = defaultReaders
	}
	path, err := filepath.Abs(options.Path)
	if err != nil {
		return nil, err
	}
	shared := []string{"busy_timeout(5000)", "foreign_keys(1)", "trusted_schema(0)"}
	write, err := newConnections(path, "rwc", 1, append(shared, "journal_mode(WAL)", "synchronous(NORMAL)",
		fmt.Sprintf("max_page_count(%d)", max(options.MaxBytes/sqlitePageBytes, 1))))
	if err != nil {
		return nil, err
	}
	read, err := newConnections(path, "ro", options.Readers, append(shared, "query_only(1)"))
	if err != nil {
		return nil, errors.Join(err, write.close())
	}
	e := &sqliteEngine{write: write, read: read}
	if _, err := e.check(ctx); err != nil { // makes the file
		return nil, errors.Join(err, e.close())
	}
	return &database{engine: e, policy: options.Policy}, nil
}

func (e *sqliteEngine) dialect() Dialect { return SQLite }

func (e *sqliteEngine) close() error { return errors.Join(e.read.close(), e.write.close()) }

func (e *sqliteEngine) check(ctx context.Context) ([]string, error) {
	c, err := e.write.take(ctx, "")
	if err != nil {
		return nil, err
	}
	e.write.give(c, "", false)
	return nil, nil
}

func (e *sqliteEngine) run(ctx context.Context, q *query, limits Limits) (*Result, error) {
	pool := e.read
	if q.kind.writes {
		pool = e.write
	}
	c, err := pool.take(ctx, limits.Client)
	if err != nil {
		return nil, err
	}
	var result *Result
	err = c.conn.Raw(func(raw any) error {
		dc, ok := raw.(sqliteDriverConn)
		if !ok {
			return errors.New("the SQLite driver lacks what the wall needs")
		}
		result, err = c.run(ctx, dc, q, limits)
		return err
	})
	broken := err != nil && (ctx.Err() != nil || errors.Is(err, driver.ErrBadConn) || c.guard.isOpen())
	refusal := c.guard.reset()
	pool.give(c, limits.Client, broken)
	if err != nil && refusal != "" {
		return nil, refuse("%s is not allowed here", refusal)
	}
	return result, sqliteError(err)
}

// sqliteDriverConn is what a connection of the driver can do.
type sqliteDriverConn interface {
	driver.QueryerContext
	driver.ExecerContext
	sqlite.AuthorizerRegisterer
	ColumnInfo(query string) ([]sqlite.ColumnInfo, error)
}

// run executes on a connection.
func (c *connection) run(ctx context.Context, dc sqliteDriverConn, q *query, limits Limits) (*Result, error) {
	if err := singleStatement(dc, q.sql); err != nil {
		return nil, err
	}
	c.guard.reset()
	args := make([]driver.NamedValue, len(q.args))
	for i, arg := range q.args {
		if b, isBool := arg.(bool); isBool {
			arg = int64(0)
			if b {
				arg = int64(1)
			}
		}
		args[i] = driver.NamedValue{Ordinal: i + 1, Value: arg}
	}
	if !q.kind.rows {
		return execOnly(ctx, dc, q, args)
	}
	if !q.kind.writes || q.kind.verb == "EXPLAIN" {
		return c.query(ctx, dc, q, args, limits)
	}
	// Rows beyond the limits undo the writing that returns them.
	if err := c.transaction(dc, "BEGIN IMMEDIATE"); err != nil {
		return nil, err
	}
	result, err := c.query(ctx, dc, q, args, limits)
	if err != nil {
		return nil, errors.Join(err, c.transaction(dc, "ROLLBACK"))
	}
	result.Affected = int64(len(result.Rows))
	return result, c.transaction(dc, "COMMIT")
}

func (c *connection) transaction(dc sqliteDriverConn, verb string) error {
	c.guard.own.Store(true)
	defer c.guard.own.Store(false)
	_, err := dc.ExecContext(context.Background(), verb, nil)
	if err == nil {
		c.guard.inside.Store(verb[0] == 'B')
	}
	return err
}

func execOnly(ctx context.Context, dc sqliteDriverConn, q *query, args []driver.NamedValue) (*Result, error) {
	done, err := dc.ExecContext(ctx, q.sql, args)
	if err != nil {
		return nil, err
	}
	result := &Result{}
	if !q.kind.ddl { // after definitions SQLite still counts an earlier statement's rows
		if result.Affected, err = done.RowsAffected(); err != nil {
			return nil, err
		}
	}
	return result, nil
}

func (c *connection) query(ctx context.Context, dc sqliteDriverConn, q *query, args []driver.NamedValue, limits Limits) (_ *Result, err error) {
	rows, err := dc.QueryContext(ctx, q.sql, args)
	if err != nil {
		return nil, err
	}
	// The driver heeds the context up to the first row only.
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		c.interrupt()
		close(interrupted)
	})
	defer func() {
		if !stop() {
			<-interrupted // before the connection may go
		}
		err = errors.Join(err, rows.Close())
	}()
	names := rows.Columns()
	set := newRowset(names, limits)
	decode := decoders(rows, len(names))
	values := make([]driver.Value, len(names))
	for {
		if err := rows.Next(values); errors.Is(err, io.EOF) {
			return set.result, nil
		} else if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		row, err := set.begin(sizeOf(values))
		if err != nil {
			return nil, err
		}
		for i, value := range values {
			row[set.place[i]] = decode[i](value)
		}
	}
}

// singleStatement asks SQLite whether the text holds a second statement: text
// before a semicolon that is a statement by itself means that it does. A
// semicolon in a literal leaves the literal open.
func singleStatement(dc sqliteDriverConn, text string) error {
	for i := 0; ; i++ {
		next := strings.IndexByte(text[i:], ';')
		if next < 0 {
			return nil
		}
		i += next
		if _, err := dc.ColumnInfo(text[:i]); err == nil {
			return refuse("one statement per call: there is text after the semicolon")
		}
	}
}

// connections is a fixed set of connections, opened as they are needed. Whoever
// has one of the slots finds one of them free.
type connections struct {
	db    *sql.DB
	slots *fairqueue.Slots
	free  chan *connection // nil: not open
	size  int

	mu     sync.Mutex
	closed bool
}

type connection struct {
	conn   *sql.Conn
	guard  *guard
	handle uintptr // sqlite3*, for interrupt
}

func newConnections(path, mode string, size int, pragmas []string) (*connections, error) {
	parameters := url.Values{"mode": {mode}, "_pragma": pragmas, "_defensive": {"1"}, "_dqs": {"0"}, "_error_rc": {"1"}}
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: parameters.Encode(), OmitHost: true}
	connector, err := sqlite.NewConnector(dsn.String())
	if err != nil {
		return nil, err
	}
	c := &connections{db: sql.OpenDB(connector), free: make(chan *connection, size), size: size}
	c.slots = fairqueue.New(fairqueue.Limits{Slots: size, ClientSlots: half(size)})
	c.db.SetMaxOpenConns(size)
	for range size {
		c.free <- nil
	}
	return c, nil
}

func (p *connections) take(ctx context.Context, client string) (c *connection, err error) {
	if err := p.slots.Wait(ctx, fairqueue.NewWaiter(client)); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			p.slots.Leave(client)
		}
	}()
	// Only close takes what is not its own; then all come back soon.
	c = <-p.free
	p.mu.Lock()
	closed := p.closed
	p.mu.Unlock()
	if closed {
		p.free <- c
		return nil, unavailable(sql.ErrConnDone)
	}
	if c != nil {
		return c, nil
	}
	if c, err = p.open(ctx); err != nil {
		p.free <- nil
		return nil, unavailable(err)
	}
	return c, nil
}

// give returns a connection; one in doubt is closed.
func (p *connections) give(c *connection, client string, broken bool) {
	defer p.slots.Leave(client)
	if broken {
		// The pool below must not keep it either; what closing it says is moot.
		_ = c.conn.Raw(func(any) error { return driver.ErrBadConn })
		_ = c.conn.Close()
		c = nil
	}
	p.free <- c
}

// close waits for the statements that still run.
func (p *connections) close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	p.mu.Unlock()
	var errs []error
	for range p.size {
		if c := <-p.free; c != nil {
			errs = append(errs, c.conn.Close())
		}
	}
	for range p.size {
		p.free <- nil // later takers see closed
	}
	return errors.Join(append(errs, p.db.Close())...)
}

// open makes a connection and puts its wall up.
func (p *connections) open(ctx context.Context) (*connection, error) {
	conn, err := p.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	c := &connection{conn: conn, guard: &guard{}}
	if err := c.wall(); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return c, nil
}

// interrupt stops what the connection does. It may come from anywhere: SQLite
// sets a flag.
func (c *connection) interrupt() {
	tls := libc.NewTLS()
	sqlite3.Xsqlite3_interrupt(tls, c.handle)
	tls.Close()
}

// sqliteHandle finds the driver's handle of a connection, which it does not
// export, for interrupt.
func sqliteHandle(raw any) (uintptr, error) {
	value := reflect.ValueOf(raw)
	if value.Kind() == reflect.Pointer && value.Elem().Kind() == reflect.Struct {
		if field := value.Elem().FieldByName("db"); field.IsValid() && field.Kind() == reflect.Uintptr && field.Uint() != 0 {
			return uintptr(field.Uint()), nil
		}
	}
	return 0, errors.New("the SQLite driver's connection has another form than expected")
}

var sqliteCode = regexp.MustCompile(` \(\d+\)( \(SQLITE_BUSY\))?$`)

// sqliteError takes the driver's decoration off SQLite's own message.
func sqliteError(err error) error {
	var failure *sqlite.Error
	if !errors.As(err, &failure) {
		return err
	}
	message := sqliteCode.ReplaceAllString(failure.Error(), "")
	if _, own, decorated := strings.Cut(message, ": "); decorated {
		message = own
	}
	return &Error{Kind: KindDatabase, Code: fmt.Sprint(failure.Code()), Message: message, cause: err}
}
