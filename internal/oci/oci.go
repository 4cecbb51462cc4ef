// Package oci keeps WebAssembly modules in registries of container images, in
// the layout for wasm artifacts of the CNCF's runtime group
// (https://tag-runtime.cncf.io/wgs/wasm/deliverables/wasm-oci-artifact/): an
// image manifest with a config of its own type and the module as its one layer.
//
// What comes from a registry is only bytes with the digest that the manifest
// names. Whose they are, signatures in the module tell.
package oci

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/errcode"
	"oras.land/oras-go/v2/registry/remote/retry"
)

// Scheme begins a reference on the command line.
const Scheme = "oci://"

// The media types of the layout.
const (
	configType = "application/vnd.wasm.config.v0+json"
	moduleType = "application/wasm"
)

// maxManifestBytes bounds a manifest, which is read whole.
const maxManifestBytes = 1 << 20

// Errors that a caller can tell apart. Messages name the reference and say what
// to do.
var (
	ErrReference = errors.New("the reference is not of the form oci://HOST/REPOSITORY:TAG")
	ErrNotFound  = errors.New("the registry has no such artifact")
	ErrDenied    = errors.New("the registry refuses access; log in with `docker login HOST`, or set OCI_USERNAME and OCI_PASSWORD")
	ErrLayout    = errors.New("the artifact is not a single WebAssembly module in the CNCF layout")
	ErrTooLarge  = errors.New("the module is larger than is read here")
)

// Options are how to get at a registry.
type Options struct {
	// Username and Password come before what Docker's configuration holds.
	Username, Password string
	// PlainHTTP allows connections without TLS to other machines than this one.
	PlainHTTP bool
	// MaxBytes bounds a module.
	MaxBytes int64
}

