package apps

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/runtime/abi"
)

// Bounds on what is deployed at once.
const (
	maxApps   = 1000
	maxRoutes = 10_000
)

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// NameRule words what IsName accepts.
const NameRule = "up to 64 lower-case letters, digits, _ and -, a letter or a digit first"

// IsName reports whether an app can have the name. Every name is a file name
// on every system, and two names are two files.
func IsName(name string) bool { return nameForm.MatchString(name) }

// Errors of changes. Others are a diag.List about the script, a *diag.Failure
// or error of the engine, a *ConflictError, and what the file system has to say.
var (
	ErrUnknown = errors.New("there is no such app")
	ErrFixed   = errors.New("the app was given on the command line and cannot be changed while the server runs")
	ErrTooMany = fmt.Errorf("there are too many apps: the limits are %d apps and %d routes", maxApps, maxRoutes)
)

// ConflictError says that another app has a route already.
type ConflictError struct{ Method, Path, App, OtherPath string }

func (e *ConflictError) Error() string {
	if e.Path == e.OtherPath {
		return fmt.Sprintf("%s %s is a route of the app %s", e.Method, e.Path, e.App)
	}
	return fmt.Sprintf("%s %s is the same as %s, a route of the app %s", e.Method, e.Path, e.OtherPath, e.App)
}

// Engine is what the registry needs of the engine.
type Engine interface {
	Prepare(ctx context.Context, client string, source *engine.Source) (*engine.Script, diag.List, error)
}

// Config is what a registry is made of.
type Config struct {
	Engine Engine
	// Dir is where apps are stored. It is made when the first one is.
	Dir string
	// Reserved are the first segments of paths that are the server's own.
	Reserved []string
	Log      *slog.Logger
}

// Registry holds the apps. It is safe for concurrent use.
type Registry struct {
	config  Config
	store   store
	current atomic.Pointer[state]
	changes sync.Mutex // held while a state is replaced
}

// state is everything at one moment.
type state struct {
	apps  map[string]*app
	table *table
}

// app is a deployed script.
type app struct {
	name   string
	digest string
	fixed  bool
	script *engine.Script // nil when the app is broken
	err    error          // why it is broken
}

// New makes a registry without apps.
func New(config Config) *Registry {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	r := &Registry{config: config, store: store{config.Dir}}
	r.current.Store(&state{apps: map[string]*app{}, table: newTable()})
	return r
}

// Load adds what is stored. An app that cannot be served is reported and kept,
// so that it can be looked at and replaced. It is for the start, before there are
// requests.
func (r *Registry) Load(ctx context.Context) error {
	names, err := r.store.names()
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		fixed := r.isFixed(name)
		if fixed {
			r.config.Log.Warn("a stored app is hidden by one of the command line", slog.String("app", name))
		}
		return fixed
	})
	loaded := r.loadAll(ctx, names)
	r.changes.Lock()
	defer r.changes.Unlock()
	next := r.current.Load().without("")
	for _, a := range loaded {
		if a.err == nil {
			if a.err = next.add(a); a.err == nil {
				continue
			}
			a.script.Release()
			a.script = nil
		}
		r.config.Log.Error("a stored app cannot be served", slog.String("app", a.name), slog.String("error", a.err.Error()))
		next.apps[a.name] = a
	}
	r.current.Store(next)
	return nil
}

// loadAll reads and compiles stored apps, as many at once as there are processors.
func (r *Registry) loadAll(ctx context.Context, names []string) []*app {
	loaded := make([]*app, len(names))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(names)); i = next.Add(1) - 1 {
				a, err := r.load(ctx, names[i])
				if err != nil {
					a = &app{name: names[i], err: err}
				}
				loaded[i] = a
			}
		})
	}
	workers.Wait()
	return loaded
}

func (r *Registry) isFixed(name string) bool {
	a := r.current.Load().apps[name]
	return a != nil && a.fixed
}

func (r *Registry) load(ctx context.Context, name string) (*app, error) {
	source, err := r.store.read(name)
	if err != nil {
		return nil, err
	}
	a, _, err := r.prepare(ctx, "", name, &engine.Source{File: name + fileSuffix, Text: source})
	return a, err
}

// Fix adds an app of the command line, which stays as it is.
func (r *Registry) Fix(ctx context.Context, name string, source *engine.Source) (diag.List, error) {
	a, findings, err := r.prepare(ctx, "", name, source)
	if err != nil {
		return findings, err
	}
	a.fixed = true
	return findings, r.install(a, nil)
}

