package nodes

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/avapd/avapd/compiler"
	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/signature"
)

// answer is what a server answers.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// problem is what the server says is wrong; without a code if nothing is.
func (a *answer) problem() (p api.Problem) {
	if a.status >= http.StatusBadRequest {
		_ = json.Unmarshal(a.body, &p) // what is no problem document has no code
	}
	return p
}

// transport does not repeat requests by itself, as package client does: each
// one that fails is to be seen.
var transport = &http.Transport{MaxIdleConnsPerHost: 64}

// ask sends one request.
func (n *Node) ask(ctx context.Context, method, path, contentType string, body []byte) (*answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, n.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	if method != http.MethodGet {
		request.Header.Set("Authorization", "Bearer "+n.cluster.token)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.Name, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.Name, err)
	}
	return &answer{response.StatusCode, response.Header, content}, nil
}

const jsonType = "application/json"

// execute runs a command.
func (n *Node) execute(ctx context.Context, name string) (*answer, error) {
	return n.ask(ctx, http.MethodPost, "/api/v1/commands/"+name+"/execute", jsonType, []byte("{}"))
}

// Call executes a command that must succeed, and tells how long that took.
func (n *Node) Call(ctx context.Context, name string, body []byte) (time.Duration, error) {
	began := time.Now()
	err := n.change(ctx, http.MethodPost, "/api/v1/commands/"+name+"/execute", jsonType, body)
	return time.Since(began), err
}

// Await asks the server how it is until that is as wanted.
func (n *Node) Await(ctx context.Context, what string, is func(api.Health) bool) error {
	return n.await(ctx, what, func(ctx context.Context) bool {
		h, err := n.Health(ctx)
		return err == nil && is(h)
	})
}

// number is what a command of ours answers, if it was executed.
func (a *answer) number() (int, bool) {
	var document struct {
		Result struct{ N int }
	}
	ok := a.status == http.StatusOK && json.Unmarshal(a.body, &document) == nil
	return document.Result.N, ok
}

// change asks for a change and wants it done.
func (n *Node) change(ctx context.Context, method, path, contentType string, body []byte) error {
	a, err := n.ask(ctx, method, path, contentType, body)
	if err != nil {
		return err
	}
	if a.status >= http.StatusBadRequest {
		return fmt.Errorf("%s: %s %s: %d %s", n.Name, method, path, a.status, a.body)
	}
	return nil
}

func (n *Node) upload(ctx context.Context, name string, module []byte) error {
	return n.change(ctx, http.MethodPut, "/api/v1/commands/"+name+"?activate=true", api.WASM, module)
}

func (n *Node) post(ctx context.Context, path string, document any) error {
	body, err := json.Marshal(document)
	if err != nil {
		return err
	}
	return n.change(ctx, http.MethodPost, path, jsonType, body)
}

// signer is who signs commands.
type signer struct {
	name string
	key  signature.PrivateKey
}

// newSigner makes somebody whom all servers trust.
func (c *Cluster) newSigner(ctx context.Context, name string) (*signer, error) {
	key, err := signature.GenerateKey()
	if err != nil {
		return nil, err
	}
	text, err := signature.EncodePublic(key.Public(), signature.OpenSSH, name)
	if err != nil {
		return nil, err
	}
	_, err = c.Nodes[0].api.PutSigner(ctx, api.Signer{Name: name, PublicKey: string(text), Prefixes: []string{"*"}, Capabilities: []string{"*"}, TrustedCompiler: true})
	return &signer{name, key}, err
}

// module is a signed command that answers a number. No other signer has one of the
// same content: to revoke a module is to revoke it with whatever signatures.
func (s *signer) module(number int) ([]byte, error) {
	return s.sign(fmt.Sprintf("signer = %q\nn = %d\naddResult(n)\n", s.name, number))
}

// sign compiles and signs a command.
func (s *signer) sign(text string) ([]byte, error) {
	artifact, findings := compiler.Compile(compiler.Source{Name: "command.avap", Text: text}, compiler.Options{})
	if artifact == nil {
		return nil, findings
	}
	return signature.Sign(artifact.Wasm, s.key)
}

// within bounds a call that must not hang.
func within(ctx context.Context, d time.Duration, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return call(ctx)
}
