package signature

import (
	"bytes"
	"crypto/ed25519"
	"crypto/subtle"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"

	"github.com/avapd/avapd/internal/diag"
)

// Format is a way to write a key into a file.
type Format string

// The formats. OpenSSH's is the one that is written with a passphrase.
const (
	OpenSSH Format = "openssh" // as ssh-keygen writes it
	PEM     Format = "pem"     // PKCS #8, and SubjectPublicKeyInfo for the public key
	Raw     Format = "raw"     // as wasmsign2 writes it
)

// Formats lists them.
func Formats() []string { return []string{string(OpenSSH), string(PEM), string(Raw)} }

// The bounds of key files.
const (
	maxKeyFileBytes = 64 << 10
	maxKeys         = 1_000
)

// RawPrivateKeyBytes is the length of a private key as wasmsign2 writes it.
const RawPrivateKeyBytes = 1 + ed25519.PrivateKeySize

// The first byte of raw keys.
const (
	rawPublic  = 0x01
	rawPrivate = 0x81
)

// The types of PEM blocks.
const (
	pemPublic    = "PUBLIC KEY"
	pemPrivate   = "PRIVATE KEY"
	pemEncrypted = "ENCRYPTED PRIVATE KEY"
	pemOpenSSH   = "OPENSSH PRIVATE KEY"
)

func unusable(format string, args ...any) error { return refuse(diag.KeyUnusable, format, args...) }

func checkSize(file []byte) error {
	if len(file) > maxKeyFileBytes {
		return unusable("a key file of %d bytes, at most %d are read", len(file), maxKeyFileBytes)
	}
	return nil
}

// ParsePublicKeys reads a file with public keys, at least one, in whichever
// format it is: raw, SubjectPublicKeyInfo as PEM or DER, or lines of OpenSSH.
// Lines with keys of other kinds than Ed25519 are passed over.
func ParsePublicKeys(file []byte) ([]PublicKey, error) {
	if err := checkSize(file); err != nil {
		return nil, err
	}
	keys, err := publicKeys(file)
	switch {
	case err != nil:
		return nil, err
	case len(keys) > maxKeys:
		return nil, unusable("more than %d keys in one file", maxKeys)
	}
	out := make([]PublicKey, len(keys))
	for i, k := range keys {
		if out[i], err = NewPublicKey(k); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func publicKeys(file []byte) ([]ed25519.PublicKey, error) {
	switch {
	case len(file) == 1+ed25519.PublicKeySize && file[0] == rawPublic:
		return []ed25519.PublicKey{file[1:]}, nil
	case IsPrivateKey(file):
		return nil, unusable("the file holds a private key; give the public one, and keep this one to yourself")
	case bytes.Contains(file, []byte("-----BEGIN "+pemPublic)):
		return publicPEM(file)
	}
	if key, err := x509.ParsePKIXPublicKey(file); err == nil {
		return onePublic(key)
	}
	return publicLines(file)
}

// IsPrivateKey recognises files that hold a private key, of whichever kind and
// damaged ones too: such a file is not sent anywhere, stored or shown.
func IsPrivateKey(file []byte) bool {
	if len(file) > maxKeyFileBytes {
		return false
	}
	if len(file) == RawPrivateKeyBytes && file[0] == rawPrivate {
		return true
	}
	for line := range bytes.Lines(file) {
		line = bytes.TrimSpace(bytes.TrimPrefix(line, []byte("\ufeff")))
		if bytes.HasPrefix(line, []byte("-----BEGIN ")) && bytes.Contains(line, []byte(pemPrivate)) || bytes.HasPrefix(line, []byte("PuTTY-User-Key-File-")) {
			return true
		}
	}
	return isPrivateDER(file)
}

// isPrivateDER recognises PKCS #8 and the older forms without an envelope.
func isPrivateDER(file []byte) bool {
	if !bytes.HasPrefix(file, []byte{0x30}) {
		return false
	}
	_, err := x509.ParsePKCS8PrivateKey(file)
	_, errEC := x509.ParseECPrivateKey(file)
	_, errRSA := x509.ParsePKCS1PrivateKey(file)
	return err == nil || errEC == nil || errRSA == nil
}

func publicPEM(file []byte) ([]ed25519.PublicKey, error) {
	var keys []ed25519.PublicKey
	for block, rest := pem.Decode(file); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != pemPublic {
			continue
		}
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, unusable("the PEM block %s is damaged", pemPublic)
		}
		key, err := onePublic(parsed)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key...)
	}
	if len(keys) == 0 {
		return nil, unusable("the PEM block %s is damaged", pemPublic)
	}
	return keys, nil
}

