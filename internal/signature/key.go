package signature

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/avapd/avapd/internal/diag"
)

// KeyIDBytes is how long the identifiers are that KeyID makes.
const KeyIDBytes = 12

// PublicKey says whose signatures are right.
type PublicKey struct {
	// ID is what the signer's records are marked with. A key without one is
	// compared with all records.
	ID  []byte
	Key ed25519.PublicKey
}

// NewPublicKey makes a key with the identifier of KeyID. It refuses the few
// keys for which anybody can make signatures.
func NewPublicKey(key ed25519.PublicKey) (PublicKey, error) {
	switch {
	case len(key) != ed25519.PublicKeySize:
		return PublicKey{}, refuse(diag.KeyUnusable, "a public key of %d bytes; Ed25519 has %d", len(key), ed25519.PublicKeySize)
	case ofSmallOrder(key):
		return PublicKey{}, refuse(diag.KeyUnusable, "the public key is one that anybody can sign for")
	}
	return PublicKey{KeyID(key), bytes.Clone(key)}, nil
}

// String is the identifier in hexadecimal digits.
func (k PublicKey) String() string { return hex.EncodeToString(k.ID) }

// KeyID is the identifier of a key that no one has to choose: the first bytes
// of HMAC-SHA256 with the public key over the text "key_id", as wasmsign2 has
// it.
func KeyID(key ed25519.PublicKey) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("key_id"))
	return mac.Sum(nil)[:KeyIDBytes]
}

// The encodings of the y coordinates of the points of small order, with the
// sign bit off; the last two are not in reduced form.
var smallOrder = [][]byte{
	mustHex("0100000000000000000000000000000000000000000000000000000000000000"),
	mustHex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
	mustHex("0000000000000000000000000000000000000000000000000000000000000000"),
	mustHex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
	mustHex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
	mustHex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
	mustHex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
}

func mustHex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// ofSmallOrder reports whether a key is no real one: multiplied by eight it is
// nothing, so that a signature needs no secret.
func ofSmallOrder(key ed25519.PublicKey) bool {
	y := bytes.Clone(key)
	y[len(y)-1] &= 0x7f
	for _, point := range smallOrder {
		if bytes.Equal(y, point) {
			return true
		}
	}
	return false
}

// PrivateKey signs modules. However it is printed, logged or encoded, the
// secret does not show.
type PrivateKey struct {
	// ID is what its records are marked with; none if it is empty.
	ID []byte
	// A function, because whoever prints a struct with a key in it gets to see
	// what a slice holds, or a pointer points at.
	secret func() ed25519.PrivateKey
}

// GenerateKey makes a new key with the identifier of KeyID.
func GenerateKey() (PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("generate a key: %w", err)
	}
	return newPrivateKey(key), nil
}

func newPrivateKey(key ed25519.PrivateKey) PrivateKey {
	return PrivateKey{KeyID(publicOf(key)), func() ed25519.PrivateKey { return key }}
}

func publicOf(key ed25519.PrivateKey) ed25519.PublicKey {
	return key.Public().(ed25519.PublicKey)
}

// Public is the key that verifies what this one signs.
func (k PrivateKey) Public() PublicKey {
	return PublicKey{k.ID, publicOf(k.secret())}
}

func (k PrivateKey) sign(message []byte) []byte { return ed25519.Sign(k.secret(), message) }

// SignMessage signs what is no module. The message begins with a text that says
// what it is, so that no signature counts for something else.
func (k PrivateKey) SignMessage(message []byte) []byte { return k.sign(message) }

// String names the key by its identifier.
func (k PrivateKey) String() string { return "private key " + hex.EncodeToString(k.ID) }

// Format prints String for every verb.
func (k PrivateKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// LogValue logs String.
func (k PrivateKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText refuses: files are made with EncodePrivate.
func (k PrivateKey) MarshalText() ([]byte, error) {
	return nil, errors.New("a private key is not encoded this way")
}
