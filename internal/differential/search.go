package differential

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"

	v8 "github.com/avapd/avapd/internal/v8"
)

// batch is how many programs one process of V8 runs.
const batch = 100

// Of so many programs, one is run in the ways that take long: rare are those of a module with its part of the library,
// slow those on the interpreter and in V8 of one that is not optimized. These are run once more with less fuel than they
// need.
const (
	rareShare = 16
	slowShare = 8
)

// tally is what a search has seen. Programs in all are those that all four engines had something to say about, those not
// optimized are among them, and those out of fuel are programs once more.
type tally struct {
	programs, refused, open, inAll, plain, outOfFuel int
}

func (t *tally) add(o *tally) {
	t.programs += o.programs
	t.refused += o.refused
	t.open += o.open
	t.inAll += o.inAll
	t.plain += o.plain
	t.outOfFuel += o.outOfFuel
}

// count counts a trial that is over.
func (t *tally) count(trial *trial) {
	inV8 := func(f form) bool {
		return slices.ContainsFunc(trial.verdicts, func(v verdict) bool { return v.inV8 && v.form == f })
	}
	first := &trial.verdicts[0]
	switch {
	case first.open:
		t.open++
	case trial.program.Fuel > 0 && inV8(formFull) && first.isLimit():
		t.outOfFuel++
	case trial.program.Fuel == 0 && inV8(formFull) && !slices.ContainsFunc(trial.verdicts, func(v verdict) bool { return v.open || v.isLimit() }):
		t.inAll++
		if inV8(formPlain) {
			t.plain++
		}
	}
}

// search compares programs from consecutive seeds, several at a time, until next says that there are no more. report gets
// every disagreement, one call at a time.
func (b *panel) search(ctx context.Context, workers int, next func() (first uint64, count int), report func(seed uint64, p program, d *disagreement)) (tally, error) {
	var (
		mu       sync.Mutex
		total    tally
		problems []error
		group    sync.WaitGroup
	)
	for range workers {
		group.Go(func() {
			for {
				mu.Lock()
				first, count := next()
				mu.Unlock()
				if count == 0 {
					return
				}
				found, t, err := b.compareSeeds(ctx, first, count)
				mu.Lock()
				total.add(&t)
				for _, f := range found {
					report(f.seed, f.program, f.disagreement)
				}
				problems = append(problems, err)
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	group.Wait()
	return total, errors.Join(problems...)
}

// finding is a disagreement with the program that shows it.
type finding struct {
	seed         uint64
	program      program
	disagreement *disagreement
}

func (b *panel) compareSeeds(ctx context.Context, first uint64, count int) (found []finding, seen tally, err error) {
	var trials []*trial
	var seeds []uint64
	for i := range count {
		seed := first + uint64(i)
		seen.programs++
		p, ways := generate(seed), b.waysOf(seed)
		t, err := b.try(&p, ways...)
		if err == nil && t.refused != nil {
			seen.refused++
			continue
		}
		if err == nil {
			trials, seeds = append(trials, t), append(seeds, seed)
			if short := t.short(seed); short != nil {
				p = *short
				if t, err = b.run(short, t.artifacts, ways); err == nil {
					trials, seeds = append(trials, t), append(seeds, seed)
				}
			}
		}
		if err != nil {
			found = append(found, finding{seed, p, defect(err)})
		}
	}
	if v8.Installed() {
		if err := runInV8(ctx, trials); err != nil {
			return nil, seen, err
		}
	}
	for i, t := range trials {
		seen.count(t)
		if d := disagree(t.verdicts); d != nil {
			found = append(found, finding{seeds[i], t.program, d})
		}
	}
	return found, seen, nil
}

// waysOf are the ways to run the program of a seed.
func (b *panel) waysOf(seed uint64) []way {
	ways := slices.Clone(b.ways)
	if seed%rareShare == 0 {
		ways = append(ways, b.rare...)
	}
	if seed%slowShare == 1 {
		ways = append(ways, b.slow...)
	}
	return ways
}

// short is the program again with less fuel than it took, for some seeds and if V8 can run it.
func (t *trial) short(seed uint64) *program {
	if seed%slowShare != 1 || t.program.Fuel > 0 || len(t.inV8) == 0 {
		return nil
	}
	used, err := strconv.ParseInt(t.verdicts[1].fuel, 10, 64)
	if err != nil || used < 2 || t.verdicts[1].isLimit() {
		return nil
	}
	p := t.program
	p.Fuel = 1 + rand.New(rand.NewPCG(seed, 0xf0e1)).Int64N(used-1)
	return &p
}

// smaller shrinks a program that shows a disagreement.
func (b *panel) smaller(ctx context.Context, p program, d *disagreement) (program, *disagreement) {
	last := d
	out := shrink(p, func(candidate *program) bool {
		now := b.look(ctx, candidate, d.needsV8())
		if now == nil || now.aspect != d.aspect {
			return false
		}
		last = now
		return true
	})
	return out, last
}

// defect is what an engine failed of its own accord.
func defect(err error) *disagreement { return &disagreement{aspect: "defect", detail: err.Error()} }

// look runs one program everywhere and tells the disagreement, if any.
func (b *panel) look(ctx context.Context, p *program, inV8 bool) *disagreement {
	t, err := b.try(p, slices.Concat(b.ways, b.rare, b.slow)...)
	if err != nil {
		return defect(err)
	}
	if t.refused != nil {
		return nil
	}
	if inV8 {
		if err := runInV8(ctx, []*trial{t}); err != nil {
			return defect(err)
		}
	}
	return disagree(t.verdicts)
}
