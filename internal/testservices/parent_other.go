//go:build !linux

package testservices

import (
	"errors"
	"syscall"
)

// dieWithParent has no counterpart outside of Linux.
func dieWithParent(*syscall.SysProcAttr) {}

// children are not known here: they end when they find their parent gone.
func children(int) []int { return nil }

func killAll([]int) error { return nil }

// Freeze stops a process, where that is possible.
func Freeze(int) error { return errors.ErrUnsupported }

// Thaw is the counterpart of Freeze.
func Thaw(int) error { return errors.ErrUnsupported }
