package commands

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/avapd/avapd/internal/datasource"
	"github.com/avapd/avapd/wasmhost"
)

// Data is the database of the orm commands.
type Data struct {
	// PostgresURL names a PostgreSQL database. Without one it is the SQLite
	// file, and without that there is none.
	PostgresURL string
	SQLiteFile  string
	Policy      datasource.Policy
	// Limits of a statement; zero members mean the defaults.
	Limits datasource.Limits
	// Connections bound those to each PostgreSQL database, PerClient those of one
	// client; zero means the defaults.
	Connections, PerClient int
}

// source is a database that is opened at its first use.
type source struct {
	data Data
	log  *slog.Logger

	mu     sync.Mutex
	opened datasource.Source
	closed bool
}

func newSource(data Data, log *slog.Logger) *source { return &source{data: data, log: log} }

var (
	errNoDatabase = errors.New("no database is configured")
	errClosed     = errors.New("the database is closed")
)

// get opens the database if nobody did. A failure is tried again next time.
func (s *source) get(ctx context.Context) (datasource.Source, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened != nil || s.closed {
		return s.opened, errorIf(s.closed, errClosed)
	}
	opened, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	s.opened = opened
	return opened, nil
}

func errorIf(failed bool, err error) error {
	if failed {
		return err
	}
	return nil
}

// openError keeps from scripts where the database is.
type openError struct{ cause error }

func (*openError) Error() string   { return "the database cannot be opened" }
func (e *openError) Unwrap() error { return e.cause }

func (s *source) open(ctx context.Context) (opened datasource.Source, err error) {
	// The database outlives the execution that opens it.
	ctx = context.WithoutCancel(ctx)
	switch {
	case s.data.PostgresURL != "":
		opened, err = datasource.OpenPostgres(ctx, datasource.PostgresOptions{
			URL: s.data.PostgresURL, Policy: s.data.Policy, Connections: s.data.Connections, PerClient: s.data.PerClient,
		})
	case s.data.SQLiteFile != "":
		if err = os.MkdirAll(filepath.Dir(s.data.SQLiteFile), 0o700); err == nil {
			opened, err = datasource.OpenSQLite(ctx, datasource.SQLiteOptions{Path: s.data.SQLiteFile, Policy: s.data.Policy})
		}
	default:
		return nil, errNoDatabase
	}
	if err != nil {
		return nil, &openError{err}
	}
	s.warnOfRights(ctx, opened)
	return opened, nil
}

// rightsTime bounds the look at what the role may do.
const rightsTime = 5 * time.Second

// warnOfRights tells the operator when scripts could do more in the database
// than they should. It keeps nobody from working.
func (s *source) warnOfRights(ctx context.Context, opened datasource.Source) {
	ctx, cancel := context.WithTimeout(ctx, rightsTime)
	defer cancel()
	findings, err := opened.Check(ctx)
	if err != nil {
		s.log.Warn("the rights of the database's role are not known", "error", err)
	}
	for _, finding := range findings {
		s.log.Warn("the database's role has too many rights for scripts", "finding", finding)
	}
}

// pool tells how the connections are. It does not wait for a database that is
// being opened.
func (s *source) pool() (datasource.PoolStats, bool) {
	if !s.mu.TryLock() {
		return datasource.PoolStats{}, false
	}
	defer s.mu.Unlock()
	if s.opened == nil {
		return datasource.PoolStats{}, false
	}
	return datasource.Pool(s.opened)
}

func (s *source) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.opened == nil {
		return nil
	}
	return s.opened.Close()
}

// withData runs a statement on a database, without a compute slot.
func (s *Set) withData(c *wasmhost.Call, from *source, f func(context.Context, datasource.Source, datasource.Limits) error) (err error) {
	limits := from.data.Limits
	limits.Client = c.Client()
	if limits.Bytes == 0 {
		limits.Bytes = datasource.DefaultBytes
	}
	limits.Bytes = max(1, min(limits.Bytes, c.MemoryLeft()))
	c.Blocking(func(ctx context.Context) {
		opened, openErr := from.get(ctx)
		if err = openErr; err == nil {
			err = f(ctx, opened, limits)
		}
	})
	if cause := errors.Unwrap(err); cause != nil {
		s.warn(c, "statement of a script failed", "error", err.Error(), "cause", cause.Error())
	}
	return sqlError(err)
}

