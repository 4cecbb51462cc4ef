package registry

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/store"
)

const (
	// maxAttempts bounds how often a change is decided anew because others were
	// faster.
	maxAttempts = 10
	// commitTime is how long a change may take, and downTime when the primary
	// was away the last time.
	commitTime = 10 * time.Second
	downTime   = time.Second
	// keptPrevious is how far back a command can be rolled.
	keptPrevious = 20
)

// commit writes what decide makes of a State, and again when others were faster.
// It gives the revision of what was written, which is 0 where nothing was to be
// changed.
func (r *Registry) commit(ctx context.Context, decide func(*State) (store.Batch, error)) (revision int64, err error) {
	limit := commitTime
	if r.health.isDown() {
		limit = downTime
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for range maxAttempts {
		batch, err := decide(r.State())
		if err != nil {
			return 0, err
		}
		if len(batch.Puts) == 0 && len(batch.Artifacts) == 0 {
			return 0, nil
		}
		revision, err := r.config.Primary.Commit(ctx, batch)
		switch {
		case err == nil && len(batch.Puts) == 0:
			return 0, nil
		case err == nil:
			r.committed(ctx, revision)
			return revision, nil
		case !errors.Is(err, store.ErrConflict):
			return 0, r.commitFailure(err)
		}
		// The other's change must be known before this one is decided again.
		if err := r.Refresh(ctx); err != nil {
			return 0, r.commitFailure(err)
		}
	}
	return 0, diag.NewFailure(diag.Conflict, "others change the same at the same time; try again")
}

// committed makes a change known. It has happened, whatever comes of this.
func (r *Registry) committed(ctx context.Context, revision int64) {
	if err := r.Refresh(ctx); err != nil {
		r.config.Log.Warn("a change is stored but not seen here yet", "revision", revision, "error", err)
		r.Notify()
	}
	r.config.Announce(revision)
}

// commitFailure words why a change could not be stored.
func (r *Registry) commitFailure(err error) error {
	switch {
	case errors.Is(err, store.ErrUncertain):
		return failed(diag.StoreUnavailable, err, "the store does not answer: it is not known whether the change happened; look, or send it again")
	case errors.Is(err, store.ErrFull):
		return failed(diag.StoreFull, err, "the store has no room left; nothing was changed")
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return failed(diag.StoreUnavailable, err, "the store cannot be reached; nothing was changed")
	case errors.Is(err, store.ErrInvalid):
		return failed(diag.BadFieldValue, err, "the change is too large to be stored")
	}
	return failed(diag.Internal, err, "internal error")
}

// changeCommand writes a command as alter leaves it, and gives it so; alter
// reports whether that is a change.
func (r *Registry) changeCommand(ctx context.Context, name, by string, alter func(*State, *Command) (bool, error)) (*Command, error) {
	var next Command
	revision, err := r.commit(ctx, func(s *State) (store.Batch, error) {
		c, ok := s.Command(name)
		if !ok {
			return store.Batch{}, diag.NewFailure(diag.NoSuchCommand, "there is no command %s", name)
		}
		next = *c
		changed, err := alter(s, &next)
		if err != nil || !changed {
			return store.Batch{}, err
		}
		next.Updated, next.By = r.now(), by
		return onePut(putCommand(&next))
	})
	if err != nil {
		return nil, err
	}
	// It is stored, and may not be seen here yet.
	next.revision = max(next.revision, revision)
	if now, ok := r.State().Command(name); ok && now.revision >= next.revision {
		return now, nil
	}
	return &next, nil
}

func putCommand(c *Command) (store.Put, error) {
	return withDocument(store.Put{Kind: kindCommand, Name: c.Name, Expect: c.revision}, c)
}

// now has the precision of documents.
func (r *Registry) now() time.Time { return r.config.Now().UTC().Truncate(time.Millisecond) }

// activate makes a version the one that answers to the name.
func (c *Command) activate(number int) {
	if c.Active != 0 {
		c.Previous = append(slices.Clip(c.Previous), c.Active)
		c.Previous = c.Previous[max(0, len(c.Previous)-keptPrevious):]
	}
	c.Active = number
}

// Activate makes a version answer to the name. It must be allowed to run.
func (r *Registry) Activate(ctx context.Context, name string, number int, by string) (*Command, error) {
	return r.changeCommand(ctx, name, by, func(s *State, c *Command) (bool, error) {
		v := c.Version(number)
		if v == nil {
			return false, diag.NewFailure(diag.NoSuchCommand, "the command %s has no version %d", name, number)
		}
		if _, err := s.permit(v, v.Signers); err != nil {
			return false, err
		}
		if c.Active == number {
			return false, nil
		}
		c.activate(number)
		return true, nil
	})
}

// Rollback makes the version answer that did before the present one, and that
// may run. When others change the command at the same time it is not repeated:
// that would be a step too many.
func (r *Registry) Rollback(ctx context.Context, name, by string) (*Command, error) {
	from := -1
	return r.changeCommand(ctx, name, by, func(s *State, c *Command) (bool, error) {
		if from >= 0 && from != c.Active {
			return false, diag.NewFailure(diag.Conflict, "the command %s was changed meanwhile: version %d is active now", name, c.Active)
		}
		from = c.Active
		if !c.rollback(s) {
			return false, diag.NewFailure(diag.Conflict, "no version of the command %s was active before that could be again", name)
		}
		return true, nil
	})
}

// rollback activates the last one of the previous versions that is still there and
// may run in a State, and forgets those after it. It is false when there is none.
func (c *Command) rollback(s *State) bool {
	for len(c.Previous) > 0 {
		last := len(c.Previous) - 1
		v := c.Version(c.Previous[last])
		c.Previous = c.Previous[:last:last]
		if v != nil && s.VersionRefusal(v) == nil {
			c.Active = v.Number
			return true
		}
	}
	return false
}

// SetDisabled takes a command out of service, or back into it.
func (r *Registry) SetDisabled(ctx context.Context, name string, disabled bool, by string) (*Command, error) {
	return r.changeCommand(ctx, name, by, func(_ *State, c *Command) (bool, error) {
		changed := c.Disabled != disabled
		c.Disabled = disabled
		return changed, nil
	})
}

// Delete takes a command away with all its versions.
func (r *Registry) Delete(ctx context.Context, name, by string) error {
	_, err := r.commit(ctx, func(s *State) (store.Batch, error) {
		c, ok := s.Command(name)
		if !ok {
			return store.Batch{}, diag.NewFailure(diag.NoSuchCommand, "there is no command %s", name)
		}
		rest := Command{Name: name, Highest: c.Highest, Deleted: true, Updated: r.now(), By: by, revision: c.revision}
		batch, err := onePut(putCommand(&rest))
		for _, v := range c.Versions {
			batch.Puts = append(batch.Puts, putNoVersion(v))
		}
		return batch, err
	})
	return err
}

// putNoVersion takes a version away.
func putNoVersion(v *Version) store.Put {
	return store.Put{Kind: kindVersion, Name: versionName(v.Command, v.Number), Expect: v.revision, Delete: true}
}
