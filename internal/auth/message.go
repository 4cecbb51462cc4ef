package auth

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// Message is a request as far as a signature can be about it (RFC 9421, section 2).
type Message struct {
	Method string
	// Scheme and Authority are those under which the client asked.
	Scheme, Authority string
	// Path and Query are as they were sent, the query without its question mark.
	Path, Query string
	// Field gives the lines of a header, whose name is in lower case.
	Field func(name string) []string
	Body  []byte
}

const (
	fieldSignature = "signature"
	fieldInput     = "signature-input"
	fieldDigest    = "content-digest"
	// algorithm is the one there is.
	algorithm = "ed25519"

	minNonceBytes = 8
	maxNonceBytes = 128
	// clockSkew is how far a client's clock may be ahead.
	clockSkew = 30 * time.Second
	// usualLifetime is that of the signatures that Signature makes.
	usualLifetime = 30 * time.Second
)

// SignatureError says what is wrong with a signature, as far as that tells nothing
// about keys.
type SignatureError struct{ Why string }

func (e *SignatureError) Error() string { return e.Why }

func refuse(format string, args ...any) error { return &SignatureError{fmt.Sprintf(format, args...)} }

// errWrong is what there is to say of a signature that does not verify, whether
// there is such a key or not.
var errWrong = refuse("the signature is not valid")

// IsSigned tells whether a request carries a signature.
func (m *Message) IsSigned() bool {
	return len(m.Field(fieldInput)) > 0 || len(m.Field(fieldSignature)) > 0
}

// noKey stands for a key that there is not, so that looking for one takes as long.
var noKey = make(ed25519.PublicKey, ed25519.PublicKeySize)

// BySignature gives the key that signed a request. The signature must be of now,
// hold no longer than the window, and be about all of the request; remember is
// asked, with what no other request may bring until then, whether this is the
// first. Its error is a *SignatureError, or that of remember.
func (keys Keys) BySignature(m *Message, now time.Time, window time.Duration, remember func(nonce string, until time.Time) error) (*Key, error) {
	k, s, err := keys.signer(m, now, window)
	if err != nil {
		return nil, err
	}
	if slices.Contains(s.components, fieldDigest) {
		if err := checkDigest(strings.Join(m.Field(fieldDigest), ", "), m.Body); err != nil {
			return nil, err
		}
	}
	return k, remember(s.keyID+" "+s.nonce, s.expires)
}

// ByHeader gives the key that signed the header of a request whose body has not
// come yet, or nil. It may be one that came before.
func (keys Keys) ByHeader(m *Message, now time.Time, window time.Duration) *Key {
	k, _, err := keys.signer(m, now, window)
	if err != nil {
		return nil
	}
	return k
}

// signer finds who signed what a header tells about a request.
func (keys Keys) signer(m *Message, now time.Time, window time.Duration) (*Key, *messageSignature, error) {
	s, err := readSignature(m)
	if err == nil {
		err = s.check(m, now, window)
	}
	if err != nil {
		return nil, nil, err
	}
	base, err := m.base(s.components, s.params)
	if err != nil {
		return nil, nil, err
	}
	k := keys[s.keyID]
	good := false
	for i := range MaxSecrets {
		public, holds := noKey, false
		if k != nil && k.Kind == KindSignature && i < len(k.Proofs) {
			public, holds = k.Proofs[i].PublicKey, counts(k.Proofs[i].Expires, now)
		}
		good = ed25519.Verify(public, base, s.signature) && holds || good
	}
	if !good || !k.Holds(now) {
		return nil, nil, errWrong
	}
	return k, s, nil
}

// check holds a signature to the rules that are the same for all keys.
func (s *messageSignature) check(m *Message, now time.Time, window time.Duration) error {
	has := func(names ...string) bool {
		return !slices.ContainsFunc(names, func(name string) bool { return !slices.Contains(s.components, name) })
	}
	switch {
	case !has("@method"), !has("@target-uri") && !has("@authority", "@path", "@query"):
		return refuse(`the signature must be about "@method", and "@target-uri" or "@authority", "@path" and "@query"`)
	case len(m.Body) > 0 && !has(fieldDigest):
		return refuse(`the request has a body: the signature must be about "content-digest"`)
	case s.created.IsZero() || s.expires.IsZero() || s.keyID == "" || s.nonce == "":
		return refuse("the signature needs the parameters created, expires, nonce and keyid")
	case s.algorithm != "" && s.algorithm != algorithm:
		return refuse("the algorithm must be %s", algorithm)
	case len(s.nonce) < minNonceBytes || len(s.nonce) > maxNonceBytes:
		return refuse("the nonce must have %d to %d bytes", minNonceBytes, maxNonceBytes)
	case s.created.After(now.Add(clockSkew)):
		return refuse("the signature is of the future; compare the clocks")
	case !now.Before(s.expires):
		return refuse("the signature has expired")
	case s.expires.Sub(s.created) > window:
		return refuse("the signature holds longer than %d ms", window.Milliseconds())
	}
	return nil
}

