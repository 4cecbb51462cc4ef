//go:build !linux

package wasmhost

func yieldThread() {}
