package egress

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"testing"
)

// secrets are the addresses behind the names of the tests. No error shown to a
// script may have one.
var secrets = []string{
	"127.0.0.1", "10.11.12.13", "169.254.169.254", "100.100.100.200", "168.63.129.16", "64:ff9b", "2002:", "fd00:", "fe80:", "192.168.250.250", "::1",
}

var testNames = names{
	"localhost":                {"127.0.0.1"},
	"loop.example":             {"127.0.0.1"},
	"127.0.0.1.nip.example":    {"127.0.0.1"},
	"xn--lcalhst-90ae.example": {"127.0.0.1"},
	"mapped.example":           {"::ffff:127.0.0.1"},
	"both.example":             {"10.11.12.13", "127.0.0.1", "fd00::1"},
	"loop6.example":            {"::1"},
	"private.example":          {"10.11.12.13"},
	"metadata.google.internal": {"169.254.169.254"},
	"instance-data":            {"169.254.169.254"},
	"azure.example":            {"168.63.129.16"},
	"alibaba.example":          {"100.100.100.200"},
	"nat64.example":            {"64:ff9b::a9fe:a9fe"},
	"sixtofour.example":        {"2002:7f00:1::"},
	"ula.example":              {"fd00:ec2::254"},
	"zone.example":             {"fe80::1%eth0"},
	"any.example":              {"0.0.0.0", "::"},
	"empty.example":            {},
}

func TestSpellings(t *testing.T) {
	port := serve(t, echo)
	strict := newHarness(t, Config{Resolver: testNames})
	config := loopback()
	config.Resolver = testNames
	relaxed := newHarness(t, config)
	for _, row := range lines(t, "testdata/spellings.txt") {
		strictly, rest, _ := strings.Cut(row, " ")
		relaxedly, written, _ := strings.Cut(strings.TrimSpace(rest), " ")
		written = strings.TrimSpace(written)
		rawURL := written
		if strings.HasPrefix(written, `"`) {
			var err error
			if rawURL, err = strconv.Unquote(written); err != nil {
				t.Fatalf("%s: %v", written, err)
			}
		}
		rawURL = strings.ReplaceAll(rawURL, "{PORT}", port)
		if got := outcome(t, strict, rawURL); got != strictly {
			t.Errorf("%s: %s, want %s", written, got, strictly)
		}
		if got := outcome(t, relaxed, rawURL); got != relaxedly {
			t.Errorf("%s: %s with loopback allowed, want %s", written, got, relaxedly)
		}
	}
	if c := strict.connections(); len(c) > 0 {
		t.Errorf("connections under the strict policy: %v", c)
	}
}

func outcome(t *testing.T, h *harness, rawURL string) string {
	t.Helper()
	before := len(h.connections())
	response, failure := h.get(rawURL)
	if failure == nil {
		return strconv.Itoa(response.Status)
	}
	if failure.Kind == KindRefused || failure.Kind == KindInvalid {
		if after := len(h.connections()); after != before {
			t.Errorf("%s: refused after %d connections", rawURL, after-before)
		}
	}
	if strings.Contains(failure.Error(), "secret") {
		t.Errorf("%s: the message tells the password: %v", rawURL, failure)
	}
	for _, secret := range secrets {
		if strings.Contains(failure.Error(), secret) && !strings.Contains(strings.ToLower(rawURL), secret) {
			t.Errorf("%s: the message tells %s: %v", rawURL, secret, failure)
		}
	}
	return kindName(failure.Kind)
}

func TestAddresses(t *testing.T) {
	for _, row := range lines(t, "testdata/addresses.txt") {
		f := strings.Fields(row)
		r, err := newRules(Policy{Allow: prefixes(t, strings.Trim(f[2], "-")), Deny: prefixes(t, strings.Trim(f[3], "-"))})
		if err != nil {
			t.Fatal(err)
		}
		addr := netip.MustParseAddr(f[1])
		err = r.checkAddr(addr)
		if (err == nil) != (f[0] == "yes") {
			t.Errorf("%s: %v", row, err)
		}
		var no *refusal
		if err != nil && (!errors.As(err, &no) || strings.Contains(no.reason, f[1]) || no.detail == nil) {
			t.Errorf("%s: %#v is not a refusal fit for scripts", row, err)
		}
		// The dialer's check between socket and connection agrees.
		d := &dialer{rules: r}
		network := "tcp6"
		if addr.Is4() {
			network = "tcp4"
		}
		controlErr := d.control(t.Context(), network, netip.AddrPortFrom(addr, 80).String(), nil)
		if (controlErr == nil) != (err == nil) {
			t.Errorf("%s: control says %v", row, controlErr)
		}
	}
}

