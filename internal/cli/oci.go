package cli

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/oci"
)

// Variables that name the user of a registry of container images.
const (
	registryUserVariable     = "OCI_USERNAME"
	registryPasswordVariable = "OCI_PASSWORD"
)

func isImage(arg string) bool { return strings.HasPrefix(arg, oci.Scheme) }

// images is how to get at a registry of container images.
type images struct {
	plainHTTP bool
	timeout   time.Duration
	output    string
}

// image is a module in a registry, and who signed it.
type image struct {
	oci.Artifact

	Signers []signerShown `json:"signers"`

	// account tells the signers to a reader.
	account string
}

func (i images) options(p *Process) oci.Options {
	return oci.Options{
		Username: orVariable(p, "", registryUserVariable, ""), Password: orVariable(p, "", registryPasswordVariable, ""),
		PlainHTTP: i.plainHTTP, MaxBytes: maxFileBytes,
	}
}

// push stores one module under a reference. One that nobody signed has to be
// allowed: whoever gets it from there has nothing else to know its maker by.
func (i images) push(ctx context.Context, p *Process, file, reference string, allowUnsigned bool) error {
	content, err := readModule(p, file)
	if err != nil {
		return err
	}
	var nobody keyRing
	signers, err := nobody.check(content)
	if err == nil && len(signers) == 0 && !allowUnsigned {
		d := diag.New(diag.NotSigned, diag.Span{}, "the module carries no signature")
		d.Suggestion = "--allow-unsigned sends it all the same"
		err = d
	}
	if err != nil {
		return signatureProblem(p, file, err)
	}
	ctx, cancel := context.WithTimeout(ctx, i.timeout)
	defer cancel()
	artifact, err := oci.Push(ctx, reference, content, nil, i.options(p))
	if err != nil {
		return imageError(err)
	}
	return i.show(p, image{artifact, signers, nobody.account(signers)}, "sent")
}

// pull gets the module under a reference.
func (i images) pull(ctx context.Context, p *Process, reference, out string, ring *keyRing) error {
	ctx, cancel := context.WithTimeout(ctx, i.timeout)
	defer cancel()
	module, artifact, err := oci.Pull(ctx, reference, i.options(p))
	if err != nil {
		return imageError(err)
	}
	if out == "" {
		name, _, _ := strings.Cut(path.Base(reference), "@")
		name, _, _ = strings.Cut(name, ":")
		out = name + moduleSuffix
	}
	signers, err := ring.check(module)
	if err != nil {
		return signatureProblem(p, reference, err)
	}
	if err := writeOutput(p, out, module); err != nil || out == stdinName {
		return err
	}
	return i.show(p, image{artifact, signers, ring.account(signers)}, "written to "+out)
}

func (i images) show(p *Process, shown image, what string) error {
	if i.output == "json" {
		return printJSON(p, shown)
	}
	_, err := fmt.Fprintf(p.Stdout, "%s: %s, module %s, manifest %s, %s\n", shown.Reference, what, shown.Digest, shown.Manifest, shown.account)
	return written(err)
}

// imageError gives what a registry of images refused its exit code.
func imageError(err error) error {
	code := exitUnavailable
	switch {
	case errors.Is(err, oci.ErrReference), errors.Is(err, oci.ErrDenied):
		code = exitUsage
	case errors.Is(err, oci.ErrNotFound), errors.Is(err, oci.ErrLayout), errors.Is(err, oci.ErrTooLarge):
		code = exitScript
	}
	told := failureTold{Message: err.Error()}
	if code == exitUnavailable {
		told.NextStep = "Check the host in the reference, and whether its registry runs; --plain-http is for one without TLS."
	}
	return failed(code, told)
}
