package registry

import (
	"context"
	"errors"
	"time"

	"github.com/avapd/avapd/internal/store"
)

const (
	// minSweep and maxSweep are how often garbage is looked for, and sweepTime is
	// how long that may take.
	minSweep  = time.Minute
	maxSweep  = time.Hour
	sweepTime = time.Minute
	// worthTombstones is how many tombstones make it worth that every node reads
	// everything anew.
	worthTombstones = 1000
)

// sweepPause is the time between two looks for garbage.
func (r *Registry) sweepPause() time.Duration {
	return min(max(r.config.KeepUnused/10, minSweep), maxSweep)
}

// sweepAll takes away what is of no use any more, from time to time. Of several
// nodes it is done by the one that comes first; each has its own copy.
func (r *Registry) sweepAll(ctx context.Context) {
	timer := time.NewTimer(minSweep)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		r.sweep(ctx, r.config.Primary)
		if r.config.Copy != nil {
			r.sweep(ctx, r.config.Copy)
		}
		timer.Reset(r.sweepPause())
	}
}

// Removed counts what was of no use and was taken away.
type Removed struct {
	Artifacts, Bytes, Tombstones int64
}

// sweep takes away what is of no use in a store, which is not done when it cannot
// be reached, or is not as it is known: there is another time.
func (r *Registry) sweep(ctx context.Context, from store.Store) {
	ctx, cancel := context.WithTimeout(ctx, sweepTime)
	defer cancel()
	removed, err := r.collect(ctx, from)
	if removed != (Removed{}) {
		r.config.Log.Info("what nothing names any more was taken away",
			"artifacts", removed.Artifacts, "bytes", removed.Bytes, "tombstones", removed.Tombstones)
		r.health.swept(r.isCopy(from), removed)
	}
	if removed.Tombstones > 0 {
		r.Notify()
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrConflict) {
		r.config.Log.Warn("what nothing names any more cannot be taken away now", "error", err)
	}
}

// collect takes away what is of no use in a store until nothing is left of it.
func (r *Registry) collect(ctx context.Context, from store.Store) (removed Removed, err error) {
	every := r.sweepPause() / 2
	for {
		s := r.State()
		if s.unknown {
			return removed, nil // a later program may name artifacts in other records
		}
		done, err := from.Collect(ctx, store.Garbage{
			State: s.summary, Named: s.artifacts(), At: r.config.Now(), Keep: r.config.KeepUnused, Every: every, Tombstones: r.worth,
		})
		r.miss(from, done.Artifacts)
		removed.Artifacts += int64(len(done.Artifacts))
		removed.Bytes += done.Bytes
		removed.Tombstones += int64(done.Tombstones)
		if err != nil || !done.More {
			return removed, err //nolint:wrapcheck // the caller words it
		}
		every = 0
	}
}

func (r *Registry) isCopy(s store.Store) bool {
	return r.config.Copy != nil && s == store.Store(r.config.Copy)
}

// miss makes sure that the copy gets again what was taken out of it and has been
// named meanwhile.
func (r *Registry) miss(from store.Store, gone [][32]byte) {
	if !r.isCopy(from) || len(gone) == 0 {
		return
	}
	taken := make(map[Digest]bool, len(gone))
	for _, digest := range gone {
		taken[digest] = true
	}
	var again [][32]byte
	r.State().versions(func(v *Version) {
		if taken[v.Digest] {
			again = append(again, v.Digest)
		}
	})
	r.lacks.add(again)
}
