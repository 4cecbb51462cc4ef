//go:build !unix

package cli

import "io/fs"

// keepOwner does nothing where a file has no owner of this kind.
func keepOwner(string, fs.FileInfo) {}
