package registry

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/signature"
	"github.com/avapd/avapd/internal/store"
)

const maxReasonBytes = 1000

// Revoked is a revocation, and what comes of it.
type Revoked struct {
	*Revocation
	*TrustChange

	// Known tells whether there is a signer with the key, or a version with the
	// module.
	Known bool
}

// Revoke takes trust in a key or an artifact away for good, also in one that is
// not known yet.
func (r *Registry) Revoke(ctx context.Context, kind Revocable, value, reason, by string) (*Revoked, error) {
	raw, err := checkRevocation(kind, value, reason)
	if err != nil {
		return nil, err
	}
	names := []string{revocationName(kind, hex.EncodeToString(raw))}
	if kind == RevokeDigest {
		if content, known := r.contentDigest(ctx, Digest(raw)); known && content != Digest(raw) {
			names = append(names, revocationName(kind, content.String()))
		}
	}
	revoked := &Revoked{}
	_, err = r.commit(ctx, func(s *State) (store.Batch, error) {
		var batch store.Batch
		revocation := Revocation{Reason: reason, At: r.now(), By: by}
		for _, name := range names {
			if s.revocations.get(name) != nil {
				continue
			}
			put, err := withDocument(store.Put{Kind: kindRevocation, Name: name}, &revocation)
			if err != nil {
				return store.Batch{}, err
			}
			batch.Puts = append(batch.Puts, put)
		}
		revocation.Kind, revocation.Value = kind, hex.EncodeToString(raw)
		revoked.Revocation, revoked.TrustChange, revoked.Known = &revocation, r.trustChange(s, batch.Puts), s.knows(names)
		if old := s.revocations.get(names[0]); old != nil {
			revoked.Revocation = old
		}
		return batch, nil
	})
	if err != nil {
		return nil, err
	}
	return revoked, nil
}

// checkRevocation gives the bytes of what a revocation names.
func checkRevocation(kind Revocable, value, reason string) ([]byte, error) {
	raw, err := hex.DecodeString(value)
	size := len(Digest{})
	if kind == RevokeKey {
		size = signature.KeyIDBytes
	}
	switch {
	case kind != RevokeKey && kind != RevokeDigest:
		return nil, diag.NewFailure(diag.BadFieldValue, "what is revoked is a %s or a %s", RevokeKey, RevokeDigest)
	case err != nil, len(raw) != size:
		return nil, diag.NewFailure(diag.BadFieldValue, "%q does not name a %s, which has %d hexadecimal digits; that of a key is its identifier", value, kind, 2*size)
	case len(reason) > maxReasonBytes:
		return nil, diag.NewFailure(diag.BadFieldValue, "the reason has more than %d bytes", maxReasonBytes)
	}
	return raw, nil
}

// knows tells whether there is a signer or a version that one of these
// revocations is about.
func (s *State) knows(names []string) bool {
	for id := range s.byKey {
		if slices.Contains(names, revocationName(RevokeKey, id)) {
			return true
		}
	}
	known := false
	s.versions(func(v *Version) {
		has := func(name string) bool { return slices.Contains(names, name) }
		known = known || slices.ContainsFunc(v.revocationNames(), has) ||
			slices.ContainsFunc(v.Signers, func(id string) bool { return has(revocationName(RevokeKey, id)) })
	})
	return known
}

// contentDigest is the digest without signatures of an artifact, if it can be had:
// with another signature the module would be another artifact.
func (r *Registry) contentDigest(ctx context.Context, digest Digest) (content Digest, known bool) {
	r.State().versions(func(v *Version) {
		if v.Digest == digest && !known {
			content = v.contentDigest()
			known = content != Digest{}
		}
	})
	if known {
		return content, true
	}
	ctx, cancel := context.WithTimeout(ctx, downTime)
	defer cancel()
	module, err := r.config.Artifacts.Artifact(ctx, digest)
	if err != nil || !isDigest(module, digest) {
		if !errors.Is(err, store.ErrNotFound) {
			r.config.Log.Warn("what is revoked cannot be read: with another signature it would not be revoked", "digest", digest, "error", err)
		}
		return Digest{}, false
	}
	content, err = contentOf(module)
	return content, err == nil
}
