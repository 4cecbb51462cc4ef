package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/avapd/avapd/internal/store"
)

const (
	// refreshTime is how long one look at the primary may take.
	refreshTime = 5 * time.Second
	// maxBackoff is how long the registry waits at most before it asks a primary
	// that is away again.
	maxBackoff = 2 * time.Second
	// copyPause is how long a copy that could not be written stays so at least.
	copyPause = 10 * time.Second
	// pageRecords is how many records are read at once.
	pageRecords = 5000
)

// Notify tells that there may be something new. It does not wait.
func (r *Registry) Notify() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Start begins to follow the primary store.
func (r *Registry) Start() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return
	}
	r.running.Go(func() { r.follow(r.ctx) })
	if r.config.Copy != nil {
		r.Notify()
		r.running.Go(func() { r.fill(r.ctx) })
	}
	if r.config.KeepUnused > 0 {
		r.running.Go(func() { r.sweepAll(r.ctx) })
	}
}

// Stop ends following and what else is under way. The stores are left open.
func (r *Registry) Stop() {
	r.mu.Lock()
	r.stopped = true
	r.mu.Unlock()
	r.stop()
	r.running.Wait()
}

// follow refreshes when it is told to, and when summaries differ.
func (r *Registry) follow(ctx context.Context) {
	wait := r.config.Compare
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
			err = r.Refresh(ctx)
		case <-timer.C:
			if err = r.compare(ctx); err == nil {
				r.noteUses(ctx)
			}
		}
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			wait = r.config.Compare
		} else {
			wait = min(max(2*wait, r.config.Compare), max(maxBackoff, r.config.Compare))
		}
		timer.Reset(wait)
	}
}

// compare looks whether anything was missed.
func (r *Registry) compare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, refreshTime)
	defer cancel()
	summary, err := r.config.Primary.Summary(ctx)
	if err != nil {
		r.health.refreshed(err, r.config.Now())
		return err //nolint:wrapcheck // it says what is wrong
	}
	s := r.State()
	if summary == s.summary && !r.health.copyIsDue(r.config.Now()) {
		r.health.refreshed(nil, r.config.Now())
		return nil
	}
	return r.Refresh(ctx)
}

// flight is one refresh, whoever waits for it.
type flight struct {
	done chan struct{}
	err  error
}

// Refresh takes over what changed in the primary store before it was called.
// Those who call it while one is under way wait for the next, which is for all
// of them.
func (r *Registry) Refresh(ctx context.Context) error {
	f := r.board()
	if f == nil {
		return errStopped
	}
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", store.ErrUnavailable, context.Cause(ctx))
	}
}

var errStopped = fmt.Errorf("%w: the registry is closed", store.ErrUnavailable)

// board gives the refresh that begins next; nil when there will be none.
func (r *Registry) board() *flight {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return nil
	}
	if r.next == nil {
		r.next = &flight{done: make(chan struct{})}
		if !r.flying {
			r.flying = true
			r.running.Go(r.fly)
		}
	}
	return r.next
}

// fly does one refresh after the other as long as somebody waits.
func (r *Registry) fly() {
	for {
		r.mu.Lock()
		f := r.next
		r.next = nil
		r.flying = f != nil
		r.mu.Unlock()
		if f == nil {
			return
		}
		ctx, cancel := context.WithTimeout(r.ctx, refreshTime)
		f.err = r.refresh(ctx)
		cancel()
		r.health.refreshed(f.err, r.config.Now())
		if f.err != nil && r.ctx.Err() == nil {
			r.config.Log.Warn("the primary store cannot be read; what is known of the commands stays", "error", f.err)
		}
		close(f.done)
	}
}

// refresh makes the State, and then the copy, what the primary store is.
func (r *Registry) refresh(ctx context.Context) error {
	now, copyIsDue := r.State(), r.health.copyIsDue(r.config.Now())
	records, summary, err := read(ctx, r.config.Primary, now.summary.Revision)
	if err != nil {
		return err
	}
	anew := now.summary.Epoch != "" && now.summary.Epoch != summary.Epoch || summary.Revision < now.summary.Revision
	var next *State
	if !anew {
		if len(records) == 0 && summary == now.summary && !copyIsDue {
			return nil
		}
		if next, err = r.with(now, records, summary); err != nil {
			return err
		}
		anew = !next.matches()
	}
	if anew || copyIsDue {
		r.config.Log.Info("the commands are read anew", "epoch", summary.Epoch, "revision", summary.Revision, "before", now.summary.Revision)
		if next, records, err = r.readAll(ctx, r.config.Primary); err != nil {
			return err
		}
		summary = next.summary
	}
	if r.config.Copy != nil {
		r.lacks.note(next, records)
	}
	r.publish(next, records)
	if r.seen != nil {
		r.seen(next)
	}
	r.updateCopy(ctx, anew || copyIsDue, summary, records)
	return nil
}

// updateCopy brings the copy up to date. What goes wrong there is made good the next
// time.
func (r *Registry) updateCopy(ctx context.Context, anew bool, summary store.Summary, records []store.Record) {
	if r.config.Copy == nil || r.copyStale && !anew {
		return
	}
	take := r.config.Copy.Apply
	if anew {
		take = r.config.Copy.Replace
	}
	err := take(ctx, summary, records)
	if err != nil {
		r.config.Log.Error("the offline copy is not up to date", "error", err)
	}
	r.copyStale = err != nil
	r.health.copied(err, r.config.Now())
}

// empty is the State that knows nothing but the configuration.
func (r *Registry) empty() *State {
	s := &State{registry: r, signers: cloneSigners(r.fixed)}
	s.settlePolicy()
	return s
}

// maxReadings is how often everything is read when what was read does not fit
// together: tombstones can be taken away between two pages.
const maxReadings = 3

// readAll makes a State of everything in a store, and gives the records.
func (r *Registry) readAll(ctx context.Context, from store.Store) (*State, []store.Record, error) {
	for range maxReadings {
		records, summary, err := read(ctx, from, 0)
		if err != nil {
			return nil, nil, fmt.Errorf("read the commands: %w", err)
		}
		s, err := r.with(r.empty(), records, summary)
		if err != nil {
			return nil, nil, fmt.Errorf("read the commands: %w", err)
		}
		if s.matches() {
			return s, records, nil
		}
	}
	return nil, nil, errDamaged
}

var errDamaged = errors.New("the records of the store are not what its summary says; it is damaged, or somebody has written to it")

// read gives the records after a revision, and the summary of the store with
// all of them. It begins again when the store becomes another meanwhile.
func read(ctx context.Context, from store.Store, after int64) (records []store.Record, summary store.Summary, err error) {
	at := after
	for {
		page, err := from.Changes(ctx, at, pageRecords)
		if err != nil {
			return nil, store.Summary{}, err //nolint:wrapcheck // the caller words it
		}
		if summary.Epoch != "" && (page.Summary.Epoch != summary.Epoch || page.Summary.Revision < summary.Revision) {
			records, summary, at = nil, store.Summary{}, after
			continue
		}
		records, summary = append(records, page.Records...), page.Summary
		if !page.More || len(page.Records) == 0 {
			return records, summary, nil
		}
		at = page.Records[len(page.Records)-1].Revision
	}
}
