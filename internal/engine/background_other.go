//go:build !linux

package engine

import "time"

// lowerPriority does nothing where priority is not a thread's own.
func lowerPriority() {}

// threadTime is 0 where it is not known what a thread has used of a CPU.
func threadTime() time.Duration { return 0 }
