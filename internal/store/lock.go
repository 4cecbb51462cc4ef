package store

import (
	"context"
	"errors"
	"os"
	"time"
)

const lockPause = 10 * time.Millisecond

// LockFile waits until no other process holds the file's lock, which ends with
// the process. The file stays: removing it would let two hold it.
func LockFile(ctx context.Context, path string) (unlock func() error, err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // beside the store's own file
	if err != nil {
		return nil, err
	}
	for {
		locked, err := tryLock(file)
		if locked {
			return file.Close, nil
		}
		if err != nil {
			return nil, errors.Join(err, file.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), file.Close())
		case <-time.After(lockPause):
		}
	}
}
