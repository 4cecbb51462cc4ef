package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/datasource"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/server"
	"github.com/avapd/avapd/internal/telemetry"
	"github.com/avapd/avapd/wasmhost/commands"
)

func serveCommand(p *Process) *cobra.Command {
	var appFiles []string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the HTTP API",
		Long: `Serve the HTTP API. With no configuration it listens on 127.0.0.1:8888 and
needs no other service. Every setting is a flag and an environment variable,
named in brackets; a flag wins.

With --app, the paths that a script registers with registerEndpoint are served
as well; the app is called after its file. Apps that were stored over HTTP are
below the data directory and come back with every start.

SIGHUP, and a change of a file of settings, make the server take what changed in
them, as far as a running one can.

The first SIGINT or SIGTERM lets running requests end, a second one stops at
once.`,
		Example: `  avap serve
  avap serve --listen 127.0.0.1:0
  avap serve --app shop.avap --app stock.avap
  AVAP_LIMITS_TIME_MS=1000 avap serve`,
		Args: arguments(0, 0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			read := func() (*config.Settings, error) { return config.Read(cmd.Flags(), p.Environ) }
			settings, err := read()
			if err != nil {
				return configError(err)
			}
			return serve(cmd.Context(), p, &reloader{read: read, current: settings, environ: p.Environ}, appFiles)
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().StringArrayVar(&appFiles, "app", nil, "script `file` whose endpoints to serve; can be given several times")
	config.AddFlags(cmd.Flags())
	return cmd
}

// checkReach finds the mistakes in the configuration that an engine would find
// when it starts or, worse, when the first script needs what is wrong.
func checkReach(reach commands.Config) error {
	if url := reach.Data.PostgresURL; url != "" {
		if err := datasource.CheckPostgresURL(url); err != nil {
			return usageError("the configuration has faults\ndata.url: %v", err)
		}
	}
	set, err := commands.New(reach)
	if err != nil {
		return configError(err)
	}
	if err := set.Close(); err != nil {
		return fmt.Errorf("close the commands: %w", err)
	}
	return nil
}

// serve runs until the context ends or a signal comes.
func serve(ctx context.Context, p *Process, reload *reloader, appFiles []string) error {
	c := reload.current.Config
	server.KeepProcessorFree(c)
	server.CollectSeldom(c, p.Environ)
	log, level := newLogger(p, c)
	settings := server.EngineConfig(c)
	settings.Commands.Log = log
	metrics := telemetry.New(Version)
	spans, err := openTracing(ctx, c, log)
	if err != nil {
		return err
	}
	settings.Compiled = metrics.Compiled
	if err := checkReach(settings.Commands); err != nil {
		return err
	}
	certificates, err := server.LoadTLS(c)
	if err != nil {
		return usageError("the configuration has faults\n%v", err)
	}
	var commands *commandServices
	settings.Registered = func() engine.Resolver { return commands.registry.Resolver() }
	scripts, err := engine.New(settings)
	if err != nil {
		return fmt.Errorf("start the engine: %w", err)
	}
	reload.engine, reload.log, reload.level = scripts, log, level
	if p.onServe != nil {
		p.onServe(scripts)
	}
	if commands, err = openCommands(ctx, c, scripts, log); err != nil {
		return errors.Join(err, scripts.Close(ctx))
	}
	metrics.Engine(scripts.Stats)
	spans.count(metrics)
	commands.count(metrics, scripts)
	if reload.audit, err = openAudit(ctx, c, commands.postgres, metrics, log); err != nil {
		return errors.Join(err, scripts.Close(ctx), commands.close())
	}
	registry, err := deploy(ctx, p, c, scripts, log, appFiles)
	if err != nil {
		return errors.Join(err, scripts.Close(ctx), reload.audit.close(), commands.close())
	}
	err = listenAndServe(ctx, p, reload, server.Options{Config: c, Engine: scripts, Apps: registry, Commands: commands.registry, Metrics: metrics, Tracer: spans.tracer(), TLS: certificates, Audit: reload.audit.Log, Log: log})
	if err != nil {
		return err // the process ends; what still runs is not waited for
	}
	// The requests have ended: nothing comes behind the last record.
	if err := reload.audit.close(); err != nil {
		return err
	}
	registry.Close()
	if err := scripts.Close(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("stop the engine: %w", err)
	}
	if err := commands.close(); err != nil {
		return fmt.Errorf("close the stores: %w", err)
	}
	spans.close(log)
	return nil
}

func listenAndServe(ctx context.Context, p *Process, reload *reloader, o server.Options) error {
	c := o.Config
	listener, err := listen(ctx, c.Listen, "listen")
	if err != nil {
		return err
	}
	var admin net.Listener
	if c.Admin.Listen != "" {
		if admin, err = listen(ctx, c.Admin.Listen, "admin-listen"); err != nil {
			return errors.Join(err, listener.Close())
		}
	}
	// Signals are caught before the address is printed: who reads it may send
	// one.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)

	s := server.New(o)
	if err := reload.start(s); err != nil {
		if admin != nil {
			err = errors.Join(err, admin.Close())
		}
		return errors.Join(err, listener.Close(), s.Shutdown(ctx))
	}
	defer reload.end()
	served := make(chan error, 2)
	if admin != nil {
		go func() { served <- s.ServeAdmin(admin) }()
	}
	go func() { served <- s.Serve(listener) }()
	scheme := "http"
	if o.TLS != nil {
		scheme = "https"
	}
	fmt.Fprintf(p.Stdout, "listening on %s://%s\n", scheme, listener.Addr())
	if admin != nil {
		fmt.Fprintf(p.Stdout, "for operators: http://%s\n", admin.Addr())
	}

	select {
	case err := <-served:
		return errors.Join(err, s.Shutdown(ctx))
	case <-signals:
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.ShutdownTimeout())
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- s.Shutdown(stop) }()
	select {
	case err := <-stopped:
		err = errors.Join(err, <-served)
		if admin != nil {
			err = errors.Join(err, <-served)
		}
		return err
	case <-signals:
		return &exitError{code: exitScript, text: "stopped at once by a second signal; requests were cut off"}
	}
}

// listen opens what a flag names an address for.
func listen(ctx context.Context, address, flag string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, usageError("cannot listen on %s: %v; choose another address with --%s", address, reason(err), flag)
	}
	return listener, nil
}

func reason(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}

func newLogger(p *Process, c *config.Config) (*slog.Logger, *slog.LevelVar) {
	level := new(slog.LevelVar)
	setLevel(level, c)
	options := &slog.HandlerOptions{Level: level}
	if c.Log.Format == "text" {
		return slog.New(slog.NewTextHandler(p.Stderr, options)), level
	}
	return slog.New(slog.NewJSONHandler(p.Stderr, options)), level
}

func setLevel(level *slog.LevelVar, c *config.Config) {
	// The table of settings allows only words that slog knows.
	_ = level.UnmarshalText([]byte(c.Log.Level))
}
