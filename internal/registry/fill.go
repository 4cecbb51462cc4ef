package registry

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/avapd/avapd/internal/store"
)

// fillPause and maxFillPause are between attempts to get artifacts that could
// not be had.
const (
	fillPause    = time.Second
	maxFillPause = 30 * time.Second
)

// lacks are the artifacts that the copy may not have.
type lacks struct {
	wake chan struct{}

	mu      sync.Mutex
	digests map[Digest]struct{}
}

func newLacks() *lacks {
	return &lacks{wake: make(chan struct{}, 1), digests: make(map[Digest]struct{})}
}

// note adds the artifacts of versions that have come.
func (l *lacks) note(s *State, records []store.Record) {
	var digests [][32]byte
	for _, record := range records {
		name, number, ok := splitVersion(record.Name)
		if record.Kind != kindVersion || record.Deleted || !ok {
			continue
		}
		if v := s.commands.get(name).Version(number); v != nil {
			digests = append(digests, v.Digest)
		}
	}
	l.add(digests)
}

// forget drops those that no version has any more.
func (l *lacks) forget(s *State) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.digests
	l.digests = make(map[Digest]struct{})
	s.versions(func(v *Version) {
		if _, lacking := before[v.Digest]; lacking {
			l.digests[v.Digest] = struct{}{}
		}
	})
}

func (l *lacks) add(digests [][32]byte) {
	if len(digests) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, digest := range digests {
		l.digests[digest] = struct{}{}
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// list gives all of them.
func (l *lacks) list() [][32]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	digests := make([][32]byte, 0, len(l.digests))
	for digest := range l.digests {
		digests = append(digests, digest)
	}
	return digests
}

func (l *lacks) remove(digest Digest) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.digests, digest)
}

func (l *lacks) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.digests)
}

// fill keeps the artifacts that the copy does not have, as soon as it is known
// of them: from then on the primary may be away.
func (r *Registry) fill(ctx context.Context) {
	pause := fillPause
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.lacks.wake:
		case <-timer.C:
			pause = min(2*pause, maxFillPause)
			r.lacks.forget(r.State())
		}
		if err := r.fillOnce(ctx); err == nil && r.lacks.count() == 0 {
			timer.Stop()
			pause = fillPause
		} else {
			timer.Reset(pause)
		}
	}
}

// fillOnce gets each of what the copy lacks, unless it cannot be had. The error
// tells that none can be had now.
func (r *Registry) fillOnce(ctx context.Context) error {
	digests := r.lacks.list()
	missing, err := r.config.Copy.Missing(ctx, digests)
	if err != nil {
		return err //nolint:wrapcheck // the caller tries again
	}
	lacking := make(map[Digest]bool, len(missing))
	for _, digest := range missing {
		lacking[digest] = true
	}
	for _, digest := range digests {
		if !lacking[digest] {
			r.lacks.remove(digest)
		}
	}
	for _, digest := range missing {
		b, err := r.config.Primary.Artifact(ctx, digest)
		if err == nil && isDigest(b, digest) {
			err = r.config.Copy.KeepArtifact(ctx, store.Artifact{Digest: digest, Bytes: b})
			if err == nil {
				r.lacks.remove(digest)
			}
		}
		if ctx.Err() != nil || errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrFull) {
			return err //nolint:wrapcheck // the caller tries again
		}
	}
	return nil
}
