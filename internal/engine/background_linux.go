package engine

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	// politeness is what is added to the nice value.
	politeness = 5
	// shortSlice is how long the system lets such a thread go on before it looks
	// whether another one wants the CPU: a fraction of the usual, which a thread
	// that is just woken waits for whatever its priority. It is a bit more than a
	// change of threads is worth.
	shortSlice = 200 * time.Microsecond
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
	own.Runtime = uint64(shortSlice)
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
