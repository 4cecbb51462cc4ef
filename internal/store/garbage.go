package store

import (
	"fmt"
	"time"
)

// Garbage says what a collection may take away: artifacts that no record names,
// and tombstones, once they have been that for long enough.
//
// A store does not know what documents mean, so whoever collects says which
// artifacts they name, and what state of the store that is true of. When the
// store is in another, nothing is taken away. An upload is a commit of records
// with the artifacts they name, which makes another state; so it is safe at any
// moment, also one that brings back what nothing named before.
type Garbage struct {
	// State is the state of the store in which Named are the artifacts that
	// records name.
	State Summary
	Named [][32]byte
	// At is the time now, and Keep how long what is of no use is kept.
	At   time.Time
	Keep time.Duration
	// Every is how often the store is collected at most, whoever does it.
	Every time.Duration
	// Tombstones is how many of them must be old enough to be taken away. Those
	// who follow the store read everything anew then.
	Tombstones int
}

// Collected is what was taken away.
type Collected struct {
	// Done tells whether the store was collected. It is not if another does it,
	// or did not long ago.
	Done      bool
	Artifacts [][32]byte
	// Bytes are those of the artifacts.
	Bytes      int64
	Tombstones int
	// More says that there is more to be taken away now.
	More bool
}

// The most artifacts that one collection takes away, so that others do not wait
// for long.
const (
	collectArtifacts = 100
	collectBytes     = 64 << 20
)

func (g *Garbage) at() int64     { return g.At.UnixMilli() }
func (g *Garbage) cutoff() int64 { return g.At.Add(-g.Keep).UnixMilli() }

// due tells whether the last collection was long enough ago.
func (g *Garbage) due(last int64) bool { return g.At.Add(-g.Every).UnixMilli() >= last }

// fits makes sure that what is named is so in the state of the store.
func (g *Garbage) fits(now Summary) error {
	if now != g.State {
		return fmt.Errorf("%w: the store is at revision %d, what is named was of %d", ErrConflict, now.Revision, g.State.Revision)
	}
	return nil
}

// add counts an artifact in, or reports that there are enough.
func (c *Collected) add(digest []byte, size int64) (enough bool) {
	if n := len(c.Artifacts); n == collectArtifacts || n > 0 && c.Bytes+size > collectBytes {
		c.More = true
		return true
	}
	c.Artifacts = append(c.Artifacts, [32]byte(digest))
	c.Bytes += size
	return false
}

// bury takes tombstones out of the summary.
func (s *Summary) bury(hashes [][]byte) {
	for _, hash := range hashes {
		toggle(&s.Digest, [32]byte(hash))
	}
	s.Records -= len(hashes)
}