// Artifact is a module in a registry.
type Artifact struct {
	// Reference is the full name, with the tag or digest.
	Reference string `json:"reference"`
	// Manifest is the digest that names this very artifact for good.
	Manifest string `json:"manifest"`
	// Digest is the module's.
	Digest      string            `json:"digest"`
	Bytes       int64             `json:"bytes"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// config is the config object of the layout. It has no time of making, so that
// the same module is the same artifact whenever it is pushed.
type config struct {
	Created      string          `json:"created"`
	Architecture string          `json:"architecture"`
	OS           string          `json:"os"`
	LayerDigests []digest.Digest `json:"layerDigests"`
}

// beginning is the time that stands for none.
const beginning = "1970-01-01T00:00:00Z"

// Push stores a module under a reference with a tag ("latest" if it has none).
// The annotations go into the manifest.
func Push(ctx context.Context, reference string, module []byte, annotations map[string]string, o Options) (Artifact, error) {
	repository, err := o.open(reference)
	if err != nil {
		return Artifact{}, err
	}
	name := repository.Reference
	name.Reference = name.ReferenceOrDefault()
	if name.ValidateReferenceAsTag() != nil {
		return Artifact{}, fmt.Errorf("%s: %w; what is pushed gets a tag, not a digest", reference, ErrReference)
	}
	layer := content.NewDescriptorFromBytes(moduleType, module)
	settings, err := json.Marshal(config{Created: beginning, Architecture: "wasm", OS: "wasip1", LayerDigests: []digest.Digest{layer.Digest}})
	if err != nil {
		return Artifact{}, err
	}
	configuration := content.NewDescriptorFromBytes(configType, settings)
	manifest, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: configuration, Layers: []ocispec.Descriptor{layer}, Annotations: annotations,
	})
	if err != nil {
		return Artifact{}, err
	}
	root := content.NewDescriptorFromBytes(ocispec.MediaTypeImageManifest, manifest)
	for _, blob := range []struct {
		descriptor ocispec.Descriptor
		bytes      []byte
	}{{layer, module}, {configuration, settings}} {
		if err := pushBlob(ctx, repository, blob.descriptor, blob.bytes); err != nil {
			return Artifact{}, explain(reference, err)
		}
	}
	if err := repository.PushReference(ctx, root, bytes.NewReader(manifest), name.Reference); err != nil {
		return Artifact{}, explain(reference, err)
	}
	return Artifact{name.String(), root.Digest.String(), layer.Digest.String(), layer.Size, annotations}, nil
}

func pushBlob(ctx context.Context, repository *remote.Repository, descriptor ocispec.Descriptor, blob []byte) error {
	there, err := repository.Exists(ctx, descriptor)
	if err != nil || there {
		return err
	}
	return repository.Push(ctx, descriptor, bytes.NewReader(blob))
}

// Pull gets the module under a reference, and checks that it is what the
// manifest names and the manifest what the reference names.
func Pull(ctx context.Context, reference string, o Options) ([]byte, Artifact, error) {
	repository, err := o.open(reference)
	if err != nil {
		return nil, Artifact{}, err
	}
	name := repository.Reference
	name.Reference = name.ReferenceOrDefault()
	root, manifest, err := fetchManifest(ctx, repository, name)
	if err != nil {
		return nil, Artifact{}, explain(reference, err)
	}
	if manifest.Config.MediaType != configType || len(manifest.Layers) != 1 || manifest.Layers[0].MediaType != moduleType {
		return nil, Artifact{}, fmt.Errorf("%s: %w: its config is %q with %d layers", reference, ErrLayout, manifest.Config.MediaType, len(manifest.Layers))
	}
	layer := manifest.Layers[0]
	if layer.Size > o.MaxBytes {
		return nil, Artifact{}, fmt.Errorf("%s: %w: it has %d bytes, the limit is %d", reference, ErrTooLarge, layer.Size, o.MaxBytes)
	}
	module, err := content.FetchAll(ctx, repository, layer) // checks size and digest
	if err != nil {
		return nil, Artifact{}, explain(reference, err)
	}
	return module, Artifact{name.String(), root.Digest.String(), layer.Digest.String(), layer.Size, manifest.Annotations}, nil
}

func fetchManifest(ctx context.Context, repository *remote.Repository, name registry.Reference) (ocispec.Descriptor, *ocispec.Manifest, error) {
	root, err := repository.Resolve(ctx, name.Reference)
	switch {
	case err != nil:
		return root, nil, err
	case root.MediaType != ocispec.MediaTypeImageManifest:
		return root, nil, fmt.Errorf("%w: it is %q", ErrLayout, root.MediaType)
	case root.Size > maxManifestBytes:
		return root, nil, fmt.Errorf("%w: its manifest has %d bytes", ErrLayout, root.Size)
	}
	if wanted, err := name.Digest(); err == nil && wanted != root.Digest {
		return root, nil, fmt.Errorf("%w: the registry answers with another digest, %s", ErrLayout, root.Digest)
	}
	text, err := content.FetchAll(ctx, repository, root)
	if err != nil {
		return root, nil, err
	}
	manifest := new(ocispec.Manifest)
	if err := json.Unmarshal(text, manifest); err != nil {
		return root, nil, fmt.Errorf("%w: %w", ErrLayout, err)
	}
	return root, manifest, nil
}

// open gives the repository of a reference, with the way to get into it.
func (o Options) open(reference string) (*remote.Repository, error) {
	text, ok := strings.CutPrefix(reference, Scheme)
	if !ok {
		return nil, fmt.Errorf("%q: %w", reference, ErrReference)
	}
	repository, err := remote.NewRepository(text)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", reference, ErrReference)
	}
	credential, err := o.credential(repository.Reference.Registry)
	if err != nil {
		return nil, err
	}
	client := &auth.Client{Client: retry.NewClient(), Cache: auth.NewCache(), Credential: credential}
	client.SetUserAgent("avap")
	if loopback(repository.Reference.Host()) {
		// Here TLS protects nothing, and tokens may come from here too.
		repository.PlainHTTP = true
		client.BlockedRealmPrefixes = []netip.Prefix{}
	}
	repository.PlainHTTP = repository.PlainHTTP || o.PlainHTTP
	repository.Client = client
	return repository, nil
}

// credential tells what to log in with.
func (o Options) credential(host string) (auth.CredentialFunc, error) {
	if o.Username != "" || o.Password != "" {
		return auth.StaticCredential(host, auth.Credential{Username: o.Username, Password: o.Password}), nil
	}
	store, err := credentials.NewStoreFromDocker(credentials.StoreOptions{})
	if err != nil {
		return nil, fmt.Errorf("the configuration of Docker, which holds logins to registries, cannot be read: %w", err)
	}
	return credentials.Credential(store), nil
}

// loopback reports that a host, with or without a port, is this machine.
func loopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && address.IsLoopback()
}

// explain gives an answer of a registry the error that callers look for.
func explain(reference string, err error) error {
	if answer, ok := errors.AsType[*errcode.ErrorResponse](err); ok && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden) {
		return fmt.Errorf("%s: %w", reference, ErrDenied)
	}
	switch {
	case errors.Is(err, errdef.ErrNotFound):
		return fmt.Errorf("%s: %w", reference, ErrNotFound)
	case errors.Is(err, auth.ErrBasicCredentialNotFound):
		return fmt.Errorf("%s: %w", reference, ErrDenied)
	}
	return fmt.Errorf("%s: %w", reference, err)
}
