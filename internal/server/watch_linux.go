package server

import "golang.org/x/sys/unix"

// peerGone asks poll(2), which reports a close by the peer even when unread
// bytes lie before it, and consumes nothing.
func peerGone(fd uintptr) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0 && fds[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
}
