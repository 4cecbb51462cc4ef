package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/avapd/avapd/compiler"
	"github.com/avapd/avapd/internal/bench/load"
	"github.com/avapd/avapd/internal/cache"
	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/redisconn"
	"github.com/avapd/avapd/internal/registry"
	"github.com/avapd/avapd/internal/server"
	"github.com/avapd/avapd/internal/signature"
	"github.com/avapd/avapd/internal/store"
	"github.com/avapd/avapd/runtime/abi"
	"github.com/avapd/avapd/wasmhost"
)

// storedLines is how long the scripts of stored commands are.
const storedLines = 16

func storedName(i int) string { return fmt.Sprintf("stored_%d", i) }

var storedInput = []byte(`{"name":"Ana"}`)

// unloaded stands in for the engine of a registry that only stores: what it
// stores comes from our compiler and need not be loaded to know that it can be.
type unloaded struct{}

func (unloaded) RunCommand(context.Context, *engine.Command, *engine.Request) (*engine.Answer, error) {
	return nil, errors.ErrUnsupported
}

func (unloaded) LoadCommand(ctx context.Context, _ string, c *engine.Command) (abi.Manifest, error) {
	module, err := c.Fetch(ctx)
	if err != nil {
		return abi.Manifest{}, err
	}
	return wasmhost.ReadManifest(module)
}

func (unloaded) Compile(context.Context, string, *engine.Source) (*engine.Artifact, diag.List, error) {
	return nil, nil, errors.ErrUnsupported
}

// script is what a command is made of.
type script struct{ name, text string }

// storedScripts are so many of them, no two alike.
func storedScripts(count, lines int) []script {
	var list []script
	for i := range count {
		list = append(list, script{storedName(i), scriptOfLines(lines, i)})
	}
	return list
}

// storeShared uploads commands to a PostgreSQL.
func storeShared(ctx context.Context, url string, scripts []script) error {
	postgres, err := store.OpenPostgres(ctx, url, store.Options{})
	if err != nil {
		return err
	}
	return errors.Join(storeCommands(ctx, postgres, scripts), postgres.Close())
}

// storeLocally uploads commands to the store of a server that has none but its
// directory. The server is not up yet.
func storeLocally(ctx context.Context, dir string, scripts []script) error {
	sqlite, err := store.OpenSQLite(ctx, filepath.Join(dir, store.FileName), store.Options{})
	if err != nil {
		return err
	}
	return errors.Join(storeCommands(ctx, sqlite, scripts), sqlite.Close())
}

// storeCommands compiles scripts, signs them with a key that it has trusted first,
// and uploads each as the active version of a command.
func storeCommands(ctx context.Context, primary store.Store, scripts []script) error {
	r, err := registry.New(ctx, registry.Config{Primary: primary, Engine: unloaded{}})
	if err != nil {
		return err
	}
	defer r.Stop()
	key, err := signature.GenerateKey()
	if err != nil {
		return err
	}
	pipeline := registry.Signer{Name: "pipeline", Key: key.Public().Key, Prefixes: []string{"*"}, Capabilities: []string{"*"}, TrustedCompiler: true}
	if _, _, err := r.PutSigner(ctx, pipeline, ""); err != nil {
		return err
	}
	waiting := make(chan script)
	ended := make(chan error)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for s := range waiting {
				ended <- storeCommand(ctx, r, key, s)
			}
		})
	}
	go func() {
		for _, s := range scripts {
			waiting <- s
		}
		close(waiting)
	}()
	for range scripts {
		err = errors.Join(err, <-ended)
	}
	group.Wait()
	return err
}

func storeCommand(ctx context.Context, r *registry.Registry, key signature.PrivateKey, s script) error {
	artifact, findings := compiler.Compile(compiler.Source{Name: s.name + ".avap", Text: s.text}, compiler.Options{})
	if artifact == nil {
		return findings
	}
	module, err := signature.Sign(artifact.Wasm, key)
	if err != nil {
		return err
	}
	_, err = r.Upload(ctx, s.name, module, registry.UploadOptions{Activate: true})
	return err
}

// Tiers that modules come from.
const (
	tierRedis    = "Redis"
	tierCopy     = "the offline copy"
	tierPostgres = "PostgreSQL"
)

// tierQuestion asks a registry that has nothing in memory to execute commands
// whose modules come from one tier.
type tierQuestion struct {
	Postgres, Redis, Copy string
	Tier                  string
	From, Count           int
}

// tierAnswer is how long the first and the later calls of a command took, and
// getting the module as a part of the first.
type tierAnswer struct {
	First, Bytes, Later time.Duration
}

