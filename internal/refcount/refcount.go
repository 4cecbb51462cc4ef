// Package refcount counts the users of what ends with the last of them.
package refcount

import "sync/atomic"

// Count is how many users there are. It is zero at first, as it is at the end: who
// makes what is counted retains it once.
type Count struct{ users atomic.Int64 }

// Retain adds a user. The caller must know of one that stays until Retain returns,
// or be the first.
func (c *Count) Retain() { c.users.Add(1) }

// TryRetain adds a user unless there is none, and tells whether it did. What has
// ended does not come back to life.
func (c *Count) TryRetain() bool {
	for users := c.users.Load(); users > 0; users = c.users.Load() {
		if c.users.CompareAndSwap(users, users+1) {
			return true
		}
	}
	return false
}

// Release takes a user off, and tells whether it was the last.
func (c *Count) Release() bool { return c.users.Add(-1) == 0 }
