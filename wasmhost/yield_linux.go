package wasmhost

import "syscall"

// YieldThread lets other threads have the CPU that wait for it. Between two
// slices or turns that is the thread that heeds the network: without this it waits
// until the system takes the CPU away from who computes, some milliseconds.
func YieldThread() {
	// The call cannot fail, and comes back at once when no thread waits.
	syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) //nolint:errcheck // see above
}
