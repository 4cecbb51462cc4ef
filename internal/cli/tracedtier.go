package cli

import (
	"context"
	"encoding/hex"
	"errors"

	"github.com/avapd/avapd/internal/cache"
	"github.com/avapd/avapd/internal/tracing"
)

// tracedTier shows in traces which tiers of artifacts a request was waiting for.
// Packages cache and tracing do not know of each other.
type tracedTier struct {
	cache.Tier

	kind tracing.Kind
	// system and operation are those of a database, or empty.
	system, operation string
}

// Get implements cache.Tier.
func (t tracedTier) Get(ctx context.Context, digest cache.Digest) ([]byte, error) {
	name := "avap.artifact"
	if t.operation != "" {
		name = t.operation
	}
	ctx, span := tracing.Begin(ctx, name, t.kind)
	content, err := t.Tier.Get(ctx, digest)
	if span == nil {
		return content, err
	}
	if t.system != "" {
		span.Text(tracing.DBSystem, t.system)
		span.Text(tracing.DBOperation, t.operation)
	}
	span.Text(tracing.ArtifactDigest, hex.EncodeToString(digest[:]))
	span.Text(tracing.ArtifactsTier, t.Name())
	result := "hit"
	switch {
	case errors.Is(err, cache.ErrNotFound):
		result = "miss"
	case err != nil:
		result = "error"
		span.FailWith(err)
	}
	span.Text(tracing.ArtifactsResult, result)
	span.End()
	return content, err
}

// Remove takes wrong content out of a tier that can do that.
func (t tracedTier) Remove(ctx context.Context, digest cache.Digest) error {
	if r, ok := t.Tier.(interface {
		Remove(context.Context, cache.Digest) error
	}); ok {
		return r.Remove(ctx, digest)
	}
	return nil
}
