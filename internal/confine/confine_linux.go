package confine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/landlock-lsm/go-landlock/landlock"
	kernel "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// Rights over directories and over files. None is to run a program, to make a
// device or a socket, or to move a file to another directory.
const (
	readFile  = kernel.AccessFSReadFile
	readDir   = readFile | kernel.AccessFSReadDir
	writeFile = readFile | kernel.AccessFSWriteFile | kernel.AccessFSTruncate
	writeDir  = readDir | writeFile | kernel.AccessFSRemoveDir | kernel.AccessFSRemoveFile |
		kernel.AccessFSMakeDir | kernel.AccessFSMakeReg | kernel.AccessFSMakeSym
)

// Level is the version of landlock that the kernel has; 0 is none.
func Level() int {
	version, err := kernel.LandlockGetABIVersion()
	if err != nil {
		return 0
	}
	return version
}

// KeepPrivileges keeps every thread from gaining privileges by running a program.
func KeepPrivileges() error {
	if err := kernel.AllThreadsPrctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	return nil
}

// Enter keeps every thread from all files but those of the paths, and from running
// any program. Files that are open stay so, and the network is as it was. An older
// kernel forbids what it knows.
func Enter(p Paths) error {
	if Level() == 0 {
		return ErrUnsupported
	}
	var rules []landlock.Rule
	for _, list := range []struct {
		paths     []string
		dir, file landlock.AccessFSSet
	}{{p.Read, readDir, readFile}, {p.Write, writeDir, writeFile}} {
		for _, path := range list.paths {
			info, err := os.Stat(path)
			switch {
			case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission): // out of reach anyway
			case err != nil:
				return fmt.Errorf("landlock: %w", err)
			case info.IsDir():
				rules = append(rules, landlock.PathAccess(list.dir, path).IgnoreIfMissing())
			default:
				rules = append(rules, landlock.PathAccess(list.file, path).IgnoreIfMissing())
			}
		}
	}
	// The version is the one up to which only files are meant.
	if err := landlock.V5.BestEffort().RestrictPaths(rules...); err != nil {
		return fmt.Errorf("landlock: %w", err)
	}
	return nil
}
