package api

import "time"

// Kinds of keys of clients.
const (
	SecretKey    = "key"       // is shown as a bearer token
	SignatureKey = "signature" // signs requests
	// CertificateKey is shown by the client when it connects.
	CertificateKey = "certificate"
)

// NewKey asks for a key of a client.
type NewKey struct {
	Name string `json:"name"`
	// Kind is SecretKey if nothing is said.
	Kind   string   `json:"kind,omitempty"`
	Scopes []string `json:"scopes"`
	// Prefixes begin the names of the commands that the key is for; none is for
	// every name, and for scripts.
	Prefixes []string `json:"prefixes,omitempty"`
	// PublicKey is the text of a key file, for a key that signs requests.
	PublicKey string `json:"public_key,omitempty"`
	// Subject is the name in the client's certificate, for a key of that kind.
	Subject string `json:"subject,omitempty"`
	// Expires is when the key counts no more; none is never.
	Expires time.Time `json:"expires,omitzero"`
}

// Rotation asks for another secret, or names another public key.
type Rotation struct {
	// GraceS is how long the one before holds, in seconds; 0 if nothing is said.
	GraceS    int64  `json:"grace_s,omitempty"`
	PublicKey string `json:"public_key,omitempty"`
}

// Key is a key of a client.
type Key struct {
	Name     string    `json:"name"`
	Kind     string    `json:"kind"`
	Scopes   []string  `json:"scopes"`
	Prefixes []string  `json:"prefixes"`
	Subject  string    `json:"subject,omitempty"`
	Created  time.Time `json:"created"`
	By       string    `json:"by,omitempty"`
	Expires  time.Time `json:"expires,omitzero"`
	// LastUsed is roughly when: what other servers know comes within an hour.
	LastUsed time.Time `json:"last_used,omitzero"`
	// Proofs are the secrets or public keys that hold, the present one first.
	Proofs []KeyProof `json:"proofs"`
	// Secret is what the client shows. It is told once, when it was made.
	Secret string `json:"secret,omitempty"`
}

// KeyProof is a secret, of which nothing is shown, or a public key.
type KeyProof struct {
	PublicKey string    `json:"public_key,omitempty"`
	Created   time.Time `json:"created"`
	Expires   time.Time `json:"expires,omitzero"`
}

// Keys is the list of them.
type Keys struct {
	Keys []Key `json:"keys"`
}
