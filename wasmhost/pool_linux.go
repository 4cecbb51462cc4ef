package wasmhost

import "syscall"

const mapNoReserve = syscall.MAP_NORESERVE

// discard gives the pages back to the system, so that they read as zero. It
// reports whether that is what the system does.
func discard(b []byte) bool { return syscall.Madvise(b, syscall.MADV_DONTNEED) == nil }
