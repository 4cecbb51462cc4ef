package server

import (
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
)

// How long, and how much, a refused client may still send.
const (
	lingerTime  = 2 * time.Second
	lingerBytes = 256 << 20
)

// lingeringListener makes connections that can close gently.
type lingeringListener struct{ net.Listener }

func (l lingeringListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err //nolint:wrapcheck // fasthttp looks at the error itself
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		return &lingeringConn{TCPConn: tcp}, nil
	}
	return conn, nil
}

// lingeringConn is a connection whose close waits for the peer when it was
// asked to. A request refused before it was read, because it is too large,
// leaves unread bytes; closing then makes the kernel send a reset, and the
// reset can overtake the answer that says why. So the sending side closes
// first, and what still comes is thrown away, within bounds.
type lingeringConn struct {
	*net.TCPConn
	linger atomic.Bool
}

func (c *lingeringConn) Close() error {
	if c.linger.CompareAndSwap(true, false) && c.CloseWrite() == nil && c.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		_, _ = io.CopyN(io.Discard, c.TCPConn, lingerBytes)
	}
	return c.TCPConn.Close()
}

// lingerOnClose asks for a gentle close of the request's connection.
func lingerOnClose(c *fiber.Ctx) {
	conn := c.Context().Conn()
	if over, ok := conn.(*tlsConn); ok {
		conn = over.below
	}
	if conn, ok := conn.(*lingeringConn); ok {
		conn.linger.Store(true)
	}
}
