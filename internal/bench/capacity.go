package main

import (
	"fmt"
	"time"

	"github.com/avapd/avapd/internal/bench/load"
)

// patience are the bounds on p95 for which the highest rate is looked for.
var patience = []time.Duration{100 * time.Millisecond, 50 * time.Millisecond, 20 * time.Millisecond, 10 * time.Millisecond}

// step is a rate that was offered for a while, and what p95 it had.
type step struct {
	rate float64
	p95  time.Duration
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
		row, err := b.climb(s, generator)
		if err != nil {
			return fmt.Errorf("%s: %w", titles[s.name], err)
		}
		t.row(append([]any{titles[s.name]}, row...)...)
	}
	b.note("The load generator and the server share this machine, each on its half of it; nothing is extrapolated to other machines or to several.")
	return nil
}

// climb raises the rate until p95 is beyond every bound.
func (b *bench) climb(s competitor, generator *process) ([]any, error) {
	plan := load.Plan{
		Address: s.site.address, Requests: [][]byte{smallRequest(s.path)}, Expect: greeting,
		Connections: 64, Duration: b.window(time.Second),
	}
	var closed load.Outcome
	for range 2 { // the first one warms up
		if err := generator.ask(plan, &closed); err != nil {
			return nil, err
		}
	}
	var steps []step
	for percent := 30; percent <= 120; percent += 5 {
		plan.Rate = closed.Rate * float64(percent) / 100
		b.progress("%s: %.0f requests a second", titles[s.name], plan.Rate)
		p95, err := steady(generator, plan)
		if err != nil {
			return nil, err
		}
		steps = append(steps, step{plan.Rate, p95})
		if p95 > patience[0] || b.quick {
			break
		}
	}
	var row []any
	for _, p := range patience {
		row = append(row, exactly(highest(steps, p), perSecond))
	}
	return append(row, exactly(closed.Rate, perSecond)), nil
}

// steady offers a rate once, and twice more if that was not answered at once:
// the median tells whether the rate or the machine's neighbours were too much.
func steady(generator *process, plan load.Plan) (time.Duration, error) {
	var all []float64
	for len(all) < 3 {
		var o load.Outcome
		if err := generator.ask(plan, &o); err != nil {
			return 0, err
		}
		if o.Late {
			o.P95 = max(o.P95, time.Second)
		}
		all = append(all, float64(o.P95))
		if o.P95 <= patience[len(patience)-1] {
			return o.P95, nil
		}
	}
	return time.Duration(quantile(all, 0.5)), nil
}

// highest is the last of the steps, from the lowest on, within the bound; 0 if
// none is.
func highest(steps []step, bound time.Duration) float64 {
	rate := 0.0
	for _, s := range steps {
		if s.p95 > bound {
			break
		}
		rate = s.rate
	}
	return rate
}
