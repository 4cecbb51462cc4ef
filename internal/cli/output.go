package cli

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// temporaryPrefix begins the names of files that are being written. Commands
// that read directories pass over what is hidden, so also over what a kill
// leaves behind.
const temporaryPrefix = ".avap-"

// Modes of new files, from which the umask takes away.
const (
	publicMode  fs.FileMode = 0o644
	privateMode fs.FileMode = 0o600
)

// writeOutput writes to a file, or to standard output.
func writeOutput(p *Process, out string, content []byte) error {
	if out == stdinName {
		_, err := p.Stdout.Write(content)
		return written(err)
	}
	return replaceFile(out, content)
}

// writeBelow writes a file and makes the directories that it lies in, as the
// places of several files are below the one that was given.
func writeBelow(p *Process, out string, content []byte, several bool) error {
	if several {
		if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil { //nolint:gosec // modules are no secret
			return usageError("%s", fileProblem(out, err))
		}
	}
	return writeOutput(p, out, content)
}

// replaceFile writes a file as a whole: after a failure, a kill or a power cut
// there is what was there before, or all of the new content. An existing file
// keeps its permissions and its owner, a link goes on to name its target. What
// is no regular file, such as a pipe, is written to.
func replaceFile(name string, content []byte) error {
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target
	}
	present, err := os.Stat(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return usageError("%s", fileProblem(name, err))
	}
	if present != nil && !present.Mode().IsRegular() {
		return writeInto(name, content)
	}
	temporary, err := writeTemporary(name, content, publicMode)
	if err != nil {
		return err
	}
	if present != nil {
		if err = os.Chmod(temporary, present.Mode().Perm()); err == nil {
			keepOwner(temporary, present)
		}
	}
	if err == nil {
		err = os.Rename(temporary, name)
	}
	if err != nil {
		return usageError("%s", fileProblem(name, errors.Join(err, os.Remove(temporary))))
	}
	syncDirectory(name)
	return nil
}

// isStream reports whether a file is there that is no regular one, such as a
// pipe or a device: it has no place beside it.
func isStream(name string) bool {
	info, err := os.Stat(name)
	return err == nil && !info.Mode().IsRegular() && !info.IsDir()
}

// writeInto writes to a device or a pipe, which cannot be replaced.
func writeInto(name string, content []byte) error {
	file, err := os.OpenFile(name, os.O_WRONLY, 0) //nolint:gosec // the path is the user's own
	if err == nil {
		_, err = file.Write(content)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		return usageError("%s", fileProblem(name, err))
	}
	return nil
}

// writeNew makes a file that must not be there yet. It appears under its name
// with all of its content.
func writeNew(name string, content []byte, mode fs.FileMode) error {
	temporary, err := writeTemporary(name, content, mode)
	if err != nil {
		return err
	}
	defer os.Remove(temporary)
	// A link, unlike a new name, takes no other file's place.
	err = os.Link(temporary, name)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		// There are file systems without links.
		if _, there := os.Lstat(name); errors.Is(there, fs.ErrNotExist) {
			err = os.Rename(temporary, name)
		}
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return usageError("%s is there already; keys are not overwritten", name)
	case err != nil:
		return usageError("%s", fileProblem(name, err))
	}
	syncDirectory(name)
	return nil
}

// writeTemporary writes a file beside the one that it is to become, down to the
// disk. A failure leaves nothing there.
func writeTemporary(name string, content []byte, mode fs.FileMode) (temporary string, err error) {
	temporary = filepath.Join(filepath.Dir(name), temporaryPrefix+rand.Text())
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode) //nolint:gosec // the path is the user's own
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", usageError("%s", fileProblem(name, err))
	case err != nil:
		return "", usageError("%s: no file can be made in its directory: %v", name, causeOf(err))
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return "", usageError("%s", fileProblem(name, errors.Join(err, os.Remove(temporary))))
	}
	return temporary, nil
}

// syncDirectory makes the name of a file last. Not every system can do that for
// a directory, and then it needs no help with it.
func syncDirectory(name string) {
	if dir, err := os.Open(filepath.Dir(name)); err == nil {
		_ = dir.Sync()
		_ = dir.Close()
	}
}

// causeOf is a failure without the name of the file, which is one that the user
// does not know.
func causeOf(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

func fileProblem(name string, err error) string {
	if link, ok := errors.AsType[*os.LinkError](err); ok {
		err = link.Err
	}
	return fmt.Sprintf("%s: %v", name, causeOf(err))
}