// sqlError sorts an error of a statement.
func sqlError(err error) error {
	var failure *datasource.Error
	if errors.As(err, &failure) && failure.Kind == datasource.KindRefused {
		return wasmhost.Refused(err)
	}
	return err
}

// statement runs one and gives what it answered.
func (s *Set) statement(c *wasmhost.Call, from *source, f func(context.Context, datasource.Source, datasource.Limits) (*datasource.Result, error)) (any, error) {
	var result *datasource.Result
	err := s.withData(c, from, func(ctx context.Context, d datasource.Source, limits datasource.Limits) (err error) {
		result, err = f(ctx, d, limits)
		return err
	})
	if err != nil {
		return nil, err
	}
	if result.Unsafe {
		s.warn(c, "SQL put together at run time: its values are not kept apart")
	}
	c.ChargeBytes(result.BytesRead)
	c.ChargeRows(len(result.Rows))
	if !result.IsQuery {
		return "Success: " + strconv.FormatInt(result.Affected, 10), nil
	}
	return rows(result), nil
}

// run is statement on the database of the orm commands, with its answer
// stored.
func (s *Set) run(c *wasmhost.Call, f func(context.Context, datasource.Source, datasource.Limits) (*datasource.Result, error)) error {
	answer, err := s.statement(c, s.data, f)
	if err != nil {
		return err
	}
	return c.Return(answer)
}

// rows makes a list of dicts.
func rows(result *datasource.Result) []any {
	list := make([]any, len(result.Rows))
	for i, row := range result.Rows {
		object := make(wasmhost.Object, len(row))
		for j, value := range row {
			object[j] = wasmhost.Member{Name: result.Columns[j], Value: fromData(value)}
		}
		list[i] = object
	}
	return list
}

// sqlDirect takes one statement. An error of the database is the result.
func (s *Set) sqlDirect(c *wasmhost.Call) error {
	sql, err := statementOf(c, 0)
	if err != nil {
		return err
	}
	answer, err := s.statement(c, s.data, func(ctx context.Context, d datasource.Source, limits datasource.Limits) (*datasource.Result, error) {
		return d.Exec(ctx, sql, limits)
	})
	if err != nil {
		return c.Return(failureObject(err))
	}
	return c.Return(answer)
}

// sqlCheckTable takes a table's name.
func (s *Set) sqlCheckTable(c *wasmhost.Call) error {
	table, err := nameOf(c, 0)
	if err != nil {
		return err
	}
	exists := false
	err = s.withData(c, s.data, func(ctx context.Context, d datasource.Source, limits datasource.Limits) (err error) {
		exists, err = d.TableExists(ctx, table, limits)
		return err
	})
	if err != nil {
		return err
	}
	return c.Return(wasmhost.TextOf(exists))
}

// sqlCreateTable takes fields, types and a table's name.
func (s *Set) sqlCreateTable(c *wasmhost.Call) error {
	a := reader{c: c}
	fields, types, table := a.list(0), a.list(1), a.name(2)
	if a.err != nil {
		return a.err
	}
	return s.run(c, func(ctx context.Context, d datasource.Source, limits datasource.Limits) (*datasource.Result, error) {
		return d.CreateTable(ctx, fields, types, table, limits)
	})
}

// sqlSelect takes fields, a table's name and a condition.
func (s *Set) sqlSelect(c *wasmhost.Call) error {
	a := reader{c: c}
	fields, table, where := a.list(0), a.name(1), a.statement(2)
	if a.err != nil {
		return a.err
	}
	return s.run(c, func(ctx context.Context, d datasource.Source, limits datasource.Limits) (*datasource.Result, error) {
		return d.Select(ctx, fields, table, where, limits)
	})
}

