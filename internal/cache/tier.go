// Package cache finds the bytes of artifacts by their digest: in Redis, in the
// primary store, in the offline copy. It knows neither what an artifact means
// nor who may run it; it knows that content has the digest it is asked for.
//
// A [Chain] asks its tiers one after the other, each behind a deadline and a
// circuit breaker, and hashes whatever one gives before anybody sees it. So a
// tier can be slow, down, empty or tampered with, and costs time at worst.
package cache

import (
	"context"
	"crypto/sha256"
	"errors"
)

// Digest names an artifact: the SHA-256 of its bytes.
type Digest = [sha256.Size]byte

// Errors that a caller can tell apart.
var (
	// ErrNotFound says that a tier was asked and has it not; of a chain, that
	// no tier has it.
	ErrNotFound = errors.New("no tier has the artifact")
	// ErrUnavailable says that a tier that might have it could not be asked.
	ErrUnavailable = errors.New("the artifact cannot be fetched now")
)

// Tier is a place that may hold artifacts. What it gives is checked by the
// chain, so it need not check itself.
type Tier interface {
	Name() string
	// Get gives ErrNotFound if there is no such artifact, and any other error
	// if that cannot be known.
	Get(ctx context.Context, digest Digest) ([]byte, error)
	// Put keeps content, or does nothing if the tier is none that is filled.
	Put(ctx context.Context, digest Digest, content []byte) error
}

// remover is a tier that wrong content can be taken out of.
type remover interface {
	Remove(ctx context.Context, digest Digest) error
}

// Functions make a tier, of a store's methods for example.
type Functions struct {
	// Title is the tier's name.
	Title string
	// Fetch gets an artifact; its error is Missing if there is none.
	Fetch   func(ctx context.Context, digest Digest) ([]byte, error)
	Missing error
	// Keep is nil for a tier that others fill.
	Keep func(ctx context.Context, digest Digest, content []byte) error
}

// Name is the tier's name.
func (f Functions) Name() string { return f.Title }

// Get fetches an artifact.
func (f Functions) Get(ctx context.Context, digest Digest) ([]byte, error) {
	content, err := f.Fetch(ctx, digest)
	if err != nil && errors.Is(err, f.Missing) {
		return nil, ErrNotFound
	}
	return content, err
}

// Put keeps an artifact where the tier is one that is filled.
func (f Functions) Put(ctx context.Context, digest Digest, content []byte) error {
	if f.Keep == nil {
		return nil
	}
	return f.Keep(ctx, digest, content)
}
