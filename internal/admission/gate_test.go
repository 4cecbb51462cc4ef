package admission

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/avapd/avapd/internal/fairqueue"
)

// testWait is the patience of who leaves it to the gate.
const testWait = time.Hour

func nobody() (slots int, waited time.Duration) { return 1, 0 }

// fixed gives a gate whose places do not change.
func fixed(places, queue, clientQueue int) *Gate {
	return New(Limits{Most: places, Queue: queue, ClientQueue: clientQueue, Wait: time.Second}, nobody, func(time.Duration) {})
}

// entrant tries to come in.
type entrant struct {
	client string
	in     chan error
}

func enter(g *Gate, client string) *entrant {
	e := &entrant{client, make(chan error, 1)}
	go func() { e.in <- g.Enter(context.Background(), client, testWait) }()
	synctest.Wait()
	return e
}

// state is "in", "waits" or the reason for a refusal.
func (e *entrant) state() string {
	select {
	case err := <-e.in:
		e.in <- err
		if err == nil {
			return "in"
		}
		return err.Error()
	default:
		return "waits"
	}
}

func states(list ...*entrant) string {
	var words []string
	for _, e := range list {
		words = append(words, e.client+" "+e.state())
	}
	return strings.Join(words, ", ")
}

func leave(g *Gate, e *entrant) {
	g.Leave(e.client, time.Now())
	synctest.Wait()
}

func expect(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// One client has half of the places, and others find some.
func TestShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := fixed(4, 10, 0)
		a1, a2, a3 := enter(g, "a"), enter(g, "a"), enter(g, "a")
		expect(t, states(a1, a2, a3), "a in, a in, a waits")
		b1, b2 := enter(g, "b"), enter(g, "b")
		expect(t, states(b1, b2), "b in, b waits")
		c1 := enter(g, "c")
		expect(t, states(c1), "c in")
		d1 := enter(g, "d")
		expect(t, states(d1), "d waits")
		leave(g, a1)
		expect(t, states(d1, a3, b2), "d in, a waits, b waits")
		leave(g, a2)
		expect(t, states(a3, b2), "a in, b waits") // a has none, b has one
		for _, e := range []*entrant{a3, b1, c1, d1} {
			leave(g, e)
		}
		expect(t, states(b2), "b in")
		leave(g, b2)
		if s := g.Stats(); s.Running != 0 || s.Waiting != 0 || s.Waits != 3 || len(g.clients) != 0 || len(g.turns) != 0 {
			t.Errorf("something is left: %+v, %v", s, g.clients)
		}
	})
}

// Who comes when there are fewer places than others have already finds its share, but
// no client of many does: what all have together stays near the number of places.
func TestShareOfFewerPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := fixed(40, 100, 0)
		var crowd []*entrant
		for range 20 {
			crowd = append(crowd, enter(g, "a"))
		}
		g.mu.Lock()
		g.places = 9
		g.mu.Unlock()
		a, b1, b2, b3, b4 := enter(g, "a"), enter(g, "b"), enter(g, "b"), enter(g, "b"), enter(g, "b")
		expect(t, states(a, b1, b2, b3, b4), "a waits, b in, b in, b in, b waits")
		leave(g, b1)
		expect(t, states(a, b4), "a waits, b in")
		var others []*entrant
		came := 0
		for i := range 20 {
			e := enter(g, fmt.Sprint("c", i))
			others = append(others, e)
			if e.state() == "in" {
				came++
			}
		}
		if came != 6 { // the seventh would be one of nine clients, whose share is less than one of nine places
			t.Errorf("%d of 20 others came in", came)
		}
		time.Sleep(time.Second) // nobody waits for longer
		for _, e := range slices.Concat(crowd, []*entrant{b2, b3, b4}, others) {
			if e.state() == "in" {
				leave(g, e)
			}
		}
		if s := g.Stats(); s.Running != 0 || s.Waiting != 0 {
			t.Errorf("something is left: %+v", s)
		}
	})
}

