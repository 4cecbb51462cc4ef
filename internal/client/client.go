// Package client asks a server for what it knows about registered commands, and
// tells it to change that.
//
// Every call ends within the client's timeout, attempts included. A call is
// repeated only if the server's state is the same whether it is made once or
// twice. A refusal is an *Error, which holds the server's problem document; a
// server that gives no answer is an *UnreachableError, one that gives another's a
// *StrangeError.
package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"mime"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/avapd/avapd/internal/api"
)

// Options describe a client.
type Options struct {
	// Server is the server's address, http://… or https://….
	Server string
	// Token is that of the server's administrator; changes need it.
	Token string
	// CAs are certificates, as PEM, that are trusted besides the system's.
	CAs []byte
	// Cert and Key are the certificate of this client and its private key, as PEM;
	// none for a client that shows no certificate.
	Cert, Key []byte
	// Sign gives the headers that show who sends a request; nil for none.
	Sign func(request *http.Request, body []byte) (map[string]string, error)
	// Timeout bounds a call with all its attempts.
	Timeout time.Duration
}

const (
	// attempts is how often a call is made that may be repeated.
	attempts = 3
	// firstPause is doubled from one attempt to the next.
	firstPause = 150 * time.Millisecond
	// maxPause bounds the pause that a server may ask for.
	maxPause = 5 * time.Second
	// maxAnswerBytes bounds an answer: the largest module that a server can be
	// set to take, and something around it.
	maxAnswerBytes = 257 << 20

	connectTimeout = 5 * time.Second
)

// Client is safe for concurrent use.
type Client struct {
	server  *url.URL
	token   string
	sign    func(request *http.Request, body []byte) (map[string]string, error)
	timeout time.Duration
	http    *http.Client
}

