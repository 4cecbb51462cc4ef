package egress

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

const maxRequestHeaderBytes = 32 << 10

// reservedHeaders belong to the connection or to the client. A script that sets
// one of them would make the two ends disagree about where a message ends or
// whom it is for.
var reservedHeaders = map[string]bool{
	"Connection": true, "Proxy-Connection": true, "Keep-Alive": true, "Te": true, "Trailer": true,
	"Transfer-Encoding": true, "Upgrade": true, "Http2-Settings": true, "Expect": true,
	"Proxy-Authenticate": true, "Proxy-Authorization": true,
	"Host": true, "Content-Length": true,
}

// harmlessHeaders go along when a redirect leads to another server. All others
// stay behind: which header of which service is a key cannot be known, and
// X-Api-Key is no less secret than Authorization.
var harmlessHeaders = map[string]bool{
	"Accept": true, "Accept-Charset": true, "Accept-Encoding": true, "Accept-Language": true, "User-Agent": true,
	"Cache-Control": true, "Pragma": true, "Range": true, "If-Match": true, "If-None-Match": true,
	"If-Modified-Since": true, "If-Unmodified-Since": true, "If-Range": true,
	"Content-Type": true, "Content-Encoding": true, "Content-Language": true,
}

// contentHeaders describe a body and go when it goes.
var contentHeaders = []string{"Content-Type", "Content-Encoding", "Content-Language"}

// newHeader checks the headers of a script and adds what every request has.
// Of two headers with the same name the last one counts.
func newHeader(pairs []Pair, contentType, userAgent string) (http.Header, error) {
	header := http.Header{}
	if contentType != "" {
		pairs = append([]Pair{{"Content-Type", contentType}}, pairs...)
	}
	size := 0
	for _, pair := range pairs {
		if !isToken(pair.Name) {
			return nil, invalid("a header name is empty or has characters that names cannot have")
		}
		name := http.CanonicalHeaderKey(pair.Name)
		if reservedHeaders[name] {
			return nil, &refusal{reason: fmt.Sprintf("the header %s cannot be set", name)}
		}
		if !isHeaderValue(pair.Value) {
			return nil, invalid(fmt.Sprintf("the value of the header %s has a line break or another control character", name))
		}
		size += len(name) + len(pair.Value)
		header.Set(name, pair.Value)
	}
	if size > maxRequestHeaderBytes {
		return nil, invalid(fmt.Sprintf("the headers are larger than %d bytes", maxRequestHeaderBytes))
	}
	for _, fallback := range []Pair{{"Accept", "*/*"}, {"Accept-Encoding", "gzip, deflate"}, {"User-Agent", userAgent}} {
		if _, set := header[fallback.Name]; !set {
			header.Set(fallback.Name, fallback.Value)
		}
	}
	return header, nil
}

// isToken tells names of headers and methods (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		if !isLetterOrDigit(s[i]) && strings.IndexByte("!#$%&'*+-.^_`|~", s[i]) < 0 {
			return false
		}
	}
	return s != ""
}

func isHeaderValue(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// keepsSecrets reports whether a redirect stays with the same server. The step
// from http to https on the standard ports does.
func keepsSecrets(from, to *url.URL) bool {
	if canonicalHost(from.Hostname()) != canonicalHost(to.Hostname()) {
		return false
	}
	if from.Scheme == to.Scheme {
		return portOf(from) == portOf(to)
	}
	return from.Scheme == "http" && portOf(from) == 80 && portOf(to) == 443
}

func dropSecrets(header http.Header) {
	for name := range header {
		if !harmlessHeaders[name] {
			header.Del(name)
		}
	}
}
