package cli

import (
	"context"
	"errors"
	"fmt"
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
	s, _, end := startCommandsOn(t, engine.Config{}, flags...)
	return s, end
}

// startCommandsOn is startCommands with an engine of a test's own.
func startCommandsOn(t *testing.T, own engine.Config, flags ...string) (*commandServices, *engine.Engine, func()) {
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
	scripts, err := engine.New(own)
	if err != nil {
		t.Fatal(err)
	}
	s, err := openCommands(t.Context(), c, scripts, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(errors.Join(err, scripts.Close(t.Context())))
	}
	return s, scripts, func() {
		s.registry.StopAhead()
		if err := errors.Join(scripts.Close(context.Background()), s.close()); err != nil {
			t.Error(err)
		}
	}
}

// eventually waits until there is no error any more.
func eventually(t *testing.T, try func() error) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for ; ; <-tick.C {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// until waits for a command to give a result, or a failure with its code.
func until(t *testing.T, s *commandServices, name, want string) {
	t.Helper()
	eventually(t, func() error {
		a, err := s.registry.Execute(t.Context(), name, 0, &engine.Request{})
		got := ""
		if err == nil {
			got = string(a.Result)
		} else {
			got = err.Error()
		}
		if got != want {
			return fmt.Errorf("%s gives %s, want %s; %+v", name, got, want, s.registry.Health())
		}
		return nil
	})
}

// untilCopied waits until a node has the active version of a command itself.
func untilCopied(t *testing.T, s *commandServices, name string) {
	t.Helper()
	v, err := s.registry.State().Resolve(name, 0)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		_, err := s.local.Artifact(t.Context(), v.Digest)
		return err
	})
}

// dirWithKey makes a directory with a key to sign with.
func dirWithKey(t *testing.T) string {
	t.Helper()
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
	return dir
}

// Two nodes share PostgreSQL and Redis. What one changes the other has by an
// announcement alone, whichever of the two services passes it on; without
// services a node starts and runs, and refuses changes; afterwards all is well.
func TestNodesShareCommands(t *testing.T) {
	postgres, redis := services(t)
	dir := dirWithKey(t)
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

// untilAhead waits until a node has compiled so many commands before anyone called
// them.
func untilAhead(t *testing.T, s *commandServices, want int64) {
	t.Helper()
	eventually(t, func() error {
		if got := s.registry.Health().Ahead; got.Compiled != want {
			return fmt.Errorf("%+v, want %d", got, want)
		}
		return nil
	})
}

// Of two nodes with one PostgreSQL and one Redis, one is changed and the other has
// compiled what is new before it is called there, also after a start without both.
func TestNodesCompileAhead(t *testing.T) {
	postgres, redis := services(t)
	dir := dirWithKey(t)
	url := postgres.Schema(t)
	open := func(node string) (*commandServices, func()) {
		s, scripts, end := startCommandsOn(t, engine.Config{AheadBytes: 16 << 20},
			"--data-dir", filepath.Join(dir, node), "--postgres-url", url, "--redis-url", redis.URL(redis.Address()),
			"--registry-signing-key-file", filepath.Join(dir, "key"))
		s.registry.StartAhead(scripts)
		return s, end
	}
	a, closeA := open("a")
	b, closeB := open("b")
	defer func() { closeA() }()
	hit := func(result string) {
		t.Helper()
		answer, err := b.registry.Execute(t.Context(), "order", 0, &engine.Request{})
		if err != nil || string(answer.Result) != result || !answer.CacheHit {
			t.Errorf("%+v, %v, want %s without a compile", answer, err, result)
		}
	}
	for i, result := range []string{`{"r":0}`, `{"r":1}`} {
		source := fmt.Sprintf("r = %d\naddResult(r)", i)
		if _, _, err := a.registry.Build(t.Context(), "order", source, registry.UploadOptions{Activate: true}); err != nil {
			t.Fatal(err)
		}
		untilAhead(t, b, int64(i+1))
		hit(result)
	}
	untilCopied(t, b, "order")
	closeB()
	postgres.Down(t)
	defer postgres.Up(t) // to be left clean
	redis.Down(t)
	b, closeB = open("b")
	defer func() { closeB() }()
	untilAhead(t, b, 1)
	hit(`{"r":1}`)
	if n := a.registry.Health().Ahead; n.Failed > 0 {
		t.Errorf("%+v", n)
	}
}
