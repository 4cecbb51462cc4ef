package telemetry

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/avapd/avapd/internal/admission"
	"github.com/avapd/avapd/internal/audit"
	"github.com/avapd/avapd/internal/cache"
	"github.com/avapd/avapd/internal/datasource"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/registry"
	"github.com/avapd/avapd/internal/store"
	"github.com/avapd/avapd/internal/tracing/otlp"
)

// reader is a collector of what somebody else counts: it is asked when the
// metrics are.
type reader struct {
	of   []*definition
	read func(*sample)
}

// sample takes values in.
type sample struct {
	out   chan<- prometheus.Metric
	descs map[*definition]*prometheus.Desc
}

func (s *sample) put(d *definition, value float64, labels ...string) {
	kind := prometheus.GaugeValue
	if d.kind == counter {
		kind = prometheus.CounterValue
	}
	s.out <- prometheus.MustNewConstMetric(s.descs[d], kind, value, labels...)
}

func (s *sample) putBool(d *definition, value bool, labels ...string) {
	n := 0.0
	if value {
		n = 1
	}
	s.put(d, n, labels...)
}

// Describe implements prometheus.Collector.
func (r *reader) Describe(out chan<- *prometheus.Desc) {
	for _, d := range r.of {
		out <- d.desc()
	}
}

// Collect implements prometheus.Collector.
func (r *reader) Collect(out chan<- prometheus.Metric) {
	s := &sample{out: out, descs: make(map[*definition]*prometheus.Desc, len(r.of))}
	for _, d := range r.of {
		s.descs[d] = d.desc()
	}
	r.read(s)
}

func (m *Metrics) read(read func(*sample), of ...*definition) {
	m.registry.MustRegister(&reader{of, read})
}

// Connections reads how many clients are connected.
func (m *Metrics) Connections(open func() int) {
	m.read(func(s *sample) { s.put(connectionsOpen, float64(open())) }, connectionsOpen)
}

// Admission reads how many executions may be under way.
func (m *Metrics) Admission(stats func() admission.Stats) {
	m.read(func(s *sample) {
		now := stats()
		s.put(admissionPlaces, float64(now.Places))
		s.put(admissionWaiting, float64(now.Waiting))
		s.put(admissionWaits, float64(now.Waits))
	}, admissionPlaces, admissionWaiting, admissionWaits)
}

// Engine reads what the engine does.
func (m *Metrics) Engine(stats func() engine.Stats) {
	m.read(func(s *sample) {
		now := stats()
		s.put(executionsRunning, float64(now.Running))
		s.put(slotsTotal, float64(now.Slots.Total))
		s.put(slotsFree, float64(now.Slots.Free))
		s.put(queueLength, float64(now.Slots.Waiting))
		s.put(queueWaits, float64(now.Slots.Waits))
		s.put(queueWaitSeconds, now.Slots.WaitTime.Seconds())
		s.put(memoryUsed, float64(now.MemoryBytes))
		s.put(memoryLimit, float64(now.MemoryLimitBytes))
		s.scripts(&now.Cache)
		s.put(trialsTotal, float64(now.Trials.Enough), "enough")
		s.put(trialsTotal, float64(now.Trials.Begun), "begun_again")
		s.put(shadowRuns, float64(now.Shadow.Runs), "compared")
		s.put(shadowRuns, float64(now.Shadow.Inconclusive), "inconclusive")
		s.put(shadowRuns, float64(now.Shadow.Dropped), "dropped")
		s.put(shadowMismatches, float64(now.Shadow.Mismatches))
		s.put(shadowQuarantined, float64(now.Shadow.Quarantined))
	}, executionsRunning, slotsTotal, slotsFree, queueLength, queueWaits, queueWaitSeconds, memoryUsed, memoryLimit,
		scriptsHits, scriptsMisses, scriptsEvictions, scriptsEntries, scriptsBytes, scriptsPending, trialsTotal, shadowRuns, shadowMismatches, shadowQuarantined)
}

func (s *sample) scripts(now *engine.CacheStats) {
	s.put(scriptsHits, float64(now.Hits))
	s.put(scriptsMisses, float64(now.Misses))
	s.put(scriptsEvictions, float64(now.Evictions))
	s.put(scriptsEntries, float64(now.Scripts))
	s.put(scriptsBytes, float64(now.Bytes))
	s.put(scriptsPending, float64(now.Pending))
}

// Spans reads how many spans were sent.
func (m *Metrics) Spans(stats func() otlp.Stats) {
	m.read(func(s *sample) {
		now := stats()
		s.put(spansTotal, float64(now.Recorded), "recorded")
		s.put(spansTotal, float64(now.Exported), "exported")
		s.put(spansTotal, float64(now.Failed), "failed")
	}, spansTotal)
}

