package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/avapd/avapd/internal/apps"
	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/server"
	"github.com/avapd/avapd/internal/systemd"
	"github.com/avapd/avapd/internal/telemetry"
	"github.com/avapd/avapd/internal/tracing/otlp"
)

// node is a server with all that it lives on. Its services fill it as they start.
type node struct {
	process  *Process
	reload   *reloader
	appFiles []string

	config       *config.Config
	log          *slog.Logger
	settings     engine.Config
	metrics      *telemetry.Metrics
	certificates *tls.Config // nil where there is no TLS

	manager         *systemd.Manager // nil where none wants to know
	spans           *otlp.Exporter
	engine          *engine.Engine
	commands        *commandServices
	apps            *apps.Registry
	listener, admin net.Listener // admin is nil where operators have no address of their own
	server          *server.Server
	// served has what each listener ended with.
	served  chan error
	signals chan os.Signal
}

// newNode finds the mistakes that can be found before anything starts.
func newNode(p *Process, reload *reloader, appFiles []string) (*node, error) {
	c := reload.current.Config
	server.KeepProcessorFree(c)
	server.CollectSeldom(c, p.Environ)
	n := &node{process: p, reload: reload, appFiles: appFiles, config: c, metrics: telemetry.New(Version), served: make(chan error, 2), signals: make(chan os.Signal, 2)}
	n.log, reload.level = newLogger(p, c)
	reload.log, reload.metrics = n.log, n.metrics
	n.settings = server.EngineConfig(c)
	n.settings.Commands.Log = n.log
	n.settings.Compiled = n.metrics.Compiled
	n.settings.Registered = func() engine.Resolver { return n.commands.registry.Resolver() }
	if err := checkReach(n.settings.Commands); err != nil {
		return nil, err
	}
	var err error
	if n.certificates, err = server.LoadTLS(c); err != nil {
		return nil, usageError("the configuration has faults\n%v", err)
	}
	return n, nil
}

// services are all of a server, in the order in which they start.
func (n *node) services() []service {
	return []service{
		{"the service manager", n.startManager, n.stopManager},
		// An address that is taken is found before anything is written. Who connects
		// before the server answers waits.
		{"the listeners", n.startListeners, n.stopListeners},
		{"tracing", n.startTracing, n.stopTracing},
		{"the engine", n.startEngine, n.stopEngine},
		{"the stores", n.startCommands, n.stopCommands},
		{"the apps", n.startApps, n.stopApps},
		{"the audit log", n.startAudit, n.stopAudit}, // a server that could not begin to serve leaves no record
		{"hardening", n.harden, nil},
		{"the server", n.startServer, n.stopServer},
		{"reloading", n.startReload, n.stopReload},
		{"readiness", n.announce, n.denounce},
		{"compiling ahead", n.startAhead, n.stopAhead}, // nobody waits for it to be ready
	}
}

// patience bounds the end of all services: requests have the time of the
// settings, and what lives below them a little more.
func (n *node) patience(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), n.config.ShutdownTimeout()+closeTime)
}

func (n *node) startManager(context.Context) (err error) {
	if n.manager, err = systemd.Open(n.process.getenv); err != nil {
		return usageError("%v; the service manager sets it", err)
	}
	n.reload.manager = n.manager
	return nil
}

func (n *node) stopManager(context.Context) error { return n.manager.Close() }

func (n *node) startTracing(ctx context.Context) (err error) {
	if n.spans, err = otlp.Open(ctx, tracingOptions(n.config, n.log)); err != nil {
		return configError(err)
	}
	n.reload.spans = n.spans
	n.metrics.Spans(n.spans.Stats)
	return nil
}

func (n *node) stopTracing(context.Context) error {
	closeTracing(n.spans, n.log)
	return nil
}

func (n *node) startEngine(context.Context) (err error) {
	if n.engine, err = engine.New(n.settings); err != nil {
		return fmt.Errorf("start the engine: %w", err)
	}
	warnOfProcessor(n.log, runtime.GOARCH)
	n.reload.engine = n.engine
	n.metrics.Engine(n.engine.Stats)
	if n.process.onServe != nil {
		n.process.onServe(n.engine)
	}
	return nil
}

