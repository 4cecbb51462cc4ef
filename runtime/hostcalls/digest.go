package hostcalls

import (
	"crypto/md5" //nolint:gosec // encodeMD5 is a command; scripts name the digest they need
	"crypto/sha256"
	"encoding/hex"

	"github.com/avapd/avapd/runtime/abi"
)

// Digest is digest: see abi.LibraryImports.
func Digest(memory []byte, kind, offset, n, out uint32) uint32 {
	text, ok := span(memory, offset, n)
	room, ok2 := span(memory, out, abi.DigestMaxBytes)
	if !ok || !ok2 {
		return 0
	}
	switch kind {
	case abi.DigestMD5:
		sum := md5.Sum(text) //nolint:gosec // as above
		return uint32(hex.Encode(room, sum[:]))
	case abi.DigestSHA256:
		sum := sha256.Sum256(text)
		return uint32(hex.Encode(room, sum[:]))
	}
	return 0
}
