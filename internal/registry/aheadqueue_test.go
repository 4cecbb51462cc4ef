package registry

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/store"
)

func activationAt(name string, second int64, replaced *engine.Command) activation {
	return activation{name: name, changed: time.Unix(second, 0), replaced: replaced}
}

// namesOf lists what waits, without taking it.
func namesOf(list []activation) string {
	names := make([]string, len(list))
	for i, a := range list {
		names[i] = a.name
	}
	return strings.Join(names, " ")
}

// A command waits once, however often it changes, and remembers what callers have
// in use.
func TestAheadQueueHasEachCommandOnce(t *testing.T) {
	first, second := new(engine.Command), new(engine.Command)
	q := newAheadQueue(time.Hour)
	if more := q.add([]activation{activationAt("a", 1, first), activationAt("b", 2, nil)}); more != 2 {
		t.Errorf("%d more", more)
	}
	if more := q.add([]activation{activationAt("a", 3, second), activationAt("c", 1, second), activationAt("b", 2, second)}); more != 1 {
		t.Errorf("%d more", more)
	}
	if got := namesOf(q.waiting); got != "a b c" {
		t.Errorf("%s wait", got)
	}
	if q.waiting[0].replaced != first || q.waiting[1].replaced != second {
		t.Error("what callers use is not known")
	}
	q.done(activationAt("d", 1, first), diag.NewFailure(diag.ArtifactUnavailable, "away"))
	if more := q.add([]activation{activationAt("d", 9, second)}); more != 1 || len(q.lacking) != 0 || q.waiting[0].replaced != first {
		t.Errorf("%d more, %d lack, %s wait", more, len(q.lacking), namesOf(q.waiting))
	}
	q.retry.Stop()
}

// Neither what waits nor what is lacking grows without bound; what changed first
// goes.
func TestAheadQueueIsBounded(t *testing.T) {
	q := newAheadQueue(time.Hour)
	for i := range 3 {
		var many []activation
		for j := range maxAhead {
			many = append(many, activationAt(fmt.Sprint(i, " ", j), int64(i), nil))
		}
		q.add(many)
	}
	if n := len(q.waiting); n != maxAhead || q.waiting[n-1].changed != time.Unix(2, 0) {
		t.Errorf("%d wait, the last since %v", n, q.waiting[n-1].changed)
	}
	for i := range maxAhead + 1 {
		q.done(activationAt(fmt.Sprint(i), 1, nil), diag.NewFailure(diag.NoCapacity, "none"))
	}
	if len(q.lacking) != maxAhead {
		t.Errorf("%d lack", len(q.lacking))
	}
	q.retry.Stop()

	a := ahead{names: make(map[string]struct{})}
	for i := range 3 * maxAhead {
		a.note([]store.Record{{Kind: kindCommand, Name: fmt.Sprint(i)}})
	}
	if len(a.names) > maxAhead || !a.all {
		t.Errorf("%d names, all %t", len(a.names), a.all)
	}
}

// While nothing can be had, one command is tried after each pause, and the pauses
// become longer. When one can be had, the others are tried at once.
func TestAheadQueueTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newAheadQueue(time.Second)
		away := diag.NewFailure(diag.ArtifactUnavailable, "away")
		q.add([]activation{activationAt("a", 3, nil), activationAt("b", 2, nil), activationAt("c", 1, nil), activationAt("d", 0, nil)})
		more := 0
		round := func(err error) (tried string) {
			for a, ok := q.next(); ok; a, ok = q.next() {
				tried += a.name
				more += q.done(a, err)
			}
			return tried
		}
		if got := round(&engine.FetchError{Err: away}); got != "abcd" {
			t.Errorf("tried %s", got)
		}
		var trace []string
		for range 7 {
			began := time.Now()
			<-q.retry.C
			q.again()
			trace = append(trace, fmt.Sprint(int(time.Since(began).Seconds()), round(away)))
		}
		if got := strings.Join(trace, " "); got != "1a 2b 4c 8d 16a 30b 30c" {
			t.Errorf("tried %s", got)
		}
		<-q.retry.C
		q.again()
		if got := round(nil); got != "dabc" || len(q.lacking) != 0 || more != 3 {
			t.Errorf("tried %s, %d of them for another, and %s lack", got, more, namesOf(q.lacking))
		}
		if q.add([]activation{activationAt("e", 1, nil)}); round(errors.New("no module")) != "e" || len(q.lacking) != 0 {
			t.Error("what cannot succeed later is tried again")
		}
	})
}

// A command whose probe another activation takes over keeps the others from nothing.
func TestAheadQueueLosesNoProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newAheadQueue(time.Second)
		away := diag.NewFailure(diag.ArtifactUnavailable, "away")
		q.done(activationAt("a", 1, nil), away)
		q.done(activationAt("b", 1, nil), away)
		<-q.retry.C
		q.again()
		q.add([]activation{activationAt("a", 2, nil)})
		a, _ := q.next()
		q.done(a, nil)
		<-q.retry.C
		q.again()
		if b, ok := q.next(); a.name != "a" || b.name != "b" || !ok {
			t.Errorf("after %s came %s", a.name, b.name)
		}
	})
}

// sometimes is a store that is away at times, and has lost an artifact.
type sometimes struct {
	store.Store

	away  atomic.Bool
	lost  Digest
	asked atomic.Int64
}

func (s *sometimes) Artifact(ctx context.Context, digest [32]byte) ([]byte, error) {
	s.asked.Add(1)
	if s.away.Load() || digest == s.lost {
		return nil, store.ErrUnavailable
	}
	return s.Store.Artifact(ctx, digest)
}

// What could not be had at the start is compiled ahead when the store is back.
func TestAheadAfterTheStoreWasAway(t *testing.T) {
	key, path := newSigner(t), filepath.Join(t.TempDir(), "avapd.db")
	open := func(artifacts Artifacts) *node {
		return newNode(t, Config{Primary: openStore(t, path, store.Options{}), Trust: []Signer{key.trust("team")}, Artifacts: artifacts})
	}
	before := open(nil)
	const commands = 3
	for i := range commands {
		before.mustUpload(t, fmt.Sprint("c", i), key.module(t, fmt.Sprintf("r = %d\naddResult(r)", i)))
	}
	from := &sometimes{Store: before.config.Primary, lost: before.mustUpload(t, "lost", key.module(t, "r = 'lost'\naddResult(r)")).Digest}
	from.away.Store(true)
	n := open(from)
	n.ahead.pause = time.Millisecond
	rounds := make(chan struct{})
	n.ahead.settled = func() { rounds <- struct{}{} }
	n.StartAhead(n.engine)
	<-rounds
	was := from.asked.Load()
	<-rounds
	if asked := from.asked.Load() - was; asked > 1 {
		t.Errorf("after a pause %d artifacts were asked for", asked)
	}
	from.away.Store(false)
	for n.Health().Ahead.Compiled < commands {
		<-rounds
	}
	if h := n.Health().Ahead; h != (AheadStats{Compiled: commands, Failed: commands + 1}) {
		t.Errorf("%+v", h)
	}
	for i := range commands {
		if !n.hit(t, fmt.Sprint("c", i)) {
			t.Errorf("the first call of c%d had it compiled", i)
		}
	}
	end := make(chan struct{})
	go func() {
		n.StopAhead()
		close(end)
	}()
	for {
		select {
		case <-rounds:
		case <-end:
			return
		}
	}
}
