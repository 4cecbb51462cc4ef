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

// sweep takes away what is of no use in a store, which is not done when it cannot
// be reached, or is not as it is known: there is another time.
func (r *Registry) sweep(ctx context.Context, from store.Store) {
	ctx, cancel := context.WithTimeout(ctx, sweepTime)
	defer cancel()
	var artifacts, tombstones int
	var bytes int64
	every, err := r.sweepPause()/2, error(nil)
	for more := true; more && err == nil; every = 0 {
		s := r.State()
		if s.unknown {
			return // a later program may name artifacts in other records
		}
		var done store.Collected
		done, err = from.Collect(ctx, store.Garbage{
			State: s.summary, Named: s.named(), At: r.config.Now(), Keep: r.config.KeepUnused, Every: every, Tombstones: r.worth,
		})
		r.miss(from, done.Artifacts)
		artifacts, bytes, tombstones, more = artifacts+len(done.Artifacts), bytes+done.Bytes, tombstones+done.Tombstones, done.More
	}
	if artifacts > 0 || tombstones > 0 {
		r.config.Log.Info("what nothing names any more was taken away", "artifacts", artifacts, "bytes", bytes, "tombstones", tombstones)
	}
	if tombstones > 0 {
		r.Notify()
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrConflict) {
		r.config.Log.Warn("what nothing names any more cannot be taken away now", "error", err)
	}
}

// named are the artifacts of all versions.
func (s *State) named() [][32]byte {
	var digests [][32]byte
	s.versions(func(v *Version) { digests = append(digests, v.Digest) })
	return digests
}

// miss makes sure that the copy gets again what was taken out of it and has been
// named meanwhile.
func (r *Registry) miss(from store.Store, gone [][32]byte) {
	if r.config.Copy == nil || from != store.Store(r.config.Copy) || len(gone) == 0 {
		return
	}
	taken := make(map[Digest]bool, len(gone))
	for _, digest := range gone {
		taken[digest] = true
	}
	var again []Digest
	r.State().versions(func(v *Version) {
		if taken[v.Digest] {
			again = append(again, v.Digest)
		}
	})
	r.lacks.add(again)
}
