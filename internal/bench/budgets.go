package main

import (
	"fmt"
	"slices"
)

// budget is a promise about speed or size. A run that breaks one fails.
type budget struct {
	id string
	// section measures it.
	section string
	what    string
	limit   figure
	// atLeast tells that the figure must not be below the limit, rather than
	// above it.
	atLeast bool
}

// budgets are all promises.
var budgets = []budget{
	{"sandbox.fresh", "sandbox", "fresh sandbox, p50", exactly(8e3, nanoseconds), false},
	{"sandbox.cancel", "sandbox", "cancelled to stopped, p99", exactly(1e6, nanoseconds), false},
	{"http.adhoc", "http", "ad-hoc script over HTTP, rate against a Fiber echo", exactly(0.5, times), true},
	{"http.registered", "http", "registered command over HTTP, rate against a Fiber echo", exactly(0.6, times), true},
	{"http.app", "http", "endpoint of an app over HTTP, rate against a Fiber echo", exactly(0.6, times), true},
	{"neighbour.p99", "neighbour", "p99 beside a client that saturates CPU, memory and outbound calls, against alone", exactly(2, times), false},
	{"neighbour.compiles", "neighbour", "p99 beside a client that has scripts compiled", exactly(5e6, nanoseconds), false},
	{"neighbour.live", "neighbour", "/livez of a saturated server, p99", exactly(50e6, nanoseconds), false},
	{"first.5", "first", "first answer to a never-seen script of 5 lines, p50", exactly(0.3e6, nanoseconds), false},
	{"first.50", "first", "first answer to a never-seen script of 50 lines, p50", exactly(1.5e6, nanoseconds), false},
	{"first.p99", "first", "first answer to a never-seen script, p99", exactly(5e6, nanoseconds), false},
	{"kernels.goja", "kernels", "fib(30), faster than goja", exactly(5, times), true},
	{"kernels.starlark", "kernels", "fib(30), faster than starlark-go", exactly(5, times), true},
	{"kernels.ints", "kernels", "integer loops, time against Go", exactly(3, times), false},
	{"kernels.floats", "kernels", "float loops, time against Go", exactly(3, times), false},
	{"metering.mean", "metering", "cost of metering, geometric mean over the computations", exactly(15, percent), false},
	{"memory.idle", "memory", "resident memory of an idle server", exactly(60e6, bytesUnit), false},
	{"memory.script", "memory", "memory of a cached small script", exactly(40e3, bytesUnit), false},
	{"registry.start", "registry", "node with 10,000 commands ready, neither PostgreSQL nor Redis", exactly(1e9, nanoseconds), false},
	{"cluster.live", "cluster", "change of a command live on all nodes, slowest", exactly(1e9, nanoseconds), false},
	{"cluster.failed", "cluster", "requests failed meanwhile", exactly(0, count), false},
	{"cluster.lost", "cluster", "acknowledged uploads lost by kill -9", exactly(0, count), false},
	{"cluster.cold", "cluster", "node ready with neither PostgreSQL nor Redis", exactly(1e9, nanoseconds), false},
}

// verdict is a budget and what was measured.
type verdict struct {
	ID     string `json:"id"`
	What   string `json:"what"`
	Figure figure `json:"figure"`
	Budget figure `json:"budget"`
	// Ratio is how much of the budget is used: above 1 it is missed.
	Ratio float64 `json:"ratio"`
	OK    bool    `json:"ok"`

	atLeast bool
}

func (v *budget) judge(f figure) verdict {
	ratio := f.Value / v.limit.Value
	switch {
	case v.atLeast:
		ratio = v.limit.Value / f.Value
	case v.limit.Value == 0 && f.Value == 0: // nothing of nothing is allowed
		ratio = 0
	}
	// A figure that is no number is a miss.
	return verdict{v.id, v.what, f, v.limit, ratio, ratio <= 1, v.atLeast}
}

func (v *verdict) word() string {
	if v.OK {
		return "pass"
	}
	return "MISS"
}

func (v *verdict) bound() string {
	if v.atLeast {
		return "≥ " + v.Budget.short()
	}
	return "≤ " + v.Budget.short()
}

// fulfil says what was measured for a budget of the section that runs.
func (b *bench) fulfil(id string, f figure) {
	b.fulfilled[id] = f
}

// judge compares the budgets of the sections that ran with what they measured.
func (b *bench) judge() ([]verdict, error) {
	var verdicts []verdict
	for i := range budgets {
		v := &budgets[i]
		if !slices.Contains(b.only, v.section) {
			continue
		}
		f, ok := b.fulfilled[v.id]
		if !ok {
			return nil, fmt.Errorf("section %s did not measure %s", v.section, v.id)
		}
		verdicts = append(verdicts, v.judge(f))
	}
	return verdicts, nil
}
