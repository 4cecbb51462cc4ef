package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/avapd/avapd/internal/client"
)

// pull are the flags of pull.
type pull struct {
	remote

	out       string
	keys      []string
	plainHTTP bool
}

func pullCommand(p *Process) *cobra.Command {
	f := new(pull)
	cmd := &cobra.Command{
		Use:   "pull NAME[@VERSION]|oci://HOST/REPOSITORY:TAG",
		Short: "Get the module of a command from a server, or one from a registry of images",
		Long: `Get the module of a command from a server, as it was uploaded, signature included:
the version that is active, or the one that is named. With a reference that begins
with oci:// it comes from a registry of container images. What comes is compared
with its digest. A file that is the server's module already is left as it is.

With --key, the module is written only if one of the keys signed it; otherwise the
exit code is 6.`,
		Example: `  avap pull price -o price.wasm
  avap pull price@3 -o - | avap inspect -
  avap pull oci://ghcr.io/example/price:1 --key team.pub`,
		Args: arguments(1, 1, "the name of a command"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), p, args[0]) },
	}
	f.flags(cmd)
	cmd.Flags().StringVarP(&f.out, "out", "o", "", "`file` to write, - for standard output; by default the command's name with .wasm")
	cmd.Flags().StringArrayVarP(&f.keys, "key", "k", nil, "`file` with public keys, one of which must have signed the module; may be repeated")
	completeFile(cmd, "key", "pub", "pem")
	cmd.Flags().BoolVar(&f.plainHTTP, "plain-http", false, "talk to a registry of images without TLS, also on another machine")
	return cmd
}

func (f *pull) run(ctx context.Context, p *Process, arg string) error {
	if err := f.check(); err != nil {
		return err
	}
	ring, err := readKeyRing(p, f.keys)
	if err != nil {
		return err
	}
	if isImage(arg) {
		return f.images(f.plainHTTP).pull(ctx, p, arg, f.out, &ring)
	}
	name, version, err := commandArgument(arg)
	if err != nil {
		return err
	}
	c, err := f.open(p)
	if err != nil {
		return err
	}
	defer c.Close()
	if f.out == "" {
		f.out = name + moduleSuffix
	}
	m, err := c.Download(ctx, name, version, f.present())
	if err != nil {
		return refused(err)
	}
	if err := f.verify(p, m, &ring); err != nil {
		return err
	}
	if m.Bytes != nil {
		if err := writeOutput(p, f.out, m.Bytes); err != nil {
			return err
		}
	}
	return f.show(p, name, m)
}

// verify refuses a module that none of the keys signed, be it on the server or
// in the file that is the same.
func (f *pull) verify(p *Process, m *client.Module, ring *keyRing) error {
	module := m.Bytes
	if module == nil {
		var err error
		if module, err = readModule(p, f.out); err != nil {
			return err
		}
	}
	if _, err := ring.check(module); err != nil {
		return signatureProblem(p, f.out, err)
	}
	return nil
}

// present is the digest of the file that is there, or empty.
func (f *pull) present() string {
	if f.out == stdinName {
		return ""
	}
	content, err := readFile(f.out)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// pulled is what came of pull.
type pulled struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
	Digest  string `json:"digest"`
	File    string `json:"file"`
	// Changed tells that the file was written.
	Changed bool `json:"changed"`
}

func (f *pull) show(p *Process, name string, m *client.Module) error {
	result := pulled{name, m.Version, m.Digest, f.out, m.Bytes != nil}
	switch {
	case f.out == stdinName:
		return nil
	case f.output == "json":
		return printJSON(p, result)
	}
	what := "written to"
	if !result.Changed {
		what = "already in"
	}
	_, err := fmt.Fprintf(p.Stdout, "%s: version %d, digest %s, %s %s\n", name, m.Version, shortDigest(m.Digest), what, f.out)
	return written(err)
}
