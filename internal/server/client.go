package server

import (
	"bytes"
	"net"
	"net/netip"
	"slices"
	"strings"
	"unsafe"

	"github.com/gofiber/fiber/v2"

	"github.com/avapd/avapd/internal/config"
)

// networkBytes is what counts of an IPv6 address: whoever has one address has
// the network of it.
const networkBytes = 8

// clientOf decides who a request counts for when something is shared out or
// counted: who has shown credentials, or the address it comes from.
func clientOf(c *fiber.Ctx) string {
	n := noteOf(c)
	if p := n.principal; p != nil && !p.IsAnonymous() {
		return p.ID
	}
	return n.network
}

// locate finds out where a request comes from: the address of the connection or,
// where that is of a proxy that is trusted, whom the proxy names.
func (n *note) locate(c *fiber.Ctx, settings *config.Config) {
	if len(settings.HTTP.ProxyPrefixes) == 0 {
		n.network = networkOf(c)
		return
	}
	n.address = addressBehindProxies(n.address, c, settings)
	switch {
	case n.address.Is4():
		ip := n.address.As4()
		n.network = string(ip[:])
	case n.address.Is6():
		ip := n.address.As16()
		n.network = string(ip[:networkBytes])
	}
}

// networkOf is the address or, of IPv6, the network at the other end of the
// connection.
func networkOf(c *fiber.Ctx) string {
	address, ok := c.Context().RemoteAddr().(*net.TCPAddr)
	if !ok {
		return ""
	}
	ip := address.IP
	if v4 := ip.To4(); v4 != nil {
		ip = v4
	} else if len(ip) > networkBytes {
		ip = ip[:networkBytes]
	}
	if len(ip) == 0 {
		return ""
	}
	// Nobody writes to the address of a connection.
	return unsafe.String(&ip[0], len(ip))
}

// addressBehindProxies goes back from the connection, hop by hop, as long as the
// hop is a trusted proxy: each of them has added whom it was asked by at the end
// of the header. So the first address that is nobody's whom we trust is who asks,
// and whatever stands before it is that one's invention.
func addressBehindProxies(address netip.Addr, c *fiber.Ctx, settings *config.Config) netip.Addr {
	header := settings.HTTP.ForwardedHeader
	for _, line := range slices.Backward(c.Request().Header.PeekAll(header)) {
		rest, more := line, true
		for more {
			if !trusted(address, settings.HTTP.ProxyPrefixes) {
				return address
			}
			var hop []byte
			if hop, rest, more = lastElement(rest); len(bytes.TrimSpace(hop)) == 0 {
				continue
			}
			next, ok := parseHop(header, string(hop))
			if !ok { // hidden, or no address: nothing before it can be believed
				return address
			}
			address = next
		}
	}
	return address
}

func trusted(address netip.Addr, prefixes []netip.Prefix) bool {
	for _, prefix := range prefixes {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}

// lastElement cuts the last element off a list, and tells whether there are more.
// Commas in quotes separate nothing, but a proxy has no reason to write any: the
// element is no address then, and the walk ends there.
func lastElement(list []byte) (element, rest []byte, more bool) {
	i := bytes.LastIndexByte(list, ',')
	if i < 0 {
		return list, nil, false
	}
	return list[i+1:], list[:i], true
}

// parseHop reads the address of an element, with or without a port.
func parseHop(header, hop string) (netip.Addr, bool) {
	if header == config.Forwarded {
		hop = forValue(hop)
	}
	hop = strings.TrimSpace(hop)
	if withPort, err := netip.ParseAddrPort(hop); err == nil {
		return withPort.Addr().Unmap().WithZone(""), true
	}
	if strings.HasPrefix(hop, "[") && strings.HasSuffix(hop, "]") {
		hop = hop[1 : len(hop)-1]
	}
	address, err := netip.ParseAddr(hop)
	return address.Unmap().WithZone(""), err == nil
}

// forValue is the value of the parameter for of an element of Forwarded (RFC 7239).
func forValue(element string) string {
	for parameter := range strings.SplitSeq(element, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		if strings.EqualFold(name, "for") {
			if unquoted, ok := strings.CutPrefix(value, `"`); ok {
				return strings.TrimSuffix(unquoted, `"`)
			}
			return value
		}
	}
	return ""
}
