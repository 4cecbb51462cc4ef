package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/server"
	"github.com/avapd/avapd/internal/systemd"
	"github.com/avapd/avapd/internal/telemetry"
	"github.com/avapd/avapd/internal/tracing/otlp"
)

// reloader gives a running server what changed in its settings: after SIGHUP, and
// when one of their files changed.
type reloader struct {
	read    func() (*config.Settings, error)
	current *config.Settings
	environ []string
	engine  *engine.Engine
	server  *server.Server
	audit   *auditLog
	metrics *telemetry.Metrics
	spans   *otlp.Exporter
	manager *systemd.Manager
	log     *slog.Logger
	level   *slog.LevelVar

	// told is what stays to be done by the operator, as the log has it last.
	told string

	signals    chan os.Signal
	watcher    *config.Watcher
	stop, done chan struct{}
}

// start begins to listen for the signal and to watch. Who starts it must call end.
func (r *reloader) start(s *server.Server) error {
	watcher, err := config.NewWatcher()
	if err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	r.server, r.watcher = s, watcher
	r.stop, r.done, r.signals = make(chan struct{}), make(chan struct{}), make(chan os.Signal, 1)
	signal.Notify(r.signals, syscall.SIGHUP)
	watcher.Watch(r.current.Files())
	go r.run()
	return nil
}

func (r *reloader) end() {
	signal.Stop(r.signals)
	close(r.stop)
	<-r.done
	if err := r.watcher.Close(); err != nil {
		r.log.Warn("the watch over the files of settings did not end", "error", err.Error())
	}
}

func (r *reloader) run() {
	defer close(r.done)
	for {
		select {
		case <-r.signals:
			r.reload("SIGHUP")
		case <-r.watcher.Changed():
			r.reload("file")
		case <-r.stop:
			return
		}
	}
}

// reload changes all that can be changed, or nothing if anything is wrong.
func (r *reloader) reload(reason string) {
	r.tell(r.manager.Reloading())
	defer func() { r.tell(r.manager.Ready()) }()
	changes, err := r.take()
	switch {
	case err != nil:
		var faults []string
		if list, ok := errors.AsType[config.Faults](err); ok {
			for _, fault := range list {
				faults = append(faults, fault.Error())
			}
		} else {
			faults = append(faults, err.Error())
		}
		if r.news(reason, strings.Join(faults, "\n")) {
			r.metrics.Reloaded(false)
			r.log.Error("the configuration has faults; the former one holds", "reason", reason, "faults", faults)
			r.audit.reloaded(reason, nil, err)
		}
	case len(changes) > 0 || reason == "SIGHUP":
		waiting := slices.DeleteFunc(slices.Clone(changes), func(c config.Change) bool { return !c.Restart })
		taken := slices.DeleteFunc(changes, func(c config.Change) bool { return c.Restart })
		if !r.news(reason, fmt.Sprint(waiting)) && len(taken) == 0 {
			break
		}
		r.metrics.Reloaded(true)
		r.log.Info("configuration reloaded", "reason", reason, "changed", append([]config.Change{}, taken...))
		r.audit.reloaded(reason, taken, nil)
		if len(waiting) > 0 {
			r.log.Warn("some settings hold only after a restart", "reason", reason, "changed", waiting)
		}
	default:
		r.told = ""
	}
	// What the files refer to may be elsewhere now.
	r.watcher.Watch(r.current.Files())
}

// news says whether the log lacks what is to be told: a file that changes again and
// again has the same faults.
func (r *reloader) news(reason, text string) bool {
	known := reason == "file" && text == r.told
	r.told = text
	return !known
}

// tell takes note of what came of telling the service manager.
func (r *reloader) tell(err error) {
	if err != nil {
		r.log.Warn("the service manager was not told of a reload", "error", err.Error())
	}
}

func (r *reloader) take() ([]config.Change, error) {
	read, err := r.read()
	if err != nil {
		return nil, err
	}
	next, changes, err := r.current.Next(read)
	if err != nil {
		return nil, err
	}
	certificates, err := server.LoadTLS(next.Config)
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the setting
	}
	if (certificates == nil) != (r.current.Config.TLS.CertFile == "") {
		return nil, errors.New("tls.cert_file: only a restart begins or ends TLS")
	}
	settings := server.EngineConfig(next.Config)
	adjustment := engine.Adjustment{Limits: settings.Limits, MaxLimits: settings.MaxLimits, SourceBytes: settings.SourceBytes}
	if slices.ContainsFunc(changes, concernsReach) {
		settings.Commands.Log = r.log
		adjustment.Commands = &settings.Commands
	}
	ctx := context.Background() // for what does not wait
	collector, err := r.nextCollector(ctx, next.Config, changes)
	if err != nil {
		return nil, err
	}
	if err := r.engine.Adjust(adjustment); err != nil {
		if collector != nil {
			err = errors.Join(err, collector.Discard(ctx))
		}
		return nil, fmt.Errorf("adjust the engine: %w", err)
	}
	if collector != nil {
		r.spans.Use(collector)
	}
	r.server.AdjustTLS(certificates)
	r.server.Adjust(next.Config)
	if r.audit.Log != nil {
		r.audit.SetKeep(auditKeep(next.Config))
	}
	setLevel(r.level, next.Config)
	server.CollectSeldom(next.Config, r.environ)
	r.current = next
	return changes, nil
}

// nextCollector is where spans are to go from now on, nil for where they go already.
func (r *reloader) nextCollector(ctx context.Context, c *config.Config, changes []config.Change) (*otlp.Target, error) {
	if !slices.ContainsFunc(changes, func(c config.Change) bool { return strings.HasPrefix(c.Key, "tracing.") }) {
		return nil, nil //nolint:nilnil // as said above
	}
	return otlp.Prepare(ctx, tracingOptions(c, r.log)) //nolint:wrapcheck // says what it is about
}

// concernsReach reports whether a change is about what scripts may reach.
func concernsReach(c config.Change) bool {
	return !c.Restart && slices.ContainsFunc([]string{"egress.", "sql.", "connectors"}, func(prefix string) bool {
		return strings.HasPrefix(c.Key, prefix)
	})
}
