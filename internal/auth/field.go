package auth

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What is read here is the part of structured fields (RFC 9651) that signatures
// and digests are written in: dictionaries of byte sequences, and of lists of
// strings with parameters that are whole numbers or strings.

const (
	// maxFieldBytes bounds a header, maxComponents what a signature is about, and
	// maxMembers the members of a dictionary.
	maxFieldBytes = 8 << 10
	maxComponents = 32
	maxMembers    = 8
)

// messageSignature is a signature and what it is about.
type messageSignature struct {
	components []string
	// params is the text of components and parameters as it was signed.
	params           string
	created, expires time.Time
	nonce, keyID     string
	algorithm        string
	signature        []byte
}

// member is a member of a dictionary whose values are byte sequences.
type member struct {
	name  string
	bytes []byte
}

// readSignature reads the one signature of a request.
func readSignature(m *Message) (*messageSignature, error) {
	input := strings.Join(m.Field(fieldInput), ", ")
	if len(input) > maxFieldBytes {
		return nil, refuse("signature-input is too long")
	}
	r := &fieldReader{rest: strings.Trim(input, " ")}
	label := r.key()
	r.expect("=")
	before := r.rest
	s := &messageSignature{}
	r.components(s)
	r.params(s)
	s.params = before[:len(before)-len(r.rest)]
	if r.failed || r.rest != "" {
		return nil, refuse("signature-input must hold one signature, as RFC 9421 writes it")
	}
	members, err := readDictionary(strings.Join(m.Field(fieldSignature), ", "))
	if err != nil {
		return nil, err
	}
	if len(members) != 1 || members[0].name != label {
		return nil, refuse("signature must hold the one that signature-input describes")
	}
	s.signature = members[0].bytes
	return s, nil
}

// readDictionary reads a dictionary of byte sequences.
func readDictionary(text string) ([]member, error) {
	var members []member
	r := &fieldReader{rest: strings.Trim(text, " ")}
	for len(text) <= maxFieldBytes && len(members) < maxMembers {
		name := r.key()
		r.expect("=")
		members = append(members, member{name, r.bytes()})
		if r.rest == "" && !r.failed {
			return members, nil
		}
		r.rest = strings.TrimLeft(r.rest, " \t")
		r.expect(",")
		r.rest = strings.TrimLeft(r.rest, " \t")
		if r.failed {
			break
		}
	}
	return nil, refuse("a signature or digest is no dictionary of byte sequences, as RFC 9651 writes it")
}

// fieldReader takes a field apart from its beginning. Once it has failed, nothing
// it gives counts.
type fieldReader struct {
	rest   string
	failed bool
}

func (r *fieldReader) accept(text string) bool {
	rest, ok := strings.CutPrefix(r.rest, text)
	r.rest = rest
	return ok
}

func (r *fieldReader) expect(text string) {
	if !r.accept(text) {
		r.failed = true
	}
}

// span takes what consists of bytes that are allowed.
func (r *fieldReader) span(allowed func(byte) bool) string {
	n := 0
	for n < len(r.rest) && allowed(r.rest[n]) {
		n++
	}
	text := r.rest[:n]
	r.rest = r.rest[n:]
	if n == 0 {
		r.failed = true
	}
	return text
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

func (r *fieldReader) key() string {
	return r.span(func(b byte) bool { return 'a' <= b && b <= 'z' || isDigit(b) || strings.IndexByte("_-.*", b) >= 0 })
}

// text reads a string. Quotes and backslashes, which would be escaped, are in
// nothing that is asked for here.
func (r *fieldReader) text() string {
	r.expect(`"`)
	if r.accept(`"`) {
		return ""
	}
	text := r.span(func(b byte) bool { return ' ' <= b && b <= '~' && b != '"' && b != '\\' })
	r.expect(`"`)
	return text
}

func (r *fieldReader) bytes() []byte {
	r.expect(":")
	text := r.span(func(b byte) bool {
		return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || isDigit(b) || strings.IndexByte("+/=", b) >= 0
	})
	r.expect(":")
	content, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		r.failed = true
	}
	return content
}

// components reads the list of what a signature is about.
func (r *fieldReader) components(s *messageSignature) {
	r.expect("(")
	for !r.failed && !r.accept(")") {
		name := r.text()
		if name == "" || strings.ToLower(name) != name || slices.Contains(s.components, name) || len(s.components) == maxComponents {
			r.failed = true
		}
		s.components = append(s.components, name)
		if !strings.HasPrefix(r.rest, ")") {
			r.expect(" ")
		}
	}
}

// params reads the parameters of a signature.
func (r *fieldReader) params(s *messageSignature) {
	seen := map[string]bool{}
	for !r.failed && r.accept(";") {
		name := r.key()
		r.expect("=")
		if seen[name] {
			r.failed = true
		}
		seen[name] = true
		switch name {
		case "created":
			s.created = r.time()
		case "expires":
			s.expires = r.time()
		case "nonce":
			s.nonce = r.text()
		case "keyid":
			s.keyID = r.text()
		case "alg":
			s.algorithm = r.text()
		case "tag":
			_ = r.text()
		default:
			r.failed = true
		}
	}
}

// maxTimeDigits is more than a time of this millennium has.
const maxTimeDigits = 12

func (r *fieldReader) time() time.Time {
	digits := r.span(isDigit)
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || len(digits) > maxTimeDigits {
		r.failed = true
	}
	return time.Unix(n, 0)
}
