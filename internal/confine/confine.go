// Package confine takes from the process what it does not need, for good: files
// beyond those it is told of, programs, and privileges.
package confine

import "errors"

// ErrUnsupported says that the kernel cannot keep the process from files.
var ErrUnsupported = errors.New("the kernel has no landlock, or it is not enabled")

// Paths are the directories, with all below them, and the files that stay within
// reach. What is not there is left out.
type Paths struct {
	Read []string
	// Write may be read as well.
	Write []string
}
