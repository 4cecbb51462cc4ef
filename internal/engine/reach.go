package engine

import (
	"errors"
	"fmt"

	"github.com/avapd/avapd/internal/refcount"
	"github.com/avapd/avapd/wasmhost"
	"github.com/avapd/avapd/wasmhost/commands"
)

// reach is what scripts can reach outside the sandbox from one adjustment of the
// engine to the next. Its connections stay open until the last execution ends
// that was there while it was the present one.
type reach struct {
	set   *commands.Set
	table map[string]wasmhost.Command
	// users are the executions and calls that hold it; one more is the engine, as
	// long as it is the present one. Without any it is over.
	users refcount.Count
}

func newReach(config commands.Config) (*reach, error) {
	set, err := commands.New(config)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	r := &reach{set: set, table: set.Table()}
	r.users.Retain()
	return r, nil
}

// commandTable gives the commands, each of which does what the present reach
// says: a policy holds from the next call on.
func (e *Engine) commandTable() map[string]wasmhost.Command {
	table := make(map[string]wasmhost.Command, len(e.reach.Load().table))
	for field := range e.reach.Load().table {
		table[field] = func(c *wasmhost.Call) error {
			r := e.holdReach()
			defer e.dropReach(r)
			return r.table[field](c)
		}
	}
	return table
}

// holdReach gives the present reach to a user more.
func (e *Engine) holdReach() *reach {
	for {
		r := e.reach.Load()
		if r.users.TryRetain() {
			return r
		}
		// It was replaced, and its last user has left.
	}
}

// dropReach takes one user off; after the last one the connections are closed, which
// nobody waits for but the end of the engine.
func (e *Engine) dropReach(r *reach) {
	if !r.users.Release() {
		return
	}
	e.retiring.Go(func() {
		if err := r.set.Close(); err != nil && e.config.Commands.Log != nil {
			e.config.Commands.Log.Warn("connections of the former configuration did not close", "error", err.Error())
		}
	})
}

// Adjustment is what a running engine takes anew.
type Adjustment struct {
	// Limits and MaxLimits are those of Config; the memory in them must not be
	// more than the engine was made with.
	Limits, MaxLimits Limits
	SourceBytes       int
	// Commands is nil if it stays as it is.
	Commands *commands.Config
}

// bounds is what requests are measured by.
type bounds struct {
	limits, most Limits
	sourceBytes  int
}

// Adjust changes all of it, or nothing if there is an error.
func (e *Engine) Adjust(a Adjustment) error {
	next := bounds{limits: orElse(a.Limits, DefaultLimits), sourceBytes: a.SourceBytes}
	next.most = orElse(a.MaxLimits, next.limits)
	pick(&next.sourceBytes, DefaultSourceBytes)
	var opened *reach
	if a.Commands != nil {
		var err error
		if opened, err = newReach(*a.Commands); err != nil {
			return err
		}
	}
	e.changing.Lock()
	defer e.changing.Unlock()
	if e.running.closing() {
		if opened != nil {
			return errors.Join(errors.New("engine: closed"), opened.set.Close())
		}
		return errors.New("engine: closed")
	}
	e.bounds.Store(&next)
	if opened != nil {
		e.dropReach(e.reach.Swap(opened))
	}
	return nil
}
