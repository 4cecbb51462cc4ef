package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/signature"
	"github.com/avapd/avapd/internal/store"
	"github.com/avapd/avapd/runtime/catalog"
)

const (
	maxSigners      = 1000
	maxListed       = 100 // prefixes or capabilities of a signer
	maxListedBytes  = 64
	builderPrefix   = "server-"
	builderIDDigits = 8
)

// ParseTrust reads a list of signers: the JSON that GET /api/v1/signers gives,
// as far as it says what a signer may do.
func ParseTrust(text []byte) ([]Signer, error) {
	var file api.Signers
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		return nil, fmt.Errorf("the signers are no JSON of the right form: %w", err)
	}
	list := make([]Signer, 0, len(file.Signers))
	for _, s := range file.Signers {
		keys, err := signature.ParsePublicKeys([]byte(s.PublicKey))
		if err != nil {
			return nil, fmt.Errorf("the key of the signer %q: %w", s.Name, err)
		}
		if len(keys) != 1 {
			return nil, fmt.Errorf("the signer %q has %d keys; each has one", s.Name, len(keys))
		}
		signer := Signer{
			Name: s.Name, Key: keys[0].Key, Prefixes: s.Prefixes, Capabilities: s.Capabilities, Limits: Limits(s.Limits), TrustedCompiler: s.TrustedCompiler,
		}
		if err := signer.complete(); err != nil {
			return nil, err
		}
		list = append(list, signer)
	}
	return list, nil
}

var signerForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,63}$`)

// complete checks a signer and works out its key's identifier.
func (s *Signer) complete() error {
	if !signerForm.MatchString(s.Name) {
		return diag.NewFailure(diag.BadFieldValue, "%q is no name of a signer: it has up to 64 lower-case letters, digits, _, . and -, a letter or a digit first", s.Name)
	}
	key, err := signature.NewPublicKey(s.Key)
	if err != nil {
		return signatureFailure(err)
	}
	s.KeyID = key.String()
	if len(s.Prefixes) == 0 {
		return diag.NewFailure(diag.BadFieldValue, "the signer %s needs prefixes of the names that it may sign for; %s are all", s.Name, everything)
	}
	for _, list := range [][]string{s.Prefixes, s.Capabilities} {
		if len(list) > maxListed || slices.ContainsFunc(list, func(item string) bool { return item == "" || len(item) > maxListedBytes }) {
			return diag.NewFailure(diag.BadFieldValue, "the prefixes and capabilities of the signer %s are at most %d each, of 1 to %d bytes", s.Name, maxListed, maxListedBytes)
		}
	}
	for _, name := range s.Capabilities {
		if name != everything && !slices.Contains(catalog.AllCapabilities(), name) {
			failure := diag.NewFailure(diag.BadFieldValue, "there is no capability %q that the signer %s could grant; there are %s, and %s for all", name, s.Name, strings.Join(catalog.AllCapabilities(), ", "), everything)
			failure.Suggestion = diag.DidYouMean(name, catalog.AllCapabilities())
			return failure
		}
	}
	if s.Limits.negative() {
		return diag.NewFailure(diag.BadFieldValue, "the limits of the signer %s must not be negative", s.Name)
	}
	return nil
}

// PutSigner adds a signer or changes what it may do, and tells what comes of it.
func (r *Registry) PutSigner(ctx context.Context, signer Signer, by string) (*Signer, *TrustChange, error) {
	if err := signer.complete(); err != nil {
		return nil, nil, err
	}
	var next Signer
	var change *TrustChange
	_, err := r.commit(ctx, func(s *State) (store.Batch, error) {
		old := s.signers[signer.Name]
		if err := s.mayPut(&signer, old); err != nil {
			return store.Batch{}, err
		}
		next = signer
		next.Created, next.By, next.revision = r.now(), by, 0
		if old != nil {
			next.revision = old.revision
			if bytes.Equal(old.Key, next.Key) {
				next.Created = old.Created
			}
		}
		puts, err := s.signerPuts(&next, old, by)
		if err != nil {
			return store.Batch{}, err
		}
		change = r.trustChange(s, puts)
		return store.Batch{Puts: puts}, nil
	})
	if err != nil {
		return nil, nil, err
	}
	if now := r.State().signers[next.Name]; now != nil && now.revision > next.revision {
		return now, change, nil
	}
	return &next, change, nil
}

// signerPuts are the records of a signer and its key, and of the key that it had
// before.
func (s *State) signerPuts(next, old *Signer, by string) ([]store.Put, error) {
	var puts []store.Put
	if old != nil && !bytes.Equal(old.Key, next.Key) {
		removed, err := s.removeKey(old.KeyID, by, next.Created)
		if err != nil {
			return nil, err
		}
		puts = append(puts, removed)
	}
	signer, err := withDocument(store.Put{Kind: kindSigner, Name: next.Name, Expect: next.revision}, next)
	if err != nil {
		return nil, err
	}
	// Two who add the same key at the same time write this record both.
	holder, err := s.putSignerKey(next.KeyID, &signerKey{Signer: next.Name})
	if err != nil {
		return nil, err
	}
	return append(puts, signer, holder), nil
}

// mayPut tells why a signer cannot become another, or be added.
func (s *State) mayPut(signer, old *Signer) error {
	other := s.byKey[signer.KeyID]
	switch {
	case old != nil && old.Fixed:
		return fixedSigner(signer.Name)
	case s.revocations.get(revocationName(RevokeKey, signer.KeyID)) != nil:
		return diag.NewFailure(diag.Revoked, "the key %s is revoked", signer.KeyID)
	case other != nil && other.Name != signer.Name:
		return diag.NewFailure(diag.Conflict, "the key is that of the signer %s", other.Name)
	case old == nil && len(s.signers) >= maxSigners:
		return diag.NewFailure(diag.Conflict, "there are %d signers, which is the most there can be", len(s.signers))
	}
	return nil
}

// removeKey notes that a key was taken from its signer.
func (s *State) removeKey(id, by string, at time.Time) (store.Put, error) {
	return s.putSignerKey(id, &signerKey{Removed: true, At: at, By: by})
}

func (s *State) putSignerKey(id string, holder *signerKey) (store.Put, error) {
	return withDocument(store.Put{Kind: kindSignerKey, Name: id, Expect: s.signerKeys[id].revision}, holder)
}

// TrustChange is what comes of a change of who is trusted: commands whose active
// version may run now, or may not any more.
type TrustChange struct {
	// Gained and Lost are names of commands, of which there are so many
	// altogether.
	Gained, Lost           []string
	GainedCount, LostCount int
}

// maxChanged is how many names a TrustChange has of each kind.
const maxChanged = 100

// trustChange finds out what comes of records that are about to be written.
func (r *Registry) trustChange(before *State, puts []store.Put) *TrustChange {
	records := make([]store.Record, len(puts))
	for i, put := range puts {
		records[i] = store.Record{Kind: put.Kind, Name: put.Name, Revision: before.summary.Revision + 1, Deleted: put.Delete, Document: put.Document}
	}
	change := &TrustChange{}
	after, err := r.with(before, records, before.summary)
	if err != nil {
		return change // it will be refused
	}
	for _, name := range before.names {
		c := before.commands.get(name)
		v := c.Version(c.Active)
		if v == nil {
			continue
		}
		switch was, is := before.VersionRefusal(v) == nil, after.VersionRefusal(v) == nil; {
		case is && !was:
			change.GainedCount++
			change.Gained = appendSome(change.Gained, name)
		case was && !is:
			change.LostCount++
			change.Lost = appendSome(change.Lost, name)
		}
	}
	return change
}

// appendSome appends a name, as long as there are not too many.
func appendSome(names []string, name string) []string {
	if len(names) == maxChanged {
		return names
	}
	return append(names, name)
}

func fixedSigner(name string) error {
	return diag.NewFailure(diag.Conflict, "the signer %s comes with the configuration and is changed there", name)
}

// DeleteSigner takes trust in a signer away. What it has signed does not run
// any more, unless another has signed it too.
func (r *Registry) DeleteSigner(ctx context.Context, name, by string) (*TrustChange, error) {
	var change *TrustChange
	_, err := r.commit(ctx, func(s *State) (store.Batch, error) {
		old := s.signers[name]
		switch {
		case old == nil:
			return store.Batch{}, diag.NewFailure(diag.NoSuchCommand, "there is no signer %s", name)
		case old.Fixed:
			return store.Batch{}, fixedSigner(name)
		}
		removed, err := s.removeKey(old.KeyID, by, r.now())
		if err != nil {
			return store.Batch{}, err
		}
		puts := []store.Put{removed, {Kind: kindSigner, Name: name, Expect: old.revision, Delete: true}}
		change = r.trustChange(s, puts)
		return store.Batch{Puts: puts}, nil
	})
	if err != nil {
		return nil, err
	}
	return change, nil
}

// trustBuilder makes the server's own key one that is trusted, on all nodes, unless
// somebody took it away.
func (r *Registry) trustBuilder(ctx context.Context) error {
	key := r.config.Signer.Public()
	id := key.String()
	name := builderPrefix + id[:builderIDDigits]
	switch s := r.State(); {
	case s.byKey[id] != nil:
		return nil
	case s.signerKeys[id].Removed:
		return diag.NewFailure(diag.PolicyRefused, "the key that this server signs with was taken from the signers; add it again as %s, or build and sign the module with avap build and avap sign", name)
	}
	_, _, err := r.PutSigner(ctx, Signer{
		Name: name, Key: key.Key, Prefixes: []string{everything}, Capabilities: []string{everything}, TrustedCompiler: true,
	}, "")
	return err
}
