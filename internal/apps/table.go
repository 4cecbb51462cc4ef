package apps

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/runtime/abi"
)

// table finds the endpoint that answers a path. It has a tree of segments for
// each method, so that a path without the method at hand is no obstacle to one
// that has it.
type table struct {
	methods map[string]*node
	routes  int
}

// node is the place in a tree behind some segments of a path.
type node struct {
	static    map[string]*node
	parameter *node
	target    *target // of the paths that end here
}

// target is an endpoint of an app.
type target struct {
	app      *app
	endpoint int
	names    []string // of the parameters, in order
}

func newTable() *table { return &table{methods: map[string]*node{}} }

// add routes the endpoints of an app, all or none.
func (t *table) add(a *app) error {
	if a.script == nil {
		return nil
	}
	var places []*node
	for i, e := range a.script.Manifest().Endpoints {
		to := &target{app: a, endpoint: i}
		n := t.place(e.Method, e.Path, to)
		if taken := n.target; taken != nil {
			for _, n := range places {
				n.target = nil
			}
			return &ConflictError{e.Method, e.Path, taken.app.name, taken.spec().Path}
		}
		n.target = to
		places = append(places, n)
	}
	t.routes += len(places)
	return nil
}

// place finds the node of an endpoint, which learns the names of its parameters.
func (t *table) place(method, path string, to *target) *node {
	n := t.methods[method]
	if n == nil {
		n = &node{}
		t.methods[method] = n
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		if name, ok := parameterName(segment); ok {
			to.names = append(to.names, name)
			if n.parameter == nil {
				n.parameter = &node{}
			}
			n = n.parameter
			continue
		}
		next := n.static[segment]
		if next == nil {
			next = &node{}
			if n.static == nil {
				n.static = map[string]*node{}
			}
			n.static[segment] = next
		}
		n = next
	}
	return n
}

// parameterName gives the name of a segment that is a parameter.
func parameterName(segment string) (string, bool) {
	if !strings.HasPrefix(segment, "{") {
		return "", false
	}
	return strings.Trim(segment, "{}"), true
}

// maxSegments bounds the paths that are looked up. No registered path has
// more.
const maxSegments = 64

// appendSegments takes a path apart as it came, and only then decodes its parts: an
// encoded slash is part of a segment. It gives nothing for a path that cannot
// be one of an app.
func appendSegments(segments []string, path string) []string {
	if !strings.HasPrefix(path, "/") || strings.Count(path, "/") > maxSegments {
		return nil
	}
	for s := range strings.SplitSeq(path[1:], "/") {
		clean, err := url.PathUnescape(s)
		if err != nil {
			return nil
		}
		if !utf8.ValidString(clean) {
			clean = strings.ToValidUTF8(clean, "\ufffd")
		}
		segments = append(segments, clean)
	}
	return segments
}

// find looks for the endpoint of a path and gives the values of its
// parameters. A static segment wins over a parameter, the first one first.
// Every node is visited at most once, since a node's path has one beginning.
func (n *node) find(segments, values []string) (*target, []string) {
	if n == nil {
		return nil, nil
	}
	if len(segments) == 0 {
		return n.target, values
	}
	if next := n.static[segments[0]]; next != nil {
		if to, found := next.find(segments[1:], values); to != nil {
			return to, found
		}
	}
	if segments[0] == "" {
		return nil, nil
	}
	return n.parameter.find(segments[1:], append(values, segments[0]))
}

// match finds the endpoint for a request. Without one it gives the methods
// that the path has.
func (t *table) match(method string, segments []string) (to *target, path []engine.Pair, allowed []string) {
	to, values := t.methods[method].find(segments, nil)
	if to == nil && method == http.MethodHead {
		to, values = t.methods[http.MethodGet].find(segments, nil)
	}
	if to != nil {
		for i, name := range to.names {
			path = append(path, engine.Pair{Name: name, Value: values[i]})
		}
		return to, path, nil
	}
	for _, m := range slices.Sorted(maps.Keys(t.methods)) {
		if other, _ := t.methods[m].find(segments, nil); other != nil {
			allowed = append(allowed, m)
		}
	}
	if slices.Contains(allowed, http.MethodGet) && !slices.Contains(allowed, http.MethodHead) {
		allowed = append(allowed, http.MethodHead)
	}
	return nil, nil, allowed
}

func (to *target) spec() *abi.Endpoint { return &to.app.script.Manifest().Endpoints[to.endpoint] }
