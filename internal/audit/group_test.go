package audit_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/avapd/avapd/internal/audit"
	"github.com/avapd/avapd/internal/store"
)

// clocked is a journal whose commits take a time, and which notes when they begin.
type clocked struct {
	store.Journal // what it has no method for is not asked

	mu     sync.Mutex
	takes  time.Duration
	groups []group
}

type group struct {
	began time.Time
	count int64
}

func (*clocked) Chains(context.Context) ([]store.Chain, error)                   { return nil, nil }
func (*clocked) Blocks(context.Context, store.BlockQuery) ([]store.Block, error) { return nil, nil }
func (*clocked) Marks(context.Context, store.MarkQuery) ([]store.Mark, error)    { return nil, nil }

func (j *clocked) Extend(_ context.Context, e store.Extension) error {
	j.mu.Lock()
	takes := j.takes
	if n := e.Chain.Last - e.From.Last; n > 0 {
		j.groups = append(j.groups, group{time.Now(), n})
	}
	j.mu.Unlock()
	time.Sleep(takes)
	return nil
}

func (j *clocked) take(d time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.takes = d
}

// last is the last group.
func (j *clocked) last() group {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.groups[len(j.groups)-1]
}

// A group waits to become as large as the one before it, for 5 ms at most from
// its first record on, and not at all where nobody else is to be expected.
func TestGroupBeginsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit, crowd = 5 * time.Millisecond, 16
		j := &clocked{takes: time.Millisecond}
		c := newHome(t).config(j)
		c.Group, c.CheckpointFile, c.CheckpointRecords = true, "", 1<<40
		l := open(t, c)
		several := func(count int) {
			var all sync.WaitGroup
			for i := range count {
				all.Go(func() {
					r := execution(i)
					if err := errors.Join(l.Reserve(t.Context()), l.Add(t.Context(), &r)); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
		}
		one := func() (waited time.Duration) {
			added := time.Now()
			several(1)
			return j.last().began.Sub(added)
		}
		if waited := one(); waited != 0 {
			t.Errorf("the first record waited %s", waited)
		}
		// during puts a crowd's records after one that is being committed: they are one group.
		during := func(commit time.Duration) group {
			var both sync.WaitGroup
			both.Go(func() { several(1) })
			time.Sleep(commit / 2)
			both.Go(func() { several(crowd) })
			both.Wait()
			return j.last()
		}
		if got := during(time.Millisecond); got.count != crowd {
			t.Fatalf("the last group has %d records, want %d", got.count, crowd)
		}
		if waited := one(); waited == 0 || waited > limit {
			t.Errorf("a record behind a large group waited %s, and has to wait a little, and %s at most", waited, limit)
		}
		if waited := one(); waited != 0 {
			t.Errorf("a record behind one that was alone waited %s", waited)
		}

		const slow = 20 * time.Millisecond
		j.take(slow)
		began := time.Now()
		if got := during(slow); got.began.Sub(began) != slow || got.count != crowd {
			t.Errorf("behind a slow commit %d records waited %s, want %d and %s", got.count, got.began.Sub(began), crowd, slow)
		}
		j.take(0)
		closeLog(t, l)
	})
}

// Without group commits records are collected for half of the time for which they
// may be at risk; a change does not wait for that.
func TestAsyncBeginsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(clocked)
		c := newHome(t).config(j)
		c.CheckpointFile, c.CheckpointRecords = "", 1<<40
		l := open(t, c)
		added := time.Now()
		add(t, l, execution(1))
		time.Sleep(c.AtRisk / 4)
		add(t, l, execution(2))
		time.Sleep(c.AtRisk)
		if got := j.last(); got.count != 2 || got.began.Sub(added) != c.AtRisk/2 {
			t.Errorf("%d records waited %s", got.count, got.began.Sub(added))
		}
		added = time.Now()
		add(t, l, execution(3))
		note(t, l, audit.Record{Time: time.Now(), Kind: audit.Change})
		if got := j.last(); got.count != 2 || got.began != added {
			t.Errorf("%d records waited %s", got.count, got.began.Sub(added))
		}
		closeLog(t, l)
	})
}
