package signature

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // an old default of the derivation; what it protects does not rest on collisions
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"hash"
)

// encryptedKey is a protected private key as RFC 5958 has it, and what follows
// are the parameters of its encryption by RFC 8018: the scheme PBES2, the
// derivation PBKDF2 and AES in CBC mode, which is what OpenSSL writes.
type encryptedKey struct {
	Algorithm pkix.AlgorithmIdentifier
	Content   []byte
}

type pbes2Params struct {
	Derivation pkix.AlgorithmIdentifier
	Encryption pkix.AlgorithmIdentifier
}

type pbkdf2Params struct {
	Salt       []byte
	Iterations int
	KeyBytes   int                      `asn1:"optional"`
	Function   pkix.AlgorithmIdentifier `asn1:"optional"`
}

var (
	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
)

// derivationHashes are the hashes of the derivation. The first one is meant if
// none is named.
var derivationHashes = []struct {
	oid asn1.ObjectIdentifier
	new func() hash.Hash
}{
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 7}, sha1.New},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}, sha256.New},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 11}, sha512.New},
}

// ciphers are the sizes of AES keys.
var ciphers = []struct {
	oid      asn1.ObjectIdentifier
	keyBytes int
}{
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 2}, 16},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 22}, 24},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}, 32},
}

// maxIterations bounds how long a file can make the derivation last: less
// than a second. OpenSSL takes 2048 unless it is told more.
const maxIterations = 1_000_000

// privatePKCS8 reads a protected key.
func privatePKCS8(der []byte, passphrase func() ([]byte, error)) (PrivateKey, error) {
	var outer encryptedKey
	var scheme pbes2Params
	var derivation pbkdf2Params
	var iv []byte
	if !unmarshal(der, &outer) {
		return PrivateKey{}, unusable("the PEM block %s is damaged", pemEncrypted)
	}
	if !outer.Algorithm.Algorithm.Equal(oidPBES2) || !unmarshal(outer.Algorithm.Parameters.FullBytes, &scheme) ||
		!scheme.Derivation.Algorithm.Equal(oidPBKDF2) || !unmarshal(scheme.Derivation.Parameters.FullBytes, &derivation) ||
		!unmarshal(scheme.Encryption.Parameters.FullBytes, &iv) {
		return PrivateKey{}, unsupportedProtection()
	}
	newHash, keyBytes := derivation.hash(), cipherKeyBytes(scheme.Encryption.Algorithm)
	if newHash == nil || keyBytes == 0 || len(iv) != aes.BlockSize {
		return PrivateKey{}, unsupportedProtection()
	}
	if derivation.Iterations < 1 || derivation.Iterations > maxIterations {
		return PrivateKey{}, unusable("the private key's passphrase takes %d rounds to check, at most %d are done", derivation.Iterations, maxIterations)
	}
	secret, err := passphrase()
	if err != nil {
		return PrivateKey{}, err
	}
	key, err := pbkdf2.Key(newHash, string(secret), derivation.Salt, derivation.Iterations, keyBytes)
	clear(secret)
	if err != nil {
		return PrivateKey{}, unsupportedProtection()
	}
	plain, ok := decrypt(key, iv, outer.Content)
	clear(key)
	parsed, err := x509.ParsePKCS8PrivateKey(plain)
	clear(plain)
	// A wrong passphrase gives noise, which hardly ever looks like a key.
	if !ok || err != nil {
		return PrivateKey{}, unusable("the passphrase is not that of the private key")
	}
	return onePrivate(parsed)
}

func unsupportedProtection() error {
	return unusable("the private key is protected in a way that this program does not read; it reads PBES2 with PBKDF2 and AES, as openssl pkcs8 -topk8 -v2 aes256 writes it")
}

func unmarshal(der []byte, v any) bool {
	rest, err := asn1.Unmarshal(der, v)
	return err == nil && len(rest) == 0
}

func (p *pbkdf2Params) hash() func() hash.Hash {
	if p.Function.Algorithm == nil {
		return derivationHashes[0].new
	}
	for _, h := range derivationHashes {
		if h.oid.Equal(p.Function.Algorithm) {
			return h.new
		}
	}
	return nil
}

func cipherKeyBytes(oid asn1.ObjectIdentifier) int {
	for _, c := range ciphers {
		if c.oid.Equal(oid) {
			return c.keyBytes
		}
	}
	return 0
}

// decrypt takes the padding off too, and says whether it was right.
func decrypt(key, iv, content []byte) ([]byte, bool) {
	block, err := aes.NewCipher(key)
	if err != nil || len(content) == 0 || len(content)%aes.BlockSize != 0 {
		return nil, false
	}
	plain := make([]byte, len(content))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, content)
	n := int(plain[len(plain)-1])
	if n < 1 || n > aes.BlockSize || !bytes.Equal(plain[len(plain)-n:], bytes.Repeat([]byte{byte(n)}, n)) {
		return nil, false
	}
	return plain[:len(plain)-n], true
}
