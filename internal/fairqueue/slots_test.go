package fairqueue

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// awaitWaiting waits until n stand in line.
func awaitWaiting(s *Slots, n int) {
	for s.Waiting() != n {
		runtime.Gosched()
	}
}

// contest plays turns on one slot. Whose turn it is holds the slot until the
// next turn is asked for, so that everything is in line by then.
type contest struct {
	t       *testing.T
	slots   *Slots
	turns   chan string
	goOn    chan struct{}
	started bool
	left    int // turns that are still to come
	// takes is how long the turns of some clients take.
	takes map[string]time.Duration
	group sync.WaitGroup
}

// newContest takes the slot; the first turn gives it back.
func newContest(t *testing.T) *contest {
	c := &contest{t: t, slots: New(Limits{Slots: 1, Queued: 100}), turns: make(chan string), goOn: make(chan struct{})}
	if err := c.slots.Enter(t.Context(), "holder"); err != nil {
		t.Fatal(err)
	}
	return c
}

// join puts a member of a client in line, which takes a number of turns.
func (c *contest) join(client string, turns int) {
	c.left += turns
	waiting := c.slots.Waiting()
	c.group.Go(func() {
		if err := c.slots.Enter(context.Background(), client); err != nil {
			c.t.Error(err)
			return
		}
		w := NewWaiter(client)
		for i := range turns {
			c.turns <- client
			<-c.goOn
			c.slots.Charge(w, c.takes[client])
			if i == turns-1 {
				break
			}
			if _, err := c.slots.Yield(context.Background(), w); err != nil {
				c.t.Error(err)
			}
		}
		c.slots.Leave(client)
	})
	awaitWaiting(c.slots, waiting+1)
}

// next gives whose the next turns are, as one text.
func (c *contest) next(n int) string {
	var got []string
	for range n {
		if c.started {
			c.goOn <- struct{}{}
		} else {
			c.slots.Leave("holder")
			c.started = true
		}
		got = append(got, <-c.turns)
		c.left--
	}
	return strings.Join(got, "")
}

// end plays what is left.
func (c *contest) end() {
	c.next(c.left)
	c.goOn <- struct{}{}
	c.group.Wait()
	if c.slots.Waiting() != 0 || len(c.slots.line) != 0 || c.slots.queued != 0 || c.slots.Free() != 1 {
		c.t.Errorf("%d wait, %d clients in line, %d queued, %d free", c.slots.Waiting(), len(c.slots.line), c.slots.queued, c.slots.Free())
	}
}

func TestTurnsGoRoundTheClients(t *testing.T) {
	c := newContest(t)
	for range 5 {
		c.join("a", 4)
	}
	for range 2 {
		c.join("b", 4)
	}
	c.join("c", 4)
	if got, want := c.next(12), "abcabcabcabc"; got != want {
		t.Errorf("turns went %s, want %s", got, want)
	}
	// c is through; the others go on in turns until b is, too.
	if got, want := c.next(8), "abababab"; got != want {
		t.Errorf("turns went %s, want %s", got, want)
	}
	c.end()
}

// Who has longer turns has fewer.
func TestLongTurnsCountForMore(t *testing.T) {
	c := newContest(t)
	c.takes = map[string]time.Duration{"a": 4 * Turn, "b": 2 * Turn}
	for range 3 {
		c.join("a", 8)
		c.join("b", 16)
		c.join("v", 32)
	}
	counts := map[rune]int{}
	for _, turn := range c.next(56) {
		counts[turn]++
	}
	if counts['a'] != 8 || counts['b'] != 16 || counts['v'] != 32 {
		t.Errorf("turns: %v", counts)
	}
	c.end()
}

// A client that was alone with a long turn goes behind the one that comes, for
// as long as that turn was.
func TestLongTurnIsPaidForLater(t *testing.T) {
	c := newContest(t)
	c.takes = map[string]time.Duration{"a": 6 * Turn}
	for range 3 {
		c.join("a", 4)
	}
	c.next(3)
	c.join("v", 8)
	c.join("v", 8)
	if got, want := c.next(13), "vvvvvavvvvvva"; got != want {
		t.Errorf("turns went %s, want %s", got, want)
	}
	c.end()
}

// However long a client's line is, another's execution gets the next turn.
func TestNewClientGetsTheNextTurn(t *testing.T) {
	c := newContest(t)
	for range 50 {
		c.join("a", 4)
	}
	if got := c.next(10); got != strings.Repeat("a", 10) {
		t.Errorf("turns went %s", got)
	}
	c.join("v", 1)
	if got := c.next(1); got != "v" {
		t.Errorf("the next turn went to %s", got)
	}
	c.end()
}

