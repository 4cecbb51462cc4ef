package egress

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/avapd/avapd/internal/fairqueue"
	"github.com/avapd/avapd/internal/tracing"
)

// Config describes a Client. Zero fields stand for the given defaults.
type Config struct {
	Policy

	Resolver  Resolver       // Go's own resolver, on the system's configuration
	RootCAs   *x509.CertPool // the system's
	UserAgent string         // "avap"

	MaxRedirects     int   // negative: a redirect is an answer like others
	MaxResponseBytes int64 // of the body, before as after decompression
	MaxHeaderBytes   int64
	MaxConnsPerHost  int // further requests wait for one to end
	MaxRequests      int // 256 under way; further ones wait, clients in turns
	MaxPerClient     int // 32 of them; no client keeps the others waiting

	ConnectTimeout time.Duration // resolving the name included
	TLSTimeout     time.Duration
	HeaderTimeout  time.Duration // from the request sent to the headers read
	Timeout        time.Duration // for the whole of a Do, redirects included
}

// The limits that a Config without others has.
const (
	defaultRedirects      = 5
	defaultResponseBytes  = 8 << 20
	defaultHeaderBytes    = 64 << 10
	defaultConnsPerHost   = 64
	defaultConnectTimeout = 5 * time.Second
	defaultTLSTimeout     = 5 * time.Second
	defaultHeaderTimeout  = 20 * time.Second
	defaultTimeout        = 30 * time.Second
)

const (
	maxIdleConns        = 256
	maxIdleConnsPerHost = 16
	idleConnTimeout     = 30 * time.Second
)

// methods that scripts can use. CONNECT and TRACE are for proxies.
var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

var errTooManyRedirects = errors.New("too many redirects")

// Client sends the requests of scripts. It is safe for concurrent use and is
// meant to be shared: connections are pooled in it.
type Client struct {
	config    Config
	rules     *rules
	dialer    *dialer
	transport *http.Transport
	slots     *fairqueue.Slots
}

// New makes a Client.
func New(config Config) (*Client, error) {
	rules, err := newRules(config.Policy)
	if err != nil {
		return nil, err
	}
	config.UserAgent = cmp.Or(config.UserAgent, "avap")
	config.MaxRedirects = cmp.Or(config.MaxRedirects, defaultRedirects)
	config.MaxResponseBytes = cmp.Or(config.MaxResponseBytes, defaultResponseBytes)
	config.MaxHeaderBytes = cmp.Or(config.MaxHeaderBytes, defaultHeaderBytes)
	config.MaxConnsPerHost = cmp.Or(config.MaxConnsPerHost, defaultConnsPerHost)
	config.MaxRequests = cmp.Or(config.MaxRequests, 256)
	config.MaxPerClient = cmp.Or(config.MaxPerClient, 32)
	config.ConnectTimeout = cmp.Or(config.ConnectTimeout, defaultConnectTimeout)
	config.TLSTimeout = cmp.Or(config.TLSTimeout, defaultTLSTimeout)
	config.HeaderTimeout = cmp.Or(config.HeaderTimeout, defaultHeaderTimeout)
	config.Timeout = cmp.Or(config.Timeout, defaultTimeout)
	if config.Resolver == nil {
		config.Resolver = &net.Resolver{PreferGo: true}
	}
	d := &dialer{rules: rules, resolver: config.Resolver, timeout: config.ConnectTimeout}
	slots := fairqueue.New(fairqueue.Limits{Slots: config.MaxRequests, ClientSlots: config.MaxPerClient})
	return &Client{config: config, rules: rules, dialer: d, transport: newTransport(config, d), slots: slots}, nil
}

func newTransport(config Config, d *dialer) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  nil, // a proxy would choose the address in our place
		DialContext:            d.dial,
		TLSClientConfig:        &tls.Config{RootCAs: config.RootCAs, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    config.TLSTimeout,
		ResponseHeaderTimeout:  config.HeaderTimeout,
		MaxResponseHeaderBytes: config.MaxHeaderBytes,
		MaxConnsPerHost:        config.MaxConnsPerHost,
		MaxIdleConns:           maxIdleConns,
		MaxIdleConnsPerHost:    min(maxIdleConnsPerHost, config.MaxConnsPerHost),
		IdleConnTimeout:        idleConnTimeout,
		DisableCompression:     true, // readBody decompresses, and counts
		Protocols:              protocols,
	}
}

// Close ends idle connections. Requests under way are not disturbed.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Request is what a script asks for.
type Request struct {
	// Client is for whom the script runs.
	Client string
	Method string // GET if empty
	URL    string
	// Query is added to the query of the URL, in order.
	Query []Pair
	// Header must not name headers of the connection, Host or Content-Length.
	Header []Pair
	Body   []byte
	// ContentType is sent unless Header has one.
	ContentType string
	// MaxResponseBytes lowers the limit of the Client, if not zero: an answer
	// larger than the memory that is left need not be read.
	MaxResponseBytes int64
}

// Response is the answer to a Request, whatever its status.
type Response struct {
	Status      int
	Reason      string
	URL         string // where redirects ended
	Header      http.Header
	ContentType string
	Body        []byte // decompressed
	// BytesRead is what the answer cost: its body as received or decompressed,
	// whichever is more, and what was read of redirects.
	BytesRead int64
}

