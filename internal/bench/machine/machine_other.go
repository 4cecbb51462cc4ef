//go:build !linux

package machine

import (
	"errors"
	"os/exec"
	"time"
)

// Elsewhere nothing is pinned and no disturbance is seen.
const (
	canPin = false
	tick   = time.Duration(0)
)

func pinThread([]int) error { return errors.ErrUnsupported }

func ownGroup(*exec.Cmd) {}

func totals() (busy, stolen time.Duration) { return 0, 0 }

// CPU is the time that all threads of a process have computed.
func CPU(int) time.Duration { return 0 }

// Resident is the memory of a process in bytes that is not swapped out.
func Resident(int) (int64, error) { return 0, errors.ErrUnsupported }

// Settle is for systems that say how much memory a program has.
func Settle(string) error { return nil }
