package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/avapd/avapd/internal/cache"
	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/redisconn"
	"github.com/avapd/avapd/internal/registry"
	"github.com/avapd/avapd/internal/signature"
	"github.com/avapd/avapd/internal/store"
	"github.com/avapd/avapd/internal/telemetry"
	"github.com/avapd/avapd/internal/tracing"
)

const (
	// openTime is how long the store on this machine may take to open.
	openTime = 10 * time.Second
	// Times for one call to a tier of artifacts.
	redisTime   = 250 * time.Millisecond
	copyTime    = time.Second
	primaryTime = 2 * time.Second
	// artifactTTL is how long Redis keeps an artifact.
	artifactTTL  = 24 * time.Hour
	announceTime = time.Second
	// catchUpTime is how long a start waits for the primary store to tell what
	// has changed, and firstTime how long if nothing is known yet.
	catchUpTime = 250 * time.Millisecond
	firstTime   = 2 * time.Second
)

// commandServices are the registered commands of a server, and what they live
// on.
type commandServices struct {
	registry *registry.Registry

	local    *store.SQLite
	postgres *store.Postgres // nil when the local store is the primary
	conn     *redisconn.Conn // nil when there is no Redis
	redis    *cache.Redis    // as conn
	chain    *cache.Chain

	// news is a revision to announce.
	news    chan int64
	stop    context.CancelFunc
	running sync.WaitGroup
}

// openCommands opens the stores and reads what is registered. With PostgreSQL
// little waits for the network: the commands are those of the offline copy until
// more is known.
func openCommands(ctx context.Context, c *config.Config, scripts *engine.Engine, log *slog.Logger) (*commandServices, error) {
	settings := registry.Config{
		Engine: scripts, ArtifactBytes: int(c.Registry.ArtifactLimitBytes), Compare: c.RegistryRefresh(), KeepUnused: c.RegistryKeepUnused(), Log: log,
	}
	if err := readTrust(c, &settings); err != nil {
		return nil, err
	}
	s := &commandServices{news: make(chan int64, 1)}
	err := s.open(ctx, c, log)
	asking, cancel := context.WithTimeout(ctx, firstTime)
	defer cancel()
	var reached <-chan error
	if err == nil {
		reached = s.reach(asking)
		settings.Primary, settings.Artifacts, settings.Announce, settings.Keep = s.local, s, s.announce, s.chain.Keep
		if s.postgres != nil {
			settings.Primary, settings.Copy = s.postgres, s.local
		}
		s.registry, err = registry.New(ctx, settings)
	}
	if err != nil {
		cancel()
		return nil, errors.Join(err, s.close())
	}
	s.begin(log)
	s.catchUp(asking, reached)
	return s, nil
}

// reach asks whether the primary store is there, while the copy is read. It gives
// nil where the primary is the local store.
func (s *commandServices) reach(ctx context.Context) <-chan error {
	if s.postgres == nil {
		return nil
	}
	reached := make(chan error, 1)
	s.running.Go(func() {
		_, err := s.postgres.Summary(ctx)
		reached <- err
	})
	return reached
}