func onePublic(key any) ([]ed25519.PublicKey, error) {
	if key, ok := key.(ed25519.PublicKey); ok {
		return []ed25519.PublicKey{key}, nil
	}
	return nil, unusable("the key is not one of Ed25519")
}

func publicLines(file []byte) ([]ed25519.PublicKey, error) {
	var keys []ed25519.PublicKey
	others := 0
	for len(file) > 0 {
		key, _, _, rest, err := ssh.ParseAuthorizedKey(file)
		if err != nil {
			break
		}
		file = rest
		others++
		if key, ok := key.(ssh.CryptoPublicKey); ok {
			if key, ok := key.CryptoPublicKey().(ed25519.PublicKey); ok {
				keys = append(keys, key)
			}
		}
	}
	switch {
	case len(keys) > 0:
		return keys, nil
	case others > 0:
		return nil, unusable("no key in the file is one of Ed25519")
	}
	return nil, unusable("the file is no public key that this program reads: raw as wasmsign2 writes it, PEM, DER or OpenSSH")
}

// EncodePublic writes a public key; a comment is kept only by OpenSSH.
func EncodePublic(key PublicKey, format Format, comment string) ([]byte, error) {
	switch format {
	case Raw:
		return append([]byte{rawPublic}, key.Key...), nil
	case PEM:
		der, err := x509.MarshalPKIXPublicKey(key.Key)
		if err != nil {
			return nil, fmt.Errorf("encode the public key: %w", err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: pemPublic, Bytes: der}), nil
	case OpenSSH:
		line, err := ssh.NewPublicKey(key.Key)
		if err != nil {
			return nil, fmt.Errorf("encode the public key: %w", err)
		}
		out := bytes.TrimSuffix(ssh.MarshalAuthorizedKey(line), []byte("\n"))
		if comment != "" {
			out = append(append(out, ' '), comment...)
		}
		return append(out, '\n'), nil
	}
	return nil, unusable("there is no key format %q", format)
}

// ParsePrivateKey reads a private key in whichever format it is: raw, PKCS #8
// as PEM or DER, or OpenSSH. The function passphrase is called if the file is
// protected. No error tells anything of the file's content.
func ParsePrivateKey(file []byte, passphrase func() ([]byte, error)) (PrivateKey, error) {
	if err := checkSize(file); err != nil {
		return PrivateKey{}, err
	}
	if len(file) == RawPrivateKeyBytes && file[0] == rawPrivate {
		return checked(bytes.Clone(file[1:]))
	}
	if key, err := x509.ParsePKCS8PrivateKey(file); err == nil {
		return onePrivate(key)
	}
	if _, err := publicKeys(file); err == nil {
		return PrivateKey{}, unusable("the file holds a public key; signing takes the private one of the pair")
	}
	block, _ := pem.Decode(file)
	if block == nil {
		return PrivateKey{}, unusable("the file is no private key that this program reads: raw as wasmsign2 writes it, PEM, DER or OpenSSH")
	}
	switch block.Type {
	case pemPrivate:
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return PrivateKey{}, unusable("the PEM block %s is damaged", pemPrivate)
		}
		return onePrivate(key)
	case pemOpenSSH:
		return privateOpenSSH(file, block.Bytes, passphrase)
	case pemEncrypted:
		return privatePKCS8(block.Bytes, passphrase)
	}
	return PrivateKey{}, unusable("a PEM block %s is no private key of Ed25519", block.Type)
}