// New makes a client. Its error is about the options.
func New(o Options) (*Client, error) {
	server, err := url.Parse(o.Server)
	if err != nil || server.Host == "" || server.Scheme != "http" && server.Scheme != "https" {
		return nil, fmt.Errorf("%q is no address of a server, such as http://127.0.0.1:8888", o.Server)
	}
	if server.User != nil || server.RawQuery != "" || server.Fragment != "" {
		return nil, errors.New("the address of the server must hold neither a user nor a query")
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(o.CAs) > 0 {
		roots, err := x509.SystemCertPool()
		if err != nil {
			roots = x509.NewCertPool()
		}
		if !roots.AppendCertsFromPEM(o.CAs) {
			return nil, errors.New("the file holds no certificate in PEM form")
		}
		settings.RootCAs = roots
	}
	if len(o.Cert) > 0 {
		own, err := tls.X509KeyPair(o.Cert, o.Key)
		if err != nil {
			return nil, fmt.Errorf("the client's certificate and key do not go together: %w", err)
		}
		settings.Certificates = []tls.Certificate{own}
	}
	return &Client{
		server: server, token: o.Token, sign: o.Sign, timeout: o.Timeout,
		http: &http.Client{
			Transport: &http.Transport{
				Proxy: http.ProxyFromEnvironment, TLSClientConfig: settings, ForceAttemptHTTP2: true,
				DialContext: (&net.Dialer{Timeout: connectTimeout}).DialContext, TLSHandshakeTimeout: connectTimeout,
			},
			// The API redirects nobody, and the token is for this server alone.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Close closes the connections that wait for the next call.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Error is a server's refusal.
type Error struct{ api.Problem }

func (e *Error) Error() string {
	if e.Code == "" {
		return e.Problem.Error
	}
	return e.Problem.Error + " [" + e.Code + "]"
}

// UnreachableError says why a server gave no answer.
type UnreachableError struct {
	Server string
	Err    error
	// Sent is set if the request was on its way and asked for a change, which may
	// have been made all the same.
	Sent bool
}

func (e *UnreachableError) Error() string { return fmt.Sprintf("no answer of %s: %v", e.Server, e.Err) }

// Unwrap gives the reason.
func (e *UnreachableError) Unwrap() error { return e.Err }

// lateError says that there was no answer in time.
type lateError struct{ timeout time.Duration }

func (e lateError) Error() string {
	return fmt.Sprintf("none came within %d ms", e.timeout.Milliseconds())
}

func (lateError) Unwrap() error { return context.DeadlineExceeded }

// StrangeError says that there is an answer, and that no server of this API
// gives such a one.
type StrangeError struct {
	Server string
	Err    error
}

func (e *StrangeError) Error() string {
	return fmt.Sprintf("%s answers, but not as an AVAP server does: %v", e.Server, e.Err)
}

// Unwrap gives the reason.
func (e *StrangeError) Unwrap() error { return e.Err }

// call is a request.
type call struct {
	method string
	// path are the segments of the path behind /api/v1.
	path   []string
	query  url.Values
	header http.Header
	body   []byte
	// again is set if the call can be repeated.
	again bool
	// scripted is set if a script chooses the status of a success.
	scripted bool
}

// reply is an answer that is no refusal.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// get asks for a document.
func (c *Client) get(ctx context.Context, query url.Values, into any, path ...string) error {
	_, err := c.document(ctx, call{method: http.MethodGet, path: path, query: query, again: true}, into)
	return err
}

// send sends a document and reads another one, if into is not nil.
func (c *Client) send(ctx context.Context, method string, document, into any, again bool, path ...string) error {
	in := call{method: method, path: path, again: again}
	if document != nil {
		body, err := json.Marshal(document)
		if err != nil {
			return fmt.Errorf("encode the request: %w", err)
		}
		in.body, in.header = body, http.Header{"Content-Type": {"application/json"}}
	}
	_, err := c.document(ctx, in, into)
	return err
}

// document makes a call and reads the document that answers it, unless into is
// nil.
func (c *Client) document(ctx context.Context, in call, into any) (*reply, error) {
	r, err := c.do(ctx, in)
	if err != nil || into == nil {
		return r, err
	}
	if err := json.Unmarshal(r.body, into); err != nil {
		return r, &StrangeError{c.server.String(), err}
	}
	return r, nil
}

// do makes a call, again and again if that can help.
func (c *Client) do(ctx context.Context, in call) (*reply, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	for attempt := 1; ; attempt++ {
		r, err := c.once(ctx, in)
		if err == nil {
			return r, nil
		}
		pause, ok := pauseAfter(err, r, attempt)
		if !ok || !in.again || attempt == attempts {
			return nil, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// pauseAfter tells how long to wait for the next attempt, if one can help.
func pauseAfter(err error, r *reply, attempt int) (time.Duration, bool) {
	pause := firstPause << (attempt - 1)
	pause += rand.N(pause / 2) //nolint:gosec // spreads clients out
	if refused, ok := errors.AsType[*Error](err); ok {
		switch refused.Status {
		case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable:
			if s, err := strconv.Atoi(r.header.Get("Retry-After")); err == nil && s > 0 {
				pause = max(pause, time.Duration(s)*time.Second)
			}
			return pause, pause <= maxPause
		}
		return 0, false
	}
	_, ok := errors.AsType[*UnreachableError](err)
	return pause, ok
}

// once makes a call. With a refusal, it gives the reply as well.
func (c *Client) once(ctx context.Context, in call) (*reply, error) {
	request, err := http.NewRequestWithContext(ctx, in.method, c.address(in), bytes.NewReader(in.body))
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	var sent atomic.Bool
	request = request.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }}))
	maps.Copy(request.Header, in.header)
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.sign != nil {
		headers, err := c.sign(request, in.body)
		if err != nil {
			return nil, fmt.Errorf("sign the request: %w", err)
		}
		for name, value := range headers {
			request.Header.Set(name, value)
		}
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.unreachable(in, err, sent.Load())
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes+1))
	if err == nil && len(content) > maxAnswerBytes {
		err = fmt.Errorf("the answer has more than %d bytes", maxAnswerBytes)
	}
	if err != nil {
		return nil, c.unreachable(in, err, true)
	}
	r := &reply{response.StatusCode, response.Header, content}
	switch {
	case r.status < http.StatusMultipleChoices, r.status == http.StatusNotModified,
		in.scripted && r.header.Get(api.HeaderVersion) != "" && r.media() == "application/json":
		return r, nil
	}
	return r, r.refusal()
}

// address is where a call goes. A segment may hold any text.
func (c *Client) address(in call) string {
	var b strings.Builder
	b.WriteString(c.base() + "/api/v1")
	for _, segment := range in.path {
		b.WriteString("/" + url.PathEscape(segment))
	}
	if len(in.query) > 0 {
		b.WriteString("?" + in.query.Encode())
	}
	return b.String()
}

// base is the address of the server.
func (c *Client) base() string {
	return c.server.Scheme + "://" + c.server.Host + strings.TrimSuffix(c.server.EscapedPath(), "/")
}

// unreachable leaves out what the caller knows: the method and the address.
func (c *Client) unreachable(in call, err error, sent bool) *UnreachableError {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = lateError{c.timeout}
	}
	return &UnreachableError{c.server.String(), err, sent && in.method != http.MethodGet}
}

func (r *reply) media() string {
	media, _, _ := mime.ParseMediaType(r.header.Get("Content-Type"))
	return media
}

// refusal reads a problem document. Something between client and server may
// have answered instead, which knows nothing of those.
func (r *reply) refusal() *Error {
	e := new(Error)
	if !strings.HasSuffix(r.media(), "json") || json.Unmarshal(r.body, &e.Problem) != nil || e.Problem.Error == "" {
		e.Problem = api.Problem{
			Error:    fmt.Sprintf("the answer was %d %s, and no problem document", r.status, http.StatusText(r.status)),
			NextStep: "Check the address: is this an AVAP server, and is there something in front of it?",
		}
	}
	e.Status = r.status
	return e
}