// warnOfProcessor says where machine code is known to be wrong, and has not been
// tried. docs/rationale.md has the story.
func warnOfProcessor(log *slog.Logger, architecture string) {
	if architecture == "arm64" {
		log.Warn("on arm64 results of scripts may be wrong: the compiler for it, wazero 1.12, is known to get remainders wrong, and none of our tests has run there; amd64 is what is promised (docs/security.md)")
	}
}

func (n *node) stopEngine(ctx context.Context) error { return n.engine.Close(ctx) }

func (n *node) startCommands(ctx context.Context) (err error) {
	if n.commands, err = openCommands(ctx, n.config, n.engine, n.log); err == nil {
		n.commands.count(n.metrics, n.engine)
	}
	return err
}

func (n *node) stopCommands(context.Context) error { return n.commands.close() }

func (n *node) startAudit(ctx context.Context) (err error) {
	n.reload.audit, err = openAudit(ctx, n.config, n.commands.postgres, n.metrics, n.log)
	return err
}

// stopAudit is called when the requests have ended: nothing comes behind the last
// record.
func (n *node) stopAudit(context.Context) error { return n.reload.audit.close() }

func (n *node) startApps(ctx context.Context) (err error) {
	n.apps, err = deploy(ctx, n.process, n.config, n.engine, n.log, n.appFiles)
	return err
}

func (n *node) stopApps(context.Context) error {
	n.apps.Close()
	return nil
}

func (n *node) startListeners(ctx context.Context) (err error) {
	if n.listener, err = listen(ctx, n.config.Listen, "listen"); err != nil || n.config.Admin.Listen == "" {
		return err
	}
	if n.admin, err = listen(ctx, n.config.Admin.Listen, "admin-listen"); err != nil {
		return errors.Join(err, n.listener.Close())
	}
	return nil
}

// stopListeners closes what a server that never started did not.
func (n *node) stopListeners(context.Context) error {
	for _, listener := range []net.Listener{n.listener, n.admin} {
		if listener != nil {
			_ = listener.Close() // closed already, as a rule
		}
	}
	return nil
}

func (n *node) startServer(context.Context) error {
	n.server = server.New(server.Options{
		Config: n.config, Engine: n.engine, Apps: n.apps, Commands: n.commands.registry, Metrics: n.metrics,
		Crowd: n.engine.Crowd, Redis: n.commands.conn,
		Tracer: n.spans.Tracer(), Once: n.commands.once(), TLS: n.certificates, Audit: n.reload.audit.Log, Log: n.log,
	})
	if n.admin != nil {
		go func() { n.served <- n.server.ServeAdmin(n.admin) }()
	}
	go func() { n.served <- n.server.Serve(n.listener) }()
	return nil
}

// stopServer lets requests end for as long as the settings say.
func (n *node) stopServer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, n.config.ShutdownTimeout())
	defer cancel()
	return n.server.Shutdown(ctx)
}

func (n *node) startReload(context.Context) error { return n.reload.start(n.server) }

func (n *node) stopReload(context.Context) error {
	n.reload.end()
	return nil
}

// announce tells where the server can be reached.
func (n *node) announce(context.Context) error {
	// Signals are caught before: who reads the address may send one.
	signal.Notify(n.signals, os.Interrupt, syscall.SIGTERM)
	scheme := "http"
	if n.certificates != nil {
		scheme = "https"
	}
	fmt.Fprintf(n.process.Stdout, "listening on %s://%s\n", scheme, n.listener.Addr())
	if n.admin != nil {
		fmt.Fprintf(n.process.Stdout, "for operators: http://%s\n", n.admin.Addr())
	}
	if err := n.manager.Ready(); err != nil {
		signal.Stop(n.signals)
		return err
	}
	return nil
}

// startAhead begins to compile commands before anyone calls them.
func (n *node) startAhead(context.Context) error {
	if n.config.Registry.CompileAheadPercent > 0 {
		n.commands.registry.StartAhead(n.engine)
	}
	return nil
}

func (n *node) stopAhead(context.Context) error {
	n.commands.registry.StopAhead()
	return nil
}

// denounce tells the service manager that the end has begun. One that does not
// listen keeps no server from ending.
func (n *node) denounce(context.Context) error {
	if err := n.manager.Stopping(); err != nil {
		n.log.Warn("the service manager was not told of the end", "error", err.Error())
	}
	return nil
}