func serveTiers(in io.Reader, out io.Writer) error { return answerAll(in, out, tierQuestion.answer) }

func (q tierQuestion) answer() (a tierAnswer, err error) {
	ctx := context.Background()
	settings := config.Default()
	server.KeepProcessorFree(settings)
	server.CollectSeldom(settings, os.Environ())
	e, err := engine.New(server.EngineConfig(settings))
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, e.Close(ctx)) }()
	postgres, err := store.OpenPostgres(ctx, q.Postgres, store.Options{})
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, postgres.Close()) }()
	tier, release, err := q.open(ctx, postgres)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, release()) }()
	artifacts := &timedArtifacts{chain: cache.NewChain(slog.New(slog.DiscardHandler), settings.Registry.ArtifactLimitBytes, cache.Level{Tier: tier, Deadline: time.Minute})}
	defer artifacts.chain.Close()
	r, err := registry.New(ctx, registry.Config{Primary: postgres, Engine: e, Artifacts: artifacts})
	if err != nil {
		return a, err
	}
	defer r.Stop()
	return q.measure(ctx, r, artifacts)
}

// open opens the tier, and puts the modules into Redis if it is that.
func (q tierQuestion) open(ctx context.Context, postgres *store.Postgres) (cache.Tier, func() error, error) {
	nothing := func() error { return nil }
	switch q.Tier {
	case tierPostgres:
		return cache.Functions{Title: q.Tier, Fetch: postgres.Artifact, Missing: store.ErrNotFound}, nothing, nil
	case tierCopy:
		local, err := store.OpenSQLite(ctx, q.Copy, store.Options{Copy: true})
		if err != nil {
			return nil, nil, err
		}
		return cache.Functions{Title: q.Tier, Fetch: local.Artifact, Missing: store.ErrNotFound}, local.Close, nil
	}
	log := slog.New(slog.DiscardHandler)
	conn, err := redisconn.Open(q.Redis, log)
	if err != nil {
		return nil, nil, err
	}
	redis := cache.NewRedis(conn, cache.RedisOptions{Prefix: "bench", TTL: time.Hour, MaxBytes: 1 << 20, Log: log})
	release := func() error { conn.Close(); return nil }
	if err := q.fillRedis(ctx, redis, postgres); err != nil {
		return nil, nil, errors.Join(err, release())
	}
	return redis, release, nil
}

func (q tierQuestion) fillRedis(ctx context.Context, redis *cache.Redis, postgres *store.Postgres) error {
	r, err := registry.New(ctx, registry.Config{Primary: postgres, Engine: unloaded{}})
	if err != nil {
		return err
	}
	defer r.Stop()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for i := range q.Count {
		v, err := r.State().Resolve(storedName(q.From+i), 0)
		if err != nil {
			return err
		}
		module, err := postgres.Artifact(ctx, v.Digest)
		if err != nil {
			return err
		}
		for redis.Put(ctx, v.Digest, module) != nil { // until it is connected
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	return nil
}

// timedArtifacts tells how long getting modules takes.
type timedArtifacts struct {
	chain *cache.Chain
	times []time.Duration
}

// Artifact implements registry.Artifacts. Calls are one at a time here.
func (t *timedArtifacts) Artifact(ctx context.Context, digest [32]byte) ([]byte, error) {
	began := time.Now()
	module, err := t.chain.Get(ctx, digest)
	t.times = append(t.times, time.Since(began))
	return module, err
}

// laterCalls are made of each command after the first.
const laterCalls = 5

func (q tierQuestion) measure(ctx context.Context, r *registry.Registry, artifacts *timedArtifacts) (tierAnswer, error) {
	var first, later []time.Duration
	for i := range q.Count {
		for call := range 1 + laterCalls {
			began := time.Now()
			_, err := r.Execute(ctx, storedName(q.From+i), 0, &engine.Request{Body: storedInput})
			took := time.Since(began)
			switch {
			case err != nil:
				return tierAnswer{}, err
			case call == 0:
				first = append(first, took)
			default:
				later = append(later, took)
			}
		}
	}
	if len(artifacts.times) != q.Count {
		return tierAnswer{}, fmt.Errorf("%d modules were fetched for %d commands", len(artifacts.times), q.Count)
	}
	return tierAnswer{middle(first), middle(artifacts.times), middle(later)}, nil
}

func middle(times []time.Duration) time.Duration {
	var r reply
	r.quantiles(times)
	return load.Quantile(times, 0.5)
}
