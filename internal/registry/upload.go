package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"slices"

	"github.com/avapd/avapd/compiler"
	"github.com/avapd/avapd/compiler/syntax"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/signature"
	"github.com/avapd/avapd/internal/store"
	"github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/runtime/abi"
	"github.com/avapd/avapd/runtime/catalog"
)

const (
	maxNameBytes = 64
	maxNoteBytes = 4000
	maxInterface = 100
	// keptVersions is how many versions of a command are kept besides those that
	// are active or were.
	keptVersions = 100
)

// UploadOptions go with an artifact.
type UploadOptions struct {
	// Activate makes the version the active one.
	Activate bool
	// Limits bound the executions of the version.
	Limits Limits
	// Interface names the parameters; nil for those that the module declares.
	Interface []abi.Parameter
	// By is who did it, and Note what they say about it.
	By, Note string
}

// checkName makes sure that scripts can call a command by its name.
func checkName(name string) error {
	for i := range len(name) {
		if name[i] >= 0x80 {
			return diag.NewFailure(diag.BadFieldValue, "the name %q of a command has letters beyond a to z", name)
		}
	}
	// The compiler knows words that are in neither table, such as those of blocks: it
	// is asked to call the name, in an expression and as a statement.
	_, isCommand := catalog.LookupCommand(name)
	_, isBuiltin := catalog.LookupBuiltin(name)
	switch {
	case len(name) > maxNameBytes || !syntax.IsIdent(name):
		return diag.NewFailure(diag.BadFieldValue, "%q is no name of a command: it has up to %d letters, digits and _, no digit first, and is no keyword", name, maxNameBytes)
	case isCommand || isBuiltin || compiler.Check(compiler.Source{Text: "x = " + name + "(1)\n" + name + "(1)"}, compiler.Options{}).HasErrors():
		return diag.NewFailure(diag.BadFieldValue, "the name %s has a meaning of its own in the language", name)
	}
	return nil
}

func (o *UploadOptions) check() error {
	switch {
	case o.Limits.negative():
		return diag.NewFailure(diag.BadFieldValue, "limits must not be negative")
	case len(o.Note) > maxNoteBytes:
		return diag.NewFailure(diag.BadFieldValue, "the note has more than %d bytes", maxNoteBytes)
	}
	return checkInterface(o.Interface)
}

// ParseInterface reads the parameters of a command, a JSON list.
func ParseInterface(text []byte) ([]abi.Parameter, error) {
	list := []abi.Parameter{}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&list); err != nil {
		return nil, diag.NewFailure(diag.BadFieldValue, `the interface is no JSON list such as [{"name": "a", "kind": "L"}]: %v`, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, diag.NewFailure(diag.BadFieldValue, "there is text after the JSON list of the interface")
	}
	return list, checkInterface(list)
}

func checkInterface(list []abi.Parameter) error {
	if len(list) > maxInterface {
		return diag.NewFailure(diag.BadFieldValue, "an interface has at most %d parameters", maxInterface)
	}
	for i, p := range list {
		switch {
		case p.Kind != abi.ParameterValue:
			return diag.NewFailure(diag.BadFieldValue, "the parameter %q is of the kind %q; those of a registered command are %s", p.Name, p.Kind, abi.ParameterValue)
		case p.Name == "" || len(p.Name) > maxNameBytes:
			return diag.NewFailure(diag.BadFieldValue, "the name %q of a parameter does not have 1 to %d bytes", p.Name, maxNameBytes)
		case slices.ContainsFunc(list[:i], func(other abi.Parameter) bool { return other.Name == p.Name }):
			return diag.NewFailure(diag.BadFieldValue, "two parameters are called %s", p.Name)
		}
	}
	return nil
}

// Upload adds a signed artifact as the next version of a command, which need not
// be there yet. What is the newest version already is not added again. The error
// is a *diag.Failure.
func (r *Registry) Upload(ctx context.Context, name string, module []byte, o UploadOptions) (*Version, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	if len(module) > r.config.ArtifactBytes {
		return nil, diag.NewFailure(diag.RequestTooLarge, "the artifact has %d bytes; the limit is %d", len(module), r.config.ArtifactBytes)
	}
	v := &Version{
		Command: name, Digest: sha256.Sum256(module), Size: len(module), Interface: o.Interface, Limits: o.Limits,
		Created: r.now(), By: o.By, Note: o.Note,
	}
	if err := r.examine(ctx, v, module); err != nil {
		return nil, err
	}
	var made *Version
	_, err := r.commit(ctx, func(s *State) (store.Batch, error) {
		if _, err := s.permit(v, v.Signers); err != nil {
			return store.Batch{}, err
		}
		var batch store.Batch
		var err error
		if batch, made, err = r.addition(s, *v, o.Activate); err != nil {
			return store.Batch{}, err
		}
		// Also when it is there: it may be damaged.
		batch.Artifacts = []store.Artifact{{Digest: v.Digest, Bytes: module}}
		return batch, nil
	})
	if err != nil {
		return nil, err
	}
	r.config.Keep(module)
	if c, ok := r.State().Command(name); ok {
		if stored := c.Version(made.Number); stored != nil && stored.Digest == made.Digest {
			return stored, nil
		}
	}
	return made, nil
}

