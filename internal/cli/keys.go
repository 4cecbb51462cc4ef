package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
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

// shown gives signers in the form that is shown.
func (r *keyRing) shown(signers []signature.PublicKey) []signerShown {
	var out []signerShown
	for _, k := range signers {
		out = append(out, signerShown{k.String(), r.files[string(k.Key)]})
	}
	return out
}

// signedBy is a part of a sentence.
func signedBy(signers []signerShown) string {
	var parts []string
	for _, s := range signers {
		part := s.KeyID
		if s.Key != "" {
			part += " (" + s.Key + ")"
		}
		parts = append(parts, part)
	}
	return "signed by " + strings.Join(parts, ", ")
}

// keyProblem words why a file with a key cannot be used.
func keyProblem(file string, err error) error {
	if d, ok := errors.AsType[diag.Diagnostic](err); ok {
		return usageError("%s: %s [%s]", fileName(file), d.Message, d.Code)
	}
	return err
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
		return signature.PrivateKey{}, keyProblem(file, err)
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
