package differential

import (
	"context"
	"errors"
	"slices"
	"sync"

	v8 "github.com/avapd/avapd/internal/v8"
)

// batch is how many programs one process of V8 runs.
const batch = 100

// tally is what a search has seen.
type tally struct {
	programs, refused, open, inV8 int
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
				total.programs += t.programs
				total.refused += t.refused
				total.open += t.open
				total.inV8 += t.inV8
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
		p := generate(seed)
		ways := b.ways
		if seed%16 == 0 {
			ways = slices.Concat(ways, b.rare)
		}
		t, err := b.try(&p, ways...)
		seen.programs++
		if err != nil {
			found = append(found, finding{seed, p, defect(err)})
			continue
		}
		if t.refused != nil {
			seen.refused++
			continue
		}
		if t.verdicts[0].limited {
			seen.open++
		}
		trials, seeds = append(trials, t), append(seeds, seed)
	}
	if v8.Installed() {
		asked, err := runInV8(ctx, trials)
		if err != nil {
			return nil, seen, err
		}
		seen.inV8 += asked
	}
	for i, t := range trials {
		if d := disagree(t.verdicts); d != nil {
			found = append(found, finding{seeds[i], t.program, d})
		}
	}
	return found, seen, nil
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
	t, err := b.try(p, slices.Concat(b.ways, b.rare)...)
	if err != nil {
		return defect(err)
	}
	if t.refused != nil {
		return nil
	}
	if inV8 {
		if _, err := runInV8(ctx, []*trial{t}); err != nil {
			return defect(err)
		}
	}
	return disagree(t.verdicts)
}
