package config

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settleTime is how long files must be left alone before they are read: who
// writes in place writes more than once.
const settleTime = 100 * time.Millisecond

// maxLinks bounds a chain of symbolic links.
const maxLinks = 40

// Watcher tells when files may have changed. It watches directories, not files,
// so that it survives that a file is replaced, removed or reached by a link that
// is turned elsewhere; of a directory that is not there it watches the one above.
// What else lies in the directories, a busy log for example, is not heeded.
type Watcher struct {
	changed chan struct{}
	files   chan []string
	done    chan struct{}
	watcher *fsnotify.Watcher
}

// NewWatcher makes a Watcher of no files. Whoever makes one must close it.
func NewWatcher() (*Watcher, error) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch files: %w", err)
	}
	w := &Watcher{changed: make(chan struct{}, 1), files: make(chan []string), done: make(chan struct{}), watcher: watcher}
	go w.run()
	return w, nil
}

// Changed gets something after a change. The first may be none of a file.
func (w *Watcher) Changed() <-chan struct{} { return w.changed }

// Watch replaces the files. They are watched when it returns.
func (w *Watcher) Watch(files []string) {
	w.files <- files
	<-w.files
}

// Close ends the watch.
func (w *Watcher) Close() error {
	err := w.watcher.Close()
	<-w.done
	if err != nil {
		return fmt.Errorf("watch files: %w", err)
	}
	return nil
}

func (w *Watcher) run() {
	defer close(w.done)
	settled := time.NewTimer(0)
	<-settled.C
	defer settled.Stop()
	var files []string
	seen := map[string]os.FileInfo{}
	for {
		select {
		case files = <-w.files:
			w.follow(files)
			w.files <- nil // the answer to Watch
			continue
		case event, open := <-w.watcher.Events:
			if !open {
				return
			}
			if event.Op == fsnotify.Chmod {
				continue
			}
		case <-w.watcher.Errors: //nolint:errcheck // events were lost, which counts as one
		case <-settled.C:
			if !look(files, seen) {
				continue
			}
			select {
			case w.changed <- struct{}{}:
			default: // it will be looked at anyway
			}
			continue
		}
		w.follow(files)
		settled.Reset(settleTime)
	}
}

// look tells whether any of the files is another one than was seen, or has changed.
// Nothing is known of files that come anew: they may have changed since they were
// read.
func look(files []string, seen map[string]os.FileInfo) (changed bool) {
	for _, path := range files {
		now, _ := os.Stat(path) // nil where there is none
		before, known := seen[path]
		if !known || !sameFile(before, now) {
			changed = true
		}
		seen[path] = now
	}
	maps.DeleteFunc(seen, func(path string, _ os.FileInfo) bool { return !slices.Contains(files, path) })
	return changed
}

func sameFile(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// follow watches the directories that the files are in now.
func (w *Watcher) follow(files []string) {
	var wanted []string
	for _, path := range files {
		for range maxLinks {
			dir := existing(filepath.Dir(path))
			wanted = append(wanted, dir)
			target, err := os.Readlink(path)
			if err != nil {
				// A link may also be on the way, as in a ConfigMap of Kubernetes.
				if target, err := filepath.EvalSymlinks(path); err == nil {
					wanted = append(wanted, filepath.Dir(target))
				}
				break
			}
			if !filepath.IsAbs(target) {
				target = filepath.Join(filepath.Dir(path), target)
			}
			path = target
		}
	}
	for _, dir := range w.watcher.WatchList() {
		if !slices.Contains(wanted, dir) {
			_ = w.watcher.Remove(dir)
		}
	}
	for _, dir := range wanted {
		// What cannot be watched is read at the next SIGHUP.
		_ = w.watcher.Add(dir)
	}
}

// existing is the directory, or the nearest one above it that is there.
func existing(dir string) string {
	for {
		info, err := os.Stat(dir)
		above := filepath.Dir(dir)
		if err == nil && info.IsDir() || above == dir {
			return dir
		}
		dir = above
	}
}
