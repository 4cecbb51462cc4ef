package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttpadaptor"

	"github.com/avapd/avapd/internal/admission"
	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/apps"
	"github.com/avapd/avapd/internal/audit"
	"github.com/avapd/avapd/internal/auth"
	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/idempotency"
	"github.com/avapd/avapd/internal/quota"
	"github.com/avapd/avapd/internal/ratelimit"
	"github.com/avapd/avapd/internal/redisconn"
	"github.com/avapd/avapd/internal/registry"
	"github.com/avapd/avapd/internal/telemetry"
	"github.com/avapd/avapd/internal/tracing"
)

// Options are what a server is made of.
type Options struct {
	Config *config.Config
	Engine Engine
	// Apps are the deployed scripts. Without them the server has no routes about
	// them either.
	Apps *apps.Registry
	// Commands are the registered commands, again with the routes about them.
	Commands *registry.Registry
	// Crowd tells how many executions compute at once, and how long all that there
	// were have waited for turns to; nil if nobody ever waits.
	Crowd admission.Crowd
	// Redis is what is shared with other servers; nil if there is none.
	Redis *redisconn.Conn
	// Metrics count what the server does; nil for new ones.
	Metrics *telemetry.Metrics
	// Tracer begins the spans of requests; nil for none.
	Tracer *tracing.Tracer
	// Audit writes down what happens; nil for nothing.
	Audit *audit.Log
	Log   *slog.Logger
	// Once tells whether a name is used for the first time, on any server, until some
	// time has passed; nil where there is nobody to share with.
	Once func(ctx context.Context, name string, until time.Duration) (bool, error)
	// TLS is what LoadTLS gives.
	TLS *tls.Config
}

// Server is the HTTP side of the product.
type Server struct {
	settings atomic.Pointer[config.Config]
	engine   Engine
	apps     *apps.Registry
	// commands may be nil, as apps.
	commands *registry.Registry
	log      *slog.Logger
	app      *fiber.App
	routes   []route // its own
	// probes are the paths, as Fiber has them, of what is asked all the time.
	probes map[string]bool
	// open are the paths of probes that everybody may use, whoever they are.
	open map[string]bool
	// tls is nil for a server that speaks HTTP without it.
	tls atomic.Pointer[tls.Config]
	// nonces are those of signed requests, and shared tells other servers about them.
	nonces *auth.Nonces
	once   func(ctx context.Context, name string, until time.Duration) (bool, error)
	alone  atomic.Bool // others are not told at present
	// strangers are those who show no credentials.
	strangers atomic.Pointer[strangers]
	watcher   *watcher
	crowd     admission.Crowd
	// executions are those that run, and some that have ended.
	executions *executions
	// rates are nil where nothing is limited.
	rates    atomic.Pointer[rates]
	limiter  *ratelimit.Limiter
	gate     *admission.Gate
	accounts *quota.Accounts
	keys     *idempotency.Keys
	metrics  *telemetry.Metrics
	tracer   *tracing.Tracer
	audit    *audit.Log // nil where nothing is written down
	scrape   fasthttp.RequestHandler
	// admin answers operators, and is nil where they have no listener.
	admin *fiber.App
	// serving is set when clients are answered.
	serving atomic.Bool
	// entrance is where requests come in, adminEntrance where those of operators do.
	entrance, adminEntrance entrance
	// stopping is set when no new work should come to this server.
	stopping atomic.Bool
	stopOnce sync.Once
	stopErr  error
}

// New makes a server. Whoever makes one must call Shutdown in the end.
func New(o Options) *Server {
	s := &Server{
		engine: o.Engine, apps: o.Apps, commands: o.Commands, log: o.Log, metrics: o.Metrics, tracer: o.Tracer, audit: o.Audit,
		crowd: o.Crowd, watcher: newWatcher(),
		probes: make(map[string]bool), open: make(map[string]bool),
	}
	s.executions = newExecutions(int(o.Config.Executions.Kept), s.watcher)
	s.nonces, s.once = auth.NewNonces(int(o.Config.Auth.SignatureNonces)), o.Once
	s.tls.Store(o.TLS)
	if s.metrics == nil {
		s.metrics = telemetry.New("")
	}
	s.countClients(o)
	s.metrics.Admission(s.gate.Stats)
	s.Adjust(o.Config)
	s.scrape = fasthttpadaptor.NewFastHTTPHandler(s.metrics.Handler())
	s.app = s.newApp(int(o.Config.HTTP.Connections), false)
	server := s.app.Server()
	server.HeaderReceived = s.bodyLimit
	s.metrics.Connections(func() int { return int(server.GetOpenConnectionsCount()) })
	if o.Config.Admin.Listen != "" {
		s.admin = s.newApp(adminConnections, true)
	}
	return s
}

// adminConnections is how many operators and programs of theirs may be connected
// at once.
const adminConnections = 64

// newApp makes what answers clients, or operators.
func (s *Server) newApp(connections int, admin bool) *fiber.App {
	c := s.settings.Load()
	app := fiber.New(fiber.Config{
		DisableStartupMessage: true,
		CaseSensitive:         true,
		StrictRouting:         true,
		// Forms are read by us, under our limits and without temporary files.
		DisablePreParseMultipartForm: true,
		// The limit on the body holds only while bodies are not streamed.
		StreamRequestBody: false,
		BodyLimit:         int(c.HTTP.BodyLimitBytes),
		ReadBufferSize:    int(c.HTTP.HeaderLimitBytes),
		Concurrency:       connections,
		ReadTimeout:       c.ReadTimeout(),
		WriteTimeout:      c.WriteTimeout(),
		IdleTimeout:       c.IdleTimeout(),
		ErrorHandler:      s.failed,
	})
	server := app.Server()
	server.CloseOnShutdown = true
	server.Logger = connectionLog{s.log}
	server.LazyRequestTime = true // nobody asks fasthttp when a request came
	server.Handler = s.knownMethods(app, server.Handler)
	first := []any{s.observe, s.secure}
	if !admin {
		first = append(first, s.authenticate, s.rate)
	}
	app.Use(first...)
	s.register(app, admin)
	return app
}