// exchange is a Request on its way.
type exchange struct {
	client *Client
	origin string // scheme, host and port the script wrote
	method string
	url    *url.URL
	header http.Header
	body   []byte

	maxResponseBytes int64
	redirects        int
	bytesRead        int64
}

// Do sends a request, follows its redirects and reads the answer. An error is
// always an [*Error]. An answer with an error status is no error.
func (c *Client) Do(ctx context.Context, request Request) (*Response, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	x := &exchange{client: c, method: cmp.Or(request.Method, http.MethodGet), body: request.Body}
	if err := x.prepare(request); err != nil {
		return nil, x.fail(ctx, err)
	}
	// How many can wait is bounded by how many scripts can run.
	if err := c.slots.Wait(ctx, fairqueue.NewWaiter(request.Client)); err != nil {
		return nil, x.fail(ctx, err)
	}
	defer c.slots.Leave(request.Client)
	response, err := x.run(ctx)
	if err != nil {
		return nil, x.fail(ctx, err)
	}
	return response, nil
}

func (x *exchange) prepare(request Request) error {
	if !slices.Contains(methods, x.method) {
		return invalid("the method is none of " + strings.Join(methods, ", "))
	}
	u, err := parseTarget(request.URL, request.Query)
	if err != nil {
		return err
	}
	x.url, x.origin = u, u.Scheme+"://"+u.Host
	x.header, err = newHeader(request.Header, request.ContentType, x.client.config.UserAgent)
	if err != nil {
		return err
	}
	x.maxResponseBytes = x.client.config.MaxResponseBytes
	if request.MaxResponseBytes > 0 {
		x.maxResponseBytes = min(x.maxResponseBytes, request.MaxResponseBytes)
	}
	return nil
}

func (x *exchange) run(ctx context.Context) (*Response, error) {
	for {
		span := x.beginSpan(ctx)
		response, err := x.step(ctx, span)
		x.endSpan(ctx, span, err)
		if response != nil || err != nil {
			return response, err
		}
	}
}

// step asks the server that the exchange has got to. There is neither response
// nor error when that leads to another one.
func (x *exchange) step(ctx context.Context, span *tracing.Span) (*Response, error) {
	resp, err := x.send(ctx, span)
	if err != nil {
		return nil, err
	}
	span.Number(tracing.HTTPStatus, int64(resp.StatusCode))
	failStatus(span, resp.StatusCode)
	location := resp.Header.Get("Location")
	if !isRedirect(resp.StatusCode) || location == "" || x.client.config.MaxRedirects < 0 {
		return x.finish(resp)
	}
	x.bytesRead += drain(resp)
	x.redirects++
	if x.redirects > x.client.config.MaxRedirects {
		return nil, errTooManyRedirects
	}
	return nil, x.follow(resp.StatusCode, location)
}

// send makes one round trip to where the exchange has got to.
func (x *exchange) send(ctx context.Context, span *tracing.Span) (*http.Response, error) {
	if err := x.client.rules.checkHost(x.url.Hostname(), portOf(x.url)); err != nil {
		return nil, err
	}
	var body io.Reader = http.NoBody
	if len(x.body) > 0 {
		body = bytes.NewReader(x.body)
	}
	request, err := http.NewRequestWithContext(ctx, x.method, x.url.String(), body)
	if err != nil {
		return nil, err
	}
	request.Header = x.header.Clone()
	propagate(cmp.Or(span, tracing.From(ctx)), request.Header)
	resp, err := x.client.transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		_ = resp.Body.Close() // the rest of the stream is not HTTP
		return nil, errors.New("the server switched protocols unasked")
	}
	return resp, nil
}

func (x *exchange) finish(resp *http.Response) (*Response, error) {
	body, n, err := readBody(resp, x.maxResponseBytes)
	_ = resp.Body.Close() // what there was to learn was learnt by reading
	x.bytesRead += n
	if err != nil {
		return nil, err
	}
	return &Response{
		Status:      resp.StatusCode,
		Reason:      strings.TrimSpace(strings.TrimPrefix(resp.Status, strconv.Itoa(resp.StatusCode))),
		URL:         x.url.String(),
		Header:      resp.Header,
		ContentType: resp.Header.Get("Content-Type"),
		Body:        body,
		BytesRead:   x.bytesRead,
	}, nil
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// follow turns the exchange to the target of a redirect, by the rules of
// Python's requests: 303 and 302 make a GET of everything but HEAD, 301 of POST
// alone, and the body stays behind unless the status is 307 or 308.
func (x *exchange) follow(status int, location string) error {
	target, err := x.url.Parse(location)
	if err != nil {
		return invalid("the target of the redirect is not a valid URL")
	}
	if err := normalise(target); err != nil {
		return err
	}
	if target.Fragment == "" {
		target.Fragment, target.RawFragment = x.url.Fragment, x.url.RawFragment
	}
	switch {
	case status == http.StatusSeeOther || status == http.StatusFound:
		if x.method != http.MethodHead {
			x.method = http.MethodGet
		}
	case status == http.StatusMovedPermanently && x.method == http.MethodPost:
		x.method = http.MethodGet
	}
	if status != http.StatusTemporaryRedirect && status != http.StatusPermanentRedirect {
		x.body = nil
		for _, name := range contentHeaders {
			x.header.Del(name)
		}
	}
	if !keepsSecrets(x.url, target) {
		dropSecrets(x.header)
	}
	x.url = target
	return nil
}
