package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// fake is a tier that does as it is told. It counts what it is asked.
type fake struct {
	name string
	get  func(ctx context.Context, digest Digest) ([]byte, error)

	gets, puts, removals atomic.Int64
}

func (f *fake) Name() string { return f.name }

func (f *fake) Get(ctx context.Context, digest Digest) ([]byte, error) {
	f.gets.Add(1)
	return f.get(ctx, digest)
}

func (f *fake) Put(context.Context, Digest, []byte) error {
	f.puts.Add(1)
	return nil
}

func (f *fake) Remove(context.Context, Digest) error {
	f.removals.Add(1)
	return nil
}

func gives(content []byte) func(context.Context, Digest) ([]byte, error) {
	return func(context.Context, Digest) ([]byte, error) { return content, nil }
}

func fails(err error) func(context.Context, Digest) ([]byte, error) {
	return func(context.Context, Digest) ([]byte, error) { return nil, err }
}

// hangs answers nothing, as a network that drops packets does.
func hangs(ctx context.Context, _ Digest) ([]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// deaf looks at no context.
func deaf(after time.Duration) func(context.Context, Digest) ([]byte, error) {
	return func(context.Context, Digest) ([]byte, error) {
		time.Sleep(after)
		return nil, errors.New("late")
	}
}

const (
	testDeadline = 100 * time.Millisecond
	tooLong      = time.Minute
)

// inBubble runs a test over a chain of fakes, with a clock of its own.
func inBubble(t *testing.T, gets []func(context.Context, Digest) ([]byte, error), test func(*testing.T, *Chain, []*fake)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var levels []Level
		var fakes []*fake
		for i, get := range gets {
			f := &fake{name: fmt.Sprint("tier ", i+1), get: get}
			fakes = append(fakes, f)
			levels = append(levels, Level{f, testDeadline})
		}
		c := NewChain(quiet(), maxTestBytes, levels...)
		test(t, c, fakes)
		c.Close()
		time.Sleep(tooLong) // until those who do not care have ended
	})
}

type answers = []func(context.Context, Digest) ([]byte, error)

var errDown = errors.New("connection refused")

// What each tier says decides what the chain says, whom it asks, and whom it
// fills.
func TestChainOfAnswers(t *testing.T) {
	digest, content := artifact("a", 100)
	_, other := artifact("b", 100)
	_, large := artifact("large", maxTestBytes+1)
	absent := fails(ErrNotFound)
	cases := map[string]struct {
		gets     answers
		want     error // nil: the content
		asked    []int64
		filled   []int64
		removals []int64
	}{
		"the first has it":            {answers{gives(content), hangs}, nil, []int64{1, 0}, []int64{0, 0}, []int64{0, 0}},
		"the second has it":           {answers{absent, gives(content)}, nil, []int64{1, 1}, []int64{1, 0}, []int64{0, 0}},
		"the third has it":            {answers{absent, absent, gives(content)}, nil, []int64{1, 1, 1}, []int64{1, 1, 0}, []int64{0, 0, 0}},
		"nobody has it":               {answers{absent, absent}, ErrNotFound, []int64{1, 1}, []int64{0, 0}, []int64{0, 0}},
		"one is down":                 {answers{fails(errDown), gives(content)}, nil, []int64{1, 1}, []int64{0, 0}, []int64{0, 0}},
		"one is down, nobody has it":  {answers{fails(errDown), absent}, ErrUnavailable, []int64{1, 1}, []int64{0, 0}, []int64{0, 0}},
		"all are down":                {answers{fails(errDown), fails(errDown)}, ErrUnavailable, []int64{1, 1}, []int64{0, 0}, []int64{0, 0}},
		"one has something else":      {answers{gives(other), gives(content)}, nil, []int64{1, 1}, []int64{1, 0}, []int64{1, 0}},
		"one has a part":              {answers{gives(content[:99]), gives(content)}, nil, []int64{1, 1}, []int64{1, 0}, []int64{1, 0}},
		"one has nothing in it":       {answers{gives(nil), gives(content)}, nil, []int64{1, 1}, []int64{1, 0}, []int64{1, 0}},
		"one has too much":            {answers{gives(large), gives(content)}, nil, []int64{1, 1}, []int64{1, 0}, []int64{1, 0}},
		"the only one is wrong":       {answers{gives(other), absent}, ErrUnavailable, []int64{1, 1}, []int64{0, 0}, []int64{1, 0}},
		"one hangs":                   {answers{hangs, gives(content)}, nil, []int64{1, 1}, []int64{0, 0}, []int64{0, 0}},
		"one hangs and does not care": {answers{deaf(tooLong), gives(content)}, nil, []int64{1, 1}, []int64{0, 0}, []int64{0, 0}},
		"there is no tier":            {answers{}, ErrNotFound, nil, nil, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			inBubble(t, c.gets, func(t *testing.T, chain *Chain, fakes []*fake) {
				got, err := chain.Get(t.Context(), digest)
				if !errors.Is(err, c.want) || c.want == nil && !bytes.Equal(got, content) {
					t.Errorf("got %d bytes and %v", len(got), err)
				}
				synctest.Wait()
				for i, f := range fakes {
					if f.gets.Load() != c.asked[i] || f.puts.Load() != c.filled[i] || f.removals.Load() != c.removals[i] {
						t.Errorf("%s was asked %d times, filled %d and cleaned %d times", f.name, f.gets.Load(), f.puts.Load(), f.removals.Load())
					}
				}
			})
		})
	}
}

