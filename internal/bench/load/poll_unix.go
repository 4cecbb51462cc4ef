//go:build unix

package load

import (
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"syscall"
)

// polled is a connection that asks for what has come over and over instead of
// sleeping until the system wakes it.
type polled struct{ syscall.RawConn }

// poll makes a connection's reader one that polls.
func poll(c net.Conn) (io.Reader, error) {
	raw, err := c.(syscall.Conn).SyscallConn() //nolint:forcetypeassert // a dialled TCP connection
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	return polled{raw}, nil
}

func (p polled) Read(b []byte) (n int, err error) {
	for {
		// With true the connection does not wait.
		if closed := p.RawConn.Read(func(fd uintptr) bool {
			n, err = syscall.Read(int(fd), b)
			return true
		}); closed != nil {
			return 0, closed
		}
		switch {
		case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
			runtime.Gosched()
		case err != nil:
			return 0, err
		case n == 0 && len(b) > 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}
