package auth

import (
	"crypto/sha256"
	"errors"
	"sync"
	"time"
)

// What Nonces says about a nonce that is not new.
var (
	ErrReplayed = refuse("the nonce was used before")
	// ErrTooMany says that no more can be remembered, so that nobody would notice
	// if it came again.
	ErrTooMany = errors.New("more signed requests than can be remembered")
)

// Nonces remember what was used once. There are two sets of them: the older one is
// forgotten when all in it have expired, which is when the younger one is as old as
// a signature can become.
type Nonces struct {
	mu         sync.Mutex
	limit      int
	young, old map[nonceID]struct{}
	youngUntil time.Time // of the last in it to expire
	oldUntil   time.Time
}

type nonceID [16]byte

// NewNonces makes room for twice the limit.
func NewNonces(limit int) *Nonces {
	return &Nonces{limit: limit, young: map[nonceID]struct{}{}, old: map[nonceID]struct{}{}}
}

// Use notes that a nonce is used, which must not be used again until then.
func (n *Nonces) Use(nonce string, now, until time.Time) error {
	sum := sha256.Sum256([]byte(nonce))
	id := nonceID(sum[:])
	n.mu.Lock()
	defer n.mu.Unlock()
	if !now.Before(n.oldUntil) {
		n.young, n.old = map[nonceID]struct{}{}, n.young
		n.oldUntil, n.youngUntil = n.youngUntil, time.Time{}
	}
	_, isYoung := n.young[id]
	_, isOld := n.old[id]
	switch {
	case isYoung, isOld:
		return ErrReplayed
	case len(n.young) >= n.limit:
		return ErrTooMany
	}
	n.young[id] = struct{}{}
	if until.After(n.youngUntil) {
		n.youngUntil = until
	}
	return nil
}