// New clients come first, but a stream of them does not keep the others out.
func TestStreamOfClientsLeavesTurns(t *testing.T) {
	c := newContest(t)
	for range 4 {
		c.join("a", 40)
	}
	c.next(1)
	got := ""
	for i := range 60 {
		if len(c.slots.line) < 2 {
			c.join("n"+fmt.Sprint(i), 1)
		}
		got += c.next(1)[:1]
	}
	if n := strings.Count(got, "a"); n < 25 {
		t.Errorf("%d of 60 turns beside a stream of clients: %s", n, got)
	}
	c.end()
}

// A client that comes back for each turn gets no more than one that stays.
func TestReturningClientKeepsItsDebt(t *testing.T) {
	c := newContest(t)
	c.join("a", 30)
	c.join("b", 30)
	c.join("r", 1)
	counts := map[string]int{}
	for range 30 {
		turn := c.next(1)
		counts[turn]++
		if turn == "r" {
			c.join("r", 1) // while the turn of the first one lasts
		}
	}
	if counts["r"] > 11 || counts["a"] < 9 || counts["b"] < 9 {
		t.Errorf("turns: %v", counts)
	}
	c.end()
}

// A client that has no more than its share keeps its slot, though others wait.
func TestOwnTurnIsNotHandedOver(t *testing.T) {
	s := New(Limits{Slots: 2, Queued: 10})
	ctx := t.Context()
	for _, client := range []string{"a", "v"} {
		if err := s.Enter(ctx, client); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan error)
	go func() { done <- s.Enter(ctx, "a") }()
	awaitWaiting(s, 1)
	back := make(chan bool)
	go func() {
		changed, err := s.Yield(ctx, NewWaiter("a"))
		back <- changed && err == nil
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if changed, err := s.Yield(ctx, NewWaiter("v")); changed || err != nil {
		t.Errorf("v lost its slot to a second one of a: %v", err)
	}
	s.Leave("v")
	if !<-back {
		t.Error("a's slot did not change hands")
	}
	s.Leave("a")
	s.Leave("a")
}

func TestBounds(t *testing.T) {
	s := New(Limits{Slots: 1, Queued: 3, ClientQueued: 2})
	ctx, cancel := context.WithCancelCause(context.Background())
	if err := s.Enter(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	wait := func(client string, n int) {
		go func() { ended <- s.Enter(ctx, client) }()
		awaitWaiting(s, n)
	}
	wait("a", 1)
	wait("a", 2)
	if err := s.Enter(ctx, "a"); !errors.Is(err, ErrClientFull) {
		t.Errorf("third of a: %v", err)
	}
	wait("b", 3)
	if err := s.Enter(ctx, "c"); !errors.Is(err, ErrFull) {
		t.Errorf("fourth of all: %v", err)
	}
	gone := errors.New("gone")
	cancel(gone)
	for range 3 {
		if err := <-ended; !errors.Is(err, gone) {
			t.Errorf("cancelled in line: %v", err)
		}
	}
	s.Leave("a")
	if s.Waiting() != 0 || s.Free() != 1 || len(s.clients) != 0 {
		t.Errorf("%d wait, %d free, %d clients", s.Waiting(), s.Free(), len(s.clients))
	}
}

func TestShareOfAClient(t *testing.T) {
	s := New(Limits{Slots: 4, ClientSlots: 2, Queued: 100})
	ctx := t.Context()
	entered := make(chan string, 20)
	enter := func(client string) {
		go func() {
			if err := s.Enter(ctx, client); err != nil {
				t.Error(err)
			}
			entered <- client
		}()
	}
	for range 10 {
		enter("a")
	}
	<-entered
	<-entered
	awaitWaiting(s, 8)
	if s.Free() != 2 {
		t.Fatalf("%d free beside a's two", s.Free())
	}
	enter("b")
	if got := <-entered; got != "b" {
		t.Errorf("%s got b's slot", got)
	}
	for range 8 {
		s.Leave("a")
		if got := <-entered; got != "a" {
			t.Errorf("%s got a's slot", got)
		}
	}
	s.Leave("a")
	s.Leave("a")
	s.Leave("b")
	if s.Free() != 4 || len(s.clients) != 0 {
		t.Errorf("%d free, %d clients", s.Free(), len(s.clients))
	}
}

func TestIdleComesLast(t *testing.T) {
	s := New(Limits{Slots: 1, Queued: 10})
	ctx := t.Context()
	w := NewWaiter("")
	w.Set("", true)
	if err := s.EnterIdle(ctx); err != nil {
		t.Fatal(err)
	}
	if changed, err := s.Yield(ctx, w); changed || err != nil {
		t.Errorf("yielded to nobody: %v %v", changed, err)
	}
	entered := make(chan error)
	go func() { entered <- s.Enter(ctx, "a") }()
	awaitWaiting(s, 1)
	back := make(chan bool)
	go func() {
		changed, err := s.Yield(ctx, w)
		back <- changed && err == nil
	}()
	if err := <-entered; err != nil {
		t.Fatal(err)
	}
	for s.waiting.Load() != background {
		runtime.Gosched()
	}
	if own := NewWaiter("a"); s.Crowded(own) {
		t.Error("a client makes room for what is idle")
	}
	go func() { entered <- s.Enter(ctx, "b") }()
	awaitWaiting(s, 1)
	s.Leave("a")
	if err := <-entered; err != nil {
		t.Fatal(err)
	}
	s.Leave("b")
	if !<-back {
		t.Error("the idle one did not come back")
	}
	s.Leave("")
}

// Where it counts who holds a slot, nobody can hold one without a name, whoever
// else is called "".
func TestNoIdleWhereHoldersAreCounted(t *testing.T) {
	s := New(Limits{Slots: 3, ClientSlots: 2, Queued: 10})
	if err := s.Enter(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if err := s.EnterIdle(t.Context()); !errors.Is(err, ErrNoIdle) {
		t.Errorf("got %v", err)
	}
	if s.Free() != 2 || s.clients[""].held != 1 || s.Waiting() != 0 {
		t.Errorf("%d free, %d held, %d waiting", s.Free(), s.clients[""].held, s.Waiting())
	}
	s.Leave("")
	if s.Free() != 3 || len(s.clients) != 0 {
		t.Errorf("%d free, %d clients", s.Free(), len(s.clients))
	}
}

// A wait that ends with its context holds no slot, and none is lost.
func TestCancelledWhileYielding(t *testing.T) {
	s := New(Limits{Slots: 1, Queued: 10})
	ctx, cancel := context.WithCancel(context.Background())
	if err := s.Enter(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	entered := make(chan error)
	go func() { entered <- s.Enter(context.Background(), "b") }()
	awaitWaiting(s, 1)
	yielded := make(chan error)
	go func() {
		_, err := s.Yield(ctx, NewWaiter("a"))
		yielded <- err
	}()
	if err := <-entered; err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-yielded; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	s.Leave("b")
	if s.Free() != 1 || s.Waiting() != 0 {
		t.Errorf("%d free, %d waiting", s.Free(), s.Waiting())
	}
}

// asleep puts a waiter in line whose goroutine does not run until the test lets it.
func asleep(s *Slots, client string) *Waiter {
	w := NewWaiter(client)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.join(w) {
		panic("a slot was free")
	}
	return w
}

// A free slot does not wait for the one who has the next turn to wake up: another
// request of the same client takes it, once, and another client's only if the turn
// is its own.
func TestOfferedSlotIsNotIdle(t *testing.T) {
	s := New(Limits{Slots: 1, Queued: 10})
	ctx := t.Context()
	enter := func(client string, want bool) {
		t.Helper()
		w := NewWaiter(client)
		s.mu.Lock()
		got := s.join(w)
		if !got {
			s.remove(w)
		}
		s.mu.Unlock()
		if got != want {
			t.Errorf("%s found a slot: %v", client, got)
		}
	}
	if err := s.Enter(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	sleeper, other := asleep(s, "a"), asleep(s, "b")
	s.Leave("a")
	if s.offered != sleeper || s.Free() != 1 {
		t.Fatal("nothing was offered")
	}
	enter("b", false) // it is a's turn
	enter("a", true)
	if told := <-sleeper.told; told != offered || s.accept(sleeper) {
		t.Error("the slot was not taken by another")
	}
	s.Leave("a")
	if s.offered != other {
		t.Error("b has not the next turn")
	}
	enter("a", false)
	if told := <-other.told; told != offered || !s.accept(other) {
		t.Error("b found no slot")
	}
	s.Leave("b")
	if told := <-sleeper.told; told != granted || s.Free() != 0 {
		t.Error("who was passed over does not get the next slot")
	}
	s.Leave("a")
	if s.Free() != 1 || s.Waiting() != 0 || s.offered != nil {
		t.Errorf("%d free, %d waiting", s.Free(), s.Waiting())
	}
}

// After a long turn the slot is handed over: who comes meanwhile stands in line.
func TestSlotIsHandedOverAfterLongTurn(t *testing.T) {
	for _, took := range []time.Duration{shortTurn, shortTurn + 1} {
		s := New(Limits{Slots: 1, Queued: 10})
		if err := s.Enter(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		next := asleep(s, "a")
		s.charge("a", took)
		s.Leave("a")
		if told, want := <-next.told, took > shortTurn; (told == granted) != want {
			t.Errorf("after %v: handed over is %v", took, !want)
		}
	}
}

// An offer goes on to the next when who has it gives up, and to one more when
// another slot becomes free.
func TestOfferIsPassedOn(t *testing.T) {
	s := New(Limits{Slots: 2, Queued: 10})
	gone, cancel := context.WithCancel(t.Context())
	for range 2 {
		if err := s.Enter(gone, "a"); err != nil {
			t.Fatal(err)
		}
	}
	first, second, third := asleep(s, "a"), asleep(s, "a"), asleep(s, "a")
	s.Leave("a")
	cancel()
	if s.offered != first || s.abandon(gone, first) == nil || s.offered != second {
		t.Fatal("the offer was not passed on")
	}
	s.Leave("a")
	if s.offered != third || second.standing() || s.Free() != 1 {
		t.Error("two are free and one is offered")
	}
	if told := <-second.told; told != offered || !s.accept(second) {
		t.Error("the second found no slot")
	}
	// Who hands its slot over may hand it to the one that was offered another.
	if changed, err := s.Yield(t.Context(), NewWaiter("a")); !changed || err != nil {
		t.Errorf("%v, %v", changed, err)
	}
	if told := <-third.told; told != offered || !s.accept(third) {
		t.Error("the third found no slot")
	}
	s.Leave("a")
	s.Leave("a")
	if s.Free() != 2 || s.Waiting() != 0 || s.offered != nil {
		t.Errorf("%d free, %d waiting", s.Free(), s.Waiting())
	}
}

// Slots are neither lost nor made by cancellations that race with turns.
func TestKeepsCount(t *testing.T) {
	for _, limits := range []Limits{{Slots: 2, Queued: 100}, {Slots: 3, ClientSlots: 2, Queued: 100}} {
		s := New(limits)
		var wg sync.WaitGroup
		var mu sync.Mutex
		inside := 0
		count := func(d int) {
			mu.Lock()
			defer mu.Unlock()
			if inside += d; inside > limits.Slots {
				t.Errorf("%d hold one of %d slots", inside, limits.Slots)
			}
		}
		for i := range 16 {
			name := string(rune('a' + i%5))
			wg.Go(func() {
				w := NewWaiter(name)
				for range 200 {
					ctx, cancel := context.WithCancel(context.Background())
					go cancel()
					if s.Enter(ctx, name) != nil {
						continue
					}
					count(1)
					count(-1)
					if _, err := s.Yield(ctx, w); err != nil {
						continue
					}
					count(1)
					runtime.Gosched()
					count(-1)
					s.Leave(name)
				}
			})
		}
		wg.Wait()
		if s.Free() != limits.Slots || s.Waiting() != 0 || s.queued != 0 || len(s.line) != 0 {
			t.Errorf("%d free, %d waiting, %d queued", s.Free(), s.Waiting(), s.queued)
		}
	}
}

// What is remembered of clients does not grow with their number.
func TestForgetsClients(t *testing.T) {
	s := New(Limits{Slots: 1, Queued: 10})
	ctx := t.Context()
	if err := s.Enter(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	w := NewWaiter("a")
	most := 0
	for i := range 2000 {
		done := make(chan struct{})
		name := fmt.Sprint(i)
		go func() {
			defer close(done)
			if err := s.Enter(ctx, name); err != nil {
				t.Error(err)
			}
			s.Leave(name)
		}()
		awaitWaiting(s, 1)
		for turn := true; turn; {
			if _, err := s.Yield(ctx, w); err != nil {
				t.Fatal(err)
			}
			select {
			case <-done:
				turn = false
			default:
			}
		}
		most = max(most, len(s.clients))
	}
	if most > 4*leastSweep {
		t.Errorf("%d clients were remembered", most)
	}
}

func BenchmarkUncontended(b *testing.B) {
	s := New(Limits{Slots: runtime.GOMAXPROCS(0), Queued: 1000})
	ctx := b.Context()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if s.Enter(ctx, "a") == nil {
				s.Leave("a")
			}
		}
	})
}

// What is done in a slot is paid for by whose it is.
func TestDoIsPaidFor(t *testing.T) {
	slots := New(Limits{Slots: 1, Queued: 4})
	var order []string
	var group sync.WaitGroup
	turn := func(client string, f func()) {
		waiting := slots.Waiting()
		group.Go(func() {
			if err := slots.Do(context.Background(), client, func() { order = append(order, client); f() }); err != nil {
				t.Error(err)
			}
		})
		awaitWaiting(slots, waiting+1)
	}
	err := slots.Do(t.Context(), "holder", func() {
		turn("a", func() { slots.charge("a", time.Second) })
		turn("a", func() {})
		turn("b", func() {})
		turn("b", func() {})
	})
	if err != nil {
		t.Fatal(err)
	}
	group.Wait()
	if got := strings.Join(order, ""); got != "abba" {
		t.Errorf("turns of %s", got)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_ = slots.Enter(t.Context(), "holder")
	if err := slots.Do(ended, "a", func() { t.Error("called without a slot") }); err == nil {
		t.Error("no error")
	}
	slots.Leave("holder")
}
