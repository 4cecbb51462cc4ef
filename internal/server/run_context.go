package server

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/avapd/avapd/internal/logging"
	"github.com/avapd/avapd/internal/tracing"
)

// endCause is a reason for which the server ends an execution. It counts as
// context.Canceled.
type endCause string

func (e endCause) Error() string { return string(e) }

// Is makes the cause count as a cancellation.
func (e endCause) Is(target error) bool { return target == context.Canceled }

const (
	errClientGone endCause = "the client closed the connection"
	errShutdown   endCause = "the server is stopping"
	errBatchLate  endCause = "the time for the batch, batch.time_ms, is over"
	errStopped    endCause = "an administrator stopped the execution"
)

// runContext is the context of one execution. Other than one made with
// context.WithCancel it hangs on no parent: whatever runs is in the watcher's
// list, which is where a shutdown finds it. Err is cheap, because it is asked
// at every slice of fuel. It is made anew for every execution, because a
// context may be held longer than its execution; what is known about that is
// the note's, and no longer to be asked for then.
type runContext struct {
	*watched
	// id and request are of an execution, for the log.
	id      executionID
	request string
	// span is what the work is part of; nil where nobody traces.
	span *tracing.Span

	cause atomic.Pointer[error]
	mu    sync.Mutex
	done  chan struct{} // made when someone asks for it
}

// Interface guards.
var (
	_ context.Context    = (*runContext)(nil)
	_ logging.Identified = (*runContext)(nil)
)

func (c *runContext) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }

// Value gives the span to those who do a part of the work, and the identifiers of
// the work to the log.
func (c *runContext) Value(key any) any {
	if key == (logging.Key{}) {
		return c
	}
	return c.span.Value(key)
}

// LogIDs implements logging.Identified.
func (c *runContext) LogIDs() (request, execution, trace string) {
	if c.id != (executionID{}) {
		execution = c.id.String()
	}
	return c.request, execution, c.span.TraceID()
}

func (c *runContext) Err() error {
	if cause := c.cause.Load(); cause != nil {
		return *cause
	}
	return nil
}

func (c *runContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.cause.Load() != nil {
			close(c.done)
		}
	}
	return c.done
}

// end cancels the context. The first cause counts.
func (c *runContext) end(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause.CompareAndSwap(nil, &cause) && c.done != nil {
		close(c.done)
	}
}