// catchUp gives the primary store some time before the first request is taken,
// which is for the commands as they are now and not as they were when the server
// stopped.
func (s *commandServices) catchUp(ctx context.Context, reached <-chan error) {
	if reached == nil {
		return
	}
	wait := catchUpTime
	if s.registry.State().Revision() == 0 {
		wait = firstTime
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	select {
	case err := <-reached:
		if err == nil {
			_ = s.registry.Refresh(ctx) // Start tries it again
		}
	case <-ctx.Done():
	}
}

// readTrust reads the key of the server and the signers it trusts from the
// start.
func readTrust(c *config.Config, settings *registry.Config) error {
	if file := c.Registry.SigningKeyFile; file != "" {
		content, err := os.ReadFile(file) //nolint:gosec // the path is the operator's own
		if err != nil {
			return usageError("the configuration has faults\nregistry.signing_key_file: %s", fileProblem(file, err))
		}
		key, err := signature.ParsePrivateKey(content, func() ([]byte, error) {
			return nil, errors.New("the key has a passphrase, which the server cannot ask for")
		})
		if err != nil {
			return usageError("the configuration has faults\nregistry.signing_key_file: %v", err)
		}
		settings.Signer = &key
	}
	if file := c.Registry.TrustFile; file != "" {
		content, err := os.ReadFile(file) //nolint:gosec // the path is the operator's own
		if err != nil {
			return usageError("the configuration has faults\nregistry.trust_file: %s", fileProblem(file, err))
		}
		if settings.Trust, err = registry.ParseTrust(content); err != nil {
			return usageError("the configuration has faults\nregistry.trust_file: %v", err)
		}
	}
	return nil
}

// open opens the stores and puts the tiers of artifacts in a row.
func (s *commandServices) open(ctx context.Context, c *config.Config, log *slog.Logger) (err error) {
	file := filepath.Join(c.DataDir, store.FileName)
	opening, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	if s.local, err = store.OpenSQLite(opening, file, store.Options{Copy: c.Postgres.URL != "", Log: log}); err != nil {
		return usageError("cannot open %s: %v; check --data-dir", file, err)
	}
	maxBytes := c.Registry.ArtifactLimitBytes
	var levels []cache.Level
	if c.Redis.URL != "" {
		if s.conn, err = redisconn.Open(c.Redis.URL, log); err != nil {
			return usageError("the configuration has faults\nredis.url: %v", err)
		}
		s.redis = cache.NewRedis(s.conn, cache.RedisOptions{Prefix: "avap", TTL: artifactTTL, MaxBytes: maxBytes, Log: log})
		tier := tracedTier{Tier: s.redis, kind: tracing.Client, system: tracing.SystemRedis, operation: "GETRANGE"}
		levels = append(levels, cache.Level{Tier: tier, Deadline: redisTime})
	}
	own := cache.Functions{Title: "local store", Fetch: s.local.Artifact, Missing: store.ErrNotFound}
	if c.Postgres.URL != "" {
		if s.postgres, err = store.OpenPostgres(ctx, c.Postgres.URL, store.Options{Log: log}); err != nil {
			return usageError("the configuration has faults\npostgres.url: %v", err)
		}
		own.Title = "offline copy"
		own.Keep = func(ctx context.Context, digest cache.Digest, content []byte) error {
			return s.local.KeepArtifact(ctx, store.Artifact{Digest: digest, Bytes: content})
		}
	}
	levels = append(levels, cache.Level{Tier: tracedTier{Tier: own, kind: tracing.Internal}, Deadline: copyTime})
	if s.postgres != nil {
		primary := cache.Functions{Title: "PostgreSQL", Fetch: s.postgres.Artifact, Missing: store.ErrNotFound}
		levels = append(levels, cache.Level{Tier: tracedTier{Tier: primary, kind: tracing.Internal}, Deadline: primaryTime})
	}
	s.chain = cache.NewChain(log, maxBytes, levels...)
	return nil
}

// count has the metrics read what goes on here, and the database of scripts.
func (s *commandServices) count(m *telemetry.Metrics, scripts *engine.Engine) {
	m.Registry(s.registry.Health)
	m.Artifacts(s.chain.Stats)
	var own func() store.PoolStats
	if s.postgres != nil {
		own = s.postgres.Pool
	}
	m.Pools(scripts.DataPool, own, s.local.Pool)
}

// Artifact implements registry.Artifacts.
func (s *commandServices) Artifact(ctx context.Context, digest [32]byte) ([]byte, error) {
	b, err := s.chain.Get(ctx, digest)
	if errors.Is(err, cache.ErrNotFound) {
		err = fmt.Errorf("%w: %w", store.ErrNotFound, err)
	}
	return b, err
}

// announce hands a revision over to be announced. A later one makes up for one
// that was not.
func (s *commandServices) announce(revision int64) {
	select {
	case <-s.news:
	default:
	}
	select {
	case s.news <- revision:
	default:
	}
}

// begin starts what goes on in the background.
func (s *commandServices) begin(log *slog.Logger) {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.registry.Start()
	if s.postgres != nil {
		s.running.Go(func() { s.watch(ctx, log, s.postgres.Watch) })
	}
	if s.redis != nil {
		s.running.Go(func() { s.watch(ctx, log, s.redis.Watch) })
		s.running.Go(func() { s.tell(ctx, log) })
	}
}

// watch passes on what others announce.
func (s *commandServices) watch(ctx context.Context, log *slog.Logger, watch func(context.Context, func()) error) {
	if err := watch(ctx, s.registry.Notify); err != nil && ctx.Err() == nil {
		log.Error("announcements of changes do not arrive any more; changes are still found", "error", err)
	}
}

// tell announces revisions.
func (s *commandServices) tell(ctx context.Context, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case revision := <-s.news:
			limited, cancel := context.WithTimeout(ctx, announceTime)
			if err := s.redis.Announce(limited, revision); err != nil && ctx.Err() == nil {
				log.Warn("a change could not be announced by Redis", "revision", revision, "error", err)
			}
			cancel()
		}
	}
}

// close ends everything that is open.
func (s *commandServices) close() error {
	if s.stop != nil {
		s.stop()
	}
	s.running.Wait()
	if s.registry != nil {
		s.registry.Stop()
	}
	if s.chain != nil {
		s.chain.Close()
	}
	if s.conn != nil {
		s.conn.Close()
	}
	var errs []error
	if s.postgres != nil {
		errs = append(errs, s.postgres.Close())
	}
	if s.local != nil {
		errs = append(errs, s.local.Close())
	}
	return errors.Join(errs...)
}

// once shares with other servers what is used once, where there is a Redis.
func (s *commandServices) once() func(context.Context, string, time.Duration) (bool, error) {
	if s.redis == nil {
		return nil
	}
	return s.redis.Once
}
