package egress

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lines gives the lines of a table that are neither empty nor comments.
func lines(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			rows = append(rows, line)
		}
	}
	return rows
}

func prefixes(t *testing.T, list string) []netip.Prefix {
	t.Helper()
	p, err := ParsePrefixes(list)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// names is a resolver of given answers.
type names map[string][]string

func (n names) LookupNetIP(_ context.Context, network, host string) ([]netip.Addr, error) {
	answers, known := n[strings.ToLower(strings.TrimSuffix(host, "."))]
	if !known || network != "ip" {
		return nil, &net.DNSError{Err: "no such host", Name: host, Server: "192.168.250.250:53", IsNotFound: true}
	}
	addrs := make([]netip.Addr, 0, len(answers))
	for _, a := range answers {
		addrs = append(addrs, netip.MustParseAddr(a))
	}
	return addrs, nil
}

type resolverFunc func(ctx context.Context, host string) ([]netip.Addr, error)

func (f resolverFunc) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	return f(ctx, host)
}

// harness is a client with a record of the connections it tried.
type harness struct {
	*Client
	t *testing.T

	mu       sync.Mutex
	connects []netip.AddrPort
}

// newHarness makes a client that resolves nothing unless told how.
func newHarness(t *testing.T, config Config) *harness {
	t.Helper()
	if config.Resolver == nil {
		config.Resolver = names{}
	}
	client, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	h := &harness{Client: client, t: t}
	client.dialer.connecting = h.connecting
	t.Cleanup(client.Close)
	return h
}

func (h *harness) connecting(target netip.AddrPort) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.connects = append(h.connects, target)
	if !target.Addr().IsLoopback() {
		h.t.Errorf("a packet was about to leave for %s", target)
	}
}

func (h *harness) connections() []netip.AddrPort {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]netip.AddrPort(nil), h.connects...)
}

// get asks for a URL and gives the answer or the Error.
func (h *harness) get(rawURL string) (*Response, *Error) {
	h.t.Helper()
	return h.do(Request{URL: rawURL})
}

func (h *harness) do(request Request) (*Response, *Error) {
	h.t.Helper()
	response, err := h.Do(h.t.Context(), request)
	var failure *Error
	if err != nil && !errors.As(err, &failure) {
		h.t.Fatalf("%T is not an *Error: %v", err, err)
	}
	return response, failure
}

func (h *harness) mustGet(rawURL string) *Response {
	h.t.Helper()
	return h.must(Request{URL: rawURL})
}

func (h *harness) must(request Request) *Response {
	h.t.Helper()
	response, failure := h.do(request)
	if failure != nil {
		h.t.Fatalf("%s: %v (%v)", request.URL, failure, failure.Unwrap())
	}
	return response
}

// mustFail asks and expects an error of the kind.
func (h *harness) mustFail(request Request, kind Kind) *Error {
	h.t.Helper()
	response, failure := h.do(request)
	if failure == nil {
		h.t.Fatalf("%s: status %d, want %v", request.URL, response.Status, kindName(kind))
	}
	if failure.Kind != kind {
		h.t.Fatalf("%s: %v: %v (%v), want %v", request.URL, kindName(failure.Kind), failure, failure.Unwrap(), kindName(kind))
	}
	return failure
}

func kindName(kind Kind) string {
	names := map[Kind]string{
		KindInvalid: "invalid", KindRefused: "refused", KindTooLarge: "too large", KindTimeout: "timeout",
		KindCanceled: "canceled", KindTooManyRedirects: "redirects", KindNetwork: "network",
	}
	return names[kind]
}

// serve starts a server on 127.0.0.1 and gives its port.
func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return portText(t, server.URL)
}

func portText(t *testing.T, rawURL string) string {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}

// answer starts a server that gives the same bytes to every connection, and
// leaves it open until the client closes it if hold is set.
func answer(t *testing.T, reply string, hold bool) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				request := make([]byte, 4096)
				if _, err := conn.Read(request); err != nil {
					return
				}
				io.WriteString(conn, reply)
				if hold {
					io.Copy(io.Discard, conn)
				}
			})
		}
	})
	t.Cleanup(func() { listener.Close(); serving.Wait() })
	return portText(t, "http://"+listener.Addr().String())
}

// echo answers with the request line, the headers and the body it was sent.
func echo(w http.ResponseWriter, r *http.Request) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s\nHost: %s\n", r.Method, r.RequestURI, r.Host)
	r.Header.Write(&b)
	b.WriteByte('\n')
	io.Copy(&b, r.Body)
	w.Write(bytes.ReplaceAll(b.Bytes(), []byte("\r\n"), []byte("\n")))
}

// loopback allows the servers of the tests.
func loopback() Config {
	return Config{Policy: Policy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, Timeout: time.Minute}
}