// A tier that answers nothing costs one deadline, and then one for every rest.
func TestChainPaysForABlackHoleOnce(t *testing.T) {
	digest, content := artifact("a", 100)
	for name, hole := range map[string]func(context.Context, Digest) ([]byte, error){"hangs": hangs, "does not care": deaf(tooLong)} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, answers{hole, gives(content)}, func(t *testing.T, c *Chain, fakes []*fake) {
				began := time.Now()
				for range 100 {
					if _, err := c.Get(t.Context(), digest); err != nil {
						t.Fatal(err)
					}
				}
				if took := time.Since(began); took != testDeadline {
					t.Errorf("a hundred calls took %v, want one deadline of %v", took, testDeadline)
				}
				time.Sleep(restPeriod)
				began = time.Now()
				for range 100 {
					c.Get(t.Context(), digest)
				}
				if took := time.Since(began); took != testDeadline || fakes[0].gets.Load() != 2 {
					t.Errorf("after a rest they took %v, with %d calls", took, fakes[0].gets.Load())
				}
			})
		})
	}
}

// A tier that is back is asked again, after a rest at the latest.
func TestChainAsksAgain(t *testing.T) {
	digest, content := artifact("a", 100)
	inBubble(t, answers{fails(errDown), gives(content)}, func(t *testing.T, c *Chain, fakes []*fake) {
		for range failuresToOpen + 10 {
			c.Get(t.Context(), digest)
		}
		if got := fakes[0].gets.Load(); got != failuresToOpen {
			t.Errorf("it was asked %d times while it was down, want %d", got, failuresToOpen)
		}
		if s := c.Stats()[0]; !s.Open || s.Failures != failuresToOpen || s.Skipped != 10 {
			t.Errorf("%+v", s)
		}
		fakes[0].get = gives(content)
		time.Sleep(restPeriod)
		c.Get(t.Context(), digest)
		c.Get(t.Context(), digest)
		if s := c.Stats()[0]; s.Open || s.Hits != 2 {
			t.Errorf("%+v", s)
		}
	})
}

// Many who ask for one artifact are one question, and whoever loses patience
// does not end it for the others.
func TestChainSingleFlight(t *testing.T) {
	digest, content := artifact("a", 100)
	slow := func(ctx context.Context, _ Digest) ([]byte, error) {
		select {
		case <-time.After(testDeadline / 2):
			return content, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	inBubble(t, answers{slow}, func(t *testing.T, c *Chain, fakes []*fake) {
		var all sync.WaitGroup
		var served, gone atomic.Int64
		for i := range 100 {
			all.Go(func() {
				ctx := t.Context()
				if i%2 == 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, testDeadline/10)
					defer cancel()
				}
				switch got, err := c.Get(ctx, digest); {
				case err == nil && bytes.Equal(got, content):
					served.Add(1)
				case errors.Is(err, context.DeadlineExceeded):
					gone.Add(1)
				}
			})
		}
		all.Wait()
		if served.Load() != 50 || gone.Load() != 50 || fakes[0].gets.Load() != 1 {
			t.Errorf("%d served, %d gone, %d questions", served.Load(), gone.Load(), fakes[0].gets.Load())
		}
	})
}

