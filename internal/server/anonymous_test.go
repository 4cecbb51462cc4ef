package server

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/diag"
)

// who asks without credentials, and from where.
type stranger struct {
	host    string
	headers []string
	// far makes the server listen on an address that is not loopback.
	far bool
}

// Strangers are answered where the setting says so.
func TestStrangers(t *testing.T) {
	here := stranger{host: "localhost"}
	forwarded := stranger{host: "localhost", headers: []string{"X-Forwarded-For", "127.0.0.1"}}
	forwardedToo := stranger{host: "localhost", headers: []string{"Forwarded", "for=127.0.0.1"}}
	for _, c := range []struct {
		args     []string
		stranger stranger
		answered bool
	}{
		{nil, here, true},
		{nil, stranger{host: "LOCALHOST"}, true},
		{nil, stranger{host: "127.0.0.1:8888"}, true},
		{nil, stranger{host: "[::1]:80"}, true},
		{nil, stranger{host: "[::1]"}, true},
		{nil, stranger{host: "127.8.8.8"}, true},
		{nil, stranger{host: "evil.example"}, false},
		{nil, stranger{host: "evil.example:8888"}, false},
		{nil, stranger{host: "localhost.evil.example"}, false},
		{nil, stranger{host: "10.0.0.1"}, false},
		{[]string{"--auth-hosts", "build.lan, Other.lan"}, stranger{host: "other.LAN:1"}, true},
		{nil, forwarded, false},
		{nil, forwardedToo, false},
		{nil, stranger{host: "localhost", headers: []string{"X-Real-IP", "10.0.0.1"}}, false},
		{nil, stranger{host: "localhost", headers: []string{"Via", "1.1 proxy"}}, false},
		{nil, stranger{host: "localhost", far: true}, false},
		{[]string{"--auth-anonymous", "always"}, stranger{host: "evil.example", far: true}, true},
		{[]string{"--auth-anonymous", "never"}, here, false},
	} {
		h := start(t, c.args...)
		dial := h.addr
		if c.stranger.far {
			dial = h.listenFar()
			if dial == "" {
				t.Skip("this machine has no address but loopback")
			}
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+dial+pathExecute, strings.NewReader(`{"script":"a"}`))
		if err != nil {
			t.Fatal(err)
		}
		request.Host = c.stranger.host
		r := h.send(request, c.stranger.headers...)
		if c.answered {
			if r.StatusCode != 200 {
				t.Errorf("%v %+v: %d %s", c.args, c.stranger, r.StatusCode, r.body)
			}
			continue
		}
		p := r.wantProblem(t, 401, diag.Unauthorized)
		if r.Header.Get("Www-Authenticate") == "" || p.NextStep == "" {
			t.Errorf("%v %+v: %v", c.args, c.stranger, r.Header)
		}
		probe := h.do(http.MethodGet, "/livez", "", nil, c.stranger.headers...)
		if probe.StatusCode != 200 {
			t.Errorf("the probe: %d", probe.StatusCode)
		}
		for _, path := range []string{"/none", pathMetrics, pathOpenAPI} { // nothing is told
			request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+dial+path, nil)
			request.Host = c.stranger.host
			h.send(request, c.stranger.headers...).wantProblem(t, 401, diag.Unauthorized)
		}
	}
}

// listenFar has the server answer on an address of this machine that is not
// loopback, too.
func (h *harness) listenFar() string {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		h.t.Fatal(err)
	}
	for _, a := range addresses {
		if ip, ok := a.(*net.IPNet); ok && !ip.IP.IsLoopback() && ip.IP.To4() != nil {
			listener, err := net.Listen("tcp", net.JoinHostPort(ip.IP.String(), "0"))
			if err != nil {
				return ""
			}
			go func() { _ = h.Serve(listener) }()
			return listener.Addr().String()
		}
	}
	return ""
}

// What strangers may do is a setting, which a running server takes anew.
func TestStrangersScopes(t *testing.T) {
	h := start(t, "--auth-anonymous-scopes", "check")
	h.execute(`{"script":"a"}`).wantProblem(t, 403, diag.Forbidden) // nobody is known here
	if r := h.do(http.MethodPost, pathCheck, "application/json", strings.NewReader(`{"script":"a"}`)); r.StatusCode != 200 {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	h.Adjust(config.Default())
	if r := h.execute(`{"script":"a"}`); r.StatusCode != 200 {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}
