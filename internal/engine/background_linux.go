package engine

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	// politeness is what is added to the nice value.
	politeness = 5
	// longSlice is how long the system lets such a thread go on while nobody wakes.
	// Who wakes and has shorter slices, as all other threads have, gets the CPU at once,
	// where it otherwise waits for the end of a slice of whoever has it; and a thread
	// that wakes with longer ones takes the CPU from nobody. It is the most that
	// there is.
	longSlice = 100 * time.Millisecond
)

// lowerPriority makes the thread give way to the others of the process. Linux
// keeps a nice value per thread (setpriority(2), "C library/kernel
// differences"), and since version 6.12 the length of a slice (sched_setattr(2),
// sched_runtime); older ones ignore that.
func lowerPriority() {
	own, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		return
	}
	own.Nice = min(own.Nice+politeness, 19)
	own.Runtime = uint64(longSlice)
	// Lowering is always permitted.
	_ = unix.SchedSetAttr(0, own, 0)
}

// usedTime is what the thread and the process have used of the CPUs.
func usedTime() cpuTime {
	return cpuTime{thread: clock(unix.CLOCK_THREAD_CPUTIME_ID), process: clock(unix.CLOCK_PROCESS_CPUTIME_ID)}
}

func clock(id int32) time.Duration {
	var used unix.Timespec
	if err := unix.ClockGettime(id, &used); err != nil {
		return 0
	}
	return time.Duration(used.Nano())
}
