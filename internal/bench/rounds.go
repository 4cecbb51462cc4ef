package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/avapd/avapd/internal/bench/machine"
)

// Bounds beyond which a round is disturbed.
const (
	// otherWork is the share of the machine that others may take.
	otherWork = 0.05
	// deviation is how far, as a part of the median, a round may lie from it.
	deviation = 0.3
)

// round is one pass over everything that is compared, with its figures by
// name; times are in nanoseconds.
type round map[string]float64

// passNumber is the figure that tells how many passes were before a round, for what
// is kept of each beside its figures.
const passNumber = "pass"

// pass is a round and the share of the machine that others had meanwhile.
type pass struct {
	figures round
	other   float64
}

// measured are the rounds of one comparison.
type measured []round

// comparison says what rounds are made of.
type comparison struct {
	what   string
	rounds int
	// steady names the figure that is the same in every round if nothing
	// disturbs; empty for none.
	steady string
	// once does everything that is compared, one after the other, so that what
	// slows one slows all.
	once func(round) error
}

// repeat makes rounds until enough were undisturbed, at most twice as many: a
// machine that is never quiet is measured as it is, and said to be so.
func (b *bench) repeat(c comparison) (measured, error) {
	var all []pass
	quiet := 0
	most := 2 * c.rounds
	if b.quick {
		most = c.rounds
	}
	for quiet < c.rounds && len(all) < most {
		b.progress("%s: round %d of %d", c.what, quiet+1, c.rounds)
		figures := round{passNumber: float64(len(all))}
		before := b.look()
		if err := c.once(figures); err != nil {
			return nil, fmt.Errorf("%s: %w", c.what, err)
		}
		all = append(all, pass{figures, machine.Disturbance(before, b.look())})
		quiet = 0
		for _, p := range all {
			if p.disturbance(all, c.steady) <= 1 {
				quiet++
			}
		}
	}
	b.section.Rounds += len(all)
	b.section.Disturbed += len(all) - quiet
	// The least disturbed ones count; all that are quiet are as good as each
	// other.
	slices.SortStableFunc(all, func(p, q pass) int {
		return cmp.Compare(max(1, p.disturbance(all, c.steady)), max(1, q.disturbance(all, c.steady)))
	})
	var kept measured
	for _, p := range all[:min(c.rounds, len(all))] {
		kept = append(kept, p.figures)
	}
	return kept, nil
}

// disturbance is above 1 when a bound is broken.
func (p pass) disturbance(all []pass, steady string) float64 {
	d := p.other / otherWork
	if steady != "" && len(all) > 2 {
		var values []float64
		for _, q := range all {
			values = append(values, q.figures[steady])
		}
		median := quantile(values, 0.5)
		d = max(d, math.Abs(p.figures[steady]-median)/median/deviation)
	}
	return d
}

// look reads the machine's clocks. The work of this program and of all that it
// started is the measurement, also of what was stopped within a round.
func (b *bench) look() machine.Moment {
	pids := []int{b.pid}
	for _, p := range b.processes {
		pids = append(pids, p.cmd.Process.Pid)
	}
	return machine.Look(pids, b.ended)
}

// of gives a figure: the median of the rounds, and the quartiles.
func (m measured) of(name string, u unit) figure {
	return m.derive(u, func(r round) float64 { return r[name] })
}

// ratio is the median of the rounds' ratios, not the ratio of medians: what
// disturbs a round disturbs both sides of it.
func (m measured) ratio(over, under string) figure {
	return m.derive(times, func(r round) float64 { return r[over] / r[under] })
}

func (m measured) derive(u unit, f func(round) float64) figure {
	var values []float64
	for _, r := range m {
		values = append(values, f(r))
	}
	return figure{Value: quantile(values, 0.5), Low: quantile(values, 0.25), High: quantile(values, 0.75), Unit: u}
}

// quantile interpolates between the values, which it sorts a copy of.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}
