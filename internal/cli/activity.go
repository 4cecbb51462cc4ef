package cli

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/client"
)

// activity is what avap top shows of an interval; it is its document, too. A
// quantile or share of nothing is null.
type activity struct {
	Server     string    `json:"server"`
	Time       time.Time `json:"time"`
	IntervalMS int64     `json:"interval_ms"`
	Version    string    `json:"version"`

	RequestsPerSecond float64 `json:"requests_per_second"`
	RequestsRunning   float64 `json:"requests_running"`
	Connections       float64 `json:"connections"`
	LatencyMS         struct {
		P50 *float64 `json:"p50"`
		P90 *float64 `json:"p90"`
		P99 *float64 `json:"p99"`
	} `json:"latency_ms"`

	// ExecutionsPerSecond and ExecutionsTotal are by outcome.
	ExecutionsPerSecond map[string]float64 `json:"executions_per_second"`
	ExecutionsTotal     map[string]float64 `json:"executions_total"`
	ExecutionsRunning   float64            `json:"executions_running"`

	ScriptsHitShare   *float64            `json:"scripts_hit_share"`
	ScriptsInMemory   float64             `json:"scripts_in_memory"`
	ArtifactsHitShare map[string]*float64 `json:"artifacts_hit_share"`

	Queue struct {
		Slots  float64 `json:"slots"`
		Free   float64 `json:"slots_free"`
		Length float64 `json:"length"`
		WaitMS float64 `json:"wait_ms_per_execution"`
	} `json:"queue"`
	Memory struct {
		Scripts float64 `json:"scripts_bytes"`
		Limit   float64 `json:"scripts_limit_bytes"`
		Process float64 `json:"process_bytes"`
	} `json:"memory"`

	// Slowest are the executions that have run for longest; null where who asks
	// may not see them.
	Slowest []api.ExecutionState `json:"slowest"`
}

// activityOf tells what happened between two looks.
func activityOf(server string, before, now *look) *activity {
	m, seconds := now.metrics, now.at.Sub(before.at).Seconds()
	rate := func(name string) float64 { return max(0, m.Sum(name)-before.metrics.Sum(name)) / seconds }
	a := &activity{
		Server: server, Time: now.at.UTC(), IntervalMS: now.at.Sub(before.at).Milliseconds(),
		RequestsPerSecond: rate("avap_http_requests_total"), RequestsRunning: m.Sum("avap_http_requests_running"), Connections: m.Sum("avap_http_connections_open"),
		ExecutionsRunning: m.Sum("avap_executions_running"), ScriptsInMemory: m.Sum("avap_scripts_entries"),
		ExecutionsTotal: map[string]float64{}, ExecutionsPerSecond: map[string]float64{}, ArtifactsHitShare: map[string]*float64{},
	}
	for labels := range m.Of("avap_build_info") {
		a.Version = labels["version"]
	}
	then := byLabel(before.metrics, "avap_executions_total", "outcome")
	for outcome, total := range byLabel(m, "avap_executions_total", "outcome") {
		a.ExecutionsTotal[outcome] = total
		a.ExecutionsPerSecond[outcome] = max(0, total-then[outcome]) / seconds
	}
	a.latency(before.metrics, m)
	hits, misses := rate("avap_scripts_hits_total"), rate("avap_scripts_misses_total")
	a.ScriptsHitShare = share(hits, hits+misses)
	a.artifacts(m)
	a.Queue.Slots, a.Queue.Free, a.Queue.Length = m.Sum("avap_compute_slots"), m.Sum("avap_compute_slots_free"), m.Sum("avap_compute_queue_length")
	if ended := rate("avap_executions_total"); ended > 0 {
		a.Queue.WaitMS = 1000 * rate("avap_compute_wait_seconds_total") / ended
	}
	a.Memory.Scripts, a.Memory.Limit, a.Memory.Process = m.Sum("avap_memory_used_bytes"), m.Sum("avap_memory_limit_bytes"), m.Sum("process_resident_memory_bytes")
	if !now.closed {
		a.Slowest = slices.SortedStableFunc(slices.Values(now.executions), func(x, y api.ExecutionState) int { return cmp.Compare(y.ElapsedMS, x.ElapsedMS) })
		if a.Slowest == nil {
			a.Slowest = []api.ExecutionState{}
		}
	}
	return a
}

func byLabel(m client.Metrics, name, label string) map[string]float64 {
	sums := map[string]float64{}
	for labels, value := range m.Of(name) {
		sums[labels[label]] += value
	}
	return sums
}

func share(part, whole float64) *float64 {
	if whole <= 0 {
		return nil
	}
	return new(part / whole)
}

// artifacts tells how often each tier had what it was asked for, since the start:
// tiers are asked too seldom for an interval.
func (a *activity) artifacts(m client.Metrics) {
	asked, hits := map[string]float64{}, map[string]float64{}
	for labels, value := range m.Of("avap_artifact_lookups_total") {
		asked[labels["tier"]] += value
		if labels["result"] == "hit" {
			hits[labels["tier"]] += value
		}
	}
	for tier, n := range asked {
		a.ArtifactsHitShare[tier] = share(hits[tier], n)
	}
}

