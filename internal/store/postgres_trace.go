package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/avapd/avapd/internal/tracing"
)

// queryTracer makes a span of each query, and each batch of queries, of a request
// that is traced. What the store does on its own has none. The statements are the
// store's own and say no more than their verb.
type queryTracer struct{}

// Interface guards.
var (
	_ pgx.QueryTracer = queryTracer{}
	_ pgx.BatchTracer = queryTracer{}
)

type querySpan struct{}

func beginQuery(ctx context.Context, operation string) (context.Context, *tracing.Span) {
	span := tracing.From(ctx).Child(operation, tracing.Client)
	if span == nil {
		return ctx, nil
	}
	span.Text(tracing.DBSystem, tracing.SystemPostgreSQL)
	span.Text(tracing.DBOperation, operation)
	return context.WithValue(ctx, querySpan{}, span), span
}

func endQuery(ctx context.Context, err error) {
	if span, _ := ctx.Value(querySpan{}).(*tracing.Span); span != nil {
		span.FailWith(err)
		span.End()
	}
}

// TraceQueryStart implements pgx.QueryTracer.
func (queryTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	ctx, _ = beginQuery(ctx, firstWord(data.SQL))
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (queryTracer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	endQuery(ctx, data.Err)
}

// TraceBatchStart implements pgx.BatchTracer.
func (queryTracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	ctx, span := beginQuery(ctx, "BATCH")
	span.Number(tracing.DBBatchSize, int64(data.Batch.Len()))
	return ctx
}

// TraceBatchQuery implements pgx.BatchTracer.
func (queryTracer) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd implements pgx.BatchTracer.
func (queryTracer) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchEndData) {
	endQuery(ctx, data.Err)
}

// firstWord is what a statement begins with.
func firstWord(sql string) string {
	begin := 0
	for begin < len(sql) && !isLetter(sql[begin]) {
		begin++
	}
	end := begin
	for end < len(sql) && isLetter(sql[end]) {
		end++
	}
	return sql[begin:end]
}

func isLetter(b byte) bool { return 'a' <= b|0x20 && b|0x20 <= 'z' }
