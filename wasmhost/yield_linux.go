package wasmhost

import (
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// longYield is how long a yield may take whoever has the CPU meanwhile.
	longYield = time.Millisecond
	// yieldPause is how many times as long there is none after one that was too long.
	yieldPause = 10
)

// nextYield is when there may be yields again, in nanoseconds since processBegan.
var nextYield atomic.Int64

// YieldThread lets other threads have the CPU that wait for it. Between two
// slices or turns that is the thread that heeds the network: without this it waits
// until the system takes the CPU away from who computes, some milliseconds.
//
// The system gives the CPU to other processes as well, and for the rest of a slice, which
// is more than what a script computes from one yield to the next. So there is none for a while
// after one of which the process had little. It reports whether it yielded.
func YieldThread() bool {
	began := time.Since(processBegan)
	if int64(began) < nextYield.Load() {
		return false
	}
	used := processTime()
	// The call cannot fail, and comes back at once when no thread waits.
	syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) //nolint:errcheck // see above
	ended := time.Since(processBegan)
	if lostYield(ended-began, processTime()-used) {
		nextYield.Store(int64(ended + yieldPause*(ended-began)))
	}
	return true
}

// lostYield tells of a yield that took so long, in which the threads of the process
// used so much of the CPUs, that others had most of it.
func lostYield(took, used time.Duration) bool { return took > longYield && used < took/2 }

// processTime is what the process has used of the CPUs.
func processTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		return 0 // Linux has this clock
	}
	return time.Duration(t.Nano())
}
