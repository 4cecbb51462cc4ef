package server

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// peersGone asks ppoll(2) about sockets, at least one, which reports a close by the peer even
// when unread bytes lie before it, and consumes nothing. What it gives tells of
// the socket with an index whether its peer is gone.
func peersGone(sockets []uintptr) func(i int) bool {
	fds := make([]unix.PollFd, len(sockets))
	for i, socket := range sockets {
		fds[i] = unix.PollFd{Fd: int32(socket), Events: unix.POLLRDHUP}
	}
	// It does not wait, so the scheduler need not know of it. Without an answer no
	// peer is gone, until the next time.
	var now unix.Timespec
	_, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&fds[0])), uintptr(len(fds)), uintptr(unsafe.Pointer(&now)), 0, 0, 0)
	return func(i int) bool {
		return errno == 0 && fds[i].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0
	}
}
