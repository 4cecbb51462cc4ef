package egress

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// redirector answers /to?status=…&location=… with that redirect, and else echoes.
func redirector(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/to" {
		echo(w, r)
		return
	}
	var status int
	fmt.Sscan(r.URL.Query().Get("status"), &status)
	w.Header().Set("Location", r.URL.Query().Get("location"))
	w.WriteHeader(status)
	fmt.Fprint(w, "moved")
}

func redirect(port string, status int, location string) Request {
	return Request{
		URL:   "http://127.0.0.1:" + port + "/to",
		Query: []Pair{{"status", fmt.Sprint(status)}, {"location", location}},
	}
}

// A server that may be asked sends the client where it may not go.
func TestRedirectsToForbiddenTargets(t *testing.T) {
	port := serve(t, redirector)
	config := Config{Policy: Policy{Allow: prefixes(t, "127.0.0.1")}, Resolver: testNames}
	h := newHarness(t, config)
	for location, kind := range map[string]Kind{
		"http://10.11.12.13/":                      KindRefused,
		"http://169.254.169.254/latest/meta-data/": KindRefused,
		"//169.254.169.254/":                       KindRefused,
		"http://127.0.0.2:" + port + "/":           KindRefused,
		"http://0.0.0.0:" + port + "/":             KindRefused,
		"http://2130706433:" + port + "/":          KindRefused,
		"http://0x7f.1:" + port + "/":              KindRefused,
		"http://127.1:" + port + "/":               KindRefused,
		"http://[::1]:" + port + "/":               KindRefused,
		"http://[::ffff:127.0.0.1]:" + port + "/":  KindRefused,
		"http://[64:ff9b::7f00:1]:" + port + "/":   KindRefused,
		"http://[2002:7f00:1::]:" + port + "/":     KindRefused,
		"http://private.example/":                  KindRefused,
		"http://metadata.google.internal/":         KindRefused,
		"https://private.example/":                 KindRefused,
		"http://u:secret@127.0.0.1:" + port + "/":  KindRefused,
		"file:///etc/passwd":                       KindRefused,
		"gopher://127.0.0.1:" + port + "/_x":       KindRefused,
		"ftp://127.0.0.1/":                         KindRefused,
		"javascript:alert(1)":                      KindRefused,
		"data:text/plain,x":                        KindRefused,
		"http:127.0.0.1":                           KindInvalid,
		"http://":                                  KindInvalid,
		"http://[::1":                              KindInvalid,
		"http://127.0.0.1:0/":                      KindInvalid,
		"http://\uff11\uff12\uff17.0.0.1/":         KindInvalid,
	} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			failure := h.mustFail(redirect(port, status, location), kind)
			if failure.BytesRead != int64(len("moved")) {
				t.Errorf("%s: BytesRead is %d", location, failure.BytesRead)
			}
			for _, secret := range []string{"10.11.12.13", "169.254", "private", "metadata", "secret", "passwd"} {
				if strings.Contains(failure.Error(), secret) {
					t.Errorf("%s: the message tells %s: %v", location, secret, failure)
				}
			}
		}
	}
	if c := h.connections(); len(c) != 1 {
		t.Errorf("connections: %v", c)
	}
}

func TestRedirectMethods(t *testing.T) {
	port := serve(t, redirector)
	h := newHarness(t, loopback())
	for _, c := range []struct {
		status       int
		method, want string
		body         bool
	}{
		{301, "GET", "GET", true},
		{301, "POST", "GET", false},
		{301, "PUT", "PUT", false},
		{302, "POST", "GET", false},
		{302, "PUT", "GET", false},
		{303, "POST", "GET", false},
		{303, "DELETE", "GET", false},
		{307, "POST", "POST", true},
		{308, "PUT", "PUT", true},
	} {
		request := redirect(port, c.status, "/end")
		request.Method = c.method
		if c.method != "GET" {
			request.Body, request.ContentType = []byte("payload"), "text/plain"
		}
		got := string(h.must(request).Body)
		if !strings.HasPrefix(got, c.want+" /end\n") {
			t.Errorf("%d of %s: %s", c.status, c.method, got)
		}
		if sent := strings.Contains(got, "payload") && strings.Contains(got, "Content-Type"); sent != (c.body && c.method != "GET") {
			t.Errorf("%d of %s: body and type sent: %v", c.status, c.method, sent)
		}
	}
	request := redirect(port, 302, "/end")
	request.Method = "HEAD"
	if response := h.must(request); response.Status != 200 || !strings.HasSuffix(response.URL, "/end") {
		t.Errorf("%+v", response)
	}
}

