//go:build unix

package testservices

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// asServerUser makes a process run as PostgreSQL's own user when it would run
// as root, which the server refuses, and gives that user the directory.
func asServerUser(dir string) (*syscall.SysProcAttr, error) {
	if os.Getuid() != 0 {
		return &syscall.SysProcAttr{}, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("%w: no user for PostgreSQL: %w", ErrMissing, err)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	attributes := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return attributes, os.Chown(dir, int(uid), int(gid))
}
