package engine

import (
	"sync"
	"sync/atomic"
)

// running counts executions, and tells when there is none left and none will come.
// Everything is in one number, so that nobody can come in between a look at the
// count and a look at whether the engine closes.
type running struct {
	// state is the count, with runningClosed added when nobody is let in any more.
	// Who finds that leaves at once, and is counted until then.
	state atomic.Int64
	none  chan struct{} // closed when it is closed and nothing runs
	once  sync.Once
}

// runningClosed is more than can ever run.
const runningClosed = 1 << 62

// enter counts one in, who must leave, unless it is closed.
func (r *running) enter() bool {
	if r.state.Add(1) < runningClosed {
		return true
	}
	r.leave()
	return false
}

func (r *running) leave() {
	if r.state.Add(-1) == runningClosed {
		r.end()
	}
}

// close lets nobody in any more, and tells whether it was open.
func (r *running) close() bool {
	switch before := r.state.Or(runningClosed); {
	case before >= runningClosed:
		return false
	case before == 0:
		r.end()
	}
	return true
}

// end is called more than once when somebody tries to come in at the end.
func (r *running) end() { r.once.Do(func() { close(r.none) }) }

func (r *running) closing() bool { return r.state.Load() >= runningClosed }

func (r *running) count() int { return int(r.state.Load() &^ runningClosed) }
