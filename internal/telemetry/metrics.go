package telemetry

import (
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/runtime/abi"
)

// Metrics are the metrics of one server. They may be used from anywhere, and
// counting allocates nothing.
type Metrics struct {
	registry *prometheus.Registry

	requests requests
	running  prometheus.Gauge
	problems map[diag.Code]prometheus.Counter
	limits   map[diag.Code]prometheus.Counter
	// accepted and refused are attempts to be known, by their kind.
	accepted, refused map[string]prometheus.Counter

	executions          map[Outcome]prometheus.Counter
	fuel, memory        prometheus.Observer
	runSeconds          sampled
	compiles, trialMade prometheus.Observer
	// reloaded and notReloaded count what came of reading settings again.
	reloaded, notReloaded prometheus.Counter
	admissionWait         prometheus.Observer
}

// New makes the metrics of a program of a version.
func New(version string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: buildInfo.name, Help: buildInfo.help,
			ConstLabels: prometheus.Labels{"version": version, "go_version": runtime.Version()},
		}, func() float64 { return 1 }),
	)
	m.running = prometheus.NewGauge(prometheus.GaugeOpts{Name: requestsRunning.name, Help: requestsRunning.help})
	m.registry.MustRegister(m.running)
	m.requests.init(m.counter(requestsTotal), m.histogram(requestSeconds))
	m.countProblems()
	m.countAuthentications()

	ended := m.counter(executionsTotal)
	m.executions = make(map[Outcome]prometheus.Counter, len(outcomes))
	for _, o := range outcomes {
		m.executions[o] = ended.WithLabelValues(string(o))
	}
	m.fuel = m.histogram(executionFuel).WithLabelValues()
	m.memory = m.histogram(executionMemory).WithLabelValues()
	m.runSeconds = newSampled(m.histogram(executionSeconds).WithLabelValues(), executionSeconds.buckets)
	m.admissionWait = m.histogram(admissionSeconds).WithLabelValues()
	reloads := m.counter(reloadsTotal)
	m.reloaded, m.notReloaded = reloads.WithLabelValues("taken"), reloads.WithLabelValues("refused")
	compiles := m.histogram(compileSeconds)
	m.compiles, m.trialMade = compiles.WithLabelValues("code"), compiles.WithLabelValues("trial")
	return m
}

// countProblems makes the counters of all codes there are.
func (m *Metrics) countProblems() {
	problems, hits := m.counter(problemsTotal), m.counter(limitsHitTotal)
	m.problems, m.limits = make(map[diag.Code]prometheus.Counter), make(map[diag.Code]prometheus.Counter)
	for _, entry := range diag.Entries() {
		m.problems[entry.Code] = problems.WithLabelValues(string(entry.Code))
	}
	for code, limit := range limits {
		m.limits[code] = hits.WithLabelValues(limit)
	}
}

// authentications are the ways to show who one is. A secret and the token are
// shown in the same way, and one that is refused may have been meant as either.
var authentications = []string{"anonymous", "token", "key", "bearer", "signature", "certificate"}

func (m *Metrics) countAuthentications() {
	all := m.counter(authenticationsTotal)
	m.accepted, m.refused = make(map[string]prometheus.Counter), make(map[string]prometheus.Counter)
	for _, kind := range authentications {
		if kind != "bearer" {
			m.accepted[kind] = all.WithLabelValues(kind, "accepted")
		}
		if kind != "token" && kind != "key" {
			m.refused[kind] = all.WithLabelValues(kind, "refused")
		}
	}
}

// Authenticated counts an attempt to be known.
func (m *Metrics) Authenticated(kind string, accepted bool) {
	if accepted {
		m.accepted[kind].Inc()
		return
	}
	m.refused[kind].Inc()
}

// Reloaded counts that settings were read again, and taken or not.
func (m *Metrics) Reloaded(taken bool) {
	if taken {
		m.reloaded.Inc()
		return
	}
	m.notReloaded.Inc()
}

func (m *Metrics) counter(d *definition) *prometheus.CounterVec {
	v := d.counter()
	m.registry.MustRegister(v)
	return v
}

func (m *Metrics) histogram(d *definition) *prometheus.HistogramVec {
	v := d.histogram()
	m.registry.MustRegister(v)
	return v
}

// RequestBegan counts a request that is being answered; RequestEnded or
// RequestRefused has to follow.
func (m *Metrics) RequestBegan() { m.running.Inc() }

// RequestEnded counts a request that began. The code is that of its problem, if
// it has one, and the names are those of an exemplar.
func (m *Metrics) RequestEnded(r Request, code diag.Code, took time.Duration, names Names) {
	m.running.Dec()
	m.requests.of(r).ended(r.Status, took, names)
	m.problem(code)
}

// RequestRefused counts a request that did not begin: what came was no HTTP, or
// too much.
func (m *Metrics) RequestRefused(r Request, code diag.Code) {
	m.requests.of(r).count(r.Status)
	m.problem(code)
}

func (m *Metrics) problem(code diag.Code) {
	if code == "" {
		return
	}
	if c := m.problems[code]; c != nil {
		c.Inc()
	}
	if c := m.limits[code]; c != nil {
		c.Inc()
	}
}

// Execution counts an execution that ended with a code, the empty one for
// success. One that has used nothing did not run.
func (m *Metrics) Execution(code diag.Code, used diag.Usage, names Names) {
	m.executions[OutcomeOf(code)].Inc()
	if used == (diag.Usage{}) {
		return
	}
	m.fuel.Observe(float64(used.FuelUsed))
	m.memory.Observe(float64(used.MemoryPages) * abi.PageBytes)
	m.runSeconds.observe(used.RunTime, names)
}

// Compiled counts a module that was made, for the processor or for a trial.
func (m *Metrics) Compiled(trial bool, took time.Duration) {
	if trial {
		m.trialMade.Observe(took.Seconds())
		return
	}
	m.compiles.Observe(took.Seconds())
}

// AdmissionWaited counts an execution that waited for a place.
func (m *Metrics) AdmissionWaited(d time.Duration) { m.admissionWait.Observe(d.Seconds()) }

// maxScrapes bounds those who read the metrics at the same time.
const maxScrapes = 4

// Handler answers with the metrics, as text or, where that is asked for, as
// OpenMetrics with exemplars.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true, MaxRequestsInFlight: maxScrapes, ErrorHandling: promhttp.HTTPErrorOnError})
}
