package cli

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

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

func (i images) options(p *Process) oci.Options {
	return oci.Options{
		Username: orVariable(p, "", registryUserVariable, ""), Password: orVariable(p, "", registryPasswordVariable, ""),
		PlainHTTP: i.plainHTTP, MaxBytes: maxFileBytes,
	}
}

// push stores one module under a reference.
func (i images) push(ctx context.Context, p *Process, file, reference string) error {
	content, err := readProgram(p, file)
	if err != nil {
		return err
	}
	if !isModule(content) {
		return usageError("%s is no WebAssembly module; avap build makes one of a script", fileName(file))
	}
	ctx, cancel := context.WithTimeout(ctx, i.timeout)
	defer cancel()
	artifact, err := oci.Push(ctx, reference, content, nil, i.options(p))
	if err != nil {
		return imageError(err)
	}
	return i.show(p, artifact, "sent")
}

// pull gets the module under a reference.
func (i images) pull(ctx context.Context, p *Process, reference, out string) error {
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
	if err := writeOutput(p, out, module); err != nil || out == stdinName {
		return err
	}
	return i.show(p, artifact, "written to "+out)
}

func (i images) show(p *Process, artifact oci.Artifact, what string) error {
	if i.output == "json" {
		return printJSON(p, artifact)
	}
	_, err := fmt.Fprintf(p.Stdout, "%s: %s, module %s, manifest %s\n", artifact.Reference, what, artifact.Digest, artifact.Manifest)
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
