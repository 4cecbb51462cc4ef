package main

import (
	"fmt"
	"time"

	"github.com/avapd/avapd/internal/bench/load"
	"github.com/avapd/avapd/internal/bench/machine"
)

// patience are the bounds on p95 for which the highest rate is looked for.
var patience = []time.Duration{100 * time.Millisecond, 50 * time.Millisecond, 20 * time.Millisecond, 10 * time.Millisecond}

// step is a rate that was offered for a while, what p95 it had, and which part of
// the time the server computed.
type step struct {
	rate float64
	p95  time.Duration
	busy float64
}

// capacity looks for the highest rate of requests with p95 within bounds.
// Requests are due at even distances, whether earlier ones are answered or not,
// and their time counts from when they were due. What is printed was measured
// at that rate, and every lower rate that was tried was within the bound as well.
func (b *bench) capacity() error {
	sides, err := b.competitors()
	if err != nil {
		return err
	}
	generator, err := b.startRole("load", b.generator)
	if err != nil {
		return err
	}
	defer b.stopAll()
	columns := []string{"highest rate with p95 within"}
	for _, p := range patience {
		columns = append(columns, exactly(float64(p), nanoseconds).short())
	}
	t := b.table(append(columns, "closed loop of 64 connections")...)
	for _, s := range sides {
		steps, closed, err := b.climb(s, generator)
		if err != nil {
			return fmt.Errorf("%s: %w", titles[s.name], err)
		}
		row := []any{titles[s.name]}
		for _, p := range patience {
			row = append(row, exactly(highest(steps, p).rate, perSecond))
		}
		t.row(append(row, exactly(closed, perSecond))...)
		b.note("%s: at its highest rate it computed for %.0f %% of the time.", titles[s.name], highest(steps, patience[0]).busy)
	}
	b.note("The load generator and the server share this machine, each on its half of it; nothing is extrapolated to other machines or to several.")
	return nil
}

// climb raises the rate until p95 is beyond every bound, from a part of what a
// closed loop reaches, which is the other result.
func (b *bench) climb(s competitor, generator *process) (steps []step, closed float64, err error) {
	plan := load.Plan{
		Address: s.site.address, Requests: [][]byte{smallRequest(s.path)}, Expect: greeting,
		Connections: 64, Duration: b.window(time.Second), Poll: true, Any: true,
	}
	var o load.Outcome
	for range 2 { // the first one warms up
		if err := generator.ask(plan, &o); err != nil {
			return nil, 0, err
		}
	}
	unbroken := len(patience) - 1 // the tightest bound that is
	for percent := 30; ; percent += 5 {
		plan.Rate = o.Rate * float64(percent) / 100
		b.progress("%s: %.0f requests a second", titles[s.name], plan.Rate)
		at := step{rate: plan.Rate}
		if at.p95, at.busy, err = steady(s.site, generator, plan, patience[unbroken]); err != nil {
			return nil, 0, err
		}
		steps = append(steps, at)
		for unbroken >= 0 && at.p95 > patience[unbroken] {
			unbroken--
		}
		if unbroken < 0 || b.quick {
			return steps, o.Rate, nil
		}
	}
}

// steady offers a rate once, and twice more if p95 was beyond the bound:
// the median tells whether the rate or the machine's neighbours were too much.
// What the server computed meanwhile is that of the last time, in percent.
func steady(s *site, generator *process, plan load.Plan, bound time.Duration) (p95 time.Duration, busy float64, err error) {
	var all []float64
	for len(all) < 3 {
		before, began := machine.CPU(s.cmd.Process.Pid), time.Now()
		var o load.Outcome
		if err := generator.ask(plan, &o); err != nil {
			return 0, 0, err
		}
		busy = 100 * float64(machine.CPU(s.cmd.Process.Pid)-before) / float64(time.Since(began))
		if o.Late || o.Refused > 0 { // not all was answered
			o.P95 = max(o.P95, time.Second)
		}
		all = append(all, float64(o.P95))
		if o.P95 <= bound {
			return o.P95, busy, nil
		}
	}
	return time.Duration(quantile(all, 0.5)), busy, nil
}

// highest is the last of the steps, from the lowest on, within the bound; an empty
// one if none is.
func highest(steps []step, bound time.Duration) (last step) {
	for _, s := range steps {
		if s.p95 > bound {
			break
		}
		last = s
	}
	return last
}
