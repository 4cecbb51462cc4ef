package datasource

import (
	"context"
	"errors"

	"github.com/avapd/avapd/internal/tracing"
)

// run executes on the engine, in a span that has the statement's verb and nothing
// else of its text.
func (d *database) run(ctx context.Context, q *query, limits Limits) (*Result, error) {
	kind, system := tracing.Internal, tracing.SystemSQLite
	if d.Dialect() == Postgres {
		kind, system = tracing.Client, tracing.SystemPostgreSQL
	}
	ctx, span := tracing.Begin(ctx, q.kind.verb, kind)
	result, err := d.engine.run(ctx, q, limits)
	if span == nil {
		return result, err
	}
	span.Text(tracing.DBSystem, system)
	span.Text(tracing.DBOperation, q.kind.verb)
	failure, ok := errors.AsType[*Error](err)
	switch {
	case err == nil:
		span.Number(tracing.DBReturnedRows, int64(len(result.Rows)))
	case ok && failure.Code != "":
		span.Text(tracing.DBResponseStatus, failure.Code)
		span.Fail(failure.Code)
	default:
		span.FailWith(err)
	}
	span.End()
	return result, err
}
