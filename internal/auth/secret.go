package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"math/big"
	"regexp"
	"strings"
)

// A secret is written avap_NAME_… with the name of its key, 256 random bits and
// a checksum of all of that, in digits and letters. Whoever finds one in a log or
// a repository sees what it is and whose, and one that was cut off or mistyped is
// known as such without asking a server.
const (
	secretPrefix   = "avap_"
	secretBytes    = 32
	secretDigits   = 43 // of 256 bits
	checksumDigits = 6  // of 32 bits
	base           = 62
)

const maxNameBytes = 40

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

// NameRule words what names of keys are like.
const NameRule = "up to 40 lower-case letters, digits and -, a letter or a digit first"

// IsName tells whether a key can have the name.
func IsName(name string) bool { return nameForm.MatchString(name) }

// Digest is what is kept of a secret.
type Digest [sha256.Size]byte

// MarshalText implements encoding.TextMarshaler.
func (d Digest) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(d[:])), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Digest) UnmarshalText(text []byte) error {
	if hex.DecodedLen(len(text)) != len(d) {
		return fmt.Errorf("a digest has %d hexadecimal digits", 2*len(d))
	}
	_, err := hex.Decode(d[:], text)
	return err //nolint:wrapcheck // it says what is wrong
}

// DigestOf is what is kept of a secret: its SHA-256. A secret has 256 random
// bits, so that nobody can try out what it may have been, and there is nothing
// that salt or a slow hash would add.
func DigestOf(secret string) Digest { return sha256.Sum256([]byte(secret)) }

// NewSecret makes a secret for a key.
func NewSecret(name string) string {
	var random [secretBytes]byte
	_, _ = rand.Read(random[:]) // never fails
	text := secretPrefix + name + "_" + digits(new(big.Int).SetBytes(random[:]), secretDigits)
	return text + checksum(text)
}

// nameOfSecret reads the name of the key out of a secret; what is no secret has
// none.
func nameOfSecret(secret string) (name string, ok bool) {
	rest, ok := strings.CutPrefix(secret, secretPrefix)
	if !ok || len(rest) > maxNameBytes+1+secretDigits+checksumDigits {
		return "", false
	}
	name, random, ok := strings.Cut(rest, "_")
	if !ok || len(random) != secretDigits+checksumDigits {
		return "", false
	}
	at := len(secret) - checksumDigits
	return name, secret[at:] == checksum(secret[:at])
}

// IsSecret tells whether a text has the form of a secret, with the checksum.
func IsSecret(text string) bool {
	_, ok := nameOfSecret(text)
	return ok
}

func checksum(text string) string {
	return digits(big.NewInt(int64(crc32.ChecksumIEEE([]byte(text)))), checksumDigits)
}

// digits writes a number with leading zeros.
func digits(n *big.Int, length int) string {
	text := n.Text(base)
	return strings.Repeat("0", length-len(text)) + text
}
