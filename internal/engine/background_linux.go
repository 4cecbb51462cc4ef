package engine

import "syscall"

// politeness is what is added to the nice value.
const politeness = 5

// lowerPriority makes the thread give way to the others of the process. Linux
// keeps a nice value per thread (setpriority(2), "C library/kernel
// differences").
func lowerPriority() {
	// Of the raw value 20 is the middle: it is 20 less the nice value. Lowering is
	// always permitted.
	raw, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	if err == nil {
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, 20-raw+politeness)
	}
}
