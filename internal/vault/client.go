package vault

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// How a client says who it is.
const (
	Token      = "token"
	AppRole    = "approle"
	Kubernetes = "kubernetes"
)

// Options say where the server is, and who asks.
type Options struct {
	// Address is the URL of the server, see CheckAddress.
	Address string
	// Namespace is that of everything; none is the root.
	Namespace string
	// CAFile has the certificates, as PEM, of those who vouch for the server; none
	// means those that the machine believes.
	CAFile string
	// Method is one of the words above, and Mount where a login is mounted below
	// auth; none means under the method's own name.
	Method, Mount string
	// Role is the identifier of an AppRole, or the name of a role of Kubernetes.
	Role string
	// Secret is the token, the SecretID, or the token of a service account.
	Secret string
}

// Bounds of what is asked and answered.
const (
	maxAnswerBytes = 1 << 20
	maxCABytes     = 1 << 20
	dialTime       = 5 * time.Second
)

// Client asks one server. It is for one goroutine, and for a short time: it logs
// in once, and remembers what it read.
type Client struct {
	options Options
	http    *http.Client
	token   string
	read    map[string]answer
}

type answer struct {
	fields map[string]json.RawMessage
	err    error
}

// CheckAddress refuses what is no URL of a server, or would send secrets over the
// network as they are. What is wrong may be a password, so it is not quoted.
func CheckAddress(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil ||
		u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return errors.New("it takes an https URL of host and port, such as https://vault.example.com:8200")
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return errors.New("secrets travel over plain http only on this machine; use https")
	}
	return nil
}

// Open makes a client. Whoever makes one must close it.
func Open(o Options) (*Client, error) {
	if err := CheckAddress(o.Address); err != nil {
		return nil, err
	}
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CAFile != "" {
		content, err := readFile(o.CAFile)
		if err != nil {
			return nil, err
		}
		trust.RootCAs = x509.NewCertPool()
		if !trust.RootCAs.AppendCertsFromPEM(content) {
			return nil, errors.New("the file of certificates has none as PEM")
		}
	}
	return &Client{options: o, read: map[string]answer{}, http: &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: dialTime}).DialContext,
			TLSClientConfig: trust, TLSHandshakeTimeout: dialTime, MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true,
		},
		// The token would go along to wherever that is.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func readFile(path string) ([]byte, error) {
	file, err := os.Open(path) //nolint:gosec // the path is the operator's own
	if err != nil {
		return nil, fmt.Errorf("the file of certificates cannot be read: %w", errors.Unwrap(err))
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxCABytes))
	if err != nil {
		return nil, fmt.Errorf("the file of certificates cannot be read: %w", errors.Unwrap(err))
	}
	return content, nil
}

// Close gives the connections up.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Text reads the text of a field.
func (c *Client) Text(ctx context.Context, r Reference) (string, error) {
	found, known := c.read[r.Path]
	if !known {
		found.fields, found.err = c.fields(ctx, r.Path)
		c.read[r.Path] = found
	}
	if found.err != nil {
		return "", found.err
	}
	raw, known := found.fields[r.Field]
	if !known {
		return "", errors.New("there is no such field")
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", errors.New("the field holds no text")
	}
	return text, nil
}

// fields reads all that is at a path.
func (c *Client) fields(ctx context.Context, path string) (map[string]json.RawMessage, error) {
	if err := c.login(ctx); err != nil {
		return nil, err
	}
	var got struct {
		Data map[string]json.RawMessage `json:"data"`
	}
	if err := c.ask(ctx, http.MethodGet, path, nil, &got); err != nil {
		return nil, err
	}
	inner, hasData := got.Data["data"]
	if _, versioned := got.Data["metadata"]; !hasData || !versioned {
		return got.Data, nil // of the first version of KV
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(inner, &fields); err != nil {
		return nil, errors.New("the answer is not one of KV")
	}
	return fields, nil
}

// login gets a token, unless there is one.
func (c *Client) login(ctx context.Context) error {
	if c.options.Method == Token {
		c.token = c.options.Secret
	}
	if c.token != "" {
		return nil
	}
	body := map[string]string{"role_id": c.options.Role, "secret_id": c.options.Secret}
	if c.options.Method == Kubernetes {
		body = map[string]string{"role": c.options.Role, "jwt": c.options.Secret}
	}
	mount := c.options.Mount
	if mount == "" {
		mount = c.options.Method
	}
	var got struct {
		Auth struct {
			ClientToken string `json:"client_token"`
		} `json:"auth"`
	}
	if err := c.ask(ctx, http.MethodPost, "auth/"+mount+"/login", body, &got); err != nil {
		return fmt.Errorf("login at auth/%s: %w", mount, err)
	}
	if got.Auth.ClientToken == "" {
		return fmt.Errorf("login at auth/%s: the answer has no token", mount)
	}
	c.token = got.Auth.ClientToken
	return nil
}

// ask sends a request and reads the answer into a value.
func (c *Client) ask(ctx context.Context, method, path string, body, into any) error {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return errors.New("the request cannot be written")
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(c.options.Address, "/")+"/v1/"+escape(path), content)
	if err != nil {
		return errors.New("the address makes no request")
	}
	request.Header.Set("X-Vault-Request", "true") // an agent wants it, so that no page of the web can ask it
	if c.options.Namespace != "" {
		request.Header.Set("X-Vault-Namespace", c.options.Namespace)
	}
	if c.token != "" {
		request.Header.Set("X-Vault-Token", c.token)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return unreachable(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return refused(response.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes+1))
	switch {
	case err != nil:
		return unreachable(err)
	case len(text) > maxAnswerBytes:
		return fmt.Errorf("the answer has more than %d bytes", maxAnswerBytes)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return errors.New("the answer is none of Vault")
	}
	return nil
}

// unreachable words why there is no answer.
func unreachable(err error) error {
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return errors.New("the server did not answer in time")
	}
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err // without the URL, which the setting has
	}
	return fmt.Errorf("the server cannot be reached: %w", err)
}

// refused words the status of an answer.
func refused(status int) error {
	switch {
	case status == http.StatusNotFound:
		return errors.New("there is nothing at this path, 404; that of the second version of KV has data/ behind its mount")
	case status == http.StatusBadRequest, status == http.StatusUnauthorized:
		return fmt.Errorf("the server does not accept who asks, or what, %d", status)
	case status == http.StatusForbidden:
		return errors.New("the server does not allow it, 403: what shows who asks is not valid, or its policy has no read for the path")
	case status == http.StatusServiceUnavailable:
		return errors.New("the server is sealed or under maintenance, 503")
	case status >= 300 && status < 400:
		return fmt.Errorf("the server points elsewhere, %d; vault.address has to name the one that answers", status)
	}
	return fmt.Errorf("the server answers %d", status)
}