// Those who wait take turns by client, however many of one there are.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := fixed(1, 100, 0)
		running := enter(g, "x")
		var all []*entrant
		for client := range strings.FieldsSeq("a a a a b c b") {
			all = append(all, enter(g, client))
		}
		var order []string
		for range 7 {
			leave(g, running)
			i := slices.IndexFunc(all, func(e *entrant) bool { return e.state() == "in" })
			running = all[i]
			all = slices.Delete(all, i, i+1)
			order = append(order, running.client)
		}
		expect(t, strings.Join(order, " "), "a b c a b a a")
		leave(g, running)
	})
}

// A client waits with its share, and a full queue takes from the longest line.
func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := fixed(1, 4, 3)
		running := enter(g, "x")
		a1, a2, a3, a4 := enter(g, "a"), enter(g, "a"), enter(g, "a"), enter(g, "a")
		expect(t, states(a1, a2, a3, a4), "a waits, a waits, a waits, a "+ErrClientFull.Error())
		b1, b2, b3 := enter(g, "b"), enter(g, "b"), enter(g, "b")
		expect(t, states(a1, a2, a3, b1, b2, b3), "a waits, a waits, a "+ErrClientFull.Error()+", b waits, b waits, b "+ErrFull.Error())
		c1 := enter(g, "c")
		expect(t, states(a1, a2, b1, b2, c1), "a waits, a "+ErrClientFull.Error()+", b waits, b waits, c waits")
		leave(g, running)
		leave(g, a1)
		leave(g, b1)
		leave(g, c1)
		leave(g, b2)
		if s := g.Stats(); s.Full != 1 || s.ClientFull != 3 || s.Running+s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestWaitIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waited time.Duration
		g := New(Limits{Most: 1, Queue: 4, Wait: time.Second}, nobody, func(d time.Duration) { waited += d })
		running := enter(g, "x")
		began := time.Now()
		late := enter(g, "a")
		time.Sleep(time.Second)
		synctest.Wait()
		expect(t, states(late), "a "+ErrLate.Error())
		if took := time.Since(began); took != time.Second {
			t.Errorf("it waited %v", took)
		}
		leave(g, running)
		if s := g.Stats(); s.Late != 1 || waited != time.Second || s.Running+s.Waiting != 0 || len(g.clients) != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// Who is patient waits for as long as it takes.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := fixed(1, 4, 0)
		running := enter(g, "x")
		in := make(chan error, 1)
		go func() { in <- g.Enter(t.Context(), "a", Forever) }()
		time.Sleep(time.Hour)
		leave(g, running)
		if err := <-in; err != nil {
			t.Error(err)
		}
		g.Leave("a", time.Now())
	})
}

// Who goes while it waits leaves nothing behind.
func TestContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := fixed(1, 4, 0)
		running := enter(g, "x")
		ctx, cancel := context.WithCancelCause(t.Context())
		gone := errors.New("gone")
		in := make(chan error, 1)
		go func() { in <- g.Enter(ctx, "a", testWait) }()
		synctest.Wait()
		cancel(gone)
		if err := <-in; !errors.Is(err, gone) {
			t.Error(err)
		}
		leave(g, running)
		if s := g.Stats(); s.Running+s.Waiting != 0 || len(g.clients) != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// When it is known how fast places come back, who would wait too long is refused
// at once, and told when to come.
func TestRefusedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := fixed(1, 1000, 0)
		last := enter(g, "x")
		for range 100 { // a place comes back every 100 ms
			next := enter(g, "x")
			time.Sleep(100 * time.Millisecond)
			leave(g, last)
			last = next
		}
		var all []*entrant
		for range 12 {
			all = append(all, enter(g, "a"))
		}
		waiting := slices.IndexFunc(all, func(e *entrant) bool { return e.state() != "waits" })
		if waiting < 8 || waiting > 11 {
			t.Errorf("%d wait", waiting)
		}
		err := <-all[11].in
		if refused, ok := errors.AsType[*Refusal](err); !ok || !errors.Is(err, ErrLate) || refused.Retry < time.Second || refused.Retry > 2*time.Second {
			t.Errorf("refused with %#v", err)
		}
		b := enter(g, "b")
		expect(t, states(b), "b waits")
		time.Sleep(time.Second)
		leave(g, last)
		synctest.Wait()
	})
}