// Put stores an app and makes it answer; it replaces one of the same name. It is
// compiled when it is the client's turn. The findings are warnings.
func (r *Registry) Put(ctx context.Context, client, name, source string) (put App, replaced bool, findings diag.List, err error) {
	if r.isFixed(name) {
		return App{}, false, nil, ErrFixed
	}
	a, findings, err := r.prepare(ctx, client, name, &engine.Source{File: name + fileSuffix, Text: source})
	if err != nil {
		return App{}, false, nil, err
	}
	put = a.describe()
	err = r.install(a, func(old *app) error {
		replaced = old != nil
		return r.store.write(name, source)
	})
	return put, replaced, findings, err
}

// prepare compiles an app and looks at what it registers.
func (r *Registry) prepare(ctx context.Context, client, name string, source *engine.Source) (*app, diag.List, error) {
	script, findings, err := r.config.Engine.Prepare(ctx, client, source)
	if err != nil {
		return nil, nil, err //nolint:wrapcheck // a failure that has its words
	}
	if script == nil {
		return nil, nil, findings
	}
	manifest := script.Manifest()
	if faults := r.faults(manifest); len(faults) > 0 {
		script.Release()
		return nil, nil, faults
	}
	return &app{name: name, digest: script.Digest, script: script}, findings, nil
}

// faults are what keeps a script that compiles from being an app.
func (r *Registry) faults(m *abi.Manifest) diag.List {
	if len(m.Endpoints) == 0 {
		at := diag.Position{File: m.Files[0]}
		return diag.List{diag.New(diag.BadEndpoint, diag.Span{Start: at, End: at}, "the script registers no endpoint")}
	}
	var faults diag.List
	for _, e := range m.Endpoints {
		first, _, _ := strings.Cut(e.Path[1:], "/")
		if !slices.Contains(r.config.Reserved, first) {
			continue
		}
		site := m.Sites[e.Site]
		at := diag.Position{File: m.Files[site.File], Line: site.Line, Column: site.Column}
		faults = append(faults, diag.New(diag.BadEndpoint, diag.Span{Start: at, End: at}, "paths below /%s are the server's own", first))
	}
	return faults
}

// install routes an app, which it takes over. before is called when nothing can
// fail any more but itself.
func (r *Registry) install(a *app, before func(old *app) error) error {
	old, err := r.swap(a, before)
	switch {
	case err != nil:
		a.script.Release()
	case old != nil && old.script != nil:
		old.script.Release() // requests on it hold it
	}
	return err
}

func (r *Registry) swap(a *app, before func(old *app) error) (*app, error) {
	r.changes.Lock()
	defer r.changes.Unlock()
	now := r.current.Load()
	old := now.apps[a.name]
	if old != nil && old.fixed {
		return nil, ErrFixed
	}
	next, err := now.with(a)
	if err != nil {
		return nil, err
	}
	if before != nil {
		if err := before(old); err != nil {
			return nil, err
		}
	}
	r.current.Store(next)
	return old, nil
}

// with is the state with one more app, or with another in its place.
func (s *state) with(a *app) (*state, error) {
	next := s.without(a.name)
	return next, next.add(a)
}

// without is the state without an app.
func (s *state) without(name string) *state {
	next := &state{maps.Clone(s.apps), newTable()}
	delete(next.apps, name)
	for _, other := range next.apps {
		// What was together without conflict is so without one of them.
		_ = next.table.add(other)
	}
	return next
}

// add makes an app part of a state that nobody else has yet.
func (s *state) add(a *app) error {
	if len(s.apps) >= maxApps || a.script != nil && s.table.routes+len(a.script.Manifest().Endpoints) > maxRoutes {
		return ErrTooMany
	}
	if err := s.table.add(a); err != nil {
		return err
	}
	s.apps[a.name] = a
	return nil
}

// Delete takes an app away.
func (r *Registry) Delete(name string) error {
	a, err := r.take(name)
	if err == nil && a.script != nil {
		a.script.Release()
	}
	return err
}

func (r *Registry) take(name string) (*app, error) {
	r.changes.Lock()
	defer r.changes.Unlock()
	now := r.current.Load()
	a := now.apps[name]
	switch {
	case a == nil:
		return nil, ErrUnknown
	case a.fixed:
		return nil, ErrFixed
	}
	if err := r.store.remove(name); err != nil {
		return nil, err
	}
	r.current.Store(now.without(name))
	return a, nil
}

// Close takes all apps out of service. Their files stay.
func (r *Registry) Close() {
	r.changes.Lock()
	defer r.changes.Unlock()
	old := r.current.Swap(&state{apps: map[string]*app{}, table: newTable()})
	for _, a := range old.apps {
		if a.script != nil {
			a.script.Release()
		}
	}
}