func TestRedirectTargets(t *testing.T) {
	port := serve(t, redirector)
	h := newHarness(t, loopback())
	origin := "http://127.0.0.1:" + port
	for location, want := range map[string]string{
		"/a":                         origin + "/a#part",
		"b?c=d e":                    origin + "/b?c=d%20e#part",
		"/a#other":                   origin + "/a#other",
		"HTTP://127.0.0.1:" + port:   origin + "/#part",
		"//127.0.0.1:" + port + "/ñ": origin + "/%C3%B1#part",
	} {
		request := redirect(port, 302, location)
		request.URL += "#part"
		if got := h.must(request).URL; got != want {
			t.Errorf("%s leads to %s, want %s", location, got, want)
		}
	}
	for _, status := range []int{300, 304, 305, 306} {
		if got := h.must(redirect(port, status, "/a")).Status; got != status {
			t.Errorf("status %d became %d", status, got)
		}
	}
	if got := h.must(redirect(port, 302, "")); got.Status != 302 || string(got.Body) != "moved" {
		t.Errorf("a redirect to nowhere gives %+v", got)
	}
}

func TestRedirectChains(t *testing.T) {
	port := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var left int
		fmt.Sscanf(r.URL.Path, "/%d", &left)
		if left == 0 {
			echo(w, r)
			return
		}
		http.Redirect(w, r, fmt.Sprintf("/%d", left-1), http.StatusFound)
	})
	origin := "http://127.0.0.1:" + port
	h := newHarness(t, loopback())
	if got := h.mustGet(origin + "/5").URL; got != origin+"/0" {
		t.Error(got)
	}
	failure := h.mustFail(Request{URL: origin + "/6"}, KindTooManyRedirects)
	if got, want := failure.Error(), "the request to "+origin+", redirected, failed: too many redirects"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if n := len(h.connections()); n != 1 {
		t.Errorf("%d connections", n)
	}
	config := loopback()
	config.MaxRedirects = -1
	if got := newHarness(t, config).mustGet(origin + "/1").Status; got != 302 {
		t.Errorf("status %d where redirects are not followed", got)
	}
	config.MaxRedirects = 1
	newHarness(t, config).mustFail(Request{URL: origin + "/2"}, KindTooManyRedirects)
}

// Keys stay with the server they were written for.
func TestRedirectHeaders(t *testing.T) {
	first := serve(t, redirector)
	second := serve(t, redirector)
	config := loopback()
	config.Resolver = testNames
	h := newHarness(t, config)
	send := func(location string) string {
		request := redirect(first, 307, location)
		request.Header = []Pair{{"Authorization", "Bearer k"}, {"Cookie", "k"}, {"X-Api-Key", "k"}, {"Accept", "text/x"}, {"User-Agent", "mine"}}
		return string(h.must(request).Body)
	}
	same := send("/end")
	for _, header := range []string{"Authorization: Bearer k", "Cookie: k", "X-Api-Key: k", "Accept: text/x", "User-Agent: mine"} {
		if !strings.Contains(same, header) {
			t.Errorf("%s is missing at the same server:\n%s", header, same)
		}
	}
	back := "http://127.0.0.1:" + first + "/end"
	for _, location := range []string{
		"http://127.0.0.1:" + second + "/end",
		"http://localhost:" + first + "/end",
		"http://localhost:" + second + "/to?status=302&location=" + back,
	} {
		other := send(location)
		for _, header := range []string{"Authorization", "Cookie", "X-Api-Key"} {
			if strings.Contains(other, header) {
				t.Errorf("%s went along to %s:\n%s", header, location, other)
			}
		}
		if !strings.Contains(other, "Accept: text/x") || !strings.Contains(other, "User-Agent: mine") {
			t.Errorf("at %s:\n%s", location, other)
		}
	}
}

func TestKeepsSecrets(t *testing.T) {
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"http://a/", "http://a/x", true},
		{"http://a/", "http://a:80/", true},
		{"http://a/", "http://a./", true},
		{"http://a/", "https://a/", true},
		{"http://a:80/", "https://a:443/", true},
		{"http://a:8080/", "https://a/", false},
		{"http://a/", "https://a:8443/", false},
		{"https://a/", "http://a/", false},
		{"https://a:80/", "http://a:443/", false},
		{"https://a/", "https://a:444/", false},
		{"https://a/", "https://b.a/", false},
		{"https://b.a/", "https://a/", false},
	} {
		from, err := parseTarget(c.from, nil)
		if err != nil {
			t.Fatal(err)
		}
		to, err := parseTarget(c.to, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := keepsSecrets(from, to); got != c.want {
			t.Errorf("%s to %s: %v", c.from, c.to, got)
		}
	}
}