// base is what is signed (RFC 9421, section 2.5).
func (m *Message) base(components []string, params string) ([]byte, error) {
	var b strings.Builder
	for _, name := range components {
		value, err := m.component(name)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%q: %s\n", name, value)
	}
	b.WriteString(`"@signature-params": ` + params)
	return []byte(b.String()), nil
}

func (m *Message) component(name string) (string, error) {
	if !strings.HasPrefix(name, "@") {
		lines := slices.Clone(m.Field(name))
		if len(lines) == 0 {
			return "", refuse("the signature is about the header %s, which is not there", name)
		}
		for i, line := range lines {
			lines[i] = strings.TrimSpace(line)
		}
		return strings.Join(lines, ", "), nil
	}
	path := m.Path
	if path == "" {
		path = "/"
	}
	switch name {
	case "@method":
		return m.Method, nil
	case "@scheme":
		return m.Scheme, nil
	case "@authority":
		return m.authority(), nil
	case "@path":
		return path, nil
	case "@query":
		return "?" + m.Query, nil
	case "@request-target":
		return path + m.query(), nil
	case "@target-uri":
		return m.Scheme + "://" + m.authority() + path + m.query(), nil
	}
	return "", refuse("the signature is about %s, which requests here do not have", name)
}

func (m *Message) query() string {
	if m.Query == "" {
		return ""
	}
	return "?" + m.Query
}

// authority is in lower case, and without the port that goes without saying.
func (m *Message) authority() string {
	name := strings.ToLower(m.Authority)
	if host, port, err := net.SplitHostPort(name); err == nil && (m.Scheme == "http" && port == "80" || m.Scheme == "https" && port == "443") {
		if strings.Contains(host, ":") {
			return "[" + host + "]"
		}
		return host
	}
	return name
}

// checkDigest holds a body to its Content-Digest (RFC 9530). One digest that is
// known here must be there, and all that are known must be right.
func checkDigest(header string, body []byte) error {
	members, err := readDictionary(header)
	if err != nil {
		return err
	}
	known := 0
	for _, member := range members {
		var want []byte
		switch member.name {
		case "sha-256":
			sum := sha256.Sum256(body)
			want = sum[:]
		case "sha-512":
			sum := sha512.Sum512(body)
			want = sum[:]
		default:
			continue
		}
		known++
		if subtle.ConstantTimeCompare(want, member.bytes) != 1 {
			return refuse("the body is not what content-digest says")
		}
	}
	if known == 0 {
		return refuse("content-digest must have sha-256 or sha-512")
	}
	return nil
}

// Signature makes the headers that show who sends a request, by their names. The
// message's own headers are not signed, but for the digest of the body.
func (m *Message) Signature(keyID string, sign func([]byte) []byte, now time.Time) (map[string]string, error) {
	components := []string{"@method", "@authority", "@path", "@query"}
	headers := map[string]string{}
	if len(m.Body) > 0 {
		sum := sha256.Sum256(m.Body)
		headers[fieldDigest] = "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
		components = append(components, fieldDigest)
	}
	params := fmt.Sprintf(`("%s");created=%d;expires=%d;nonce="%s";keyid="%s"`,
		strings.Join(components, `" "`), now.Unix(), now.Add(usualLifetime).Unix(), rand.Text(), keyID)
	signed := *m
	signed.Field = func(name string) []string { return []string{headers[name]} }
	base, err := signed.base(components, params)
	if err != nil {
		return nil, err
	}
	headers[fieldInput] = "avap=" + params
	headers[fieldSignature] = "avap=:" + base64.StdEncoding.EncodeToString(sign(base)) + ":"
	return headers, nil
}
