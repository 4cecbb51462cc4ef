package egress

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

const (
	maxURLBytes   = 64 << 10
	maxHostBytes  = 253
	maxLabelBytes = 63
)

// Pair is a name with a value, of a query or a header.
type Pair struct{ Name, Value string }

// invalid is an error in what the script wrote; its text is for the script.
type invalid string

func (i invalid) Error() string { return string(i) }

// parseTarget reads the URL a script gave.
func parseTarget(raw string, query []Pair) (*url.URL, error) {
	// Python's requests forgives blanks around a URL, and scripts rely on it.
	raw = strings.Trim(raw, " \t\r\n")
	if len(raw) > maxURLBytes {
		return nil, invalid(fmt.Sprintf("the URL is longer than %d bytes", maxURLBytes))
	}
	u, err := url.Parse(raw)
	if err != nil {
		// The parser's text repeats the URL, which may hold a password.
		return nil, invalid("the URL is not valid")
	}
	u.RawQuery = appendQuery(u.RawQuery, query)
	if len(u.RawQuery) > maxURLBytes {
		return nil, invalid(fmt.Sprintf("the query is longer than %d bytes", maxURLBytes))
	}
	if err := normalise(u); err != nil {
		return nil, err
	}
	return u, nil
}

// normalise brings a URL into the form it is sent in. It refuses what is not
// plainly a URL of a host: the addresses that two programs could read in
// two ways are the ones that get past policies.
func normalise(u *url.URL) error {
	switch {
	case u.Scheme == "":
		return invalid("the URL has no scheme; write http:// or https:// before it")
	case u.Scheme != "http" && u.Scheme != "https":
		return &refusal{reason: "the scheme is neither http nor https"}
	case u.User != nil:
		return &refusal{reason: "the URL holds a user name or password; send an Authorization header"}
	case u.Opaque != "" || u.Host == "":
		return invalid("the URL has no host")
	}
	host := strings.ToLower(u.Hostname())
	if err := checkSpelling(host, strings.HasPrefix(u.Host, "[")); err != nil {
		return err
	}
	port := u.Port()
	if port != "" {
		// One spelling of the port too: "080" and "80" share connections.
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return invalid("the port is not a number from 1 to 65535")
		}
		port = ":" + strconv.FormatUint(n, 10)
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	u.Host = host + port
	if u.Path == "" {
		u.Path = "/"
	}
	u.RawQuery = quote(u.RawQuery)
	return nil
}

// checkSpelling accepts a canonical IPv4 address, an IPv6 address in brackets
// and a DNS name. Anything else that a resolver might take for an address
// (2130706433, 0x7f.1, 127.1, 127.0.0.1.) is refused before one is asked.
func checkSpelling(host string, bracketed bool) error {
	if bracketed {
		addr, err := netip.ParseAddr(host)
		if err != nil || !addr.Is6() {
			return invalid("the host is not a valid IPv6 address")
		}
		// A zone is a network interface of this machine: it may hold any byte, and
		// no policy allows an address with one.
		if addr.Zone() != "" {
			return &refusal{reason: "the host is an IPv6 address with a zone; write the address without % and what follows"}
		}
		return nil // mapped forms are the policy's business
	}
	if !isName(strings.TrimSuffix(host, ".")) {
		return invalid("the host is not valid; names in other scripts are written in their xn-- form")
	}
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	if !isNumber(labels[len(labels)-1]) {
		return nil
	}
	if _, err := netip.ParseAddr(host); err != nil {
		return &refusal{reason: "the host is an unusual spelling of an address"}
	}
	return nil
}

func isName(host string) bool {
	if len(host) > maxHostBytes {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > maxLabelBytes {
			return false
		}
		for _, c := range []byte(label) {
			if !isLetterOrDigit(c) && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

// isNumber tells what the WHATWG URL standard takes for the last part of an
// IPv4 address.
func isNumber(label string) bool {
	digits := "0123456789"
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		label, digits = hex, "0123456789abcdef"
	}
	return strings.Trim(label, digits) == ""
}

func isLetterOrDigit(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// portOf gives the port a normalised URL leads to.
func portOf(u *url.URL) uint16 {
	if n, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
		return uint16(n)
	}
	if u.Scheme == "https" {
		return 443
	}
	return 80
}

func appendQuery(query string, pairs []Pair) string {
	var b strings.Builder
	b.WriteString(query)
	for _, pair := range pairs {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(pair.Name))
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(pair.Value))
	}
	return b.String()
}

// quote escapes what may not stand in a query and leaves escapes alone. A blank
// in a hand-written query would otherwise end the request line.
func quote(query string) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(query) {
		c := query[i]
		escaped := c == '%' && i+2 < len(query) && isHex(query[i+1]) && isHex(query[i+2])
		if escaped || c != '%' && (isLetterOrDigit(c) || strings.IndexByte("-._~!$&'()*+,;=:@/?[]", c) >= 0) {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hexDigits[c>>4])
		b.WriteByte(hexDigits[c&15])
	}
	return b.String()
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
