package telemetry

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// kind is what a metric does, in the words of Prometheus.
type kind string

const (
	counter   kind = "counter"
	gauge     kind = "gauge"
	histogram kind = "histogram"
)

// definition is one line of the table.
type definition struct {
	name   string
	kind   kind
	labels []string
	help   string
	// buckets are the upper bounds of a histogram.
	buckets []float64
}

// table is the one list of our metrics, in the order in which they are
// documented.
var table []*definition

func define(d definition) *definition {
	table = append(table, &d)
	return &d
}

// The bounds of histograms: times from a fraction of a millisecond, which a
// small script takes, to more than the longest that is allowed by default.
var (
	timeBuckets   = []float64{0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}
	fuelBuckets   = prometheus.ExponentialBuckets(100, 10, 9)
	memoryBuckets = prometheus.ExponentialBuckets(256<<10, 4, 8)
)

var (
	buildInfo = define(definition{name: "avap_build_info", kind: gauge, labels: []string{"version", "go_version"}, help: "1, for the version of the program."})

	requestsTotal = define(definition{
		name: "avap_http_requests_total", kind: counter, labels: []string{"route", "method", "status"},
		help: "Requests that were answered, by the class of the status.",
	})
	requestSeconds = define(definition{
		name: "avap_http_request_duration_seconds", kind: histogram, labels: []string{"route", "method"}, buckets: timeBuckets,
		help: "Time from a request that was read to its answer.",
	})
	requestsRunning = define(definition{name: "avap_http_requests_running", kind: gauge, help: "Requests that are being answered."})
	connectionsOpen = define(definition{name: "avap_http_connections_open", kind: gauge, help: "Connections of clients."})
	problemsTotal   = define(definition{name: "avap_problems_total", kind: counter, labels: []string{"code"}, help: "Requests that were refused or failed, by the code of the problem."})
	limitsHitTotal  = define(definition{name: "avap_limits_hit_total", kind: counter, labels: []string{"limit"}, help: "Requests that a limit refused or ended."})

	authenticationsTotal = define(definition{
		name: "avap_authentications_total", kind: counter, labels: []string{"kind", "result"},
		help: "Requests by how those who sent them showed who they are, and whether that was accepted.",
	})

	executionsTotal = define(definition{name: "avap_executions_total", kind: counter, labels: []string{"outcome"}, help: "Executions that began and ended, by how."})
	executionFuel   = define(definition{
		name: "avap_execution_fuel_units", kind: histogram, buckets: fuelBuckets,
		help: "Fuel that executions used.",
	})
	executionSeconds = define(definition{
		name: "avap_execution_run_seconds", kind: histogram, buckets: timeBuckets,
		help: "Time that executions ran, without waiting to begin and compiling.",
	})
	executionMemory = define(definition{
		name: "avap_execution_memory_peak_bytes", kind: histogram, buckets: memoryBuckets,
		help: "The most memory that executions had.",
	})
	compileSeconds = define(definition{
		name: "avap_compile_seconds", kind: histogram, labels: []string{"tier"}, buckets: timeBuckets,
		help: "Time to make a module of a script or an artifact, until the processor (code) or the interpreter (trial) can run it.",
	})

	admissionPlaces  = define(definition{name: "avap_admission_places", kind: gauge, help: "Executions that can be under way at once, as it is now."})
	admissionWaiting = define(definition{name: "avap_admission_queue_length", kind: gauge, help: "Executions that wait for a place."})
	admissionWaits   = define(definition{name: "avap_admission_waits_total", kind: counter, help: "Executions that found no place and waited for one."})
	admissionSeconds = define(definition{
		name: "avap_admission_wait_seconds", kind: histogram, buckets: timeBuckets,
		help: "Time that those waited for a place who found none, also in vain. Who was refused at once is not among them.",
	})

	executionsRunning  = define(definition{name: "avap_executions_running", kind: gauge, help: "Executions that wait, compile or run."})
	slotsTotal         = define(definition{name: "avap_compute_slots", kind: gauge, help: "Executions that can compute at the same time."})
	slotsFree          = define(definition{name: "avap_compute_slots_free", kind: gauge, help: "Compute slots that nobody has."})
	queueLength        = define(definition{name: "avap_compute_queue_length", kind: gauge, help: "Executions that wait for a compute slot."})
	queueWaits         = define(definition{name: "avap_compute_waits_total", kind: counter, help: "Executions that found no free compute slot and waited for one."})
	queueWaitSeconds   = define(definition{name: "avap_compute_wait_seconds_total", kind: counter, help: "Time that executions waited for their first compute slot."})
	memoryUsed         = define(definition{name: "avap_memory_used_bytes", kind: gauge, help: "Memory of all executions together."})
	memoryLimit        = define(definition{name: "avap_memory_limit_bytes", kind: gauge, help: "The most memory that all executions together can have."})
	scriptsHits        = define(definition{name: "avap_scripts_hits_total", kind: counter, help: "Look-ups that found a script compiled."})
	scriptsMisses      = define(definition{name: "avap_scripts_misses_total", kind: counter, help: "Look-ups that did not, and had it compiled or waited for that."})
	scriptsEvictions   = define(definition{name: "avap_scripts_evictions_total", kind: counter, help: "Compiled scripts that were dropped for others that are wanted more."})
	scriptsEntries     = define(definition{name: "avap_scripts_entries", kind: gauge, help: "Compiled scripts in memory."})
	scriptsBytes       = define(definition{name: "avap_scripts_bytes", kind: gauge, help: "Memory of compiled scripts, roughly."})
	scriptsPending     = define(definition{name: "avap_scripts_pending", kind: gauge, help: "Scripts that are being compiled or wait for that."})
	trialsTotal        = define(definition{name: "avap_trials_total", kind: counter, labels: []string{"result"}, help: "Runs of scripts that were new, on the interpreter: enough, or begun again as machine code."})
	shadowRuns         = define(definition{name: "avap_shadow_runs_total", kind: counter, labels: []string{"result"}, help: "Executions that were chosen to be repeated on the interpreter, by what came of it."})
	shadowMismatches   = define(definition{name: "avap_shadow_mismatches_total", kind: counter, help: "Repetitions that ended differently, or whose artifact the interpreter refused."})
	shadowQuarantined  = define(definition{name: "avap_shadow_quarantined_artifacts", kind: gauge, help: "Artifacts whose repetitions differed, and that run on the interpreter."})
	tierLookups        = define(definition{name: "avap_artifact_lookups_total", kind: counter, labels: []string{"tier", "result"}, help: "Look-ups of artifacts in a tier of the cache: hit, miss, error, corrupt, or skipped while the tier is left alone."})
	tierSeconds        = define(definition{name: "avap_artifact_lookup_seconds_total", kind: counter, labels: []string{"tier"}, help: "Time that look-ups of artifacts in a tier of the cache took."})
	tierFills          = define(definition{name: "avap_artifact_fills_total", kind: counter, labels: []string{"tier"}, help: "Artifacts that were put into a tier of the cache."})
	tierOpen           = define(definition{name: "avap_artifact_breaker_open", kind: gauge, labels: []string{"tier"}, help: "1 while a tier of the cache is left alone because it failed."})
	poolConnections    = define(definition{name: "avap_pool_connections", kind: gauge, labels: []string{"pool", "state"}, help: "Connections to the databases of the scripts and of the store, which are PostgreSQL, and to the server's own file (sqlite), in use or idle."})
	poolLimit          = define(definition{name: "avap_pool_connections_limit", kind: gauge, labels: []string{"pool"}, help: "The most connections that a pool opens."})
	poolAcquires       = define(definition{name: "avap_pool_acquires_total", kind: counter, labels: []string{"pool"}, help: "Connections that were taken out of a pool of PostgreSQL."})
	poolAcquireSeconds = define(definition{name: "avap_pool_acquire_seconds_total", kind: counter, labels: []string{"pool"}, help: "Time that taking connections took, and with sqlite waiting for one."})
	poolCanceled       = define(definition{name: "avap_pool_canceled_acquires_total", kind: counter, labels: []string{"pool"}, help: "Attempts to take a connection that were given up."})

	spansTotal = define(definition{name: "avap_tracing_spans_total", kind: counter, labels: []string{"result"}, help: "Spans of traces: recorded, and of these exported, or failed to be; the others wait, or found the queue full."})

	reloadsTotal = define(definition{name: "avap_reloads_total", kind: counter, labels: []string{"outcome"}, help: "Times that settings were read again and taken, or refused for their faults."})

	auditRecords     = define(definition{name: "avap_audit_records_total", kind: counter, labels: []string{"kind"}, help: "Records of the audit log that are durable."})
	auditBytes       = define(definition{name: "avap_audit_bytes", kind: gauge, help: "Bytes of all records that the audit log of this server ever had, without their hashes."})
	auditFlushes     = define(definition{name: "avap_audit_flushes_total", kind: counter, help: "Writes of the audit log."})
	auditSeconds     = define(definition{name: "avap_audit_flush_seconds_total", kind: counter, help: "Time that they took."})
	auditCheckpoints = define(definition{name: "avap_audit_checkpoints_total", kind: counter, help: "Checkpoints of the audit log that were signed."})
	auditWaiting     = define(definition{name: "avap_audit_waiting", kind: gauge, help: "Executions and changes that wait for the audit log."})
	auditWaits       = define(definition{name: "avap_audit_waits_total", kind: counter, help: "Executions and changes that waited for room in the audit log."})
	auditRefused     = define(definition{name: "avap_audit_refused_total", kind: counter, help: "Of these, those that waited in vain."})
	auditAtRisk      = define(definition{name: "avap_audit_at_risk_records", kind: gauge, help: "Executions under way, and records that are not durable yet."})
	auditFailures    = define(definition{name: "avap_audit_flush_failures_total", kind: counter, help: "Writes of the audit log that failed and were repeated."})
	auditUnrecorded  = define(definition{name: "avap_audit_denied_merged_total", kind: counter, help: "Refused requests that stand together in one record, because they were many."})
	auditBehind      = define(definition{name: "avap_audit_behind_records", kind: gauge, help: "Records of this server that the central audit log has not got yet."})
	auditBroken      = define(definition{name: "avap_audit_broken", kind: gauge, help: "1 if the end of the audit log was damaged when the server began."})

	registryRevision  = define(definition{name: "avap_registry_revision", kind: gauge, help: "Revision of the registered commands that this server has."})
	registryCommands  = define(definition{name: "avap_registry_commands", kind: gauge, help: "Registered commands."})
	registryRefreshed = define(definition{name: "avap_registry_refresh_timestamp_seconds", kind: gauge, help: "When the commands were last known to be those of the primary store; 0 for never."})
	registryErrors    = define(definition{name: "avap_registry_refresh_errors_total", kind: counter, help: "Looks at the primary store that failed."})
	registryPrimary   = define(definition{name: "avap_registry_primary_up", kind: gauge, help: "1 if the primary store answered the last time."})
	registryMissing   = define(definition{name: "avap_registry_missing_artifacts", kind: gauge, help: "Artifacts that the offline copy lacks."})
	registryRemoved   = define(definition{name: "avap_registry_removed_artifacts_total", kind: counter, labels: []string{"store"}, help: "Artifacts that this server took out of a store, primary or copy, because no version has them any more."})
	registryBytes     = define(definition{name: "avap_registry_removed_bytes_total", kind: counter, labels: []string{"store"}, help: "Bytes of these artifacts."})
	registryAhead     = define(definition{name: "avap_commands_compiled_ahead_total", kind: counter, labels: []string{"result"}, help: "Registered commands that were to be compiled before anyone called them, by what came of it: compiled, or failed."})
	registryTraces    = define(definition{name: "avap_registry_removed_tombstones_total", kind: counter, labels: []string{"store"}, help: "Traces of deleted records that this server took out of a store."})
)

func (d *definition) desc() *prometheus.Desc {
	return prometheus.NewDesc(d.name, d.help, d.labels, nil)
}

func (d *definition) counter() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: d.name, Help: d.help}, d.labels)
}

func (d *definition) histogram() *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: d.name, Help: d.help, Buckets: d.buckets}, d.labels)
}

// Markdown is the table of metrics as docs/operations.md has it.
func markdown() string {
	var b strings.Builder
	b.WriteString("| metric | kind | labels | tells |\n| --- | --- | --- | --- |\n")
	for _, d := range table {
		labels := "none"
		if len(d.labels) > 0 {
			labels = "`" + strings.Join(d.labels, "`, `") + "`"
		}
		b.WriteString("| `" + d.name + "` | " + string(d.kind) + " | " + labels + " | " + strings.TrimSuffix(d.help, ".") + " |\n")
	}
	return b.String()
}
