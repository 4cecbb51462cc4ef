package server

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/avapd/avapd/internal/audit"
	"github.com/avapd/avapd/internal/auth"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/telemetry"
	"github.com/avapd/avapd/internal/tracing"
)

// note is what handlers tell the log about a request. That of a request is used
// again for another one when fasthttp has sent the answer, a stream with its last
// part, and forgets what the request has kept. Nobody may hold on to it.
type note struct {
	id string
	// principal is who asks, as soon as that is known.
	principal *auth.Principal
	// network is the address that the request comes from, or its network.
	network string
	script  string
	used    diag.Usage // by an execution
	// begun says that something has run, or may have been changed.
	begun bool
	// watched is what runs, for as long as its client is there.
	watched watched
	// execution is the identifier of an execution; all zero if there is none.
	execution executionID
	// source is the script's text, which the caller must not change.
	source string
	// app is the app that is asked or changed, and route the path in it.
	app, route string
	// own is the server's own route that is asked.
	own *route
	// command is the registered command that is asked or changed, and version the
	// number of the one it is about, or 0.
	command string
	version int
	// address is where the request comes from.
	address netip.Addr
	// target is what a change is about, where that is none of the others, and detail
	// what who makes it says about it.
	target, detail string
	// digest is that of the version of a command, and capabilities what its module
	// was granted, or that of a script.
	digest       audit.Digest
	capabilities []string
	// inputDigest and input are of an execution, as audit.inputs says.
	inputDigest audit.Digest
	input       string
	// span is that of the request, or of an item of a batch; nil where nobody
	// traces.
	span *tracing.Span
	// asked is what the engine gets. It is here because it would be on the heap
	// anyway.
	asked engine.Request
	// answer is what the engine gives. It leaves room for the next one.
	answer engine.Answer
}

type noteKey struct{}

var notes = sync.Pool{New: func() any { return new(note) }}

// keptAnswer is the size of document up to which its room is used again.
const keptAnswer = 64 << 10

// Close is called when a request's values are forgotten.
func (n *note) Close() error {
	n.forget()
	notes.Put(n)
	return nil
}

func (n *note) forget() {
	room := n.answer.JSON
	*n = note{}
	if cap(room) <= keptAnswer {
		n.answer.JSON = room[:0]
	}
}

// ask keeps what the engine gets, and says where its answer goes.
func (n *note) ask(r engine.Request) *engine.Request {
	n.asked = r
	n.asked.Into, n.asked.Capabilities = &n.answer, &n.capabilities
	return &n.asked
}

// Interface guard.
var _ io.Closer = (*note)(nil)

// noteOf gives the request's note. A request that reached no handler has none
// and gets one.
func noteOf(c *fiber.Ctx) *note {
	if n, ok := c.Locals(noteKey{}).(*note); ok {
		return n
	}
	n, _ := notes.Get().(*note)
	n.id, n.address = requestID(c), addressOf(c)
	c.Locals(noteKey{}, n)
	c.Response().Header.SetCanonical(keyRequestID, []byte(n.id))
	return n
}

// maxIDLength bounds an identifier that a client brings.
const maxIDLength = 128

// requestID takes the client's identifier if it is harmless in logs and
// headers, and makes one otherwise.
func requestID(c *fiber.Ctx) string {
	if id := c.Request().Header.PeekCanonical(keyRequestID); isIdentifier(id) {
		return string(id)
	}
	var b [16]byte
	// An identifier must be unique, not secret.
	hi, lo := rand.Uint64(), rand.Uint64() //nolint:gosec // see above
	for i := range 8 {
		b[i], b[8+i] = byte(hi>>(8*i)), byte(lo>>(8*i))
	}
	var text [2 * len(b)]byte
	hex.Encode(text[:], b[:])
	return string(text[:])
}

func isIdentifier(id []byte) bool {
	for _, b := range id {
		switch {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9':
		case strings.IndexByte("-_.:/+=@", b) >= 0:
		default:
			return false
		}
	}
	return len(id) > 0 && len(id) <= maxIDLength
}

// observe wraps every request that reaches a handler.
func (s *Server) observe(c *fiber.Ctx) error {
	start := time.Now()
	n := noteOf(c)
	n.locate(c, s.settings.Load())
	s.metrics.RequestBegan()
	if s.tracer.On() {
		n.span = s.beginSpan(c, n)
	}
	err := s.protected(c)
	if s.stopping.Load() {
		// Whoever keeps a connection is to find another server before this one ends.
		c.Context().SetConnectionClose()
	}
	var p *problem
	if err != nil {
		p = s.asProblem(c, err)
		p.write(c, n.id)
	}
	s.denied(c, n, p)
	s.compress(c)
	now := time.Now()
	took := now.Sub(start)
	counted := counted(c, n)
	s.metrics.RequestEnded(counted, p.codeOf(), took, n.names(now))
	if n.span != nil {
		endSpan(n, &counted, p)
	}
	s.logRequest(c, n, p, took)
	return nil
}

