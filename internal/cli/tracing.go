package cli

import (
	"context"
	"log/slog"
	"time"

	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/tracing/otlp"
)

// flushTime is how long the last spans have to reach the collector, when all else
// has ended.
const flushTime = 2 * time.Second

func tracingOptions(c *config.Config, log *slog.Logger) otlp.Options {
	return otlp.Options{
		Endpoint: c.Tracing.Endpoint, HTTP: c.Tracing.Protocol == "http", Headers: c.TracingHeaders(),
		PerMillion: c.Tracing.RequestsPerMillion, ParentBased: c.Tracing.ParentBased, Version: Version, Log: log,
	}
}

// closeTracing sends what is left. Spans that are lost keep no server from ending.
func closeTracing(e *otlp.Exporter, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), flushTime)
	defer cancel()
	if err := e.Close(ctx); err != nil {
		log.Warn("the last spans were not sent", "error", err.Error())
	}
}