func privateOpenSSH(file, content []byte, passphrase func() ([]byte, error)) (PrivateKey, error) {
	if err := checkRounds(content); err != nil {
		return PrivateKey{}, err
	}
	key, err := ssh.ParseRawPrivateKey(file)
	if missing := new(ssh.PassphraseMissingError); errors.As(err, &missing) {
		var secret []byte
		if secret, err = passphrase(); err != nil {
			return PrivateKey{}, err
		}
		key, err = ssh.ParseRawPrivateKeyWithPassphrase(file, secret)
		clear(secret)
		if errors.Is(err, x509.IncorrectPasswordError) {
			return PrivateKey{}, unusable("the passphrase is not that of the private key")
		}
	}
	if err != nil {
		return PrivateKey{}, unusable("the private key of OpenSSH is damaged, or of another kind than Ed25519")
	}
	return onePrivate(key)
}

func onePrivate(key any) (PrivateKey, error) {
	switch key := key.(type) {
	case ed25519.PrivateKey:
		return checked(key)
	case *ed25519.PrivateKey:
		return checked(*key)
	}
	return PrivateKey{}, unusable("the private key is not one of Ed25519")
}

// checked refuses a key whose public half is of another one: two signatures
// with the wrong half would tell the secret.
func checked(key ed25519.PrivateKey) (PrivateKey, error) {
	if len(key) != ed25519.PrivateKeySize || subtle.ConstantTimeCompare(ed25519.NewKeyFromSeed(key.Seed()), key) != 1 {
		return PrivateKey{}, unusable("the two halves of the private key do not belong together; the file is damaged")
	}
	return newPrivateKey(key), nil
}

// EncodePrivate writes a private key, protected unless the passphrase is
// empty.
func EncodePrivate(key PrivateKey, format Format, passphrase []byte) ([]byte, error) {
	if len(passphrase) > 0 && format != OpenSSH {
		return nil, unusable("the format %s has no passphrase; take %s", format, OpenSSH)
	}
	switch format {
	case Raw:
		return append([]byte{rawPrivate}, key.secret()...), nil
	case PEM:
		der, err := x509.MarshalPKCS8PrivateKey(key.secret())
		if err != nil {
			return nil, errors.New("the private key could not be encoded")
		}
		return pem.EncodeToMemory(&pem.Block{Type: pemPrivate, Bytes: der}), nil
	case OpenSSH:
		block, err := openSSHBlock(key.secret(), passphrase)
		if err != nil {
			return nil, errors.New("the private key could not be encoded")
		}
		return pem.EncodeToMemory(block), nil
	}
	return nil, unusable("there is no key format %q", format)
}

func openSSHBlock(key ed25519.PrivateKey, passphrase []byte) (*pem.Block, error) {
	if len(passphrase) == 0 {
		return ssh.MarshalPrivateKey(key, "")
	}
	return ssh.MarshalPrivateKeyWithPassphrase(key, "", passphrase)
}

// maxRounds bounds how long a file can make the derivation of its key from the
// passphrase last: two seconds or so. ssh-keygen takes 16 unless it is told more.
const maxRounds = 256

// checkRounds reads how many rounds the derivation takes. The format is that of
// OpenSSH's PROTOCOL.key: magic, name of the cipher, name of the derivation,
// and its options, which are salt and rounds.
func checkRounds(content []byte) error {
	c := cursor{b: content}
	c.bytes(uint32(len("openssh-key-v1\x00")))
	c.bytes(c.big32())
	c.bytes(c.big32())
	options := cursor{b: c.bytes(c.big32())}
	if len(options.b) == 0 {
		return nil
	}
	options.bytes(options.big32())
	if rounds := options.big32(); rounds > maxRounds {
		return unusable("the private key's passphrase takes %d rounds to check, at most %d are done", rounds, maxRounds)
	}
	return nil
}

func (c *cursor) big32() uint32 {
	var v uint32
	for range 4 {
		v = v<<8 | uint32(c.byte())
	}
	return v
}
