//go:build unix

package cli

import (
	"io/fs"
	"os"
	"syscall"
)

// keepOwner gives a file the owner and group of another one, where the user may
// do that: root, who works in somebody's directory, leaves files that are his.
func keepOwner(name string, of fs.FileInfo) {
	if owner, ok := of.Sys().(*syscall.Stat_t); ok {
		_ = os.Chown(name, int(owner.Uid), int(owner.Gid))
	}
}
