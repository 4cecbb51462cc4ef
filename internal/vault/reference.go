package vault

import (
	"errors"
	"net/url"
	"strings"
)

// prefix begins a text that says where a secret is.
const prefix = "vault:"

// Reference says where a secret is: in a field of what is at a path of the API.
type Reference struct{ Path, Field string }

func (r Reference) String() string { return prefix + r.Path + "#" + r.Field }

// IsReference reports whether a text says where a secret is, instead of being it.
func IsReference(text string) bool { return strings.HasPrefix(text, prefix) }

// ParseReference reads vault:PATH#FIELD. Its error does not quote the text, which
// may be a secret by mistake.
func ParseReference(text string) (Reference, error) {
	path, field, found := strings.Cut(strings.TrimPrefix(text, prefix), "#")
	if !found || field == "" || !isPath(path) || strings.ContainsFunc(path+field, isControl) {
		return Reference{}, errors.New("what begins with vault: takes the form vault:PATH#FIELD, such as vault:secret/data/avap#token")
	}
	return Reference{path, field}, nil
}

// isPath refuses paths that lead elsewhere.
func isPath(path string) bool {
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return true
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// escape makes a path fit for a URL.
func escape(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return strings.Join(parts, "/")
}
