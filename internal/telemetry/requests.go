package telemetry

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Request is what is counted of a request. Route is the template of the route,
// never what a client sent, and App tells that it is one of an app's: those come
// and go while the server runs.
type Request struct {
	Route, Method string
	App           bool
	Status        int
}

const (
	// maxAppRoutes bounds the routes of apps that are counted apart.
	maxAppRoutes = 256
	// Other is where further ones are counted, and methods that HTTP does not have.
	Other = "other"
)

var methods = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}

var classes = [...]string{"1xx", "2xx", "3xx", "4xx", "5xx"}

// requests counts requests by route. The map is read without a lock, and copied
// when there is a new route in it.
type requests struct {
	total   *prometheus.CounterVec
	seconds *prometheus.HistogramVec

	mu        sync.Mutex
	known     atomic.Pointer[map[routeKey]*routeCounts]
	appRoutes map[string]bool // guarded by mu
}

type routeKey struct{ route, method string }

// routeCounts are the counters of a route and method.
type routeCounts struct {
	classes [len(classes)]prometheus.Counter
	seconds sampled
}

func (r *requests) init(total *prometheus.CounterVec, seconds *prometheus.HistogramVec) {
	r.total, r.seconds, r.appRoutes = total, seconds, make(map[string]bool)
	r.known.Store(new(map[routeKey]*routeCounts))
}

// of finds the counters of a request.
func (r *requests) of(request Request) *routeCounts {
	if counts := (*r.known.Load())[routeKey{request.Route, request.Method}]; counts != nil {
		return counts
	}
	return r.add(request)
}

// add makes the counters of a route and method that were not asked for before.
// The strings of the request may be views of its buffer; those of routes are not.
func (r *requests) add(request Request) *routeCounts {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := routeKey{request.Route, MethodName(request.Method)}
	if request.App && !r.appRoutes[key.route] {
		if len(r.appRoutes) >= maxAppRoutes {
			key.route = Other
		} else {
			r.appRoutes[key.route] = true
		}
	}
	known := *r.known.Load()
	if counts := known[key]; counts != nil {
		return counts
	}
	counts := &routeCounts{seconds: newSampled(r.seconds.WithLabelValues(key.route, key.method), requestSeconds.buckets)}
	for i, class := range classes {
		counts.classes[i] = r.total.WithLabelValues(key.route, key.method, class)
	}
	next := maps.Clone(known)
	if next == nil {
		next = make(map[routeKey]*routeCounts)
	}
	next[key] = counts
	r.known.Store(&next)
	return counts
}

// MethodName is the name of a method as a constant, which is no view of anything,
// and Other for one that HTTP does not have.
func MethodName(method string) string {
	if i := slices.Index(methods, method); i >= 0 {
		return methods[i]
	}
	return Other
}

// count counts an answer. What is no status of HTTP counts as a server's fault.
func (c *routeCounts) count(status int) {
	class := status/100 - 1
	if class < 0 || class >= len(c.classes) {
		class = len(c.classes) - 1
	}
	c.classes[class].Inc()
}

func (c *routeCounts) ended(status int, took time.Duration, names Names) {
	c.count(status)
	c.seconds.observe(took, names)
}
