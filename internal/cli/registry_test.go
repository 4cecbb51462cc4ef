package cli

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/registry"
	"github.com/avapd/avapd/internal/signature"
	"github.com/avapd/avapd/internal/store"
	"github.com/avapd/avapd/internal/testservices"
)

// services are a PostgreSQL and a Redis of a test's own.
func services(t *testing.T) (postgres *testservices.Postgres, redis *testservices.Redis) {
	t.Helper()
	postgres, err := testservices.StartPostgres()
	testservices.Need(t, err)
	t.Cleanup(func() {
		if err := postgres.Stop(); err != nil {
			t.Error(err)
		}
	})
	if !postgres.Ours() {
		t.Skip("the server is not the test's own")
	}
	redis, err = testservices.StartRedis()
	testservices.Need(t, err)
	t.Cleanup(func() {
		if err := redis.Stop(); err != nil {
			t.Error(err)
		}
	})
	return postgres, redis
}

// startCommands opens what a server has of registered commands, with settings
// like flags.
func startCommands(t *testing.T, flags ...string) (*commandServices, func()) {
	t.Helper()
	set := pflag.NewFlagSet("test", pflag.ContinueOnError)
	config.AddFlags(set)
	if err := set.Parse(flags); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(set, nil)
	if err != nil {
		t.Fatal(err)
	}
	scripts, err := engine.New(engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := openCommands(t.Context(), c, scripts, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(errors.Join(err, scripts.Close(t.Context())))
	}
	return s, func() {
		if err := errors.Join(scripts.Close(context.Background()), s.close()); err != nil {
			t.Error(err)
		}
	}
}

// until waits for a command to give a result, or a failure with its code.
func until(t *testing.T, s *commandServices, name, want string) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for tick := time.NewTicker(2 * time.Millisecond); ; <-tick.C {
		got := ""
		a, err := s.registry.Execute(t.Context(), name, 0, &engine.Request{})
		if err == nil {
			got = string(a.Result)
		} else {
			got = err.Error()
		}
		if got == want {
			tick.Stop()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s gives %s, want %s; %+v", name, got, want, s.registry.Health())
		}
	}
}

// untilCopied waits until a node has the active version of a command itself.
func untilCopied(t *testing.T, s *commandServices, name string) {
	t.Helper()
	v, err := s.registry.State().Resolve(name, 0)
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for tick := time.NewTicker(2 * time.Millisecond); ; <-tick.C {
		if _, err = s.local.Artifact(t.Context(), v.Digest); err == nil {
			tick.Stop()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// Two nodes share PostgreSQL and Redis. What one changes the other has by an
// announcement alone, whichever of the two services passes it on; without
// services a node starts and runs, and refuses changes; afterwards all is well.
func TestNodesShareCommands(t *testing.T) {
	postgres, redis := services(t)
	dir := t.TempDir()
	key, err := signature.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	file, err := signature.EncodePrivate(key, signature.PEM, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "key"), file, 0o600); err != nil {
		t.Fatal(err)
	}
	flags := func(node, refreshMS string) []string {
		return []string{
			"--data-dir", filepath.Join(dir, node), "--postgres-url", postgres.Schema(t), "--redis-url", redis.URL(redis.Address()),
			"--registry-signing-key-file", filepath.Join(dir, "key"), "--registry-refresh-ms", refreshMS,
		}
	}
	const never = "3600000"
	shared := flags("a", never)
	a, closeA := startCommands(t, shared...)
	flagsB := append([]string{}, shared...)
	flagsB[1] = filepath.Join(dir, "b")
	b, closeB := startCommands(t, flagsB...)
	build := func(s *commandServices, source string) error {
		_, _, err := s.registry.Build(t.Context(), "order", source, registry.UploadOptions{Activate: true})
		return err
	}
	steps := []struct {
		source, want string
		before       func()
	}{
		{"r = 1\naddResult(r)", `{"r":1}`, func() {}},
		{"r = 2\naddResult(r)", `{"r":2}`, func() { redis.Down(t) }},
		{"r = 3\naddResult(r)", `{"r":3}`, func() { redis.Up(t) }},
	}
	for _, step := range steps {
		step.before()
		if err := build(a, step.source); err != nil {
			t.Fatal(err)
		}
		until(t, b, "order", step.want)
	}
	until(t, a, "order", `{"r":3}`)
	untilCopied(t, b, "order")

	postgres.Down(t)
	redis.Down(t)
	closeB()
	flagsB[len(flagsB)-1] = "20"
	began := time.Now()
	b, closeB = startCommands(t, flagsB...)
	t.Logf("a node without services is ready after %v", time.Since(began))
	until(t, b, "order", `{"r":3}`)
	if h := b.registry.Health(); h.Origin != registry.FromCopy || h.Commands != 1 {
		t.Errorf("%+v", h)
	}
	for _, s := range []*commandServices{a, b} {
		if err := build(s, "r = 4\naddResult(r)"); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("a change without services: %v", err)
		}
	}
	postgres.Up(t)
	if err := build(a, "r = 5\naddResult(r)"); err != nil {
		t.Fatal(err)
	}
	until(t, b, "order", `{"r":5}`)
	if err := b.registry.Delete(t.Context(), "order", ""); err != nil {
		t.Fatal(err)
	}
	until(t, a, "order", "script: there is no command order")
	closeA()
	closeB()
}