// Adjust makes the settings those of the requests that come from now on. What
// only a start can change must be as it was.
func (s *Server) Adjust(c *config.Config) {
	s.strangers.Store(newStrangers(c))
	s.settings.Store(c)
	s.rates.Store(newRates(c))
	s.gate.Adjust(admissionLimits(c, s.slots()))
}

// connectionLog takes what fasthttp says about connections that broke, such as
// those whose client does not speak TLS.
type connectionLog struct{ log *slog.Logger }

func (l connectionLog) Printf(format string, args ...any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug("connection", slog.String("error", printable(fmt.Sprintf(format, args...))))
	}
}

// knownMethods answers methods that Fiber does not know, which it would do in
// plain text.
func (s *Server) knownMethods(app *fiber.App, next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		if slices.Contains(fiber.DefaultMethods, string(ctx.Method())) {
			next(ctx)
			return
		}
		c := app.AcquireCtx(ctx)
		defer app.ReleaseCtx(c)
		_ = s.failed(c, newProblem(http.StatusMethodNotAllowed, diag.WrongMethod, "the method %s is not known", printable(c.Method())))
	}
}

// live says that the process answers.
func (s *Server) live(c *fiber.Ctx) error { return sendJSON(c, state{Status: "alive"}) }

// ready says whether new work should come here and, if more is asked for, how
// the registry is. A server whose primary store is away goes on with what it
// has, and is ready; one that store has never answered has nothing, and is not.
func (s *Server) ready(c *fiber.Ctx) error {
	d := state{Status: "ready"}
	if s.commands != nil {
		health := s.commands.Health()
		if !health.Settled() {
			d.Status = "starting" // every command would be unknown
		}
		if c.Context().QueryArgs().Has("verbose") {
			d.Registry = new(healthDocument(health))
		}
	}
	if s.stopping.Load() {
		d.Status = "stopping"
	}
	if d.Status != "ready" {
		c.Status(http.StatusServiceUnavailable)
	}
	return sendJSON(c, d)
}

// state is the answer of the probes.
type state struct {
	Status   string      `json:"status"`
	Registry *api.Health `json:"registry,omitempty"`
}

// started says whether clients are answered yet.
func (s *Server) started(c *fiber.Ctx) error {
	if !s.serving.Load() {
		c.Status(http.StatusServiceUnavailable)
		return sendJSON(c, state{Status: "starting"})
	}
	return sendJSON(c, state{Status: "started"})
}

// sendMetrics answers GET /api/v1/metrics.
func (s *Server) sendMetrics(c *fiber.Ctx) error {
	s.scrape(c.Context())
	return nil
}

// ServeAdmin answers operators from the listener until Shutdown, if the
// configuration has an address for them.
func (s *Server) ServeAdmin(listener net.Listener) error {
	if !s.adminEntrance.open(listener) {
		return nil
	}
	if err := s.admin.Listener(listener); err != nil && !s.stopping.Load() {
		return fmt.Errorf("serve operators: %w", err)
	}
	return nil
}

// Serve answers requests from the listener until Shutdown.
func (s *Server) Serve(listener net.Listener) error {
	if !s.entrance.open(listener) {
		return nil
	}
	s.serving.Store(true)
	listener = lingeringListener{listener}
	if s.tls.Load() != nil {
		listener = s.newTLSListener(listener)
	}
	if err := s.app.Listener(listener); err != nil && !s.stopping.Load() {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// cancelGrace is how long executions have to notice that they are cancelled;
// a slice of fuel takes a tiny part of it.
const cancelGrace = 2 * time.Second

// Shutdown stops the server: readiness goes, after shutdown.unready_ms the
// listener closes, requests that run are answered. When ctx ends first, executions are cancelled, which
// their callers are told. It fails if even then something does not end.
// Further calls return what the first one did.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopOnce.Do(func() {
		s.stopErr = s.shutdown(ctx)
		if s.admin != nil { // which tells about the end of the others
			s.stopErr = errors.Join(s.stopErr, s.admin.ShutdownWithTimeout(cancelGrace))
			s.adminEntrance.close()
		}
	})
	return s.stopErr
}

// awaitBalancers takes requests a while longer, so that whoever looks at
// readiness sends the next ones elsewhere before connections are refused.
func (s *Server) awaitBalancers(ctx context.Context) {
	timer := time.NewTimer(s.settings.Load().ShutdownUnready())
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (s *Server) shutdown(ctx context.Context) error {
	s.stopping.Store(true)
	s.awaitBalancers(ctx)
	drained := make(chan error, 1)
	go func() {
		err := s.app.Shutdown()
		s.entrance.close()
		drained <- err
	}()
	select {
	case err := <-drained:
		s.watcher.close()
		return err
	case <-ctx.Done():
	}
	s.watcher.cancelAll(errShutdown)
	timer := time.NewTimer(cancelGrace)
	defer timer.Stop()
	select {
	case err := <-drained:
		s.watcher.close()
		return err
	case <-timer.C:
		return errors.New("some requests did not end in time")
	}
}