func TestControlRefusesOtherNetworks(t *testing.T) {
	r, err := newRules(Policy{})
	if err != nil {
		t.Fatal(err)
	}
	d := &dialer{rules: r}
	for _, target := range [][2]string{{"udp4", "8.8.8.8:53"}, {"unix", "/run/docker.sock"}, {"tcp4", "8.8.8.8"}, {"tcp4", ""}} {
		if err := d.control(t.Context(), target[0], target[1], nil); err == nil {
			t.Errorf("%v was accepted", target)
		}
	}
}

func TestHostsAndPorts(t *testing.T) {
	r, err := newRules(Policy{Hosts: []string{"API.example.com.", "*.svc.example", "8.8.8.8", "[2606:4700::0:1111]"}, Ports: []uint16{443, 8443}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		host string
		port uint16
		want bool
	}{
		{"api.example.com", 443, true},
		{"api.example.com.", 8443, true},
		{"api.example.com", 80, false},
		{"example.com", 443, false},
		{"evilapi.example.com", 443, false},
		{"api.example.com.evil.example", 443, false},
		{"a.svc.example", 443, true},
		{"a.b.svc.example", 443, true},
		{"svc.example", 443, false},
		{".svc.example", 443, false},
		{"evilsvc.example", 443, false},
		{"8.8.8.8", 443, true},
		{"8.8.4.4", 443, false},
		{"2606:4700::1111", 443, true},
	} {
		if err := r.checkHost(c.host, c.port); (err == nil) != c.want {
			t.Errorf("%s:%d: %v", c.host, c.port, err)
		}
	}
}

// A host list grants no address.
func TestListedHostWithPrivateAddress(t *testing.T) {
	h := newHarness(t, Config{Policy: Policy{Hosts: []string{"private.example", "127.0.0.1"}}, Resolver: testNames})
	h.mustFail(Request{URL: "http://private.example/"}, KindRefused)
	h.mustFail(Request{URL: "http://127.0.0.1/"}, KindRefused)
	h.mustFail(Request{URL: "http://loop.example/"}, KindRefused)
	if c := h.connections(); len(c) > 0 {
		t.Errorf("connections: %v", c)
	}
}

func TestParsePrefixes(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{" , ", ""},
		{"127.0.0.0/8", "127.0.0.0/8"},
		{"127.0.0.1/8, ::1 ,10.1.2.3", "127.0.0.0/8 ::1/128 10.1.2.3/32"},
		{"10.0.0.0/33", "error"},
		{"localhost", "error"},
		{"127.1", "error"},
		{"::ffff:127.0.0.1", "error"},
		{"::ffff:0:0/96", "error"},
		{"fe80::1%eth0", "error"},
		{"10.0.0.0/8;11.0.0.0/8", "error"},
	} {
		var got []string
		parsed, err := ParsePrefixes(c.text)
		for _, p := range parsed {
			got = append(got, p.String())
		}
		if err != nil {
			got = []string{"error"}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q: %v (%v), want %s", c.text, got, err, c.want)
		}
	}
}

func TestNewRefusesBadPolicies(t *testing.T) {
	for _, policy := range []Policy{
		{Allow: []netip.Prefix{{}}},
		{Allow: []netip.Prefix{netip.MustParsePrefix("::ffff:127.0.0.0/104")}},
		{Deny: []netip.Prefix{{}}},
		{Hosts: []string{""}},
		{Hosts: []string{"http://example.com/"}},
		{Hosts: []string{"a*.example.com"}},
		{Hosts: []string{"*"}},
	} {
		if _, err := New(Config{Policy: policy}); err == nil {
			t.Errorf("%v was accepted", policy)
		}
	}
}

// Whatever passes is one host in one spelling, and stays what it is.
func FuzzTarget(f *testing.F) {
	for _, seed := range []string{"http://127.0.0.1:80/", "HTTPS://Example.COM.:0443/a b?c d#e", "http://[::1%25lo]/", "http://u:p@h\\@x/", "http://0x7f.1/%zz"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := parseTarget(raw, []Pair{{"k k", "v&"}})
		if err != nil {
			return
		}
		again, err := parseTarget(u.String(), nil)
		if err != nil || again.String() != u.String() {
			t.Fatalf("%q became %q, then %v (%v)", raw, u, again, err)
		}
		if strings.ContainsAny(u.RequestURI(), " \r\n") || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
			t.Fatalf("%q became %q", raw, u)
		}
		host := u.Hostname()
		if addr, err := netip.ParseAddr(host); addr.Zone() != "" || err != nil && !isName(strings.TrimSuffix(host, ".")) {
			t.Fatalf("%q has the host %q", raw, host)
		}
	})
}
