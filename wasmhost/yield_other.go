//go:build !linux

package wasmhost

// YieldThread does nothing where the system is not known.
func YieldThread() bool { return false }
