package server

import (
	"net/http"
	"strings"
	"testing"
)

// anybody lets those in who come by way of a proxy and show nothing.
const anybody = "--auth-anonymous=always"

// Who a request counts for is who the trusted proxies say, and nobody can say it
// for others.
func TestTrustedProxies(t *testing.T) {
	const trusted = "--http-trusted-proxies=127.0.0.1,10.0.0.0/8,2001:db8:1::/48"
	forwarded := []string{trusted, "--http-forwarded-header=forwarded"}
	for name, test := range map[string]struct {
		args    []string
		headers []string
		want    string // the client, as text
	}{
		"no proxy is trusted":           {nil, []string{"X-Forwarded-For", "192.0.2.1"}, "127.0.0.1"},
		"another proxy is trusted":      {[]string{"--http-trusted-proxies=10.0.0.1"}, []string{"X-Forwarded-For", "192.0.2.1"}, "127.0.0.1"},
		"no header":                     {[]string{trusted}, nil, "127.0.0.1"},
		"one proxy":                     {[]string{trusted}, []string{"X-Forwarded-For", "192.0.2.1"}, "192.0.2.1"},
		"two proxies":                   {[]string{trusted}, []string{"X-Forwarded-For", "192.0.2.1, 10.1.1.1"}, "192.0.2.1"},
		"a client that invents":         {[]string{trusted}, []string{"X-Forwarded-For", "198.51.100.9, 192.0.2.1"}, "192.0.2.1"},
		"a client that invents proxies": {[]string{trusted}, []string{"X-Forwarded-For", "198.51.100.9, 10.0.0.1, 192.0.2.1, 10.0.0.2"}, "192.0.2.1"},
		"nothing but proxies":           {[]string{trusted}, []string{"X-Forwarded-For", "10.0.0.3,10.0.0.2"}, "10.0.0.3"},
		"no address":                    {[]string{trusted}, []string{"X-Forwarded-For", "192.0.2.1, unknown"}, "127.0.0.1"},
		"no address behind a proxy":     {[]string{trusted}, []string{"X-Forwarded-For", "192.0.2.1, <script>, 10.0.0.1"}, "10.0.0.1"},
		"with a port":                   {[]string{trusted}, []string{"X-Forwarded-For", "192.0.2.1:1234"}, "192.0.2.1"},
		"IPv6":                          {[]string{trusted}, []string{"X-Forwarded-For", "2001:db8:2::1"}, "2001:db8:2::/64"},
		"IPv6 with a port":              {[]string{trusted}, []string{"X-Forwarded-For", "[2001:db8:2::1]:99, 2001:db8:1::7"}, "2001:db8:2::/64"},
		"IPv4 in IPv6":                  {[]string{trusted}, []string{"X-Forwarded-For", "::ffff:192.0.2.1"}, "192.0.2.1"},
		"a zone":                        {[]string{trusted}, []string{"X-Forwarded-For", "fe80::1%eth0"}, "fe80::/64"},
		"empty elements":                {[]string{trusted}, []string{"X-Forwarded-For", ", 192.0.2.1, ,"}, "192.0.2.1"},
		"the header that does not count": {
			[]string{trusted}, []string{"Forwarded", "for=198.51.100.9", "X-Forwarded-For", "192.0.2.1"}, "192.0.2.1",
		},
		"Forwarded":            {forwarded, []string{"Forwarded", `for=192.0.2.1;proto=https;by=10.0.0.1`}, "192.0.2.1"},
		"Forwarded, quoted":    {forwarded, []string{"Forwarded", `proto=https;For="[2001:db8:2::1]:4711", for=10.0.0.1`}, "2001:db8:2::/64"},
		"Forwarded, hidden":    {forwarded, []string{"Forwarded", `for=198.51.100.9, for=_hidden`}, "127.0.0.1"},
		"Forwarded, without":   {forwarded, []string{"Forwarded", `for=198.51.100.9, proto=http`}, "127.0.0.1"},
		"Forwarded, a comma":   {forwarded, []string{"Forwarded", `for="198.51.100.9, for=192.0.2.77"`}, "127.0.0.1"},
		"Forwarded is not XFF": {forwarded, []string{"X-Forwarded-For", "192.0.2.1"}, "127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, append(test.args, anybody)...)
			if r := h.execute(`{"script":"s"}`, test.headers...); r.StatusCode != http.StatusOK {
				t.Fatalf("%d %s", r.StatusCode, r.body)
			}
			if got := clientText(h.engine.request().Client); got != test.want {
				t.Errorf("the client is %s, want %s", got, test.want)
			}
		})
	}
}

// Several lines of the header are one list, in their order.
func TestForwardedLines(t *testing.T) {
	h := start(t, anybody, "--http-trusted-proxies=127.0.0.1")
	conn := h.dial()
	send(t, conn, "POST /api/v1/execute HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Forwarded-For: 198.51.100.9\r\nX-Forwarded-For: 192.0.2.1\r\nContent-Length: 14\r\n\r\n{\"script\":\"s\"}")
	readAll(t, conn)
	if got := clientText(h.engine.request().Client); got != "192.0.2.1" {
		t.Errorf("the client is %s", got)
	}
}

// A very long header costs no more than its length.
func TestLongForwardedHeader(t *testing.T) {
	h := start(t, anybody, "--http-trusted-proxies=0.0.0.0/0", "--http-header-limit-bytes=1048576")
	long := strings.Repeat("10.0.0.1,", 100_000)
	if r := h.execute(`{"script":"s"}`, "X-Forwarded-For", "192.0.2.1,"+long); r.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	if got := clientText(h.engine.request().Client); got != "192.0.2.1" {
		t.Errorf("the client is %s", got)
	}
}