// load is a simulation of executions that compute in turns, in fake time.
type load struct {
	gate    *Gate
	slots   *fairqueue.Slots
	compute time.Duration
	group   sync.WaitGroup

	mu             sync.Mutex
	served         []time.Duration
	refused        int
	slowestRefusal time.Duration
}

const simulatedSlots = 2

// slice is how long one computes before it is another's turn.
const slice = 2 * time.Millisecond

func newLoad(compute time.Duration, limits Limits) *load {
	l := &load{slots: fairqueue.New(fairqueue.Limits{Slots: simulatedSlots, Queued: 1 << 20}), compute: compute}
	l.gate = New(limits, func() (int, time.Duration) { return simulatedSlots, l.slots.Waited() }, func(time.Duration) {})
	return l
}

func (l *load) request(client string) {
	arrived := time.Now()
	if err := l.gate.Enter(context.Background(), client, testWait); err != nil {
		l.mu.Lock()
		l.refused++
		l.slowestRefusal = max(l.slowestRefusal, time.Since(arrived))
		l.mu.Unlock()
		return
	}
	w := fairqueue.NewWaiter(client)
	_ = l.slots.Wait(context.Background(), w)
	for left := l.compute; left > 0; left -= slice {
		time.Sleep(min(left, slice))
		_, _ = l.slots.Yield(context.Background(), w)
	}
	l.slots.Leave(client)
	now := time.Now()
	l.gate.Leave(client, now)
	l.mu.Lock()
	l.served = append(l.served, now.Sub(arrived))
	l.mu.Unlock()
}

// run sends requests of several clients at a multiple of what can be computed.
func (l *load) run(times float64, clients int, long time.Duration) {
	gap := time.Duration(float64(l.compute) / simulatedSlots / times)
	for i, end := 0, time.Now().Add(long); time.Now().Before(end); i++ {
		l.group.Go(func() { l.request(fmt.Sprint("client ", i%clients)) })
		time.Sleep(gap)
	}
}

// At twice of what can be computed, as much is computed as can be, those that are
// served take little longer than alone, and others are refused in bounded time.
// Afterwards everything is as it was.
func TestOverload(t *testing.T) {
	for _, test := range []struct {
		compute time.Duration
		clients int
		// slowest is what 99 of 100 that are served take at most.
		slowest time.Duration
	}{
		{2 * time.Millisecond, 1, 200 * time.Millisecond},
		{2 * time.Millisecond, 10, 200 * time.Millisecond},
		{100 * time.Millisecond, 1, 500 * time.Millisecond},
		{100 * time.Millisecond, 10, 500 * time.Millisecond},
		{time.Second, 3, 4 * time.Second},
	} {
		t.Run(fmt.Sprint(test.compute, " of ", test.clients), func(t *testing.T) {
			if testing.Short() && test.compute < 100*time.Millisecond {
				t.Skip("many events")
			}
			synctest.Test(t, func(t *testing.T) {
				const wait, delay = 500 * time.Millisecond, 50 * time.Millisecond
				l := newLoad(test.compute, Limits{Least: 2 * simulatedSlots, Most: 2000, Queue: 1000, Wait: wait, Delay: delay})
				l.run(2, test.clients, 20*time.Second) // it learns
				l.mu.Lock()
				l.served, l.refused, l.slowestRefusal = nil, 0, 0
				l.mu.Unlock()
				// Long enough for a hundred to be few: one of them is chance, as is which of
				// the goroutines that could go on at the same moment does.
				long := max(30*time.Second, 600*test.compute)
				l.run(2, test.clients, long)
				l.mu.Lock()
				served := slices.Sorted(slices.Values(l.served))
				capacity := int(simulatedSlots * long / test.compute)
				p99 := served[len(served)*99/100]
				t.Logf("%d of %d served, 99 of 100 in %v, %d refused in %v at most, %d places", len(served), capacity, p99, l.refused, l.slowestRefusal, l.gate.Stats().Places)
				if len(served) < capacity*95/100 {
					t.Errorf("%d were served of %d that can be computed", len(served), capacity)
				}
				if p99 > test.slowest {
					t.Errorf("99 of 100 were served in %v", p99)
				}
				limit := delay
				if test.compute > wait { // so rare that each comes in a moment of its own
					limit = wait
				}
				if l.refused == 0 || l.slowestRefusal > limit {
					t.Errorf("%d were refused in %v at most", l.refused, l.slowestRefusal)
				}
				l.mu.Unlock()
				l.group.Wait()
				if s := l.gate.Stats(); s.Running+s.Waiting != 0 || len(l.gate.clients) != 0 {
					t.Errorf("something is left: %+v", s)
				}
			})
		})
	}
}

