//go:build unix && !linux

package server

import "golang.org/x/sys/unix"

// peersGone looks at the first unread byte of a socket without consuming it: none
// and no error means end of input. Behind unread bytes of a pipelined request a
// close is not visible; then the execution's own limits end it.
func peersGone(sockets []uintptr) func(i int) bool {
	return func(i int) bool {
		var b [1]byte
		n, _, err := unix.Recvfrom(int(sockets[i]), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		switch err { //nolint:errorlint // a bare errno
		case nil:
			return n == 0
		case unix.EAGAIN, unix.EINTR:
			return false
		}
		return true
	}
}
