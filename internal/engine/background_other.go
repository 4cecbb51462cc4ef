//go:build !linux

package engine

// lowerPriority does nothing where priority is not a thread's own.
func lowerPriority() {}
