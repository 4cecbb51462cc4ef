package cli

import (
	"context"
	"errors"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/signature"
)

// detachedSuffix is what files with detached signatures have behind the names
// of their modules, where there are several.
const detachedSuffix = ".sig"

type signFlags struct {
	key, passphraseFile, out, detached, output string
}

func signCommand(p *Process) *cobra.Command {
	var f signFlags
	cmd := &cobra.Command{
		Use:   "sign FILE…",
		Short: "Sign modules",
		Long: `Sign modules with Ed25519 in a custom section of the module, in the form of
wasmsign2. A signed module runs wherever it did before; other signatures in it
stay. Of a directory, all files that end in .wasm are signed.

Without -o the files themselves are signed. With several files, -o is a directory
for the signed ones. With --detached, the signature goes into a file of its own,
or joins those that are there, and the module is not touched; with several files
it is a directory for files that end in .sig.

A private key with a passphrase takes --passphrase-file, or is asked for on the
terminal.`,
		Example: `  avap sign order.wasm --key release -o signed.wasm
  avap sign modules --key release --passphrase-file secret.txt
  avap sign order.wasm --key release --detached order.wasm.sig`,
		Args: arguments(1, -1, "at least one file"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), p, args) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVarP(&f.key, "key", "k", "", "`file` with the private key; required")
	passphraseFlag(cmd, &f.passphraseFile)
	flags.StringVarP(&f.out, "out", "o", "", "`file` for the signed module, or directory for several; by default the module itself")
	flags.StringVar(&f.detached, "detached", "", "`file` for the signature, or directory for several, instead of the module")
	outputFlag(cmd, &f.output)
	return cmd
}

func (f *signFlags) run(ctx context.Context, p *Process, args []string) error {
	if err := chosen("output", f.output, "text", "json"); err != nil {
		return err
	}
	switch {
	case f.key == "":
		return usageError("sign needs a private key; give --key, and make one with avap keygen")
	case f.out != "" && f.detached != "":
		return usageError("-o is for signed modules, --detached for signatures beside them; take one of them")
	case f.output == "json" && f.out == stdinName:
		return usageError("the module and --output json cannot both go to standard output")
	}
	in, err := readInputs(args, moduleSuffix)
	if err != nil {
		return err
	}
	outputs, err := f.outputs(in)
	if err != nil {
		return err
	}
	key, err := readPrivateKey(p, f.key, f.passphraseFile)
	if err != nil {
		return err
	}
	b := &batch{p, f.output, "signed"}
	return b.run(ctx, in, func(i int, file input) outcome {
		o := outcome{File: fileName(file.name), Success: true, Output: outputs[i]}
		if err := f.sign(p, file.name, outputs[i], key, in.several); err != nil {
			return o.fail(err)
		}
		o.Signers = []signerShown{{KeyID: key.Public().String()}}
		if outputs[i] != stdinName {
			o.line = outputs[i] + ": " + signedBy(o.Signers)
		}
		return o
	})
}

func (f *signFlags) outputs(in inputs) ([]string, error) {
	if f.detached != "" {
		return in.outputs(f.detached, func(name string) string { return name + detachedSuffix })
	}
	if f.out == "" && in.files[0].name == stdinName {
		return nil, usageError("a module from standard input cannot be written in place; give -o")
	}
	return in.outputs(f.out, func(name string) string { return name })
}

func (f *signFlags) sign(p *Process, name, out string, key signature.PrivateKey, several bool) error {
	module, err := readModule(p, name)
	if err != nil {
		return err
	}
	if f.detached != "" {
		present, err := readDetached(out)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return usageError("%s", fileProblem(out, err))
		}
		made, err := signature.SignDetached(module, present, key)
		if err != nil {
			return err //nolint:wrapcheck // it is a diagnostic
		}
		return writeBelow(p, out, made, several)
	}
	signed, err := signature.Sign(module, key)
	if err != nil {
		return err //nolint:wrapcheck // as above
	}
	return writeBelow(p, out, signed, several)
}

// readDetached reads the signatures that are there, to add one.
func readDetached(name string) ([]byte, error) {
	if name == stdinName {
		return nil, nil
	}
	return readFile(name)
}

// readModule reads a file that must be a module.
func readModule(p *Process, name string) ([]byte, error) {
	content, err := readProgram(p, name)
	if err == nil && !isModule(content) {
		return nil, usageError("%s is no WebAssembly module; avap build makes one of a script", fileName(name))
	}
	return content, err
}

type verifyFlags struct {
	keys             []string
	detached, output string
	all              bool
}

func verifyCommand(p *Process) *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify FILE…",
		Short: "Tell who signed modules, and that they are unchanged",
		Long: `Tell which of the given keys signed modules, and that these are just what was
signed. Of a directory, all files that end in .wasm are verified.

One of the keys must have signed each module; with --all, every one of them. A
file may hold several keys. The exit code is 6 if a module is not signed by a key
that was given, or was changed since.`,
		Example: `  avap verify signed.wasm --key release.pub
  avap verify modules --key release.pub --key review.pub --all
  avap verify order.wasm --key release.pub --detached order.wasm.sig`,
		Args: arguments(1, -1, "at least one file"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), p, args) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringArrayVarP(&f.keys, "key", "k", nil, "`file` with public keys; may be repeated; required")
	flags.StringVar(&f.detached, "detached", "", "`file` with the signature, or directory for several modules")
	flags.BoolVar(&f.all, "all", false, "every key must have signed")
	outputFlag(cmd, &f.output)
	return cmd
}

func (f *verifyFlags) run(ctx context.Context, p *Process, args []string) error {
	if err := chosen("output", f.output, "text", "json"); err != nil {
		return err
	}
	if len(f.keys) == 0 {
		return usageError("verify needs public keys; give --key")
	}
	in, err := readInputs(args, moduleSuffix)
	if err != nil {
		return err
	}
	signatures, err := in.outputs(f.detached, func(name string) string { return name + detachedSuffix })
	if err != nil {
		return err
	}
	ring, err := readKeyRing(p, f.keys)
	if err != nil {
		return err
	}
	b := &batch{p, f.output, "verified"}
	return b.run(ctx, in, func(i int, file input) outcome {
		o := outcome{File: fileName(file.name), Success: true}
		signers, err := f.verify(p, file.name, signatures[i], ring)
		if err != nil {
			return o.fail(err)
		}
		o.Signers = ring.shown(signers)
		o.line = o.File + ": " + signedBy(o.Signers)
		return o
	})
}

func (f *verifyFlags) verify(p *Process, name, detached string, ring keyRing) ([]signature.PublicKey, error) {
	module, err := readModule(p, name)
	if err != nil {
		return nil, err
	}
	var signers []signature.PublicKey
	if f.detached == "" {
		signers, err = signature.Verify(module, ring.keys)
	} else {
		content, readErr := readInput(p, detached)
		if readErr != nil {
			return nil, readErr
		}
		signers, err = signature.VerifyDetached(module, content, ring.keys)
	}
	if err != nil {
		return nil, err //nolint:wrapcheck // it is a diagnostic
	}
	if missing := ring.without(signers); f.all && len(missing) > 0 {
		return nil, diag.New(diag.SignerUnknown, diag.Span{}, "%d of the %d keys did not sign the module: %s", len(missing), len(ring.keys), named(missing))
	}
	return signers, nil
}
