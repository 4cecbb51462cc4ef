package testservices

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// dieWithParent ends a service when the test binary is killed.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }

// children are the processes that one has started and that have not ended.
func children(pid int) []int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil
	}
	var pids []int
	for field := range bytes.FieldsSeq(text) {
		if child, err := strconv.Atoi(string(field)); err == nil {
			pids = append(pids, child)
		}
	}
	return pids
}

// killAll ends processes at once and waits until they have ended.
func killAll(pids []int) error {
	var errs []error
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			errs = append(errs, err)
		}
	}
	for _, pid := range pids {
		for hasMemory(pid) {
			time.Sleep(startPause)
		}
	}
	return errors.Join(errs...)
}

// hasMemory tells a process that runs from one whose end nobody has asked about.
func hasMemory(pid int) bool {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	return err == nil && len(maps) > 0
}

// Freeze stops a process, and Thaw lets it go on.
func Freeze(pid int) error { return syscall.Kill(pid, syscall.SIGSTOP) }

// Thaw is the counterpart of Freeze.
func Thaw(pid int) error { return syscall.Kill(pid, syscall.SIGCONT) }
