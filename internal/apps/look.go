package apps

import (
	"maps"
	"slices"
	"strings"

	"github.com/avapd/avapd/internal/engine"
)

// App describes an app.
type App struct {
	Name string
	// Digest is the SHA-256 of the source in hexadecimal, or of that and all it
	// imports; empty if it could not be compiled.
	Digest string
	// Fixed apps come from the command line.
	Fixed  bool
	Routes []Route
	// Err says why the app is not served, if it is not.
	Err error
}

// Route is a path that an app answers.
type Route struct {
	App, Method, Path, Description string
}

// Shape is the path without the names of its parameters. Routes of one shape
// and method are in conflict.
func (r Route) Shape() string {
	segments := strings.Split(r.Path, "/")
	for i, s := range segments {
		if _, ok := parameterName(s); ok {
			segments[i] = "{}"
		}
	}
	return strings.Join(segments, "/")
}

func (a *app) describe() App {
	d := App{Name: a.name, Digest: a.digest, Fixed: a.fixed, Routes: []Route{}, Err: a.err}
	if a.script == nil {
		return d
	}
	for _, e := range a.script.Manifest().Endpoints {
		d.Routes = append(d.Routes, Route{App: a.name, Method: e.Method, Path: e.Path, Description: e.Description})
	}
	return d
}

// List describes all apps, by name.
func (r *Registry) List() []App {
	apps := r.current.Load().apps
	list := make([]App, 0, len(apps))
	for _, name := range slices.Sorted(maps.Keys(apps)) {
		list = append(list, apps[name].describe())
	}
	return list
}

// Get describes an app.
func (r *Registry) Get(name string) (App, error) {
	a := r.current.Load().apps[name]
	if a == nil {
		return App{}, ErrUnknown
	}
	return a.describe(), nil
}

// Match is the endpoint that answers a request. It must be released.
type Match struct {
	App, Path string
	// Parameters are those in the path, decoded.
	Parameters []engine.Pair
	Script     *engine.Script
	// Index is the endpoint's number in the script's manifest.
	Index int
}

// Release lets the script go.
func (m *Match) Release() { m.Script.Release() }

// Match finds the endpoint for a request's method and path, the path as it
// came, still encoded. Without one it gives the methods that the path has; none
// means that no app knows the path. HEAD is answered as GET is.
func (r *Registry) Match(method, path string) (m Match, allowed []string, ok bool) {
	var few [8]string // which most paths do not exceed
	segments := appendSegments(few[:0], path)
	if segments == nil || slices.Contains(r.config.Reserved, segments[0]) {
		return Match{}, nil, false
	}
	for {
		to, parameters, allowed := r.current.Load().table.match(method, segments)
		if to == nil {
			return Match{}, allowed, false
		}
		// A script without references was replaced meanwhile.
		if to.app.script.Acquire() {
			return Match{to.app.name, to.spec().Path, parameters, to.app.script, to.endpoint}, nil, true
		}
	}
}