// sqlInsert takes fields, values and a table's name.
func (s *Set) sqlInsert(c *wasmhost.Call) error {
	a := reader{c: c}
	fields, values, table := a.list(0), a.list(1), a.name(2)
	if a.err != nil {
		return a.err
	}
	return s.run(c, func(ctx context.Context, d datasource.Source, limits datasource.Limits) (*datasource.Result, error) {
		return d.Insert(ctx, fields, values, table, limits)
	})
}

// sqlUpdate takes fields, values, a table's name and a condition.
func (s *Set) sqlUpdate(c *wasmhost.Call) error {
	a := reader{c: c}
	fields, values, table, where := a.list(0), a.list(1), a.name(2), a.statement(3)
	if a.err != nil {
		return a.err
	}
	return s.run(c, func(ctx context.Context, d datasource.Source, limits datasource.Limits) (*datasource.Result, error) {
		return d.Update(ctx, fields, values, table, where, limits)
	})
}

// sqlDelete takes a table's name and a condition.
func (s *Set) sqlDelete(c *wasmhost.Call) error {
	a := reader{c: c}
	table, where := a.name(0), a.statement(1)
	if a.err != nil {
		return a.err
	}
	return s.run(c, func(ctx context.Context, d datasource.Source, limits datasource.Limits) (*datasource.Result, error) {
		return d.Delete(ctx, table, where, limits)
	})
}

// reader reads arguments until one is wrong.
type reader struct {
	c   *wasmhost.Call
	err error
}

func (r *reader) statement(i int) (s datasource.Statement) {
	if r.err == nil {
		s, r.err = statementOf(r.c, i)
	}
	return s
}

func (r *reader) name(i int) (name string) {
	if r.err == nil {
		name, r.err = nameOf(r.c, i)
	}
	return name
}

func (r *reader) list(i int) (list any) {
	if r.err == nil {
		list, r.err = listOf(r.c, i)
	}
	return list
}

// statementOf reads SQL text; what was not given is empty.
func statementOf(c *wasmhost.Call, i int) (datasource.Statement, error) {
	parts, origin, isText, err := c.Parts(i)
	switch {
	case err != nil:
		return datasource.Statement{}, err
	case !isText && c.Given(i):
		return datasource.Statement{}, wasmhost.Mistaken(errors.New("SQL must be text"))
	}
	return datasource.Statement{Parts: dataParts(parts), Dynamic: isText && origin == wasmhost.Computed}, nil
}

func dataParts(parts []wasmhost.Part) []datasource.Part {
	out := make([]datasource.Part, len(parts))
	for i, p := range parts {
		out[i] = datasource.Part{Text: p.Text, Value: toData(p.Value), IsValue: p.IsValue}
	}
	return out
}

// listOf reads a list of names or values: a list, or text with commas.
func listOf(c *wasmhost.Call, i int) (any, error) {
	parts, origin, isText, err := c.Parts(i)
	switch {
	case err != nil:
		return nil, err
	case isText && origin == wasmhost.InParts:
		return datasource.Statement{Parts: dataParts(parts)}, nil
	}
	v, err := c.Value(i)
	return toData(v), err
}

func nameOf(c *wasmhost.Call, i int) (string, error) {
	v, err := c.Value(i)
	if err != nil {
		return "", err
	}
	name, ok := v.(string)
	if !ok {
		return "", wasmhost.Mistaken(fmt.Errorf("a table's name must be text, not %s", wasmhost.TextOf(v)))
	}
	return name, nil
}

// toData turns a value of the sandbox into one of a database.
func toData(v any) any {
	switch v := v.(type) {
	case wasmhost.Missing, wasmhost.Connector:
		return nil
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = toData(item)
		}
		return out
	case wasmhost.Object:
		out := make(datasource.Object, len(v))
		for i, m := range v {
			out[i] = datasource.Member{Name: m.Name, Value: toData(m.Value)}
		}
		return out
	}
	return v
}

// fromData is the way back.
func fromData(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = fromData(item)
		}
		return out
	case datasource.Object:
		out := make(wasmhost.Object, len(v))
		for i, m := range v {
			out[i] = wasmhost.Member{Name: m.Name, Value: fromData(m.Value)}
		}
		return out
	}
	return v
}
