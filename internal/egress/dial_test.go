package egress

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// Were all checks before it to fail, the socket would not connect.
func TestSocketIsJudged(t *testing.T) {
	h := newHarness(t, loopback())
	for _, target := range []string{"10.11.12.13:80", "169.254.169.254:80", "[::1]:80", "[fd00::1]:80"} {
		conn, err := h.dialer.connect(t.Context(), netip.MustParseAddrPort(target))
		var no *refusal
		if conn != nil || !errors.As(err, &no) {
			t.Errorf("%s: %v", target, err)
		}
	}
	if c := h.connections(); len(c) > 0 {
		t.Errorf("connections: %v", c)
	}
}

// An address that does not answer is not waited for.
func TestSlowAddress(t *testing.T) {
	port := netip.MustParseAddrPort("127.0.0.1:" + serve(t, echo)).Port()
	for _, slow := range []string{"127.0.0.2", "127.0.0.1"} {
		h := newHarness(t, loopback())
		var once sync.Once
		second := make(chan struct{})
		h.dialer.connecting = func(netip.AddrPort) {
			first := false
			once.Do(func() { first = true })
			if !first {
				close(second)
			}
			<-second // the first one gets no further before the second one is tried
		}
		conn, err := h.dialer.connectAny(t.Context(), []netip.Addr{netip.MustParseAddr(slow), netip.MustParseAddr("127.0.0.1")}, port)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
}

// Connections that came too late are closed.
func TestDiscard(t *testing.T) {
	attempts := make(chan attempt)
	mine, theirs := net.Pipe()
	go func() {
		attempts <- attempt{conn: mine}
		attempts <- attempt{err: errors.New("called off")}
	}()
	discard(attempts, 2)
	if _, err := theirs.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is open")
	}
	theirs.Close()
}

func TestDialEndsWithTimeout(t *testing.T) {
	h := newHarness(t, loopback())
	h.dialer.timeout = 10 * time.Millisecond
	h.dialer.resolver = resolverFunc(func(ctx context.Context, _ string) ([]netip.Addr, error) {
		<-ctx.Done()
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	})
	if _, err := h.dialer.dial(t.Context(), "tcp", "late.example:80"); !isTimeout(err) {
		t.Errorf("%v, want a timeout", err)
	}
	for _, address := range []string{"late.example", "late.example:http", "late.example:65536"} {
		if _, err := h.dialer.dial(t.Context(), "tcp", address); err == nil {
			t.Errorf("%s was dialled", address)
		}
	}
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout() || errors.Is(err, context.DeadlineExceeded)
}

func TestIPv6Loopback(t *testing.T) {
	listener, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("this machine has no IPv6:", err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(echo))
	server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	port := portText(t, server.URL)
	allowed := newHarness(t, Config{Policy: Policy{Allow: prefixes(t, "::1")}, Resolver: testNames})
	for _, url := range []string{"http://[::1]:", "http://[0:0:0:0:0:0:0:1]:", "http://loop6.example:"} {
		allowed.mustGet(url + port + "/")
	}
	allowed.mustFail(Request{URL: "http://127.0.0.1:" + port + "/"}, KindRefused)
	newHarness(t, loopback()).mustFail(Request{URL: "http://[::1]:" + port + "/"}, KindRefused)
}