// What computes little and waits for others much is not overload: nobody is kept
// out.
func TestWaitingForOthersIsNoOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoad(slice, Limits{Least: 4, Most: 2000, Queue: 1000, Wait: time.Second, Delay: 50 * time.Millisecond})
		for range 1000 {
			l.group.Go(func() {
				if err := l.gate.Enter(t.Context(), "a", testWait); err != nil {
					t.Error(err)
					return
				}
				time.Sleep(3 * time.Second)
				l.gate.Leave("a", time.Now())
			})
			time.Sleep(time.Millisecond)
		}
		l.group.Wait()
		if s := l.gate.Stats(); s.Places != 2000 || s.Waits != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// Those that wait for others beside some that wait to compute for a moment are not
// what makes them wait.
func TestWaitingForOthersBesideBursts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoad(20*time.Millisecond, Limits{Least: 4, Most: 2000, Queue: 1000, Wait: time.Second, Delay: 50 * time.Millisecond})
		for i := range 1000 {
			l.group.Go(func() {
				if err := l.gate.Enter(t.Context(), "a", testWait); err != nil {
					t.Error(err)
					return
				}
				time.Sleep(3 * time.Second)
				l.gate.Leave("a", time.Now())
			})
			if i%50 == 0 {
				for range 8 {
					l.group.Go(func() { l.request("b") })
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
		l.group.Wait()
		if s := l.gate.Stats(); s.Places != 2000 || s.Waits != 0 || l.refused > 0 {
			t.Errorf("%+v, %d refused", s, l.refused)
		}
	})
}

// After overload the places come back as they are asked for.
func TestRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoad(100*time.Millisecond, Limits{Least: 4, Most: 200, Queue: 1000, Wait: time.Second, Delay: 50 * time.Millisecond})
		l.run(2, 3, 20*time.Second)
		l.group.Wait()
		if n := l.gate.Stats().Places; n > 40 {
			t.Fatalf("%d places under overload", n)
		}
		l.compute = 0 // nothing to wait for from now on
		for range 40 {
			var group sync.WaitGroup
			for range 400 {
				group.Go(func() {
					if l.gate.Enter(t.Context(), "a", testWait) != nil {
						return
					}
					time.Sleep(100 * time.Millisecond)
					l.gate.Leave("a", time.Now())
				})
			}
			group.Wait()
		}
		if n := l.gate.Stats().Places; n != 200 {
			t.Errorf("%d places", n)
		}
	})
}

func TestAdjust(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := fixed(1, 4, 0)
		x, a := enter(g, "x"), enter(g, "a")
		expect(t, states(x, a), "x in, a waits")
		g.Adjust(Limits{Most: 2, Queue: 4, Wait: time.Second})
		synctest.Wait()
		expect(t, states(a), "a in")
		g.Adjust(Limits{Most: 1, Queue: 4, Wait: time.Second})
		leave(g, x)
		b := enter(g, "b")
		expect(t, states(b), "b waits")
		leave(g, a)
		expect(t, states(b), "b in")
		leave(g, b)
	})
}

func TestAllocatesNothing(t *testing.T) {
	g := fixed(10, 10, 0)
	now := time.Now()
	if n := testing.AllocsPerRun(100, func() {
		if g.Enter(context.Background(), "a", testWait) == nil {
			g.Leave("a", now)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkGate(b *testing.B) {
	g := fixed(10, 10, 0)
	now := time.Now()
	for b.Loop() {
		if g.Enter(context.Background(), "a", testWait) == nil {
			g.Leave("a", now)
		}
	}
}
