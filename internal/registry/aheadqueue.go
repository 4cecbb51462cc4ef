package registry

import (
	"errors"
	"slices"
	"time"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
)

const (
	// maxAhead bounds the commands that wait to be compiled ahead. Those that changed
	// before the others are left to their first calls.
	maxAhead = 16384
	// aheadPause and maxAheadPause are between attempts to compile ahead what could
	// not be had.
	aheadPause    = time.Second
	maxAheadPause = 30 * time.Second
)

// activation is a command that can be called, and could not before or was another
// one.
type activation struct {
	name     string
	changed  time.Time
	replaced *engine.Command // nil for nothing
	failed   bool            // it was tried before
	probe    bool            // whether others are tried again depends on it
}

// aheadQueue has the commands that are to be compiled ahead, each of them once.
type aheadQueue struct {
	// waiting is what changed last before the others.
	waiting []activation
	// lacking could not be had. After a pause one of them is tried again, and when
	// that succeeds the others are. So a store that is away is asked for one artifact
	// at a time, and one that has lost an artifact keeps no other command waiting.
	lacking []activation
	probe   []activation
	retry   *time.Timer
	armed   bool
	// pause is the next one, least the shortest.
	pause, least time.Duration
}

func newAheadQueue(pause time.Duration) *aheadQueue {
	q := &aheadQueue{retry: time.NewTimer(pause), pause: pause, least: pause}
	q.retry.Stop()
	return q
}

// add has commands wait, and gives how many of them did not already. What callers
// may still have in use is what the first of several activations replaced.
func (q *aheadQueue) add(fresh []activation) (more int) {
	index := make(map[string]int, len(fresh))
	for i := range fresh {
		index[fresh[i].name] = i
	}
	known := func(old activation) bool {
		i, ok := index[old.name]
		if ok && old.replaced != nil {
			fresh[i].replaced = old.replaced
		}
		return ok
	}
	before := len(q.waiting)
	q.waiting = slices.DeleteFunc(q.waiting, known)
	more = len(fresh) - (before - len(q.waiting))
	q.lacking, q.probe = slices.DeleteFunc(q.lacking, known), slices.DeleteFunc(q.probe, known)
	q.wait(fresh)
	return more
}

func (q *aheadQueue) wait(more []activation) {
	q.waiting = append(q.waiting, more...)
	slices.SortStableFunc(q.waiting, func(a, b activation) int { return b.changed.Compare(a.changed) })
	q.waiting = q.waiting[:min(len(q.waiting), maxAhead)]
}

// next takes what is to be compiled now.
func (q *aheadQueue) next() (a activation, ok bool) {
	from := &q.probe
	if len(q.probe) == 0 {
		from = &q.waiting
	}
	if len(*from) == 0 {
		q.waiting = nil
		return activation{}, false
	}
	a, *from = (*from)[0], (*from)[1:]
	return a, true
}

// done tells what came of a command, and gives how many others are tried again for it.
func (q *aheadQueue) done(a activation, err error) (more int) {
	switch {
	case mayPass(err):
		a.failed, a.probe = true, false
		q.lacking = append(q.lacking, a)
		q.lacking = q.lacking[max(0, len(q.lacking)-maxAhead):]
	case a.probe:
		more = len(q.lacking)
		q.wait(q.lacking)
		q.lacking, q.pause = nil, q.least
	}
	if len(q.lacking) > 0 && len(q.probe) == 0 && !q.armed {
		q.armed = true
		q.retry.Reset(q.pause)
		q.pause = min(2*q.pause, maxAheadPause)
	}
	return more
}

// again is what follows the pause. It gives how many commands are tried again.
func (q *aheadQueue) again() int {
	q.armed = false
	if len(q.lacking) == 0 {
		q.pause = q.least
		return 0
	}
	first := q.lacking[0]
	first.probe = true
	q.lacking, q.probe = q.lacking[1:], []activation{first}
	return 1
}

// mayPass tells whether what failed may succeed later, though nothing changes.
func mayPass(err error) bool {
	failure, ok := errors.AsType[*diag.Failure](err)
	return ok && (failure.Code == diag.ArtifactUnavailable || failure.Code == diag.NoCapacity)
}
