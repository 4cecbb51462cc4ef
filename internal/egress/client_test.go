package egress

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestRequestAsSent(t *testing.T) {
	port := serve(t, echo)
	h := newHarness(t, loopback())
	origin := "http://127.0.0.1:" + port
	for _, c := range []struct {
		name    string
		request Request
		want    string
	}{
		{
			"defaults",
			Request{URL: origin},
			"GET /\nHost: 127.0.0.1:{PORT}\nAccept: */*\nAccept-Encoding: gzip, deflate\nUser-Agent: avap\n\n",
		},
		{
			"query in order, behind the URL's own",
			Request{URL: origin + "/p?z=1", Query: []Pair{{"b", "x y&ñ"}, {"a", ""}, {"b", "2"}}},
			"GET /p?z=1&b=x+y%26%C3%B1&a=&b=2\nHost: 127.0.0.1:{PORT}\nAccept: */*\nAccept-Encoding: gzip, deflate\nUser-Agent: avap\n\n",
		},
		{
			"a query that needs quoting",
			Request{URL: origin + "/a b?q=ñ \"x\" %41 100%"},
			"GET /a%20b?q=%C3%B1%20%22x%22%20%41%20100%25\nHost: 127.0.0.1:{PORT}\nAccept: */*\nAccept-Encoding: gzip, deflate\nUser-Agent: avap\n\n",
		},
		{
			"body and headers",
			Request{
				Method: "POST", URL: origin, Body: []byte(`{"a": 1}`), ContentType: "application/json",
				Header: []Pair{{"x-test", "1"}, {"user-agent", "mine"}, {"X-TEST", "2"}, {"Accept", "text/plain"}},
			},
			"POST /\nHost: 127.0.0.1:{PORT}\nAccept: text/plain\nAccept-Encoding: gzip, deflate\nContent-Length: 8\nContent-Type: application/json\nUser-Agent: mine\nX-Test: 2\n\n{\"a\": 1}",
		},
		{
			"a content type of the script",
			Request{Method: "POST", URL: origin, Body: []byte("x"), ContentType: "application/json", Header: []Pair{{"content-type", "text/csv"}}},
			"POST /\nHost: 127.0.0.1:{PORT}\nAccept: */*\nAccept-Encoding: gzip, deflate\nContent-Length: 1\nContent-Type: text/csv\nUser-Agent: avap\n\nx",
		},
		{
			"a POST of nothing",
			Request{Method: "POST", URL: origin},
			"POST /\nHost: 127.0.0.1:{PORT}\nAccept: */*\nAccept-Encoding: gzip, deflate\nContent-Length: 0\nUser-Agent: avap\n\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := h.must(c.request)
			if want := strings.ReplaceAll(c.want, "{PORT}", port); string(got.Body) != want {
				t.Errorf("sent\n%s\nwant\n%s", got.Body, want)
			}
			if got.BytesRead != int64(len(got.Body)) {
				t.Errorf("BytesRead is %d for %d bytes", got.BytesRead, len(got.Body))
			}
		})
	}
}

func TestBadRequests(t *testing.T) {
	h := newHarness(t, loopback())
	header := func(name, value string) Request {
		return Request{URL: "http://127.0.0.1/", Header: []Pair{{name, value}}}
	}
	requests := map[Kind][]Request{
		KindRefused: {
			header("Host", "internal"), header("hOsT", "internal"), header("Content-Length", "0"), header("Transfer-Encoding", "chunked"),
			header("Connection", "close"), header("Proxy-Connection", "close"), header("Keep-Alive", "1"), header("TE", "trailers"),
			header("Trailer", "X"), header("Upgrade", "h2c"), header("Expect", "100-continue"), header("HTTP2-Settings", "x"),
			header("Proxy-Authorization", "x"), header("Proxy-Authenticate", "x"),
		},
		KindInvalid: {
			header("X", "a\r\nY: b"), header("X", "a\nb"), header("X", "a\rb"), header("X", "a\x00b"), header("X", "\x7f"),
			header("X\r\nY", "b"), header("X Y", "b"), header("X:", "b"), header("Host:", "b"), header(" Host", "b"), header("Ñ", "b"), header("", "b"),
			header("X", strings.Repeat("a", maxRequestHeaderBytes)),
			{URL: "http://127.0.0.1/", ContentType: "text/plain\r\nX: y"},
			{URL: "http://127.0.0.1/", Method: "CONNECT"},
			{URL: "http://127.0.0.1/", Method: "TRACE"},
			{URL: "http://127.0.0.1/", Method: "get"},
			{URL: "http://127.0.0.1/", Method: "GET / HTTP/1.1\r\nX:"},
			{URL: "http://127.0.0.1/" + strings.Repeat("a", maxURLBytes)},
			{URL: "http://127.0.0.1/", Query: []Pair{{"a", strings.Repeat("a", maxURLBytes)}}},
		},
	}
	for kind, list := range requests {
		for _, request := range list {
			h.mustFail(request, kind)
		}
	}
	if c := h.connections(); len(c) > 0 {
		t.Errorf("connections: %v", c)
	}
}

