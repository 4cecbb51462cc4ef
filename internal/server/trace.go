package server

import (
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/avapd/avapd/internal/telemetry"
	"github.com/avapd/avapd/internal/tracing"
)

// maxStateBytes bounds what is passed on of what a client says about its trace
// to others.
const maxStateBytes = 512

// beginSpan begins the span of a request, as a part of the trace that its headers
// name. Probes have none: they are most of the requests and tell nothing.
func (s *Server) beginSpan(c *fiber.Ctx, n *note) *tracing.Span {
	if s.probes[string(c.Request().URI().Path())] {
		return nil
	}
	header := &c.Request().Header
	var from tracing.Headers
	if parents := header.PeekAll(tracing.HeaderParent); len(parents) == 1 {
		from.Parent = string(parents[0])
	}
	var states []string
	for _, state := range header.PeekAll(tracing.HeaderState) {
		states = append(states, string(state))
	}
	if from.State = strings.Join(states, ","); len(from.State) > maxStateBytes {
		from.State = ""
	}
	span := s.tracer.Request(from)
	span.Text(tracing.RequestID, n.id)
	scheme := "http"
	if c.Context().IsTLS() {
		scheme = "https"
	}
	span.Text(tracing.URLScheme, scheme)
	return span
}

// endSpan ends the span of a request. Only what is the server's fault is a
// failure of its, as the semantic conventions have it.
func endSpan(n *note, r *telemetry.Request, p *problem) {
	defer n.span.End()
	if !n.span.Recording() {
		return
	}
	method := telemetry.MethodName(r.Method)
	n.span.Name(method + " " + r.Route)
	if method == telemetry.Other {
		method = tracing.OtherMethod
		n.span.Name("HTTP " + r.Route)
	}
	n.span.Text(tracing.HTTPMethod, method)
	if r.Route != noRoute {
		n.span.Text(tracing.HTTPRoute, strings.Clone(r.Route))
	}
	n.span.Number(tracing.HTTPStatus, int64(r.Status))
	if r.Status >= http.StatusInternalServerError && p != nil {
		n.span.Fail(string(p.code))
	}
	n.describeSpan()
}

// describeSpan says in a span what was executed or changed.
func (n *note) describeSpan() {
	if n.execution != (executionID{}) {
		n.span.Text(tracing.ExecutionID, n.execution.String())
	}
	for _, about := range [...]struct {
		key   tracing.Key
		value string
	}{{tracing.ScriptDigest, n.script}, {tracing.App, n.app}, {tracing.Command, n.command}} {
		if about.value != "" {
			n.span.Text(about.key, strings.Clone(about.value))
		}
	}
	if n.version > 0 {
		n.span.Number(tracing.CommandVersion, int64(n.version))
	}
	if n.used.FuelUsed > 0 {
		n.span.Number(tracing.Fuel, n.used.FuelUsed)
	}
}
