package cli

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/avapd/avapd/internal/apps"
	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/server"
)

// deploy makes the registry of apps: those of the command line, which have to
// be right, and then those that are stored.
func deploy(ctx context.Context, p *Process, c *config.Config, scripts *engine.Engine, log *slog.Logger, files []string) (*apps.Registry, error) {
	registry := apps.New(apps.Config{
		Engine: scripts, Dir: filepath.Join(c.DataDir, "apps"), Reserved: server.ReservedSegments(), Log: log,
	})
	for _, file := range files {
		if err := deployFile(ctx, p, registry, file); err != nil {
			registry.Close()
			return nil, err
		}
	}
	if err := registry.Load(ctx); err != nil {
		registry.Close()
		return nil, usageError("cannot read the stored apps: %v; check --data-dir", err)
	}
	return registry, nil
}

// deployFile adds an app under the name of its file.
func deployFile(ctx context.Context, p *Process, registry *apps.Registry, file string) error {
	name := strings.TrimSuffix(filepath.Base(file), scriptSuffix)
	if file == stdinName || !apps.IsName(name) {
		return usageError("--app %s: an app is called after its file, whose name before %s has %s", file, scriptSuffix, apps.NameRule)
	}
	content, err := readScript(p, file)
	if err != nil {
		return err
	}
	s := script{name: file, content: content}
	findings, err := registry.Fix(ctx, name, &engine.Source{File: fileName(file), Text: string(content), Load: s.load})
	if err == nil {
		err = diag.Render(p.Stderr, findings, s.text)
	}
	_, isList := errors.AsType[diag.List](err)
	_, isFailure := errors.AsType[*diag.Failure](err)
	switch {
	case err == nil:
		return nil
	case isList, isFailure:
		return report(p.Stderr, err, s)
	}
	return usageError("--app %s: %v", file, err)
}
