package engine

import (
	"context"
	"slices"
	"time"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/wasmhost"
)

// Ahead is a command to be compiled before anyone calls it.
type Ahead struct {
	Command *Command
	// Bytes is the size of its artifact.
	Bytes int
	// Changed is when it became what it is. Of commands that nobody has called yet,
	// those that changed last stay in memory.
	Changed time.Time
	// Replaced is what had its name before; nil for nothing.
	Replaced *Command
}

// aheadClient is whom compiles ahead count for. No client has the name.
const aheadClient = "compile ahead"

// CompileAhead makes a command ready to run, unless it is, or there is no room:
// nothing that callers use is dropped for it. It does so behind callers, and returns
// after a rest, so that whoever calls it again and again leaves most of the time to
// them. It reports whether it has compiled the command. Its errors are those of
// LoadCommand.
func (e *Engine) CompileAhead(ctx context.Context, a *Ahead) (bool, error) {
	if !e.cache.wants(a) {
		return false, nil
	}
	began := time.Now()
	entry, err := e.beginAhead(ctx, a)
	if entry == nil || err != nil {
		return false, err
	}
	select {
	case <-entry.done:
	case <-ctx.Done():
		return false, findFailure(ctx, context.Cause(ctx))
	}
	e.cache.restAhead(ctx, time.Since(began))
	switch {
	case entry.err != nil:
		return false, findFailure(ctx, entry.err)
	case entry.findings.HasErrors():
		return false, entry.findings
	}
	return true, nil
}

// beginAhead gets the artifact and has it compiled. The entry is nil where somebody
// else does that, or there is no room any more. That the artifact cannot be had is
// not remembered: a caller asks for it anew.
func (e *Engine) beginAhead(ctx context.Context, a *Ahead) (*entry, error) {
	wasm, err := a.Command.fetch(ctx)
	if err != nil {
		return nil, findFailure(ctx, err)
	}
	held := e.enter()
	if held == nil {
		return nil, shuttingDown()
	}
	defer e.leave(held) // the cache waits for what has begun
	return e.cache.beginAhead(a, func() work {
		return work{compile: func(func()) (*wasmhost.Module, diag.List, error) { return e.loadCommand(a.Command, wasm) }}
	}), nil
}

// wants tells whether a command is to be compiled ahead: nobody has, and there is
// room.
func (c *cache) wants(a *Ahead) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.aheadBytes == 0 || c.present(a.Command.key()) != nil {
		return false
	}
	c.tellUses()
	c.pruneAhead()
	if c.inherits(a) {
		return true
	}
	_, ok := c.roomAhead(a.Changed, artifactBytes(a.Bytes), c.bytes)
	return ok
}

// inherits tells whether callers use here what had a command's name before. They
// will call the command: it is kept as if they had asked for it.
func (c *cache) inherits(a *Ahead) bool {
	old := c.replaced(a)
	return old != nil && !old.ahead
}

// replaced is the entry of what had a command's name before; nil where it is not in
// memory.
func (c *cache) replaced(a *Ahead) *entry {
	if a.Replaced == nil {
		return nil
	}
	if old := c.entries[a.Replaced.key()]; old != nil && old.kept && old.module != nil {
		return old
	}
	return nil
}

// beginAhead has a command compiled that nobody has asked for; nil if somebody has.
func (c *cache) beginAhead(a *Ahead, prepare func() work) *entry {
	c.mu.Lock()
	e, job := c.addAhead(a, prepare)
	c.mu.Unlock()
	if e != nil {
		c.doBehind(aheadClient, e, job, time.Now())
	}
	return e
}

// addAhead makes the entry of a command that is compiled ahead.
func (c *cache) addAhead(a *Ahead, prepare func() work) (*entry, *work) {
	k := a.Command.key()
	if c.present(k) != nil {
		return nil, nil
	}
	e, job, err := c.add(aheadClient, k, prepare)
	if err != nil {
		return nil, nil
	}
	c.tellUses()
	e.unasked, e.changed = true, a.Changed
	e.ahead = !c.inherits(a)
	if old := c.replaced(a); old != nil && old.ahead {
		c.order.Invalidate(old.place()) // nobody has called it, and now nobody will
	}
	return e, job
}

// makeRoom drops for an entry, which is counted already, what was compiled ahead and
// is not called. It is false for an entry that was itself compiled ahead where that
// is not enough.
func (c *cache) makeRoom(e *entry) bool {
	if e.ahead && (e.wanted > 0 || e.module == nil) {
		e.ahead = false
	}
	if !e.ahead {
		c.yieldAhead()
		return true
	}
	c.pruneAhead()
	dropped, ok := c.roomAhead(e.changed, e.bytes, c.bytes-e.bytes)
	if !ok {
		return false
	}
	for _, other := range dropped {
		c.order.Invalidate(other.place())
	}
	at, _ := slices.BinarySearchFunc(c.ahead, e.changed, func(other *entry, t time.Time) int { return other.changed.Compare(t) })
	c.ahead, e.listed = slices.Insert(c.ahead, at, e), true
	return true
}

// roomAhead finds what has to be dropped for a command that is compiled ahead, of
// those that were and changed before it did, where others take so many bytes.
func (c *cache) roomAhead(changed time.Time, bytes, others int64) (dropped []*entry, ok bool) {
	lacking, surplus := bytes+others-(c.maxBytes-c.reserved), bytes-c.aheadBytes
	for _, e := range c.ahead {
		surplus += e.bytes
	}
	for _, e := range c.ahead {
		if lacking <= 0 && surplus <= 0 || !e.changed.Before(changed) {
			break
		}
		dropped = append(dropped, e)
		lacking -= e.bytes
		surplus -= e.bytes
	}
	return dropped, lacking <= 0 && surplus <= 0
}

// yieldAhead drops what was compiled ahead and is not called, what changed first
// before the others, until there is room for all that is kept.
func (c *cache) yieldAhead() {
	for c.bytes > c.maxBytes-c.reserved && len(c.ahead) > 0 {
		oldest := c.ahead[0]
		if !oldest.ahead {
			c.unlist(oldest)
			continue
		}
		c.evictions++
		c.order.Invalidate(oldest.place())
	}
}

// pruneAhead forgets that commands were compiled ahead which somebody has called.
func (c *cache) pruneAhead() {
	c.ahead = slices.DeleteFunc(c.ahead, func(e *entry) bool {
		e.listed = e.ahead
		return !e.listed
	})
}

// unlist takes an entry from those that were compiled ahead.
func (c *cache) unlist(e *entry) {
	if e.listed {
		at := slices.Index(c.ahead, e)
		c.ahead, e.listed = slices.Delete(c.ahead, at, at+1), false
	}
}

// restAhead rests for as long as was worked, and for much longer when callers wait
// for their turns. That has no bound of its own, as nothing else waits for it to end.
func (c *cache) restAhead(ctx context.Context, worked time.Duration) {
	if c.threads.crowded() || c.workers.Waiting() > 0 {
		worked *= restFactor
	}
	timer := time.NewTimer(worked)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
