package server

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/avapd/avapd/internal/diag"
)

// readAll reads until the server closes the connection.
func readAll(t *testing.T, conn net.Conn) string {
	t.Helper()
	content, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// Every answer has the headers, also what fasthttp refuses and what is a problem.
func TestSecurityHeaders(t *testing.T) {
	h := start(t)
	for name, r := range map[string]reply{
		"an answer":    h.execute(`{"script":"s"}`),
		"a probe":      h.do(http.MethodGet, pathLive, "", nil),
		"a problem":    h.execute(`{`),
		"no route":     h.do(http.MethodGet, "/nowhere", "", nil),
		"wrong method": h.do(http.MethodDelete, pathExecute, "", nil),
	} {
		for _, header := range securityHeaders {
			if got := r.Header.Get(string(header.name)); got != string(header.value) {
				t.Errorf("%s: %s is %q", name, header.name, got)
			}
		}
		for _, header := range []string{"Server", "Strict-Transport-Security", "Access-Control-Allow-Origin", "X-Powered-By"} {
			if got := r.Header.Get(header); got != "" {
				t.Errorf("%s: %s is %q", name, header, got)
			}
		}
	}
	for _, request := range []string{"BREW / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "GET / HTTP/1.1\r\nHost : x\r\n\r\n"} {
		conn := h.dial()
		send(t, conn, request)
		if answer := readAll(t, conn); !strings.Contains(answer, "X-Content-Type-Options: nosniff") || strings.Contains(answer, "\nServer:") {
			t.Errorf("%q is answered\n%s", request, answer)
		}
	}
}

func TestCORS(t *testing.T) {
	const ours, other = "https://app.example.com", "https://evil.example.com"
	preflight := func(h *harness, origin string) reply {
		return h.do(http.MethodOptions, pathExecute, "", nil, "Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type")
	}
	ask := func(h *harness, origin string) reply {
		return h.execute(`{"script":"s"}`, "Origin", origin, "Sec-Fetch-Site", "cross-site")
	}

	closed := start(t)
	preflight(closed, ours).wantProblem(t, http.StatusForbidden, diag.CrossSite)
	ask(closed, ours).wantProblem(t, http.StatusForbidden, diag.CrossSite)
	if r := closed.do(http.MethodOptions, pathExecute, "", nil); r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("OPTIONS that is no preflight answers %d", r.StatusCode)
	}

	some := start(t, "--cors-origins="+ours+",http://localhost:3000", "--cors-max-age-s=77")
	r := preflight(some, ours)
	for header, want := range map[string]string{
		"Access-Control-Allow-Origin": ours, "Access-Control-Allow-Methods": corsMethods, "Access-Control-Allow-Headers": corsHeaders,
		"Access-Control-Max-Age": "77", "Vary": "Origin", "Access-Control-Allow-Credentials": "",
	} {
		if got := r.Header.Get(header); got != want {
			t.Errorf("%s is %q, want %q", header, got, want)
		}
	}
	if r.StatusCode != http.StatusNoContent || len(r.body) != 0 {
		t.Errorf("a preflight is answered %d %s", r.StatusCode, r.body)
	}
	if r := ask(some, ours); r.StatusCode != http.StatusOK || r.Header.Get("Access-Control-Allow-Origin") != ours || !strings.Contains(r.Header.Get("Access-Control-Expose-Headers"), "X-Avap-Execution") {
		t.Errorf("%d %v", r.StatusCode, r.Header)
	}
	// A page is told what went wrong, too.
	if r := some.execute(`{`, "Origin", ours); r.StatusCode != http.StatusBadRequest || r.Header.Get("Access-Control-Allow-Origin") != ours {
		t.Errorf("%d %v", r.StatusCode, r.Header)
	}
	for _, origin := range []string{other, ours + ".evil.example", "null", "http://app.example.com", ours + ":8443", "HTTPS://APP.EXAMPLE.COM"} {
		preflight(some, origin).wantProblem(t, http.StatusForbidden, diag.CrossSite)
		r := ask(some, origin)
		r.wantProblem(t, http.StatusForbidden, diag.CrossSite)
		if got := r.Header.Get("Access-Control-Allow-Origin"); got != "" || r.Header.Get("Vary") != "Origin" {
			t.Errorf("%s: Access-Control-Allow-Origin is %q, Vary %q", origin, got, r.Header.Get("Vary"))
		}
	}
	// What shows nothing to a page is answered to programs as ever.
	if r := some.execute(`{"script":"s"}`); r.StatusCode != http.StatusOK || r.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%d %v", r.StatusCode, r.Header)
	}

	all := start(t, "--cors-origins=*")
	if r := ask(all, other); r.StatusCode != http.StatusOK || r.Header.Get("Access-Control-Allow-Origin") != "*" || r.Header.Get("Vary") != "" {
		t.Errorf("%d %v", r.StatusCode, r.Header)
	}
}
