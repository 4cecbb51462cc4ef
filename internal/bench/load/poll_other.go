//go:build !unix

package load

import (
	"io"
	"net"
)

// poll reads as usual where there is no reading without waiting.
func poll(c net.Conn) (io.Reader, error) { return c, nil }
