package apps

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const (
	fileSuffix = ".avap"
	tempPrefix = ".writing-"
	// maxFileBytes bounds what is read; no source limit is above it.
	maxFileBytes = 64 << 20
)

// store keeps sources as files of a directory, which is made with the first.
type store struct{ dir string }

func (s store) path(name string) string { return filepath.Join(s.dir, name+fileSuffix) }

// write replaces a file as a whole: after a crash there is the old one or the
// new one.
func (s store) write(name, source string) (err error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("store app: %w", err)
	}
	file, err := os.CreateTemp(s.dir, tempPrefix)
	if err != nil {
		return fmt.Errorf("store app: %w", err)
	}
	_, err = file.WriteString(source)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), s.path(name))
	}
	if err != nil {
		return fmt.Errorf("store app: %w", errors.Join(err, os.Remove(file.Name())))
	}
	s.sync()
	return nil
}

// remove deletes a file. One that is not there is fine.
func (s store) remove(name string) error {
	if err := os.Remove(s.path(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove app: %w", err)
	}
	s.sync()
	return nil
}

// sync makes names in the directory last. Not every system can do that for a
// directory, and then it needs no help with it.
func (s store) sync() {
	if dir, err := os.Open(s.dir); err == nil {
		_ = dir.Sync()
		_ = dir.Close()
	}
}

// names lists what is stored, and clears away what a crash left half written.
func (s store) names() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read apps: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), tempPrefix) {
			_ = os.Remove(filepath.Join(s.dir, entry.Name()))
		}
		if name, ok := strings.CutSuffix(entry.Name(), fileSuffix); ok && IsName(name) {
			names = append(names, name)
		}
	}
	return names, nil
}

func (s store) read(name string) (string, error) {
	file, err := os.Open(s.path(name))
	if err != nil {
		return "", fmt.Errorf("read app: %w", err)
	}
	defer file.Close()
	source, err := io.ReadAll(io.LimitReader(file, maxFileBytes))
	if err != nil {
		return "", fmt.Errorf("read app: %w", err)
	}
	return string(source), nil
}
