package systemd

import "golang.org/x/sys/unix"

// monotonicUS is the clock by which the manager tells one reload from the next.
func monotonicUS() int64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return 0
	}
	return now.Nano() / 1000
}
