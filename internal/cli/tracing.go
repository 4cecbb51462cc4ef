package cli

import (
	"context"
	"log/slog"
	"time"

	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/telemetry"
	"github.com/avapd/avapd/internal/tracing"
	"github.com/avapd/avapd/internal/tracing/otlp"
)

// flushTime is how long the last spans have to reach the collector, when all else
// has ended.
const flushTime = 2 * time.Second

// spanService sends the spans of a server; nil where nothing is traced.
type spanService struct{ exporter *otlp.Exporter }

func openTracing(ctx context.Context, c *config.Config, log *slog.Logger) (*spanService, error) {
	if c.Tracing.Endpoint == "" {
		return nil, nil //nolint:nilnil // see spanService
	}
	exporter, err := otlp.Open(ctx, otlp.Options{
		Endpoint: c.Tracing.Endpoint, HTTP: c.Tracing.Protocol == "http", Headers: c.TracingHeaders(),
		PerMillion: c.Tracing.RequestsPerMillion, ParentBased: c.Tracing.ParentBased, Version: Version, Log: log,
	})
	if err != nil {
		return nil, configError(err)
	}
	return &spanService{exporter}, nil
}

func (s *spanService) tracer() *tracing.Tracer {
	if s == nil {
		return nil
	}
	return s.exporter.Tracer()
}

// count has the metrics read how many spans there were.
func (s *spanService) count(m *telemetry.Metrics) {
	if s != nil {
		m.Spans(s.exporter.Stats)
	}
}

// close sends what is left. Spans that are lost keep no server from ending.
func (s *spanService) close(log *slog.Logger) {
	if s == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTime)
	defer cancel()
	if err := s.exporter.Close(ctx); err != nil {
		log.Warn("the last spans were not sent", "error", err.Error())
	}
}