func TestStatusError(t *testing.T) {
	for status, want := range map[int]string{
		200: "", 302: "", 399: "", 600: "",
		404: "404 Client Error: Not Found for url: http://x/",
		499: "499 Client Error:  for url: http://x/",
		500: "500 Server Error: Internal Server Error for url: http://x/",
		503: "503 Server Error: Service Unavailable for url: http://x/",
	} {
		got := ""
		response := &Response{Status: status, Reason: http.StatusText(status), URL: "http://x/"}
		if err := response.StatusError(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%d: %q, want %q", status, got, want)
		}
	}
	port := answer(t, "HTTP/1.1 418 Short And Stout\r\nContent-Length: 0\r\n\r\n", false)
	response := newHarness(t, loopback()).mustGet("http://127.0.0.1:" + port + "/pot?a=1")
	if got, want := response.StatusError(), "418 Client Error: Short And Stout for url: http://127.0.0.1:"+port+"/pot?a=1"; got == nil || got.Error() != want {
		t.Errorf("%v, want %s", got, want)
	}
}

func TestProxyOfEnvironmentIgnored(t *testing.T) {
	proxy := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the proxy was asked") })
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"} {
		t.Setenv(name, "http://127.0.0.1:"+proxy)
	}
	config := loopback()
	config.Resolver = testNames
	port := serve(t, echo)
	h := newHarness(t, config)
	h.mustGet("http://loop.example:" + port + "/")
	// Package http reads the environment once in a process, which may have been
	// before this test.
	if h.transport.Proxy != nil {
		t.Error("the transport looks for a proxy")
	}
}

func TestConnectionsArePooled(t *testing.T) {
	port := serve(t, echo)
	h := newHarness(t, loopback())
	for range 5 {
		h.mustGet("http://127.0.0.1:" + port + "/")
	}
	h.mustGet("http://127.0.0.1:0" + port + "/")
	if n := len(h.connections()); n != 1 {
		t.Errorf("%d connections for requests one after the other", n)
	}
}

// Requests sent together arrive together, up to the limit per host.
func TestTogether(t *testing.T) {
	const together = 10
	var arrived sync.WaitGroup
	arrived.Add(together)
	port := serve(t, func(http.ResponseWriter, *http.Request) {
		arrived.Done()
		arrived.Wait()
	})
	config := loopback()
	config.MaxConnsPerHost = together
	h := newHarness(t, config)
	var sent sync.WaitGroup
	for range together {
		sent.Go(func() {
			if _, failure := h.get("http://127.0.0.1:" + port + "/"); failure != nil {
				t.Error(failure)
			}
		})
	}
	sent.Wait()
}

func TestConnsPerHostAreLimited(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	port := serve(t, func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	})
	config := loopback()
	config.MaxConnsPerHost = 1
	h := newHarness(t, config)
	var first sync.WaitGroup
	first.Go(func() { h.get("http://127.0.0.1:" + port + "/") })
	<-arrived
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := h.Do(ctx, Request{URL: "http://127.0.0.1:" + port + "/"})
	close(release)
	first.Wait()
	var failure *Error
	if !errors.As(err, &failure) || failure.Kind != KindTimeout {
		t.Errorf("%v, want a timeout", err)
	}
	if n := len(h.connections()); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// A Config that names no limits has them, too.
