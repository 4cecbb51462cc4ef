package registry

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/store"
	"github.com/avapd/avapd/runtime/abi"
)

// Kinds of records.
const (
	kindCommand    = "command"    // by name
	kindVersion    = "version"    // by name@number
	kindSigner     = "signer"     // by name
	kindSignerKey  = "signer-key" // by the key's identifier
	kindRevocation = "revocation" // by kind:value
	kindKey        = "key"        // of a client, by name
	kindKeyUse     = "key_use"    // by the key's name
)

// Digest is the SHA-256 of an artifact. As text it is hexadecimal.
type Digest [32]byte

func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText implements encoding.TextMarshaler.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Digest) UnmarshalText(text []byte) error {
	if hex.DecodedLen(len(text)) != len(d) {
		return fmt.Errorf("a digest has %d hexadecimal digits", 2*len(d))
	}
	_, err := hex.Decode(d[:], text)
	return err //nolint:wrapcheck // it says what is wrong
}

// Limits bound the executions of a command; zero leaves a limit to the server.
type Limits struct {
	Fuel        int64 `json:"fuel,omitempty"`
	TimeMS      int64 `json:"time_ms,omitempty"`
	MemoryBytes int64 `json:"memory_bytes,omitempty"`
	CallDepth   int64 `json:"call_depth,omitempty"`
	OutputBytes int64 `json:"output_bytes,omitempty"`
}

// Version is one artifact of a command. It never changes.
type Version struct {
	Command string `json:"-"`
	Number  int    `json:"-"`
	Digest  Digest `json:"digest"`
	// Content is the digest without the signatures, which anybody can add to. It
	// is zero in records that older programs wrote.
	Content      Digest          `json:"content,omitzero"`
	Size         int             `json:"size"`
	Interface    []abi.Parameter `json:"interface,omitempty"`
	Capabilities []string        `json:"capabilities,omitempty"`
	Limits       Limits          `json:"limits,omitzero"`
	// Signers are the identifiers of the keys whose signatures it carries.
	Signers      []string  `json:"signers"`
	SourceSHA256 string    `json:"source_sha256,omitempty"`
	Created      time.Time `json:"created"`
	By           string    `json:"by,omitempty"`
	Note         string    `json:"note,omitempty"`

	revision int64
	loader   *loader
	// names are under which the artifact would be revoked, once they are known.
	names []string
}

// revocationNames are under which the artifact would be revoked: as it is, and
// whoever signed it.
func (v *Version) revocationNames() []string {
	if v.names != nil {
		return v.names
	}
	names := []string{revocationName(RevokeDigest, v.Digest.String())}
	if content := v.contentDigest(); content != (Digest{}) {
		names = append(names, revocationName(RevokeDigest, content.String()))
	}
	return names
}

// contentDigest is the digest without signatures; zero until the artifact of an old
// record has been read.
func (v *Version) contentDigest() Digest {
	if v.Content == (Digest{}) && v.loader != nil {
		if content, known := v.loader.registry.contents.Load(v.Digest); known {
			return content.(Digest)
		}
	}
	return v.Content
}

// Command is a name, its versions, and which of them answers to the name.
type Command struct {
	Name string `json:"-"`
	// Active is the number of a version, or 0.
	Active   int  `json:"active,omitempty"`
	Disabled bool `json:"disabled,omitempty"`
	// Highest is the last number that was given to a version. Numbers are not
	// used again, also when the command was deleted.
	Highest int `json:"highest"`
	// Previous are the versions that were active before, the last one last.
	Previous []int     `json:"previous,omitempty"`
	Updated  time.Time `json:"updated"`
	By       string    `json:"by,omitempty"`
	// Deleted is set for a command that is no more: its number goes on.
	Deleted bool `json:"deleted,omitempty"`

	// Versions are in the order of their numbers.
	Versions []*Version `json:"-"`

	revision int64 // 0: there is no record
}

// exists tells whether there is such a command, and not only what is left of
// it.
func (c *Command) exists() bool { return c != nil && c.revision != 0 && !c.Deleted }

// Version finds a version, or nil.
func (c *Command) Version(number int) *Version {
	// Numbers have few gaps, so the place is close to the end by as much.
	for _, v := range slices.Backward(c.Versions) {
		if v.Number <= number {
			if v.Number == number {
				return v
			}
			break
		}
	}
	return nil
}

// Newest is the version with the highest number, or nil.
func (c *Command) Newest() *Version {
	if len(c.Versions) == 0 {
		return nil
	}
	return c.Versions[len(c.Versions)-1]
}

// Signer is a key and what it may sign.
type Signer struct {
	Name string `json:"-"`
	// Key is the public key, and KeyID its identifier in hexadecimal digits.
	Key   []byte `json:"key"`
	KeyID string `json:"key_id"`
	// Prefixes are those of the names of commands it may sign for; * are all.
	Prefixes []string `json:"prefixes"`
	// Capabilities are those that its commands may have; * are all.
	Capabilities []string `json:"capabilities,omitempty"`
	// Limits are the most that its commands can have.
	Limits Limits `json:"limits,omitzero"`
	// TrustedCompiler tells that what it signs was made by this project's
	// compiler: the modules' own metering is relied on.
	TrustedCompiler bool      `json:"trusted_compiler,omitempty"`
	Created         time.Time `json:"created"`
	By              string    `json:"by,omitempty"`
	// Fixed signers come with the configuration.
	Fixed bool `json:"-"`
	// Revoked tells that the key is.
	Revoked bool `json:"-"`

	revision int64
}

// signerKey says who has a key, so that no two signers come to have it, or who took
// it from its signer.
type signerKey struct {
	Signer  string    `json:"signer,omitempty"`
	Removed bool      `json:"removed,omitempty"`
	At      time.Time `json:"at,omitzero"`
	By      string    `json:"by,omitempty"`

	revision int64
}

// Revocable is what can be revoked.
type Revocable string

// A key is revoked by its identifier, an artifact by its digest, both in
// hexadecimal digits.
const (
	RevokeKey    Revocable = "key"
	RevokeDigest Revocable = "digest"
)

// Revocation takes trust away for good.
type Revocation struct {
	Kind   Revocable `json:"-"`
	Value  string    `json:"-"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
	By     string    `json:"by,omitempty"`
}

func versionName(command string, number int) string { return command + "@" + strconv.Itoa(number) }

// splitVersion is the reverse of versionName.
func splitVersion(name string) (command string, number int, ok bool) {
	command, text, ok := strings.Cut(name, "@")
	number, err := strconv.Atoi(text)
	return command, number, ok && err == nil && number > 0
}

// withDocument completes a put with what the record is to hold. A value that JSON
// cannot write, such as a date after the year 9999, cannot be stored.
func withDocument(put store.Put, v any) (store.Put, error) {
	var err error
	if put.Document, err = json.Marshal(v); err != nil {
		return store.Put{}, failed(diag.BadFieldValue, err, "the change has a value that cannot be stored, such as a date after the year 9999; nothing was changed")
	}
	return put, nil
}

// onePut is a batch that writes one record.
func onePut(put store.Put, err error) (store.Batch, error) {
	return store.Batch{Puts: []store.Put{put}}, err
}
