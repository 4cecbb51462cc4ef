package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/signature"
	"github.com/avapd/avapd/internal/store"
)

// loader makes a version into something that the engine can run.
type loader struct {
	registry *Registry
	version  *Version

	once             sync.Once
	trusted, foreign engine.Command

	permitted atomic.Pointer[permitted] // the last one that was found
}

// command is the version as the engine runs it for those who signed it.
func (l *loader) command(p permission) *engine.Command {
	l.once.Do(func() {
		v := l.version
		l.foreign = engine.Command{Digest: v.Digest, Interface: v.Interface}
		l.foreign.Fetch = func(ctx context.Context) ([]byte, error) { return l.fetch(ctx, false) }
		l.trusted = engine.Command{Digest: v.Digest, Interface: v.Interface, Trusted: true}
		l.trusted.Fetch = func(ctx context.Context) ([]byte, error) { return l.fetch(ctx, true) }
	})
	command := &l.foreign
	if p.trusted {
		command = &l.trusted
	}
	if p.limits.isZero() {
		return command
	}
	limited := *command
	limited.Limits = p.limits.ceiling()
	return &limited
}

// fetch gets the artifact and makes sure that it is what it should be, and that
// it may run, as a trusted compiler's if it is to be that.
func (l *loader) fetch(ctx context.Context, trusted bool) ([]byte, error) {
	v := l.version
	module, err := l.read(ctx)
	if err != nil {
		return nil, err
	}
	if v.Content == (Digest{}) {
		content, err := contentOf(module)
		if err != nil {
			return nil, err
		}
		l.registry.contents.Store(v.Digest, content)
	}
	s := l.registry.State()
	keys, err := verify(s, module)
	if err != nil {
		return nil, err
	}
	p, err := s.permit(v, keys)
	switch {
	case err != nil:
		return nil, err
	case trusted && !p.trusted:
		return nil, diag.NewFailure(diag.PolicyRefused, "who signed version %d of the command %s is not trusted with the compiler any more", v.Number, v.Command)
	}
	return module, nil
}

// read gets the artifact and makes sure that it is what it should be.
func (l *loader) read(ctx context.Context) ([]byte, error) {
	digest := l.version.Digest
	module, err := l.registry.config.Artifacts.Artifact(ctx, digest)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, failed(diag.ArtifactUnavailable, err, "the artifact %s is nowhere", digest)
	case err != nil:
		return nil, failed(diag.ArtifactUnavailable, err, "the artifact %s cannot be had now", digest)
	case !isDigest(module, digest):
		return nil, failed(diag.ArtifactDamaged, nil, "the artifact %s is damaged where it is stored", digest)
	}
	return module, nil
}

// Module gives the artifact of a version as it was uploaded, whether it may run
// or not.
func (r *Registry) Module(ctx context.Context, v *Version) ([]byte, error) {
	return v.loader.read(ctx)
}

func isDigest(module []byte, digest [32]byte) bool { return sha256.Sum256(module) == digest }

// contentOf is the digest of a module without its signatures.
func contentOf(module []byte) (Digest, error) {
	digest, err := signature.ContentDigest(module)
	if err != nil {
		return Digest{}, signatureFailure(err)
	}
	return digest, nil
}

// verify gives the identifiers of the keys whose signatures a module carries.
func verify(s *State, module []byte) ([]string, error) {
	signers, err := signature.Verify(module, s.keys)
	if err != nil {
		return nil, signerUnknown(s, module, signatureFailure(err))
	}
	ids := make([]string, len(signers))
	for i, key := range signers {
		ids[i] = hex.EncodeToString(key.ID)
	}
	return ids, nil
}

// signerUnknown words who is missing where the failure is that nobody who is known
// signed a module: it is not a key that somebody gave, but a signer.
func signerUnknown(s *State, module []byte, failure error) error {
	f, ok := errors.AsType[*diag.Failure](failure)
	if !ok || f.Code != diag.SignerUnknown {
		return failure
	}
	f.Message = "no signer that is trusted here signed the module"
	if len(s.keys) == 0 {
		f.Message = "the module is signed, and no signer is trusted here yet"
	}
	f.Message += signature.Named(module)
	return f
}

// signatureFailure makes a failure of what the package signature says.
func signatureFailure(err error) error {
	if d, ok := errors.AsType[diag.Diagnostic](err); ok {
		return &diag.Failure{Diagnostic: d}
	}
	return failed(diag.Internal, err, "internal error")
}

// failed makes a failure with a cause for the log.
func failed(code diag.Code, cause error, format string, args ...any) *diag.Failure {
	f := diag.NewFailure(code, format, args...)
	f.Cause = cause
	return f
}

// loadFailure words why a command could not be made ready.
func loadFailure(name string, err error) error {
	if err == nil { // nearly always
		return nil
	}
	var fetch *engine.FetchError
	var artifact *engine.ArtifactError
	var failure *diag.Failure
	switch {
	case errors.As(err, &fetch) && errors.As(fetch.Err, &failure):
		return failure
	case errors.As(err, &fetch):
		return failed(diag.ArtifactUnavailable, err, "the artifact of the command %s cannot be had now", name)
	case errors.As(err, &artifact):
		return failed(diag.ModuleUnusable, err, "the command %s: %v", name, artifact.Err)
	}
	return err
}
