package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// report is what a soak showed.
type report struct {
	duration      time.Duration
	capacity      float64
	traffic       *traffic
	before, after holding
	metrics       map[string]float64
	audit         *auditLog
	// exit is how the program ended after SIGTERM; nil for well.
	exit error
	log  *logLines
}

// A holding is as before if it is not more than this, and memory not more than a
// quarter: a heap is never of quite the same size.
const (
	moreGoroutines  = 8
	moreDescriptors = 4
	moreResident    = 32 << 20
)

func (h holding) within(before holding) bool {
	return h.goroutines <= before.goroutines+moreGoroutines && h.descriptors <= before.descriptors+moreDescriptors && h.resident <= before.residentBound()
}

func (h holding) residentBound() int64 { return h.resident + h.resident/4 + moreResident }

// refusalTime is what half of those that are refused wait at most: for a place,
// for as long as admission.delay_ms says, and for their answer.
const refusalTime = 100 * time.Millisecond

// promise is what was promised, and whether it was kept.
type promise struct {
	what, found string
	kept        bool
	// times tells that it depends on how fast the machine is, and who else uses it.
	times bool
}

// promises judges everything.
func (r *report) promises() []promise {
	sum := r.traffic.sum()
	p99, refusal := quantile(sum.times, 0.99), quantile(r.traffic.refusals, 0.5)
	inside := r.metrics[`avap_problems_total{code="AVAP9001"}`]
	return []promise{
		{what: "no crash: it ends well after SIGTERM", found: ended(r.exit), kept: r.exit == nil && !r.log.hasPanic()},
		{what: "no defect is answered (AVAP9001)", found: fmt.Sprint(inside), kept: inside == 0},
		{what: "every request has an answer that fits", found: fmt.Sprintf("%d of %d have not; %d faults", sum.failed, sum.asked, len(r.traffic.faults)), kept: len(r.traffic.faults) == 0 && sum.served > 0},
		{what: "requests come, half as many again as can be served at least", found: fmt.Sprintf("%.0f/s", r.offered()), kept: r.offered() >= 1.5*r.capacity, times: true},
		{what: "those that are too many are refused", found: fmt.Sprintf("%d served, %d refused", sum.served, sum.refused), kept: sum.served > 0 && sum.refused > 0, times: true},
		{what: fmt.Sprintf("p99 of served requests within the deadline of %s", deadline), found: p99.String(), kept: p99 <= deadline, times: true},
		{what: fmt.Sprintf("refusals come at once: p50 within %s", refusalTime), found: refusal.String(), kept: refusal <= refusalTime, times: true},
		{what: "nothing is under way any more", found: fmt.Sprint(r.after.busy), kept: r.after.busy == 0},
		{what: "goroutines return", found: fmt.Sprintf("%d, then %d", r.before.goroutines, r.after.goroutines), kept: r.after.goroutines <= r.before.goroutines+moreGoroutines},
		{what: "descriptors return", found: fmt.Sprintf("%d, then %d", r.before.descriptors, r.after.descriptors), kept: r.after.descriptors <= r.before.descriptors+moreDescriptors},
		{what: "resident memory returns", found: fmt.Sprintf("%d MiB, then %d MiB", r.before.resident>>20, r.after.resident>>20), kept: r.after.resident <= r.before.residentBound(), times: true},
		{what: "settings were reloaded, and such with faults refused", found: fmt.Sprint(r.audit.reloads), kept: r.audit.reloads["ok"] > 0 && r.audit.reloads["refused"] > 0},
		{what: "avap audit verify says yes", found: ended(r.audit.verified), kept: r.audit.verified == nil},
		r.adds(),
	}
}

// offered is how many requests were sent in a second.
func (r *report) offered() float64 { return float64(r.traffic.sum().asked) / r.traffic.took.Seconds() }

func ended(err error) string {
	if err != nil {
		return err.Error()
	}
	return "yes"
}

// adds compares the executions that the metrics counted with the records of the
// audit log, outcome by outcome.
func (r *report) adds() promise {
	counted, total := map[string]int{}, 0
	for name, value := range r.metrics {
		if rest, ok := strings.CutPrefix(name, `avap_executions_total{outcome="`); ok && value > 0 {
			counted[strings.TrimSuffix(rest, `"}`)] = int(value)
			total += int(value)
		}
	}
	p := promise{
		what:  "executions of the metrics are the records of the audit log, by outcome",
		found: fmt.Sprintf("%d executions", total), kept: total > 0 && maps.Equal(counted, r.audit.executions),
	}
	if !p.kept {
		p.found = fmt.Sprintf("metrics %v, audit log %v", counted, r.audit.executions)
	}
	return p
}

func (r *report) broken() bool {
	return slices.ContainsFunc(r.promises(), func(p promise) bool { return !p.kept })
}

// write prints everything.
func (r *report) write(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s at %.0f requests a second, twice of what was served before; %d were not sent, as all connections waited\n\n", r.duration, 2*r.capacity, r.traffic.omitted)
	fmt.Fprintln(w, "requests\tasked\tserved\trefused\tfailed\tp50\tp99")
	for i, c := range r.traffic.counts {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%s\t%s\n", r.traffic.kinds[i].name, c.asked, c.served, c.refused, c.failed, quantile(c.times, 0.5), quantile(c.times, 0.99))
	}
	times := r.traffic.sum().times
	fmt.Fprintf(w, "\nserved\t%.0f/s\tp50 %s\tp99 %s\n", r.traffic.servedRate(), quantile(times, 0.5), quantile(times, 0.99))
	fmt.Fprintf(w, "refused\t\tp50 %s\tp99 %s\n\n", quantile(r.traffic.refusals, 0.5), quantile(r.traffic.refusals, 0.99))
	for _, name := range slices.Sorted(maps.Keys(r.traffic.others)) {
		fmt.Fprintf(w, "%s\t%d\n", name, r.traffic.others[name])
	}
	fmt.Fprintln(w, "\npromise\tkept\tfound")
	for _, p := range r.promises() {
		kept := "yes"
		if !p.kept {
			kept = "NO"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", p.what, kept, p.found)
	}
	if r.broken() {
		fmt.Fprintf(w, "\n%s\n%s\n", r.traffic.faultText(), r.log.tail())
	}
	return w.Flush()
}
