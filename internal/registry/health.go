package registry

import (
	"sync"
	"time"
)

// Origin says where the present State comes from.
type Origin string

// The origins of a State.
const (
	FromPrimary Origin = "primary"
	FromCopy    Origin = "offline copy"
)

// Health is how the registry is.
type Health struct {
	// Primary tells whether the primary store answered the last time, and
	// PrimaryError what was wrong if it did not.
	Primary      bool
	PrimaryError string
	// Origin, Epoch, Revision and Commands describe the State, and Refreshed is
	// when it was last known to be the primary's; zero for never.
	Origin    Origin
	Epoch     string
	Revision  int64
	Commands  int
	Refreshed time.Time
	// Followed tells whether the copy was one of the primary store's when the
	// registry began.
	Followed bool
	// Copy tells whether there is an offline copy, CopyError what is wrong with
	// it, and Missing how many artifacts it is not known to have.
	Copy      bool
	CopyError string
	Missing   int
	// RefreshErrors counts looks at the primary store that failed.
	RefreshErrors int64
	// Removed is what this server took out of the primary store because nothing
	// names it any more, and RemovedFromCopy what it took out of its copy.
	Removed, RemovedFromCopy Removed
	// Ahead counts commands that were compiled before anyone called them.
	Ahead AheadStats
}

// Settled tells whether it is known what commands there are. A node with a new copy
// knows of none before the primary store has answered for the first time.
func (h *Health) Settled() bool { return h.Origin == FromPrimary || h.Followed }

// health is what Health is made of.
type health struct {
	mu  sync.Mutex
	now Health
	// copyTried is when the copy was last written to.
	copyTried time.Time
}

func (h *health) began(fromCopy, followed bool, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now.Origin, h.now.Copy, h.now.Followed = FromPrimary, fromCopy, followed
	if fromCopy {
		h.now.Origin = FromCopy
		return
	}
	h.now.Primary, h.now.Refreshed = true, at
}

// refreshed notes how a look at the primary store ended.
func (h *health) refreshed(err error, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now.Primary, h.now.PrimaryError = err == nil, ""
	if err != nil {
		h.now.PrimaryError = err.Error()
		h.now.RefreshErrors++
		return
	}
	h.now.Origin, h.now.Refreshed = FromPrimary, at
}

func (h *health) copied(err error, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.copyTried = at
	h.now.CopyError = ""
	if err != nil {
		h.now.CopyError = err.Error()
	}
}

// swept notes what was taken away.
func (h *health) swept(fromCopy bool, removed Removed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	sum := &h.now.Removed
	if fromCopy {
		sum = &h.now.RemovedFromCopy
	}
	sum.Artifacts += removed.Artifacts
	sum.Bytes += removed.Bytes
	sum.Tombstones += removed.Tombstones
}

// isDown tells whether the primary store did not answer the last time.
func (h *health) isDown() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now.PrimaryError != ""
}

// copyIsDue tells whether the copy is to be made good now. That takes reading
// everything, so it is not tried all the time.
func (h *health) copyIsDue(at time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now.CopyError != "" && at.Sub(h.copyTried) >= copyPause
}

// Health tells how the registry is.
func (r *Registry) Health() Health {
	s := r.State()
	r.health.mu.Lock()
	defer r.health.mu.Unlock()
	h := r.health.now
	h.Epoch, h.Revision, h.Commands = s.summary.Epoch, s.summary.Revision, len(s.names)
	h.Ahead = AheadStats{Compiled: r.ahead.compiled.Load(), Failed: r.ahead.failed.Load()}
	if r.config.Copy != nil {
		h.Missing = r.lacks.count()
	}
	return h
}
