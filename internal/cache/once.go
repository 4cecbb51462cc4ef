package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/redis/rueidis"
)

// Once tells whether a name is used for the first time until the time has passed,
// by anybody who shares this Redis.
func (r *Redis) Once(ctx context.Context, name string, until time.Duration) (bool, error) {
	client, err := r.conn.Commands()
	if err != nil {
		return false, err //nolint:wrapcheck // it says what is wrong
	}
	sum := sha256.Sum256([]byte(name))
	key := r.options.Prefix + ":" + layout + ":once:" + hex.EncodeToString(sum[:16])
	err = client.Do(ctx, client.B().Set().Key(key).Value("").Nx().PxMilliseconds(max(1, until.Milliseconds())).Build()).Error()
	switch {
	case rueidis.IsRedisNil(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("redis: %w", err)
	}
	return true, nil
}
