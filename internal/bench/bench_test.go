package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/bench/kernels"
	"github.com/avapd/avapd/internal/bench/machine"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/testservices"
)

// The test binary plays the parts that the program plays for itself.
func TestMain(m *testing.M) {
	played, err := playRole()
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	case !played:
		os.Exit(m.Run())
	}
}

// Everything is measured once and shortly, so that no measurement rots. What
// the figures are is not asked.
func TestQuick(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers and other languages")
	}
	o, err := parse([]string{"--quick"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := measure(t.Context(), o)
	testservices.Need(t, err)
	for _, v := range r.Budgets {
		// In so short a run metering may cost nothing.
		if !(v.Figure.Value > 0) && v.Figure.Unit != percent && v.Budget.Value > 0 {
			t.Errorf("%s: measured %v", v.What, v.Figure)
		}
	}
	if len(r.Budgets) != len(budgets) {
		t.Errorf("%d of %d budgets are judged", len(r.Budgets), len(budgets))
	}
}

// Scripts that differ compile, run and are not the same.
func TestScriptOfLines(t *testing.T) {
	e, err := engine.New(engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(t.Context())
	seen := map[string]bool{}
	for _, lines := range []int{5, 16, 50, 200} {
		for number := range 20 {
			script := scriptOfLines(lines, number)
			if seen[script] {
				t.Errorf("script %d of %d lines comes twice", number, lines)
			}
			seen[script] = true
			if n := strings.Count(script, "\n"); n != lines {
				t.Errorf("script %d has %d lines, not %d", number, n, lines)
			}
			if _, err := e.Run(t.Context(), &engine.Request{Source: script, Body: []byte(`{"name":"Ana"}`)}); err != nil {
				t.Errorf("script %d of %d lines: %v\n%s", number, lines, err, script)
			}
		}
	}
}

func TestJudge(t *testing.T) {
	atMost := budget{limit: exactly(10, times)}
	atLeast := budget{limit: exactly(10, times), atLeast: true}
	none := budget{limit: exactly(0, count)}
	for _, c := range []struct {
		budget budget
		value  float64
		ok     bool
	}{
		{atMost, 5, true},
		{atMost, 10, true},
		{atMost, 11, false},
		{atLeast, 5, false},
		{atLeast, 10, true},
		{atLeast, 11, true},
		{atMost, quantile(nil, 0.5), false},
		{atLeast, quantile(nil, 0.5), false},
		{atLeast, 0, false},
		{none, 0, true},
		{none, 1, false},
		{none, quantile(nil, 0.5), false},
	} {
		if v := c.budget.judge(exactly(c.value, times)); v.OK != c.ok {
			t.Errorf("%v %s: %s", v.Figure, v.bound(), v.word())
		}
	}
}

// Every budget has a section, and an identifier of its own.
func TestBudgets(t *testing.T) {
	names, ids := map[string]bool{}, map[string]bool{}
	for _, s := range sections {
		names[s.name] = true
	}
	for _, v := range budgets {
		if !names[v.section] || ids[v.id] || !strings.HasPrefix(v.id, v.section+".") {
			t.Errorf("budget %s of section %s", v.id, v.section)
		}
		ids[v.id] = true
	}
}

func TestFigureString(t *testing.T) {
	for want, f := range map[string]figure{
		"7.90 µs":             exactly(7900, nanoseconds),
		"999 ns":              exactly(999, nanoseconds),
		"1.25 (1.10–1.40) ms": {1.25e6, 1.1e6, 1.4e6, nanoseconds},
		"2 s":                 exactly(2e9, nanoseconds),
		"18 900/s":            exactly(18912, perSecond),
		"0.054 ×":             exactly(0.0541, times),
		"20.5 KB":             exactly(20480, bytesUnit),
		"1 234 600":           exactly(1234567, count),
		"–":                   exactly(quantile(nil, 0.5), count),
	} {
		if got := f.String(); got != strings.ReplaceAll(want, " ", " ") && got != want {
			t.Errorf("%q instead of %q", got, want)
		}
	}
}

// The answers of all kernels come from Go, which needs no other program.
func TestKernels(t *testing.T) {
	e, err := engine.New(engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(t.Context())
	one := &oneEngine{Engine: e}
	for _, k := range kernels.All {
		a, err := one.answer(question{Run: k.Script(), Body: kernels.Input(), Count: 1})
		if want := fmt.Sprintf(`"answer":%d`, k.Answer); err != nil || !strings.Contains(string(a.Result), want) {
			t.Errorf("%s: %.200s, %v", k.Name, a.Result, err)
		}
	}
}

func TestHighest(t *testing.T) {
	var steps []step
	for i, p95 := range []time.Duration{time.Millisecond, 9 * time.Millisecond, 30 * time.Millisecond, 8 * time.Millisecond, time.Second} {
		steps = append(steps, step{rate: float64(100 * (i + 1)), p95: p95})
	}
	for bound, want := range map[time.Duration]float64{
		time.Microsecond: 0, 10 * time.Millisecond: 200, 20 * time.Millisecond: 200, 100 * time.Millisecond: 400,
	} {
		if got := highest(steps, bound).rate; got != want {
			t.Errorf("p95 within %v: %v instead of %v", bound, got, want)
		}
	}
}

// What a process computed is the measurement's own work, also when it ends
// within a round.
func TestEndedProcessIsNoDisturbance(t *testing.T) {
	b := &bench{ctx: t.Context()}
	defer b.stopAll()
	before := b.look()
	e, err := b.startRole("engine", nil)
	if err != nil {
		t.Fatal(err)
	}
	var a reply
	if err := e.ask(question{Run: kernels.All[0].Script(), Body: kernels.Input(), Count: 5}, &a); err != nil {
		t.Fatal(err)
	}
	b.stop(e)
	used := e.cmd.ProcessState.UserTime() + e.cmd.ProcessState.SystemTime()
	if own := machine.Own(before, b.look()); own < used || used < 5*a.Least {
		t.Errorf("a process that computed for %v counts for %v", used, own)
	}
}

// Samples of the rounds that count are put together, and no others.
func TestPool(t *testing.T) {
	const slow = 690 // a step of the histogram
	passes := []samples{{"x": {100: 90, slow: 1}}, {"x": {slow: 1000}}, {"x": {100: 130, slow: 1}}}
	var m measured
	for _, number := range []int{2, 0} {
		r := round{passNumber: float64(number)}
		passes[number].note(r)
		m = append(m, r)
	}
	pool := m.pool(passes)
	// One slow request of 91 is the slowest hundredth, with one of 131 they are not.
	if one := m[1]["x.p99"]; pool["x.p99"] != pool["x.p50"] || one == pool["x.p99"] {
		t.Errorf("all together %v, one round %v", pool, one)
	}
	f := m.pooled(pool, nanoseconds, func(r round) float64 { return r["x.p99"] })
	if f.Value != pool["x.p99"] || f.Low < f.Value || f.High <= f.Low {
		t.Errorf("%+v", f)
	}
}
