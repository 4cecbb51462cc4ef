package server

import (
	"net"
	"unsafe"

	"github.com/gofiber/fiber/v2"
)

// networkBytes is what counts of an IPv6 address: whoever has one address has
// the network of it.
const networkBytes = 8

// clientOf decides who a request counts for when turns are shared out: the
// address that its connection comes from.
func clientOf(c *fiber.Ctx) string {
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
