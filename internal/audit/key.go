package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/avapd/avapd/internal/signature"
)

// The names of files in the data directory.
const (
	KeyFileName        = "audit.key"
	CheckpointFileName = "audit.checkpoint"
)

// OpenKey reads the key of a chain, or makes one for its owner alone where there
// is no file.
func OpenKey(path string) (signature.PrivateKey, error) {
	content, err := os.ReadFile(path) //nolint:gosec // the path is the operator's own
	if errors.Is(err, fs.ErrNotExist) {
		return makeKey(path)
	}
	if err != nil {
		return signature.PrivateKey{}, fmt.Errorf("read the key of the audit log: %w", err)
	}
	key, err := signature.ParsePrivateKey(content, func() ([]byte, error) {
		return nil, errors.New("the key has a passphrase, which the server cannot ask for")
	})
	if err != nil {
		return signature.PrivateKey{}, fmt.Errorf("read the key of the audit log in %s: %w", path, err)
	}
	return key, nil
}

// makeKey makes a key and has it on disk under its name before it is used: two
// that begin at once end up with the same.
func makeKey(path string) (signature.PrivateKey, error) {
	failed := func(err error) (signature.PrivateKey, error) {
		return signature.PrivateKey{}, fmt.Errorf("make a key for the audit log: %w", err)
	}
	key, err := signature.GenerateKey()
	if err != nil {
		return failed(err)
	}
	content, err := signature.EncodePrivate(key, signature.PEM, nil)
	if err != nil {
		return failed(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return failed(err)
	}
	temporary, err := writeTemporary(path, content)
	if err != nil {
		return failed(err)
	}
	err = os.Link(temporary, path) // which fails where another was first
	if removed := os.Remove(temporary); removed != nil {
		return failed(removed)
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return OpenKey(path)
	case err != nil:
		return failed(err)
	}
	return key, syncDirectory(filepath.Dir(path))
}

// writeTemporary writes a file beside a path, for its owner alone, and has it on
// disk.
func writeTemporary(path string, content []byte) (name string, err error) {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // with mode 0600
	if err != nil {
		return "", err //nolint:wrapcheck // callers say what for
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return "", errors.Join(err, os.Remove(file.Name()))
	}
	return file.Name(), nil
}

// syncDirectory has the names in a directory on disk, where systems let it.
func syncDirectory(path string) error {
	dir, err := os.Open(path) //nolint:gosec // as above
	if err != nil {
		return fmt.Errorf("open the data directory: %w", err)
	}
	_ = dir.Sync() // not every system knows that of directories
	if err := dir.Close(); err != nil {
		return fmt.Errorf("close the data directory: %w", err)
	}
	return nil
}
