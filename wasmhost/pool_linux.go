package wasmhost

import "syscall"

const mapNoReserve = syscall.MAP_NORESERVE

// preferLargePages asks for pages of 2 MiB, where there are such. A script that
// grows this large is spared thousands of page faults, and there are fewer
// pages to give back.
func preferLargePages(b []byte) {
	// It is a wish; a system without large pages refuses it.
	_ = syscall.Madvise(b, syscall.MADV_HUGEPAGE)
}

// discard gives the pages back to the system, so that they read as zero. It
// reports whether that is what the system does.
func discard(b []byte) bool { return syscall.Madvise(b, syscall.MADV_DONTNEED) == nil }
