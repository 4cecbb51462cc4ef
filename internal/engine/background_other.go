//go:build !linux

package engine

// lowerPriority does nothing where priority is not a thread's own.
func lowerPriority() {}

// usedTime is zero where it is not known what a thread has used of a CPU.
func usedTime() cpuTime { return cpuTime{} }
