//go:build !linux

package confine

// Level is 0: there is no landlock.
func Level() int { return 0 }

// KeepPrivileges does nothing here.
func KeepPrivileges() error { return nil }

// Enter is not possible here.
func Enter(Paths) error { return ErrUnsupported }
