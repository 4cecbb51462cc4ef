package datasource

import (
	"context"
	"time"
)

// Dialect is the SQL that a database speaks.
type Dialect uint8

// The dialects.
const (
	SQLite Dialect = iota
	Postgres
)

func (d Dialect) String() string {
	if d == Postgres {
		return "PostgreSQL"
	}
	return "SQLite"
}

// Part is a piece of a statement: constant SQL text, or a value. Values are
// nil, bool, int64 (or int), float64, string, []any, Object and map[string]any.
type Part struct {
	Text    string // constant SQL, unless IsValue
	Value   any
	IsValue bool
}

// Text is a part of constant SQL.
func Text(sql string) Part { return Part{Text: sql} }

// Value is a part that is data.
func Value(v any) Part { return Part{Value: v, IsValue: true} }

// Statement is SQL in parts.
type Statement struct {
	Parts []Part
	// Dynamic says that the text was put together at run time without keeping
	// its values apart. It is executed as it stands and reported as unsafe, or
	// refused where parameters are required.
	Dynamic bool
}

// Constant is a statement, or a fragment of one, that its author wrote out.
func Constant(sql string) Statement { return Statement{Parts: []Part{Text(sql)}} }

// Template is a statement of constant text and values.
func Template(parts ...Part) Statement { return Statement{Parts: parts} }

// Limits bound one statement. Zero means the default.
type Limits struct {
	// Client is for whom the script runs; connections go round the clients.
	Client  string
	Rows    int
	Bytes   int64         // of all values of the result
	Timeout time.Duration // besides the context's own deadline
}

// The limits of a statement that names none.
const (
	DefaultRows    = 10_000
	DefaultBytes   = 8 << 20
	DefaultTimeout = 5 * time.Second
)

func (l Limits) withDefaults() Limits {
	if l.Rows <= 0 {
		l.Rows = DefaultRows
	}
	if l.Bytes <= 0 {
		l.Bytes = DefaultBytes
	}
	if l.Timeout <= 0 {
		l.Timeout = DefaultTimeout
	}
	return l
}

// Result is what a statement answered.
type Result struct {
	// IsQuery says that the statement yields rows, even if there are none.
	IsQuery bool
	// Columns are the names in order. Of columns with the same name the last
	// one's values are kept, at the first one's place.
	Columns []string
	Rows    [][]any // one value per column
	// Affected counts the rows written: zero for definitions of tables.
	Affected  int64
	BytesRead int64
	// Unsafe says that the statement was dynamic.
	Unsafe bool
}

// Member is a name and its value in an Object.
type Member struct {
	Name  string
	Value any
}

// Object is a JSON object with its members in order.
type Object []Member

// Source is a database. Its methods may be used concurrently. Errors are of
// type *Error, or the context's own when that ended.
//
// A list of names, types or values is a []any, a text with commas, or a
// Statement whose constant text has the commas and whose values are whole.
type Source interface {
	Dialect() Dialect
	Exec(ctx context.Context, statement Statement, limits Limits) (*Result, error)
	TableExists(ctx context.Context, table string, limits Limits) (bool, error)
	CreateTable(ctx context.Context, fields, types any, table string, limits Limits) (*Result, error)
	// Select reads; no fields means all of them, no where-text all rows.
	Select(ctx context.Context, fields any, table string, where Statement, limits Limits) (*Result, error)
	Insert(ctx context.Context, fields, values any, table string, limits Limits) (*Result, error)
	Update(ctx context.Context, fields, values any, table string, where Statement, limits Limits) (*Result, error)
	Delete(ctx context.Context, table string, where Statement, limits Limits) (*Result, error)
	// Check connects, and says in sentences what the operator should know.
	Check(ctx context.Context) ([]string, error)
	Close() error
}

// Policy is what an operator decided about a source's statements.
type Policy struct {
	RequireParameters bool // refuse dynamic statements
	ReadOnly          bool // refuse everything that writes
}

// engine is the part of a database that differs.
type engine interface {
	dialect() Dialect
	run(ctx context.Context, q *query, limits Limits) (*Result, error)
	check(ctx context.Context) ([]string, error)
	close() error
}

// database is a Source on an engine.
type database struct {
	engine engine
	policy Policy
}

var _ Source = (*database)(nil)

func (d *database) Dialect() Dialect { return d.engine.dialect() }

func (d *database) Check(ctx context.Context) ([]string, error) { return d.engine.check(ctx) }

func (d *database) Close() error { return d.engine.close() }

func (d *database) Exec(ctx context.Context, statement Statement, limits Limits) (*Result, error) {
	if statement.Dynamic && d.policy.RequireParameters {
		return nil, refuse("SQL text put together at run time is refused here: write the values as ${…} in a template")
	}
	q, err := compile(d.engine.dialect(), statement)
	if err != nil {
		return nil, err
	}
	if d.policy.ReadOnly && q.kind.writes {
		return nil, refuse("%s is refused: this database is read-only for scripts", q.kind.verb)
	}
	limits = limits.withDefaults()
	bounded, cancel := context.WithTimeout(ctx, limits.Timeout)
	defer cancel()
	result, err := d.run(bounded, q, limits)
	if err != nil {
		return nil, d.explain(ctx, bounded, limits, err)
	}
	result.Unsafe = statement.Dynamic
	return result, nil
}

// explain finds out who stopped a statement. The caller's context comes first:
// it ended the execution, not the statement.
func (d *database) explain(caller, bounded context.Context, limits Limits, err error) error {
	if caller.Err() != nil {
		return context.Cause(caller)
	}
	if bounded.Err() != nil {
		return limitError("the statement takes longer than %v", limits.Timeout)
	}
	return err
}
