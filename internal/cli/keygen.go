package cli

import (
	"bytes"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/avapd/avapd/internal/signature"
)

// publicSuffix is what the name of a public key's file has behind that of the
// private key's.
const publicSuffix = ".pub"

type keygenFlags struct {
	out, format, passphraseFile, output string
	protect                             bool
}

func keygenCommand(p *Process) *cobra.Command {
	var f keygenFlags
	cmd := &cobra.Command{
		Use:   "keygen",
		Short: "Make a pair of keys to sign modules with",
		Long: `Make a pair of keys of Ed25519: the private one in a file that only you can
read, the public one beside it, with .pub behind its name. Files that are there
are not overwritten.

The private key is protected by a passphrase with --passphrase-file, or with
--protect, which asks for it on the terminal; that takes the format openssh,
which ssh-keygen reads as well. The format pem is that of OpenSSL, raw that of
wasmsign2. avap sign and avap verify read all of them, also keys that those
programs made.

A key is called by its identifier, which follows from the public key. Signatures
name it.`,
		Example: `  avap keygen -o release
  avap keygen -o release --protect
  avap keygen -o release --format pem`,
		Args: arguments(0, 0, "no argument"),
		RunE: func(*cobra.Command, []string) error { return f.run(p) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVarP(&f.out, "out", "o", "", "`file` for the private key; required")
	flags.StringVar(&f.format, "format", string(signature.OpenSSH), "`form` of the files: openssh, pem or raw")
	passphraseFlag(cmd, &f.passphraseFile)
	flags.BoolVar(&f.protect, "protect", false, "ask for a passphrase on the terminal")
	outputFlag(cmd, &f.output)
	return cmd
}

// keygenResult is the JSON form of what keygen made.
type keygenResult struct {
	KeyID      string `json:"key_id"`
	PrivateKey string `json:"private_key"`
	PublicKey  string `json:"public_key"`
	Format     string `json:"format"`
	Protected  bool   `json:"protected"`
}

func (f *keygenFlags) run(p *Process) error {
	if err := f.check(); err != nil {
		return err
	}
	passphrase, err := f.passphrase(p)
	if err != nil {
		return err
	}
	defer clear(passphrase)
	key, err := signature.GenerateKey()
	if err != nil {
		return err //nolint:wrapcheck // it says what failed
	}
	if err := f.write(key, passphrase); err != nil {
		return err
	}
	result := keygenResult{key.Public().String(), f.out, f.out + publicSuffix, f.format, len(passphrase) > 0}
	if f.output == "json" {
		return printJSON(p, result)
	}
	_, err = fmt.Fprintf(p.Stdout, "%s: the private key; whoever has it can sign in your name\n%s: the public key, %s\n", result.PrivateKey, result.PublicKey, result.KeyID)
	return written(err)
}

func (f *keygenFlags) check() error {
	if err := chosen("output", f.output, "text", "json"); err != nil {
		return err
	}
	if err := chosen("format", f.format, signature.Formats()...); err != nil {
		return err
	}
	switch {
	case f.out == "" || f.out == stdinName:
		return usageError("keygen writes two files; name the first one with -o")
	case f.protect && f.passphraseFile != "":
		return usageError("--protect asks for a passphrase, --passphrase-file gives one; take one of them")
	case (f.protect || f.passphraseFile != "") && f.format != string(signature.OpenSSH):
		return usageError("--format %s has no passphrase; take %s", f.format, signature.OpenSSH)
	}
	return nil
}

func (f *keygenFlags) passphrase(p *Process) ([]byte, error) {
	switch {
	case f.passphraseFile != "":
		return readPassphrase(p, f.passphraseFile)
	case !f.protect:
		return nil, nil
	}
	first, err := askPassphrase(p, "Passphrase for "+f.out+": ")
	if err != nil {
		return nil, err
	}
	again, err := askPassphrase(p, "The same again: ")
	if err != nil {
		return nil, err
	}
	switch {
	case len(first) == 0:
		return nil, usageError("the passphrase is empty")
	case !bytes.Equal(first, again):
		return nil, usageError("the two passphrases differ")
	}
	return first, nil
}

func (f *keygenFlags) write(key signature.PrivateKey, passphrase []byte) error {
	format := signature.Format(f.format)
	private, err := signature.EncodePrivate(key, format, passphrase)
	if err != nil {
		return err //nolint:wrapcheck // it says what failed
	}
	defer clear(private)
	public, err := signature.EncodePublic(key.Public(), format, "")
	if err != nil {
		return err //nolint:wrapcheck // as above
	}
	if err := writeNew(f.out, private, privateMode); err != nil {
		return err
	}
	if err := writeNew(f.out+publicSuffix, public, publicMode); err != nil {
		// One half is of no use. If it cannot be removed, the first error says more.
		_ = os.Remove(f.out)
		return err
	}
	return nil
}