func TestDefaults(t *testing.T) {
	c, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	got := c.transport
	if got.MaxConnsPerHost != 64 || got.MaxResponseHeaderBytes != 65536 || got.TLSHandshakeTimeout != 5*time.Second || got.ResponseHeaderTimeout != 20*time.Second {
		t.Errorf("%d connections, %d bytes, %v, %v", got.MaxConnsPerHost, got.MaxResponseHeaderBytes, got.TLSHandshakeTimeout, got.ResponseHeaderTimeout)
	}
	if c.dialer.timeout != 5*time.Second || c.config.Timeout != 30*time.Second || c.config.MaxResponseBytes != 8388608 || c.config.MaxRedirects != 5 {
		t.Errorf("%v, %+v", c.dialer.timeout, c.config)
	}
}

func TestTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(echo))
	server.Config.ErrorLog = quiet()
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	plain := newHarness(t, loopback())
	failure := plain.mustFail(Request{URL: server.URL}, KindNetwork)
	if !strings.Contains(failure.Error(), "certificate is not trusted") {
		t.Error(failure)
	}
	config := loopback()
	config.RootCAs = x509.NewCertPool()
	config.RootCAs.AddCert(server.Certificate())
	config.Resolver = names{"example.com": {"127.0.0.1"}, "other.example": {"127.0.0.1"}}
	trusting := newHarness(t, config)
	trusting.mustGet(server.URL)
	trusting.mustGet("https://example.com:" + portText(t, server.URL) + "/")
	trusting.mustFail(Request{URL: "https://other.example:" + portText(t, server.URL) + "/"}, KindNetwork)
	// Plain HTTP behind https.
	failure = trusting.mustFail(Request{URL: "https://127.0.0.1:" + answer(t, "HTTP/1.1 200 OK\r\n\r\n", false) + "/"}, KindNetwork)
	if !strings.Contains(failure.Error(), "TLS") {
		t.Error(failure)
	}
}

// The name server changes its answer between two connections: the second one is
// judged like the first.
func TestRebinding(t *testing.T) {
	port := serve(t, echo)
	answers := []string{"127.0.0.1", "10.11.12.13", "169.254.169.254", "127.0.0.2", "::1", "0.0.0.0", "127.0.0.1"}
	asked := 0
	h := newHarness(t, Config{
		Policy: Policy{Allow: prefixes(t, "127.0.0.1")},
		Resolver: resolverFunc(func(context.Context, string) ([]netip.Addr, error) {
			asked++
			return []netip.Addr{netip.MustParseAddr(answers[asked-1])}, nil
		}),
	})
	for i, answer := range answers {
		h.Close() // so that no connection of before is used
		_, failure := h.get("http://rebind.example:" + port + "/")
		if allowed := answer == "127.0.0.1"; (failure == nil) != allowed || failure != nil && failure.Kind != KindRefused {
			t.Errorf("answer %s: %v", answer, failure)
		}
		if asked != i+1 {
			t.Fatalf("the resolver was asked %d times for %d requests", asked, i+1)
		}
	}
	if n := len(h.connections()); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
}

// An answer among several that does not work costs the others nothing, and one
// that is refused is not tried.
func TestSeveralAddresses(t *testing.T) {
	port := serve(t, echo)
	config := loopback()
	config.Resolver = names{
		"many.example": {"10.11.12.13", "127.0.0.2", "127.0.0.3", "127.0.0.1", "::1"},
		"dead.example": {"127.0.0.2", "127.0.0.3"},
		"flood.example": {
			"127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6", "127.0.0.7", "127.0.0.8", "127.0.0.9", "127.0.0.10", "127.0.0.1",
		},
	}
	h := newHarness(t, config)
	h.mustGet("http://many.example:" + port + "/")
	if got := h.connections(); len(got) != 3 || got[2].Addr() != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("connections: %v", got)
	}
	if failure := h.mustFail(Request{URL: "http://dead.example:" + port + "/"}, KindNetwork); !strings.HasSuffix(failure.Error(), "connection refused") {
		t.Error(failure)
	}
	h.mustFail(Request{URL: "http://flood.example:" + port + "/"}, KindNetwork)
}