// Artifacts reads what the tiers of artifacts count.
func (m *Metrics) Artifacts(tiers func() []cache.TierStats) {
	m.read(func(s *sample) {
		for _, t := range tiers() {
			tier := labelOf(t.Name)
			s.put(tierLookups, float64(t.Hits), tier, "hit")
			s.put(tierLookups, float64(t.Misses), tier, "miss")
			s.put(tierLookups, float64(t.Failures), tier, "error")
			s.put(tierLookups, float64(t.Wrong), tier, "corrupt")
			s.put(tierLookups, float64(t.Skipped), tier, "skipped")
			s.put(tierSeconds, t.LookupTime.Seconds(), tier)
			s.put(tierFills, float64(t.Filled), tier)
			s.putBool(tierOpen, t.Open, tier)
		}
	}, tierLookups, tierSeconds, tierFills, tierOpen)
}

// labelOf makes the value of a label of the name of a tier.
func labelOf(name string) string { return strings.ReplaceAll(strings.ToLower(name), " ", "_") }

// Audit reads how the audit log is.
func (m *Metrics) Audit(stats func() audit.Stats) {
	m.read(func(s *sample) {
		now := stats()
		for kind, n := range now.Records {
			s.put(auditRecords, float64(n), string(kind))
		}
		s.put(auditBytes, float64(now.Bytes))
		s.put(auditFlushes, float64(now.Flushes))
		s.put(auditSeconds, now.FlushTime.Seconds())
		s.put(auditCheckpoints, float64(now.Checkpoints))
		s.put(auditWaiting, float64(now.Waiting))
		s.put(auditWaits, float64(now.Waits))
		s.put(auditRefused, float64(now.Refused))
		s.put(auditAtRisk, float64(now.AtRisk))
		s.put(auditFailures, float64(now.Failures))
		s.put(auditUnrecorded, float64(now.Unrecorded))
		s.put(auditBehind, float64(now.Behind))
		s.putBool(auditBroken, now.Broken)
	}, auditRecords, auditBytes, auditFlushes, auditSeconds, auditCheckpoints, auditWaiting, auditWaits, auditRefused, auditAtRisk,
		auditFailures, auditUnrecorded, auditBehind, auditBroken)
}

// Registry reads how the registered commands are.
func (m *Metrics) Registry(health func() registry.Health) {
	m.read(func(s *sample) {
		h := health()
		s.put(registryRevision, float64(h.Revision))
		s.put(registryCommands, float64(h.Commands))
		refreshed := 0.0
		if !h.Refreshed.IsZero() {
			refreshed = float64(h.Refreshed.UnixMilli()) / 1000
		}
		s.put(registryRefreshed, refreshed)
		s.put(registryErrors, float64(h.RefreshErrors))
		s.putBool(registryPrimary, h.Primary)
		s.put(registryMissing, float64(h.Missing))
		s.put(registryAhead, float64(h.Ahead.Compiled), "compiled")
		s.put(registryAhead, float64(h.Ahead.Failed), "failed")
		s.removed("primary", &h.Removed)
		s.removed("copy", &h.RemovedFromCopy)
	}, registryRevision, registryCommands, registryRefreshed, registryErrors, registryPrimary, registryMissing,
		registryAhead, registryRemoved, registryBytes, registryTraces)
}

func (s *sample) removed(from string, now *registry.Removed) {
	s.put(registryRemoved, float64(now.Artifacts), from)
	s.put(registryBytes, float64(now.Bytes), from)
	s.put(registryTraces, float64(now.Tombstones), from)
}

// The names of pools.
const (
	// scriptsPool is the database of scripts, storePool that of the server.
	scriptsPool = "scripts"
	storePool   = "store"
	// filePool is the file of SQLite that is the server's store or its copy of that.
	filePool = "sqlite"
)

// Pools reads the pools of connections: to the PostgreSQL of scripts, to that of the
// server's own data, and to its file. Each may be nil or tell that it is not there.
func (m *Metrics) Pools(scripts func() (datasource.PoolStats, bool), own, file func() store.PoolStats) {
	m.read(func(s *sample) {
		if scripts != nil {
			if now, ok := scripts(); ok {
				s.pool(scriptsPool, store.PoolStats(now))
			}
		}
		if own != nil {
			s.pool(storePool, own())
		}
		if file != nil {
			s.connections(filePool, file())
		}
	}, poolConnections, poolLimit, poolAcquires, poolAcquireSeconds, poolCanceled)
}

// connections are what is known of any pool.
func (s *sample) connections(name string, now store.PoolStats) {
	s.put(poolConnections, float64(now.InUse), name, "in_use")
	s.put(poolConnections, float64(now.Idle), name, "idle")
	s.put(poolLimit, float64(now.Limit), name)
	s.put(poolAcquireSeconds, now.AcquireTime.Seconds(), name)
}

func (s *sample) pool(name string, now store.PoolStats) {
	s.connections(name, now)
	s.put(poolAcquires, float64(now.Acquires), name)
	s.put(poolCanceled, float64(now.Canceled), name)
}