// names are what an exemplar says of a request that was over at a time.
func (n *note) names(at time.Time) telemetry.Names {
	return telemetry.Names{Request: n.id, Trace: n.span.TraceID(), At: at}
}

// counted is what the metrics say about a request.
func counted(c *fiber.Ctx, n *note) telemetry.Request {
	r := telemetry.Request{Method: c.Method(), Status: c.Response().StatusCode(), Route: noRoute}
	if n.route != "" {
		r.Route, r.App = n.route, true
	} else if n.own != nil {
		r.Route = n.own.path
	}
	return r
}

// protected turns a panic of a handler into an error.
func (s *Server) protected(c *fiber.Ctx) (err error) {
	defer func() {
		if r := recover(); r != nil {
			s.log.LogAttrs(context.Background(), slog.LevelError, "panic",
				slog.String("request_id", noteOf(c).id), slog.Any("panic", r), slog.String("stack", string(debug.Stack())))
			err = internalProblem(fmt.Errorf("panic: %v", r))
		}
	}()
	return c.Next()
}

// failed is Fiber's error handler. Only requests that reach no handler get
// here: what fasthttp refused.
func (s *Server) failed(c *fiber.Ctx, err error) error {
	n := noteOf(c)
	s.setSecurityHeaders(c)
	p := s.asProblem(c, err)
	p.write(c, n.id)
	lingerOnClose(c)
	s.metrics.RequestRefused(telemetry.Request{Route: noRoute, Method: c.Method(), Status: p.status}, p.code)
	s.logRequest(c, n, p, 0)
	return nil
}

// logRequest writes the one line per request. Probes are logged only on level
// debug, or they would be most of the log. Only a defect is an error: a status
// from 500 on may be a script's own choice, or a refusal under load.
func (s *Server) logRequest(c *fiber.Ctx, n *note, p *problem, took time.Duration) {
	status := c.Response().StatusCode()
	level := slog.LevelInfo
	switch {
	case p != nil && p.code == diag.Internal:
		level = slog.LevelError
	case n.own != nil && n.own.probe:
		level = slog.LevelDebug
	}
	if !s.log.Enabled(context.Background(), level) {
		return
	}
	route := cmp.Or(n.route, routeName(c.Route().Path))
	attrs := make([]slog.Attr, 0, 15)
	attrs = append(attrs, slog.String("request_id", n.id))
	if trace := n.span.TraceID(); trace != "" {
		attrs = append(attrs, slog.String("trace_id", trace))
	}
	attrs = append(attrs,
		slog.String("method", c.Method()),
		slog.String("route", route),
		slog.Int("status", status),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000))
	attrs = n.describe(attrs, p)
	s.log.LogAttrs(context.Background(), level, "request", attrs...)
}

// describe adds what was executed or changed, and what went wrong.
func (n *note) describe(attrs []slog.Attr, p *problem) []slog.Attr {
	if n.principal != nil {
		attrs = append(attrs, slog.String("principal", n.principal.ID))
	}
	if n.execution != (executionID{}) {
		attrs = append(attrs, slog.String("execution_id", n.execution.String()))
	}
	if n.app != "" {
		attrs = append(attrs, slog.String("app", n.app))
	}
	if n.command != "" {
		attrs = append(attrs, slog.String("command", n.command))
		if n.version > 0 {
			attrs = append(attrs, slog.Int("version", n.version))
		}
	}
	if n.script != "" {
		attrs = append(attrs, slog.String("script", n.script))
	}
	if n.script != "" || n.used.FuelUsed > 0 { // an execution that failed has used some, too
		attrs = append(attrs, slog.Int64("fuel", n.used.FuelUsed))
	}
	if p != nil {
		attrs = append(attrs, slog.String("code", string(p.code)), slog.String("error", printable(p.message)))
		if p.cause != nil {
			attrs = append(attrs, slog.String("cause", printable(p.cause.Error())))
		}
	}
	return attrs
}

// noRoute stands for the route of a request that has none.
const noRoute = "none"

// routeName is the pattern of the route, never the path itself: that is the
// client's text. A request that matches none ends at the middleware's.
func routeName(pattern string) string {
	if pattern == "" || pattern == "/" {
		return noRoute
	}
	return pattern
}
