//go:build unix && !linux

package server

import "golang.org/x/sys/unix"

// peerGone looks at the first unread byte without consuming it: none and no
// error means end of input. Behind unread bytes of a pipelined request a close
// is not visible; then the execution's own limits end it.
func peerGone(fd uintptr) bool {
	var b [1]byte
	n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	switch err { //nolint:errorlint // a bare errno
	case nil:
		return n == 0
	case unix.EAGAIN, unix.EINTR:
		return false
	default:
		return true
	}
}
