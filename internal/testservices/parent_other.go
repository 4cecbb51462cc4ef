//go:build !linux

package testservices

import "syscall"

// dieWithParent has no counterpart outside of Linux.
func dieWithParent(*syscall.SysProcAttr) {}
