//go:build linux || darwin || freebsd || netbsd || openbsd

package wasmhost

import "syscall"

// reserve maps a range of zero memory that takes no room until it is touched.
func reserve(n int) ([]byte, error) {
	b, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE|mapNoReserve)
	if err == nil && n > wipeByClear {
		preferLargePages(b[wipeByClear:])
	}
	return b, err
}

// release unmaps a range.
func release(b []byte) {
	// It fails only for a range that was not mapped by reserve.
	_ = syscall.Munmap(b)
}