// examine decides whether an artifact can be a version: by its signatures, what
// it may do, and whether it can be loaded.
func (r *Registry) examine(ctx context.Context, v *Version, module []byte) error {
	s := r.State()
	var err error
	if v.Signers, err = verify(s, module); err != nil {
		return err
	}
	if v.Content, err = contentOf(module); err != nil {
		return err
	}
	p, err := s.permit(v, v.Signers)
	if err != nil {
		return err
	}
	command := &engine.Command{Digest: v.Digest, Trusted: p.trusted, Fetch: func(context.Context) ([]byte, error) { return module, nil }}
	manifest, err := r.config.Engine.LoadCommand(ctx, v.By, command)
	if err != nil {
		return loadFailure(v.Command, err)
	}
	if err := checkCapabilities(module, &manifest); err != nil {
		return err
	}
	v.Capabilities, v.SourceSHA256 = manifest.Capabilities, manifest.SourceSHA256
	if v.Interface == nil {
		v.Interface = manifest.Interface
		return checkInterface(v.Interface)
	}
	return nil
}

// checkCapabilities compares what a module imports with what its manifest
// declares, by which signers are held to what they may grant.
func checkCapabilities(module []byte, manifest *abi.Manifest) error {
	b, err := wasm.Decode(module)
	if err != nil {
		return failed(diag.ModuleUnusable, err, "the module cannot be read")
	}
	var fields []string
	for i := range b.Imports {
		if imp := &b.Imports[i]; imp.Module == abi.HostModule {
			fields = append(fields, imp.Field)
		}
	}
	if needed := catalog.Capabilities(fields); !slices.Equal(needed, manifest.Capabilities) {
		return diag.List{diag.New(diag.ModuleManifest, diag.Span{}, "the imports take the capabilities %q, the manifest declares %q", needed, manifest.Capabilities)}
	}
	return nil
}

// addition is what adds a version, and the version; or what activates the newest
// one if that is the same.
func (r *Registry) addition(s *State, v Version, activate bool) (store.Batch, *Version, error) {
	next := Command{Name: v.Command, Updated: r.now(), By: v.By}
	old := s.commands.get(v.Command)
	if old != nil {
		next.revision, next.Highest, next.Versions = old.revision, old.Highest, old.Versions
	}
	if old.exists() {
		next.Active, next.Disabled, next.Previous = old.Active, old.Disabled, old.Previous
		if newest := old.Newest(); newest != nil && newest.Digest == v.Digest && newest.Limits == v.Limits && slices.Equal(newest.Interface, v.Interface) {
			if !activate || next.Active == newest.Number {
				return store.Batch{}, newest, nil
			}
			next.activate(newest.Number)
			batch, err := onePut(putCommand(&next))
			return batch, newest, err
		}
	}
	next.Highest++
	v.Number = next.Highest
	if activate {
		next.activate(v.Number)
	}
	batch, err := onePut(withDocument(store.Put{Kind: kindVersion, Name: versionName(v.Command, v.Number)}, &v))
	if err != nil {
		return store.Batch{}, nil, err
	}
	command, err := putCommand(&next)
	batch.Puts = append(batch.Puts, command)
	for _, surplus := range next.surplus() {
		batch.Puts = append(batch.Puts, putNoVersion(surplus))
	}
	return batch, &v, err
}

// surplus are the versions that are too many: the oldest ones that are not
// active and cannot be rolled back to.
func (c *Command) surplus() []*Version {
	var idle []*Version
	for _, v := range c.Versions {
		if v.Number != c.Active && !slices.Contains(c.Previous, v.Number) {
			idle = append(idle, v)
		}
	}
	return idle[:max(0, len(idle)-keptVersions)]
}

// Build compiles a script, signs it with the server's key and uploads it. The
// findings are why it cannot be compiled, or warnings.
func (r *Registry) Build(ctx context.Context, name, source string, o UploadOptions) (*Version, diag.List, error) {
	if r.config.Signer == nil {
		return nil, nil, diag.NewFailure(diag.Forbidden, "this server does not build commands; build and sign the module with avap build and avap sign")
	}
	if err := checkName(name); err != nil {
		return nil, nil, err
	}
	if err := o.check(); err != nil {
		return nil, nil, err
	}
	artifact, findings, err := r.config.Engine.Compile(ctx, o.By, &engine.Source{File: name + ".avap", Text: source, Interface: o.Interface})
	if failure, ok := errors.AsType[*diag.Failure](err); ok {
		return nil, nil, failure
	}
	if err != nil {
		return nil, findings, failed(diag.Internal, err, "internal error")
	}
	if artifact == nil {
		return nil, findings, nil
	}
	if err := r.trustBuilder(ctx); err != nil {
		return nil, findings, err
	}
	module, err := signature.Sign(artifact.Wasm, *r.config.Signer)
	if err != nil {
		return nil, findings, signatureFailure(err)
	}
	v, err := r.Upload(ctx, name, module, o)
	return v, findings, err
}
