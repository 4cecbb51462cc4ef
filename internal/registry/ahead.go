package registry

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/store"
)

// AheadCompiler compiles commands before anyone calls them.
type AheadCompiler interface {
	// CompileAhead reports whether it has compiled a command, which it leaves when
	// that is compiled already or has no room. It takes its time.
	CompileAhead(ctx context.Context, a *engine.Ahead) (bool, error)
}

// ahead is what is known of commands that are to be compiled before anyone calls
// them.
type ahead struct {
	compiled, failed atomic.Int64
	wake             chan struct{}

	mu sync.Mutex
	// names are the commands that changed since they were last asked for, and all
	// tells that any may have.
	names map[string]struct{}
	all   bool
	// pause is aheadPause, but for tests.
	pause time.Duration
	// end stops what StartAhead began and waits for that; nil before and after.
	end func()
	// settled, in tests, is called when nothing is left to be done.
	settled func()
}

// AheadStats counts commands that were to be compiled before anyone called them.
type AheadStats struct{ Compiled, Failed int64 }

// StartAhead begins to compile the commands that can be called, now and whenever
// another version becomes one, before anyone calls them.
func (r *Registry) StartAhead(compiler AheadCompiler) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ahead.mu.Lock()
	defer r.ahead.mu.Unlock()
	if r.stopped || r.ahead.end != nil {
		return
	}
	ctx, cancel := context.WithCancel(r.ctx)
	done := make(chan struct{})
	r.ahead.end = func() {
		cancel()
		<-done
	}
	r.ahead.names, r.ahead.all = make(map[string]struct{}), true
	r.running.Go(func() {
		defer close(done)
		defer cancel()
		r.compileAhead(ctx, compiler)
	})
}

// StopAhead ends what StartAhead began.
func (r *Registry) StopAhead() {
	r.ahead.mu.Lock()
	end := r.ahead.end
	r.ahead.end, r.ahead.names = nil, nil
	r.ahead.mu.Unlock()
	if end != nil {
		end()
	}
}

// publish makes a State the present one, in which the records are new.
func (r *Registry) publish(next *State, records []store.Record) {
	a := &r.ahead
	a.mu.Lock()
	r.current.Store(next)
	on := a.end != nil
	if on {
		a.note(records)
	}
	a.mu.Unlock()
	if !on {
		return
	}
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

func (a *ahead) note(records []store.Record) {
	for _, record := range records {
		switch record.Kind {
		case kindCommand:
			a.names[record.Name] = struct{}{}
		case kindVersion:
			if name, _, ok := splitVersion(record.Name); ok {
				a.names[name] = struct{}{}
			}
		case kindSigner, kindRevocation:
			a.all = true
		}
	}
	if len(a.names) > maxAhead {
		clear(a.names)
		a.all = true
	}
}

// changes gives the present State, and the commands that may be others in it than
// when it was last called.
func (a *ahead) changes(r *Registry) (now *State, names []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now = r.State()
	if a.all {
		names = now.names
	} else {
		for name := range a.names {
			names = append(names, name)
		}
	}
	clear(a.names)
	a.all = false
	return now, names
}

// compileAhead compiles what becomes active, what changed last before the others,
// until the context ends.
func (r *Registry) compileAhead(ctx context.Context, compiler AheadCompiler) {
	var seen *State
	queue := newAheadQueue(r.ahead.pause)
	defer queue.retry.Stop()
	count := batch{log: r.config.Log.Info}
	for ctx.Err() == nil {
		now, names := r.ahead.changes(r)
		if fresh := activations(seen, now, names); len(fresh) > 0 {
			count.begin(queue.add(fresh))
		}
		seen = now
		if a, ok := queue.next(); ok {
			compiled, err := r.compileActive(ctx, compiler, &a)
			count.done(compiled, err)
			count.begin(queue.done(a, err))
			continue
		}
		count.end()
		count = batch{log: r.config.Log.Debug} // the start is what operators ask about
		if r.ahead.settled != nil {
			r.ahead.settled()
		}
		select {
		case <-r.ahead.wake:
		case <-queue.retry.C:
			count.begin(queue.again())
		case <-ctx.Done():
		}
	}
}

// activations are those of the commands with the names that another version answers
// for than in an earlier State, which is nil if there is none.
func activations(before, now *State, names []string) (list []activation) {
	for _, name := range names {
		is := now.callable(name)
		if is == nil {
			continue
		}
		a := activation{name: name, changed: now.commands.get(name).Updated}
		if before != nil {
			a.replaced = before.callable(name)
		}
		if a.replaced == nil || a.replaced.Digest != is.Digest || a.replaced.Trusted != is.Trusted {
			list = append(list, a)
		}
	}
	return list
}

// callable is what runs when a command is called, or nil.
func (s *State) callable(name string) *engine.Command {
	c, ok := s.Command(name)
	if !ok {
		return nil
	}
	v, p, err := s.choose(c, 0)
	if err != nil {
		return nil
	}
	return v.loader.command(p)
}

// compileActive compiles what answers for a command by now.
func (r *Registry) compileActive(ctx context.Context, compiler AheadCompiler, a *activation) (bool, error) {
	s := r.State()
	command := s.callable(a.name)
	if command == nil {
		return false, nil
	}
	c := s.commands.get(a.name)
	compiled, err := compiler.CompileAhead(ctx, &engine.Ahead{
		Command: command, Bytes: c.Version(c.Active).Size, Changed: c.Updated, Replaced: a.replaced,
	})
	switch {
	case compiled:
		r.ahead.compiled.Add(1)
	case err != nil && ctx.Err() == nil && !a.failed:
		r.ahead.failed.Add(1)
		r.config.Log.Debug("a command could not be compiled ahead", "command", a.name, "error", err)
	}
	return compiled, err
}

// batch counts what is compiled until nothing is left, and tells of it.
type batch struct {
	log                   func(message string, args ...any)
	began                 time.Time
	all, compiled, failed int
}

func (b *batch) begin(n int) {
	if b.all == 0 {
		b.began = time.Now()
	}
	b.all += n
}

func (b *batch) done(compiled bool, err error) {
	switch {
	case err != nil:
		b.failed++
	case compiled:
		b.compiled++
	}
}

func (b *batch) end() {
	if b.all > 0 {
		b.log("commands were compiled before anyone called them",
			"compiled", b.compiled, "failed", b.failed, "left", b.all-b.compiled-b.failed, "ms", time.Since(b.began).Milliseconds())
	}
}
