//go:build darwin || freebsd || netbsd || openbsd

package wasmhost

const mapNoReserve = 0

func preferLargePages([]byte) {}

// discard reports false: only Linux promises zeros after MADV_DONTNEED.
func discard([]byte) bool { return false }
