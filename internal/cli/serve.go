package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os/signal"
	"time"

	"github.com/spf13/cobra"

	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/datasource"
	"github.com/avapd/avapd/internal/logging"
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

// closeTime is how long what lives below the requests has to end after them.
const closeTime = 10 * time.Second

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
	n, err := newNode(p, reload, appFiles)
	if err != nil {
		return err
	}
	var started running
	if err := started.start(ctx, n.services()); err != nil {
		stop, cancel := n.patience(ctx)
		defer cancel()
		return errors.Join(err, started.stop(stop))
	}
	defer signal.Stop(n.signals)

	select {
	case err = <-n.served:
	case <-n.signals:
	case <-ctx.Done():
	}
	stop, cancel := n.patience(ctx)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- started.stop(stop) }()
	select {
	case late := <-stopped:
		return errors.Join(err, late)
	case <-n.signals:
		return &exitError{code: exitScript, text: "stopped at once by a second signal; requests were cut off"}
	case <-stop.Done():
		return errors.Join(err, errors.New("the server did not end in time; something that it waits for hangs"))
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
	return logging.New(p.Stderr, c.Log.Format == "text", level), level
}

func setLevel(level *slog.LevelVar, c *config.Config) {
	// The table of settings allows only words that slog knows.
	_ = level.UnmarshalText([]byte(c.Log.Level))
}
