//go:build !linux

package systemd

// monotonicUS is 0: where there is no systemd, nobody reads it.
func monotonicUS() int64 { return 0 }