func TestTimeouts(t *testing.T) {
	silent := answer(t, "", true)
	slow := answer(t, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", true)
	hang := resolverFunc(func(ctx context.Context, _ string) ([]netip.Addr, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	const short = 20 * time.Millisecond
	for _, c := range []struct {
		name, url string
		set       func(*Config)
	}{
		{"resolver", "http://hang.example/", func(c *Config) { c.ConnectTimeout = short }},
		{"TLS", "https://127.0.0.1:" + silent + "/", func(c *Config) { c.TLSTimeout = short }},
		{"headers", "http://127.0.0.1:" + silent + "/", func(c *Config) { c.HeaderTimeout = short }},
		{"body", "http://127.0.0.1:" + slow + "/", func(c *Config) { c.Timeout = 10 * short }},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := loopback()
			config.Resolver = hang
			c.set(&config)
			h := newHarness(t, config)
			failure := h.mustFail(Request{URL: c.url}, KindTimeout)
			if failure.BytesRead != 0 && c.name != "body" {
				t.Errorf("BytesRead is %d", failure.BytesRead)
			}
		})
	}
}

func TestContextEnds(t *testing.T) {
	silent := answer(t, "", true)
	h := newHarness(t, loopback())
	request := Request{URL: "http://127.0.0.1:" + silent + "/"}

	deadline, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	var failure *Error
	if _, err := h.Do(deadline, request); !errors.As(err, &failure) || failure.Kind != KindTimeout {
		t.Errorf("deadline: %v", err)
	}
	canceled, cancelCause := context.WithCancelCause(t.Context())
	cancelCause(errors.New("shutting down 10.0.0.1"))
	if _, err := h.Do(canceled, request); !errors.As(err, &failure) || failure.Kind != KindCanceled || strings.Contains(err.Error(), "10.0.0.1") {
		t.Errorf("cancelled: %v", err)
	}
}

// What the network can do wrong, in words that tell no address.
func TestNetworkErrors(t *testing.T) {
	config := loopback()
	config.Resolver = names{}
	h := newHarness(t, config)
	for reply, want := range map[string]string{
		"": "closed before the answer was complete",
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf":                 "closed before the answer was complete",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe":      "closed before the answer was complete",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n":       "not proper HTTP",
		"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nthis is not gzip": "not proper HTTP",
		"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\n\r\n\xff\xff":      "not proper HTTP",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n":            "not proper HTTP",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n": "not proper HTTP",
		"220 mail.internal ESMTP 10.11.12.13\r\n":                           "not proper HTTP",
	} {
		failure := h.mustFail(Request{URL: "http://127.0.0.1:" + answer(t, reply, false) + "/"}, KindNetwork)
		if !strings.Contains(failure.Error(), want) || strings.Contains(failure.Error(), "internal") {
			t.Errorf("%q: %v, want %s", reply, failure, want)
		}
	}
	failure := h.mustFail(Request{URL: "http://unknown.example/"}, KindNetwork)
	if got, want := failure.Error(), "the request to http://unknown.example failed: the host name is not known"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if !strings.Contains(failure.Unwrap().Error(), "192.168.250.250") {
		t.Errorf("the cause is %v and does not help the log", failure.Unwrap())
	}
}

// A HEAD has the headers of a body and none.
func TestHead(t *testing.T) {
	for _, coding := range []string{"", "gzip", "deflate"} {
		port := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", coding)
			w.Header().Set("Content-Length", "99999999999")
		})
		response := newHarness(t, loopback()).must(Request{Method: "HEAD", URL: "http://127.0.0.1:" + port + "/"})
		if response.Status != 200 || len(response.Body) != 0 {
			t.Errorf("%q: %+v", coding, response)
		}
	}
}

// A client whose requests are not answered keeps no other waiting.
func TestOneClientLeavesRequestsToOthers(t *testing.T) {
	config := loopback()
	config.MaxRequests, config.MaxPerClient = 4, 2
	arrived, release := make(chan struct{}, 100), make(chan struct{})
	url := "http://127.0.0.1:" + serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			arrived <- struct{}{}
			<-release
		}
		_, _ = w.Write([]byte("ok"))
	})
	h := newHarness(t, config)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if _, err := h.Do(context.Background(), Request{Client: "a", URL: url + "/slow"}); err != nil {
				t.Error(err)
			}
		})
	}
	<-arrived
	<-arrived
	for h.slots.Waiting() != 18 {
		runtime.Gosched()
	}
	for range 5 {
		if _, err := h.Do(t.Context(), Request{Client: "v", URL: url + "/"}); err != nil {
			t.Error(err)
		}
	}
	if len(arrived) != 0 || h.slots.Free() != 2 {
		t.Errorf("%d more of the client are under way, %d slots are free", len(arrived), h.slots.Free())
	}
	close(release)
	group.Wait()
}
