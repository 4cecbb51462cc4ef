package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/avapd/avapd/internal/api"
)

// ListQuery says which commands are wanted; its zero value wants all.
type ListQuery struct {
	Prefix string
	// Disabled and Active are true or false, or empty for both.
	Disabled, Active string
}

// Commands goes through the commands by name, page by page.
func (c *Client) Commands(ctx context.Context, q ListQuery) iter.Seq2[api.Command, error] {
	return func(yield func(api.Command, error) bool) {
		query := url.Values{}
		for name, value := range map[string]string{"prefix": q.Prefix, "disabled": q.Disabled, "active": q.Active} {
			if value != "" {
				query.Set(name, value)
			}
		}
		for {
			var page api.Commands
			if err := c.get(ctx, query, &page, "commands"); err != nil {
				yield(api.Command{}, err)
				return
			}
			for _, command := range page.Commands {
				if !yield(command, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			query.Set("after", page.Next)
		}
	}
}

// Versions lists those of a command, the newest first.
func (c *Client) Versions(ctx context.Context, name string) ([]api.Version, error) {
	all := []api.Version{}
	query := url.Values{}
	for {
		var page api.Versions
		if err := c.get(ctx, query, &page, "commands", name, "versions"); err != nil {
			return nil, err
		}
		all = append(all, page.Versions...)
		if page.Next == "" {
			return all, nil
		}
		query.Set("after", page.Next)
	}
}

// UploadOptions say what to do with what is uploaded.
type UploadOptions struct {
	// Activate makes the new version the one that runs.
	Activate bool
	Note     string
	// Interface names the parameters; nil for those that the module declares.
	Interface []api.Parameter
	// Limits bound the executions of the version.
	Limits api.Limits
}

// Upload sends a module, or the source of a script for the server to build. The
// same module again is the same version, which is not new.
func (c *Client) Upload(ctx context.Context, name string, content []byte, contentType string, o UploadOptions) (v api.Version, isNew bool, err error) {
	query := url.Values{}
	if o.Activate {
		query.Set("activate", "true")
	}
	if o.Note != "" {
		query.Set("note", o.Note)
	}
	if o.Interface != nil {
		text, err := json.Marshal(o.Interface)
		if err != nil {
			return v, false, fmt.Errorf("encode the interface: %w", err)
		}
		query.Set("interface", string(text))
	}
	limits := map[string]int64{
		"fuel": o.Limits.Fuel, "time_ms": o.Limits.TimeMS, "memory_bytes": o.Limits.MemoryBytes,
		"call_depth": o.Limits.CallDepth, "output_bytes": o.Limits.OutputBytes,
	}
	for name, limit := range limits {
		if limit != 0 {
			query.Set(name, strconv.FormatInt(limit, 10))
		}
	}
	r, err := c.document(ctx, call{
		method: http.MethodPut, path: []string{"commands", name}, query: query,
		header: http.Header{"Content-Type": {contentType}}, body: content, again: true,
	}, &v)
	return v, err == nil && r.status == http.StatusCreated, err
}

// Module is the bytes of a version.
type Module struct {
	Version int
	Digest  string
	// Bytes are nil if they are those that the caller has.
	Bytes []byte
}

// Download gets the module of a version, or of the active one, which is 0. The
// digest is that of the module that the caller has, or empty. What comes is
// compared with its digest.
func (c *Client) Download(ctx context.Context, name string, version int, digest string) (*Module, error) {
	in := call{
		method: http.MethodGet, path: []string{"commands", name}, again: true,
		header: http.Header{"Accept": {api.WASM}},
	}
	if version > 0 {
		in.path = append(in.path, "versions", strconv.Itoa(version))
	}
	if digest != "" {
		in.header.Set("If-None-Match", `"`+digest+`"`)
	}
	r, err := c.do(ctx, in)
	if err != nil {
		return nil, err
	}
	m := &Module{Digest: strings.Trim(r.header.Get("ETag"), `"`)}
	m.Version, _ = strconv.Atoi(r.header.Get(api.HeaderVersion))
	if r.status == http.StatusNotModified {
		return m, nil
	}
	if sum := sha256.Sum256(r.body); hex.EncodeToString(sum[:]) != m.Digest {
		return nil, &StrangeError{c.server.String(), fmt.Errorf("what came has the digest %x, not %q as announced", sum, m.Digest)}
	}
	m.Bytes = r.body
	return m, nil
}

// Activate makes a version the one that runs.
func (c *Client) Activate(ctx context.Context, name string, version int) (out api.Command, err error) {
	err = c.send(ctx, http.MethodPost, api.Activation{Version: version}, &out, true, "commands", name, "activate")
	return out, err
}

// Rollback makes the version run that ran before.
func (c *Client) Rollback(ctx context.Context, name string) (out api.Command, err error) {
	err = c.send(ctx, http.MethodPost, nil, &out, false, "commands", name, "rollback")
	return out, err
}

// SetDisabled forbids or allows executions.
func (c *Client) SetDisabled(ctx context.Context, name string, disabled bool) (out api.Command, err error) {
	word := "enable"
	if disabled {
		word = "disable"
	}
	err = c.send(ctx, http.MethodPost, nil, &out, true, "commands", name, word)
	return out, err
}

// Delete removes a command with all its versions.
func (c *Client) Delete(ctx context.Context, name string) error {
	return c.send(ctx, http.MethodDelete, nil, nil, false, "commands", name)
}

// Execute runs a command, the given version or the active one, which is 0. It
// gives the document of the answer.
func (c *Client) Execute(ctx context.Context, name string, version int, query url.Values, request json.RawMessage) (json.RawMessage, error) {
	target := name
	if version > 0 {
		target += "@" + strconv.Itoa(version)
	}
	r, err := c.do(ctx, call{
		method: http.MethodPost, path: []string{"commands", target, "execute"}, query: query,
		header: http.Header{"Content-Type": {"application/json"}}, body: request, scripted: true,
	})
	if err != nil {
		return nil, err
	}
	if len(r.body) > 0 && !json.Valid(r.body) {
		return nil, &StrangeError{c.server.String(), errors.New("what came is no JSON")}
	}
	return r.body, nil
}

// Signers lists those whose signatures count.
func (c *Client) Signers(ctx context.Context) ([]api.Signer, error) {
	var list api.Signers
	err := c.get(ctx, nil, &list, "signers")
	return list.Signers, err
}

// PutSigner adds a signer, or changes what its signatures count for.
func (c *Client) PutSigner(ctx context.Context, s api.Signer) (out api.Signer, err error) {
	err = c.send(ctx, http.MethodPut, s, &out, true, "signers", s.Name)
	return out, err
}

// DeleteSigner makes signatures of a signer count no longer, and tells what comes
// of it.
func (c *Client) DeleteSigner(ctx context.Context, name string) (out api.TrustChange, err error) {
	err = c.send(ctx, http.MethodDelete, nil, &out, false, "signers", name)
	return out, err
}

// Revoke makes a key or a module count for nothing, for good.
func (c *Client) Revoke(ctx context.Context, r api.Revocation) (out api.Revocation, err error) {
	err = c.send(ctx, http.MethodPost, r, &out, true, "revocations")
	return out, err
}

// Revocations lists what is revoked.
func (c *Client) Revocations(ctx context.Context) ([]api.Revocation, error) {
	all := []api.Revocation{}
	query := url.Values{}
	for {
		var page api.Revocations
		if err := c.get(ctx, query, &page, "revocations"); err != nil {
			return nil, err
		}
		all = append(all, page.Revocations...)
		if page.Next == "" {
			return all, nil
		}
		query.Set("after", page.Next)
	}
}

// Keys lists the keys of the server's clients.
func (c *Client) Keys(ctx context.Context) ([]api.Key, error) {
	var list api.Keys
	err := c.get(ctx, nil, &list, "keys")
	return list.Keys, err
}

// CreateKey makes a key for a client. Only this answer has its secret.
func (c *Client) CreateKey(ctx context.Context, k api.NewKey) (out api.Key, err error) {
	err = c.send(ctx, http.MethodPost, k, &out, false, "keys")
	return out, err
}

// RotateKey gives a key another secret, which only this answer has, or another
// public key.
func (c *Client) RotateKey(ctx context.Context, name string, r api.Rotation) (out api.Key, err error) {
	err = c.send(ctx, http.MethodPost, r, &out, false, "keys", name, "rotate")
	return out, err
}

// DeleteKey takes a key away from its client.
func (c *Client) DeleteKey(ctx context.Context, name string) error {
	return c.send(ctx, http.MethodDelete, nil, nil, false, "keys", name)
}
