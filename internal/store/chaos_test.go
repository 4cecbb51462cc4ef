package store_test

import (
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/store"
	"github.com/avapd/avapd/internal/testservices"
)

var (
	chaosFaults = flag.Int("chaos-faults", 12, "how many faults TestChaos makes")
	chaosSeed   = flag.Uint64("chaos-seed", 1, "the seed of TestChaos")
)

// fault does something at random to a proxy, and says how to end it.
func fault(t *testing.T, random *rand.Rand, proxy *testservices.Proxy) (name string, end func()) {
	switch random.IntN(6) {
	case 0:
		proxy.Delay(t, time.Duration(random.IntN(150))*time.Millisecond)
		return "delay", proxy.Heal
	case 1:
		proxy.Cut(t, random.IntN(3000))
		return "cut answers", proxy.Heal
	case 2:
		proxy.CutRequests(t, random.IntN(6000))
		return "cut requests", proxy.Heal
	case 3:
		proxy.Reset(t)
		return "reset", proxy.Heal
	case 4:
		proxy.BlackHole(t)
		return "black hole", proxy.Heal
	}
	proxy.Down()
	return "down", func() { proxy.Up(t) }
}

// TestChaos has writers and a reader at work while one fault after another
// comes and goes. Every call returns in time, the reader sees the store as it
// was after some commit, and what the writers were told is there.
func TestChaos(t *testing.T) {
	const writers = 3
	s, proxy := proxied(t, store.Options{Connections: writers + 1})
	random := rand.New(rand.NewPCG(*chaosSeed, 0))
	var stopped atomic.Bool
	done := make(chan bool) // a call ended, and whether it succeeded
	var running sync.WaitGroup
	all := make([]*writer, writers)
	for i := range all {
		w := &writer{store: s, name: string(rune('a' + i))}
		all[i] = w
		running.Go(func() {
			for !stopped.Load() {
				err := w.tryWrite(t)
				if err != nil && !errors.Is(err, store.ErrUnavailable) {
					t.Error(err)
					stopped.Store(true)
				}
				done <- err == nil
			}
		})
	}
	running.Go(func() {
		last := store.Summary{}
		for !stopped.Load() {
			page, err := readTimely(t, s)
			switch {
			case err != nil && !errors.Is(err, store.ErrUnavailable):
				t.Error(err)
			case err == nil && (page.Summary.Digest != store.Digest(page.Records) || page.Summary.Revision < last.Revision):
				t.Errorf("%+v after %+v", page.Summary, last)
			case err == nil:
				last = page.Summary
			}
			done <- err == nil
		}
	})
	for range *chaosFaults {
		name, end := fault(t, random, proxy)
		t.Log(name)
		awaitCalls(done, 2*writers, false)
		end()
		awaitCalls(done, 2*writers, true)
	}
	stopped.Store(true)
	go func() {
		running.Wait()
		close(done)
	}()
	for range done { // the last calls end
	}
	checkWritten(t, s, all)
}

// awaitCalls waits for some calls to end, or to succeed.
func awaitCalls(done <-chan bool, n int, successful bool) {
	for n > 0 {
		if ok := <-done; ok || !successful {
			n--
		}
	}
}

func readTimely(t *testing.T, s store.Store) (page store.Page, err error) {
	t.Helper()
	err = timely(t, deadline, func(ctx context.Context) error {
		var err error
		page, err = s.Changes(ctx, 0, 0)
		return err
	})
	return page, err
}
