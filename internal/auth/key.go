package auth

import (
	"crypto/ed25519"
	"crypto/subtle"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"
)

// How a client shows that it has a key.
const (
	KindKey       Kind = "key"       // by a secret
	KindSignature Kind = "signature" // by signing its requests
	// KindCertificate is for clients that show a certificate which somebody vouches
	// for whom the server trusts.
	KindCertificate Kind = "certificate"
)

// MaxSecrets is how many secrets or public keys a key has at once: the present
// one, and the one before while it still holds.
const MaxSecrets = 2

// Proof is what a client's secret or signature is compared with.
type Proof struct {
	Digest    Digest            `json:"digest,omitzero"`     // of a secret
	PublicKey ed25519.PublicKey `json:"public_key,omitzero"` // of who signs
	Created   time.Time         `json:"created"`
	// Expires is when it counts no more; zero is never.
	Expires time.Time `json:"expires,omitzero"`
}

// Key is what a client is known by, and what it may do.
type Key struct {
	Name string `json:"-"`
	Kind Kind   `json:"kind"`
	// Proofs are the present one, and then the one before.
	Proofs []Proof `json:"proofs"`
	// Subject is the name in the certificate of a client that shows one.
	Subject string   `json:"subject,omitempty"`
	Scopes  []string `json:"scopes"`
	// Prefixes are those of the names of commands that the key may run and
	// change; none are all, and then scripts too.
	Prefixes []string  `json:"prefixes,omitempty"`
	Created  time.Time `json:"created"`
	By       string    `json:"by,omitempty"`
	Expires  time.Time `json:"expires,omitzero"`
	// Revision is that of the record that the key was read from.
	Revision int64 `json:"-"`

	principal *Principal
}

const (
	maxPrefixes    = 100
	maxPrefixBytes = 64
	// maxSubjectBytes is more than a DNS name can have.
	maxSubjectBytes = 512
)

// prefixable are the scopes that prefixes mean something for, or that are
// harmless beside them.
const prefixable = Execute | Check | ReadCommands | WriteCommands | ReadApps | ReadMetrics

// Check finds what is wrong with a new key, and puts its scopes in order.
func (k *Key) Check() error {
	scopes, err := ParseScopes(k.Scopes)
	switch {
	case err != nil:
		return err
	case !IsName(k.Name):
		return fmt.Errorf("%q is no name of a key, which has %s", k.Name, NameRule)
	case k.Kind != KindKey && k.Kind != KindSignature && k.Kind != KindCertificate:
		return fmt.Errorf("the kind of a key is %s, %s or %s", KindKey, KindSignature, KindCertificate)
	case (k.Kind == KindCertificate) != (k.Subject != "") || len(k.Subject) > maxSubjectBytes:
		return fmt.Errorf("a subject of up to %d bytes is for keys of the kind %s, which need one", maxSubjectBytes, KindCertificate)
	case scopes == 0:
		return fmt.Errorf("the key %s needs scopes; there are %s", k.Name, strings.Join(All.Names(), ", "))
	case len(k.Prefixes) > 0 && scopes&^prefixable != 0:
		return fmt.Errorf("the scopes %s are not about names of commands; a key with prefixes cannot have them", scopes&^prefixable)
	case len(k.Prefixes) > maxPrefixes || slices.ContainsFunc(k.Prefixes, func(p string) bool { return p == "" || len(p) > maxPrefixBytes }):
		return fmt.Errorf("prefixes are at most %d, of 1 to %d bytes", maxPrefixes, maxPrefixBytes)
	}
	for _, p := range k.Proofs {
		if k.Kind == KindSignature && len(p.PublicKey) != ed25519.PublicKeySize {
			return fmt.Errorf("the key %s needs a public key of Ed25519", k.Name)
		}
	}
	k.Scopes = scopes.Names()
	return nil
}

// Resolve works out whom the key stands for. Scopes that there are not are those
// of later programs, and give nothing here.
func (k *Key) Resolve() {
	var all Scope
	for _, name := range k.Scopes {
		scope, _ := scopeByName(name)
		all |= scope
	}
	k.principal = &Principal{ID: string(k.Kind) + ":" + k.Name, Kind: k.Kind, Scopes: all, Prefixes: k.Prefixes}
}

// Principal is whom the key stands for.
func (k *Key) Principal() *Principal { return k.principal }

// Rotate makes a proof the present one, and lets the one before hold until then.
func (k *Key) Rotate(next Proof, until time.Time) {
	old := k.Proofs[0]
	if old.Expires.IsZero() || until.Before(old.Expires) {
		old.Expires = until
	}
	k.Proofs = []Proof{next}
	if next.Created.Before(old.Expires) {
		k.Proofs = append(k.Proofs, old)
	}
}

// counts tells whether the key, or one of its proofs, still does.
func counts(expires, now time.Time) bool { return expires.IsZero() || now.Before(expires) }

// noDigest is compared with where there is no secret. No secret has it.
var noDigest Digest

// Keys are those of all clients. They do not change.
type Keys map[string]*Key

// BySecret gives the key whose secret this is, or nil. A key that is not there takes
// as long as a wrong secret of one that is.
func (keys Keys) BySecret(secret string, now time.Time) *Key {
	name, ok := nameOfSecret(secret)
	k := keys[name]
	digest := DigestOf(secret)
	found := 0
	for i := range MaxSecrets {
		want := &noDigest
		if k != nil && k.Kind == KindKey && i < len(k.Proofs) && counts(k.Proofs[i].Expires, now) {
			want = &k.Proofs[i].Digest
		}
		found |= subtle.ConstantTimeCompare(want[:], digest[:])
	}
	if found == 0 || !ok || !counts(k.Expires, now) {
		return nil
	}
	return k
}

// CertificateNames are the names in a certificate by which its owner can be known:
// alternative names or, in a certificate that has none, the common name.
func CertificateNames(c *x509.Certificate) []string {
	names := slices.Concat(c.DNSNames, c.EmailAddresses)
	for _, uri := range c.URIs {
		names = append(names, uri.String())
	}
	if len(names) == 0 && c.Subject.CommonName != "" {
		names = append(names, c.Subject.CommonName)
	}
	return names
}

// Holds tells whether the key has not expired.
func (k *Key) Holds(now time.Time) bool { return counts(k.Expires, now) }
