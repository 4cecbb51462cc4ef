package server

import (
	"bytes"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/avapd/avapd/internal/auth"
	"github.com/avapd/avapd/internal/config"
)

// strangers are those who show nothing: who of them is answered, and what they
// may do.
type strangers struct {
	principal *auth.Principal
	mode      string
	hosts     map[string]bool
}

func newStrangers(c *config.Config) *strangers {
	s := &strangers{principal: auth.Anonymous(c.Auth.Scopes), mode: c.Auth.Anonymous, hosts: map[string]bool{"localhost": true, "127.0.0.1": true, "[::1]": true}}
	for _, host := range c.Auth.Hosts {
		s.hosts[strings.ToLower(host)] = true
	}
	return s
}

// may tells whether a stranger, if one is answered at all, has a scope.
func (s *strangers) may(scope auth.Scope) bool {
	return s.mode != config.AnonymousNever && s.principal.May(scope)
}

// refusal says why a request of a stranger is not answered, or nothing if it is.
// The name under which it asks is given apart, as it may not be known yet whether
// the target, which can name another, is well-formed.
func (s *strangers) refusal(ctx *fasthttp.RequestCtx, host []byte) string {
	switch s.mode {
	case config.AnonymousAlways:
		return ""
	case config.AnonymousNever:
		return "this server answers only those whom it knows"
	}
	address, ok := ctx.RemoteAddr().(*net.TCPAddr)
	if !ok || !address.IP.IsLoopback() || isForwarded(&ctx.Request.Header) {
		return "from another machine this server answers only those whom it knows"
	}
	if !s.knowsHost(host) {
		return "the server is asked under the name " + printable(string(host)) + ", under which it answers only those whom it knows; auth.hosts has further names"
	}
	return ""
}

// isForwarded tells whether a proxy says that it asks for somebody else.
func isForwarded(header *fasthttp.RequestHeader) bool {
	return slices.ContainsFunc(forwarding, func(key []byte) bool { return len(header.PeekCanonical(key)) > 0 })
}

// forwarding are headers that proxies add. A client that adds one itself only
// loses by it.
var forwarding = [][]byte{
	canonical(fiber.HeaderXForwardedFor), canonical(fiber.HeaderForwarded), canonical(fiber.HeaderVia),
	canonical(fiber.HeaderXForwardedHost), canonical(fiber.HeaderXForwardedProto), canonical("X-Real-Ip"),
}

// knowsHost tells whether a request is meant for this machine. A page of another
// site can make the name of its site point here, and is then of the same origin
// for a browser; what it cannot do is to ask under another name than its own.
func (s *strangers) knowsHost(host []byte) bool {
	if at := bytes.LastIndexByte(host, ':'); at >= 0 && bytes.IndexByte(host[at:], ']') < 0 {
		host = host[:at]
	}
	if s.hosts[string(host)] {
		return true
	}
	name := strings.ToLower(string(host))
	if address, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return address.IsLoopback()
	}
	return s.hosts[name]
}
