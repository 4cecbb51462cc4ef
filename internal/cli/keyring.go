package cli

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/signature"
)

// maxPassphraseBytes bounds what is read of a file with a passphrase.
const maxPassphraseBytes = 1_024

// keyRing is the public keys of a command, and which file each is from.
type keyRing struct {
	keys  []signature.PublicKey
	files map[string]string // by key
}

// signerShown is a signer as commands show it.
type signerShown struct {
	KeyID string `json:"key_id"`
	// Key is the file with the key that verified the signature.
	Key string `json:"key,omitempty"`
}

func readKeyRing(p *Process, files []string) (keyRing, error) {
	ring := keyRing{files: map[string]string{}}
	for _, file := range files {
		content, err := readInput(p, file)
		if err != nil {
			return keyRing{}, err
		}
		keys, err := signature.ParsePublicKeys(content)
		if err != nil {
			return keyRing{}, keyProblem(file, err)
		}
		for _, k := range keys {
			if _, ok := ring.files[string(k.Key)]; !ok {
				ring.files[string(k.Key)] = fileName(file)
				ring.keys = append(ring.keys, k)
			}
		}
	}
	return ring, nil
}

// check gives those of the keys that signed a module, and refuses one that none
// of them signed as it is. Without a key it gives those who signed by the
// module's own account, as nobody can tell more; but a module that carries
// signatures, none of which is about its bytes, is not what was signed.
func (r *keyRing) check(module []byte) ([]signerShown, error) {
	if len(r.keys) > 0 {
		signers, err := signature.Verify(module, r.keys)
		return r.shown(signers), err //nolint:wrapcheck // it is a diagnostic
	}
	claims, err := signature.Claims(module)
	signers := []signerShown{}
	for _, c := range claims {
		if c.Current {
			signers = append(signers, signerShown{KeyID: hex.EncodeToString(c.KeyID)})
		}
	}
	if err == nil && len(claims) > 0 && len(signers) == 0 {
		err = diag.New(diag.SignatureInvalid, diag.Span{}, "the module is not the one that was signed")
	}
	return signers, err //nolint:wrapcheck // as above
}

// signatureProblem shows what is wrong with the signatures of a module.
func signatureProblem(p *Process, name string, err error) error {
	if d, ok := errors.AsType[diag.Diagnostic](err); ok {
		return report(p.Stderr, diag.List{d}, script{name: name})
	}
	return err
}

// shown gives signers in the form that is shown.
func (r *keyRing) shown(signers []signature.PublicKey) []signerShown {
	var out []signerShown
	for _, k := range signers {
		out = append(out, signerShown{k.String(), r.files[string(k.Key)]})
	}
	return out
}

// without gives the keys that are not those of the signers, in the form that is
// shown.
func (r *keyRing) without(signers []signature.PublicKey) []signerShown {
	missing := slices.DeleteFunc(slices.Clone(r.keys), func(k signature.PublicKey) bool {
		return slices.ContainsFunc(signers, func(s signature.PublicKey) bool { return bytes.Equal(s.Key, k.Key) })
	})
	return r.shown(missing)
}

// signedBy is a part of a sentence.
func signedBy(signers []signerShown) string { return "signed by " + named(signers) }

// account is a part of a sentence about the signers that check gave.
func (r *keyRing) account(signers []signerShown) string {
	switch {
	case len(signers) == 0:
		return "signed by nobody"
	case len(r.keys) == 0:
		return "signatures of " + named(signers) + ", not verified"
	}
	return signedBy(signers)
}

// named lists signers by identifier and file.
func named(signers []signerShown) string {
	var parts []string
	for _, s := range signers {
		part := cmp.Or(s.KeyID, "a key without a name")
		if s.Key != "" {
			part += " (" + s.Key + ")"
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// keyProblem words why a file with a key cannot be used.
func keyProblem(file string, err error) error {
	if d, ok := errors.AsType[diag.Diagnostic](err); ok {
		return usageError("%s: %s [%s]", fileName(file), d.Message, d.Code)
	}
	return err
}

// halfProblem names the private key where the public one beside it was given.
func halfProblem(file string, err error) error {
	private, ok := strings.CutSuffix(file, publicSuffix)
	if info, statErr := os.Stat(private); !ok || statErr != nil || !info.Mode().IsRegular() {
		return err
	}
	return usageError("%v; did you mean --key %s?", err, private)
}

func readPrivateKey(p *Process, file, passphraseFile string) (signature.PrivateKey, error) {
	content, err := readInput(p, file)
	if err != nil {
		return signature.PrivateKey{}, err
	}
	defer clear(content)
	key, err := signature.ParsePrivateKey(content, func() ([]byte, error) {
		if passphraseFile != "" {
			return readPassphrase(p, passphraseFile)
		}
		return askPassphrase(p, "Passphrase of "+fileName(file)+": ")
	})
	if err != nil {
		return signature.PrivateKey{}, halfProblem(file, keyProblem(file, err))
	}
	return key, nil
}

// readPassphrase takes the first line of a file.
func readPassphrase(p *Process, file string) ([]byte, error) {
	content, err := readInput(p, file)
	if err != nil {
		return nil, err
	}
	line, _, _ := bytes.Cut(content, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	switch {
	case len(line) == 0:
		return nil, usageError("%s has no passphrase in its first line", fileName(file))
	case len(line) > maxPassphraseBytes:
		return nil, usageError("the first line of %s has more than %d bytes; that is no passphrase", fileName(file), maxPassphraseBytes)
	}
	return line, nil
}

// askPassphrase asks on the terminal, which does not show the answer.
func askPassphrase(p *Process, prompt string) ([]byte, error) {
	if !isTerminal(p.Stdin) {
		return nil, usageError("the private key has a passphrase, and there is no terminal to ask for it; give --passphrase-file")
	}
	fmt.Fprint(p.Stderr, prompt)
	answer, err := term.ReadPassword(int(p.Stdin.(*os.File).Fd()))
	fmt.Fprintln(p.Stderr)
	if err != nil {
		return nil, usageError("the passphrase cannot be read: %v", err)
	}
	return answer, nil
}

func passphraseFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "passphrase-file", "", "`file` whose first line is the passphrase of the private key")
}