// latency estimates quantiles of the interval's requests, those apart that are
// about the server: they are quick, and many.
func (a *activity) latency(before, now client.Metrics) {
	const buckets = "avap_http_request_duration_seconds_bucket"
	counts := map[float64]float64{}
	for sign, m := range map[float64]client.Metrics{-1: before, 1: now} {
		for labels, value := range m.Of(buckets) {
			bound, err := strconv.ParseFloat(labels["le"], 64)
			if route := labels["route"]; err == nil && !strings.HasSuffix(route, "z") && route != "/api/v1/metrics" && !strings.HasPrefix(route, "/api/v1/executions") {
				counts[bound] += sign * value
			}
		}
	}
	a.LatencyMS.P50, a.LatencyMS.P90, a.LatencyMS.P99 = quantile(counts, 0.5), quantile(counts, 0.9), quantile(counts, 0.99)
}

// quantile estimates one in milliseconds from counts of what is not above bounds,
// as Prometheus does: even within a bucket, and the largest bound for what is above.
func quantile(counts map[float64]float64, q float64) *float64 {
	bounds := slices.Sorted(maps.Keys(counts))
	if len(bounds) == 0 || counts[bounds[len(bounds)-1]] <= 0 {
		return nil
	}
	want := q * counts[bounds[len(bounds)-1]]
	low, below := 0.0, 0.0
	for _, bound := range bounds {
		n := counts[bound]
		if n >= want && n > below {
			if math.IsInf(bound, 1) {
				return new(1000 * low)
			}
			return new(1000 * (low + (bound-low)*(want-below)/(n-below)))
		}
		low, below = bound, n
	}
	return new(1000 * low)
}

// frame is an activity as lines of text, cut to a size unless that is 0.
func frame(a *activity, width, height int, end string) string {
	lines := a.lines()
	if height > 0 && len(lines) >= height {
		lines = lines[:height-1]
	}
	var b strings.Builder
	for _, line := range lines {
		if runes := []rune(line); width > 0 && len(runes) > width {
			line = string(runes[:width])
		}
		b.WriteString(line + end)
	}
	return b.String()
}

func (a *activity) lines() []string {
	lines := []string{
		fmt.Sprintf("avap %s at %s, %s, the last %.1f s", a.Version, a.Server, a.Time.Format(time.RFC3339), float64(a.IntervalMS)/1000),
		"",
		fmt.Sprintf("requests    %8.1f/s   %.0f under way   %.0f connections", a.RequestsPerSecond, a.RequestsRunning, a.Connections),
		"latency     " + quantileText("p50", a.LatencyMS.P50) + "   " + quantileText("p90", a.LatencyMS.P90) + "   " + quantileText("p99", a.LatencyMS.P99),
		"executions  " + a.outcomes(),
		fmt.Sprintf("scripts     %s found compiled   %.0f in memory", percent(a.ScriptsHitShare), a.ScriptsInMemory),
	}
	for _, tier := range slices.Sorted(maps.Keys(a.ArtifactsHitShare)) {
		lines = append(lines, fmt.Sprintf("artifacts   %s found in %s", percent(a.ArtifactsHitShare[tier]), tier))
	}
	lines = append(lines,
		fmt.Sprintf("queue       %8.0f waiting   %.0f of %.0f slots free   %.2f ms wait", a.Queue.Length, a.Queue.Free, a.Queue.Slots, a.Queue.WaitMS),
		fmt.Sprintf("memory      %s of %s for scripts   %s of the process", mebibytes(a.Memory.Scripts), mebibytes(a.Memory.Limit), mebibytes(a.Memory.Process)),
		"")
	if a.Slowest == nil {
		return append(lines, "Name a key that may see the executions with --token-file.")
	}
	lines = append(lines, fmt.Sprintf("%-32s  %12s  %-9s  %-15s  %s", "EXECUTION", "ELAPSED", "STATE", "CLIENT", "WHAT"))
	for _, e := range a.Slowest {
		lines = append(lines, fmt.Sprintf("%-32s  %9.0f ms  %-9s  %-15s  %s", e.ID, e.ElapsedMS, e.State, e.Client, whatRuns(&e)))
	}
	return lines
}

// outcomes are the rates of those that there are, and of those that there were.
func (a *activity) outcomes() string {
	parts := []string{fmt.Sprintf("%8.1f/s ok", a.ExecutionsPerSecond["ok"])}
	for _, outcome := range slices.Sorted(maps.Keys(a.ExecutionsTotal)) {
		if outcome != "ok" && a.ExecutionsTotal[outcome] > 0 {
			parts = append(parts, fmt.Sprintf("%.1f/s %s", a.ExecutionsPerSecond[outcome], outcome))
		}
	}
	return strings.Join(append(parts, fmt.Sprintf("%.0f running", a.ExecutionsRunning)), "   ")
}

func whatRuns(e *api.ExecutionState) string {
	switch {
	case e.Command != "":
		return fmt.Sprintf("command %s@%d", e.Command, e.Version)
	case e.App != "":
		return "app " + e.App + " " + e.Route
	}
	return "script " + shortDigest(e.Script)
}

func quantileText(name string, v *float64) string {
	if v == nil {
		return name + " -"
	}
	return fmt.Sprintf("%s %.2f ms", name, *v)
}

func percent(v *float64) string {
	if v == nil {
		return "       -"
	}
	return fmt.Sprintf("%6.1f %%", 100**v)
}

func mebibytes(n float64) string { return fmt.Sprintf("%.1f MiB", n/(1<<20)) }