// That an artifact is nowhere is remembered, briefly; that a tier failed is
// not, and an upload makes it known at once.
func TestChainRemembersWhatIsMissing(t *testing.T) {
	digest, content := artifact("a", 100)
	inBubble(t, answers{fails(ErrNotFound)}, func(t *testing.T, c *Chain, fakes []*fake) {
		ask := func(want error, questions int64) {
			t.Helper()
			if _, err := c.Get(t.Context(), digest); !errors.Is(err, want) || fakes[0].gets.Load() != questions {
				t.Errorf("got %v after %d questions, want %v after %d", err, fakes[0].gets.Load(), want, questions)
			}
		}
		ask(ErrNotFound, 1)
		ask(ErrNotFound, 1)
		time.Sleep(missingFor)
		ask(ErrNotFound, 2)
		fakes[0].get = gives(content)
		ask(ErrNotFound, 2)
		c.Keep(content)
		ask(nil, 3)
		fakes[0].get = fails(errDown)
		ask(ErrUnavailable, 4)
		ask(ErrUnavailable, 5)
	})
}

func TestChainBoundsWhatItRemembers(t *testing.T) {
	inBubble(t, answers{fails(ErrNotFound)}, func(t *testing.T, c *Chain, _ []*fake) {
		for i := range maxMissing + 100 {
			digest, _ := artifact(fmt.Sprint(i), 1)
			digest[0], digest[1] = byte(i), byte(i>>8) // contents of one byte are few
			c.Get(t.Context(), digest)
		}
		if len(c.missing) != maxMissing {
			t.Errorf("it remembers %d", len(c.missing))
		}
	})
}

func TestChainBoundsFlights(t *testing.T) {
	inBubble(t, answers{hangs}, func(t *testing.T, c *Chain, fakes []*fake) {
		var all sync.WaitGroup
		for i := range maxFlights + 10 {
			all.Go(func() {
				digest, _ := artifact(fmt.Sprint(i), 100)
				if _, err := c.Get(t.Context(), digest); !errors.Is(err, ErrUnavailable) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if got := fakes[0].gets.Load(); got != maxFlights {
			t.Errorf("%d were fetched at the same time, want %d", got, maxFlights)
		}
	})
}

// An upload fills the tiers that we fill, and is not refused by a closed chain.
func TestChainKeeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := newMemory("first"), newMemory("second")
		second.Keep = nil
		c := NewChain(quiet(), maxTestBytes, Level{first, testDeadline}, Level{second, testDeadline})
		digest, content := artifact("a", 100)
		c.Keep(content)
		synctest.Wait()
		c.Close()
		c.Keep(content)
		if got, err := first.Get(t.Context(), digest); err != nil || !bytes.Equal(got, content) {
			t.Errorf("the first tier has %d bytes and %v", len(got), err)
		}
		if _, err := second.Get(t.Context(), digest); !errors.Is(err, ErrNotFound) {
			t.Errorf("the second tier is not filled by us, and says %v", err)
		}
		if _, err := c.Get(t.Context(), digest); !errors.Is(err, ErrUnavailable) {
			t.Errorf("a closed chain says %v", err)
		}
	})
}

// Closing ends what is under way.
func TestChainCloses(t *testing.T) {
	inBubble(t, answers{hangs}, func(t *testing.T, c *Chain, _ []*fake) {
		digest, _ := artifact("a", 100)
		ended := make(chan error, 1)
		go func() {
			_, err := c.Get(context.Background(), digest)
			ended <- err
		}()
		synctest.Wait()
		began := time.Now()
		c.Close()
		if err := <-ended; !errors.Is(err, ErrUnavailable) || time.Since(began) != 0 {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}
