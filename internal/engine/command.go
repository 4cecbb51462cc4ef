package engine

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/runtime/abi"
	"github.com/avapd/avapd/wasmhost"
)

// Command is a registered command: an artifact by its digest, and how to get it.
type Command struct {
	Digest [sha256.Size]byte
	// Trusted tells that the artifact comes from this project's compiler, whose
	// metering can be relied on; another is admitted or refused, and metered.
	Trusted bool
	// Fetch gets the bytes of the artifact and vouches for them. It is called
	// when the command is not compiled, once however many ask for it.
	Fetch func(context.Context) ([]byte, error)
	// Interface names the parameters; nil for those of the manifest.
	Interface []abi.Parameter
	// Limits are the most that an execution has, whoever asks for it; zero
	// members are no limit.
	Limits Limits
}

// Resolver finds registered commands by their names, the same ones as long as an
// execution lasts.
type Resolver interface {
	// Resolve gives nil when no command has the name. Its error says why the
	// command that has it may not run.
	Resolve(name string) (*Command, error)
}

// RunCommand executes a registered command; the request's source counts for
// nothing, and its limits are cut to those of the command. The error is what Fetch gave, or one of RunForeign's.
func (e *Engine) RunCommand(ctx context.Context, c *Command, r *Request) (*Answer, error) {
	return e.execute(ctx, r, c.Limits, func() (found, error) { return e.fromCommand(ctx, r.Client, c) })
}

// LoadCommand makes a command ready to run and describes it. Its errors are those
// of RunCommand.
func (e *Engine) LoadCommand(ctx context.Context, client string, c *Command) (abi.Manifest, error) {
	held := e.enter()
	if held == nil {
		return abi.Manifest{}, shuttingDown()
	}
	defer e.leave(held)
	f, err := e.fromCommand(ctx, client, c)
	switch {
	case err != nil:
		return abi.Manifest{}, findFailure(ctx, err)
	case f.module == nil:
		return abi.Manifest{}, f.findings
	}
	defer f.module.Release()
	return f.module.Manifest, nil
}

// FetchError says that the artifact of a command could not be had.
type FetchError struct{ Err error }

func (e *FetchError) Error() string { return e.Err.Error() }

// Unwrap gives the reason.
func (e *FetchError) Unwrap() error { return e.Err }

func (c *Command) key() key {
	return key{digest: c.Digest, artifact: true, foreign: !c.Trusted}
}

// fromCommand finds or makes the module of a command.
func (e *Engine) fromCommand(ctx context.Context, client string, c *Command) (found, error) {
	return e.cache.get(ctx, client, c.key(), func() work {
		var wasm []byte
		return work{
			fetch: func(ctx context.Context) (err error) {
				wasm, err = c.fetch(ctx)
				return err
			},
			compile: func(func()) (*wasmhost.Module, diag.List, error) { return e.loadCommand(c, wasm) },
		}
	})
}

// fetch gets the artifact, and catches the panics of whoever does.
func (c *Command) fetch(ctx context.Context) (wasm []byte, err error) {
	defer caught("the loader", &err)
	if wasm, err = c.Fetch(ctx); err != nil {
		return nil, &FetchError{err}
	}
	return wasm, nil
}

// loadCommand makes the module of a command.
func (e *Engine) loadCommand(c *Command, wasm []byte) (*wasmhost.Module, diag.List, error) {
	if c.Trusted {
		return e.load(wasm)
	}
	return e.loadForeign(wasm)
}

// registered is what a script calls commands by; nil when it calls none, or
// there are none.
func (e *Engine) registered(m *wasmhost.Module, r *Request) wasmhost.Registered {
	if !slices.Contains(m.Manifest.Imports, abi.RegisteredField) {
		return nil
	}
	resolver := r.Commands
	if resolver == nil && e.config.Registered != nil {
		resolver = e.config.Registered()
	}
	if resolver == nil {
		return nil
	}
	return func(c *wasmhost.Call, name string) error { return e.call(c, resolver, name) }
}

// call runs a command for a script. What is compiled already keeps the compute
// slot.
func (e *Engine) call(c *wasmhost.Call, resolver Resolver, name string) error {
	command, err := resolver.Resolve(name)
	switch {
	case err != nil:
		return wasmhost.Refused(err)
	case command == nil:
		return wasmhost.NotRegistered(name)
	}
	f, ok := e.cache.hit(command.key())
	defer func() {
		if f.module != nil {
			f.module.Release()
		}
	}()
	if !ok {
		c.Blocking(func(ctx context.Context) { f, err = e.fromCommand(ctx, c.Client(), command) })
	}
	if f.module == nil {
		return fmt.Errorf("the command %s cannot be loaded: %w", name, loadProblem(f.findings, err))
	}
	m := f.module
	if e.shadow != nil {
		if _, instead := e.shadow.instead(m); instead != nil {
			m = instead
		}
	}
	parameters := command.Interface
	if parameters == nil {
		parameters = m.Manifest.Interface
	}
	return c.Run(&wasmhost.Callee{Name: name, Module: m, Parameters: parameters, Limits: command.Limits})
}

// loadProblem says why a command cannot be loaded.
func loadProblem(findings diag.List, err error) error {
	if len(findings) > 0 {
		return findings[0]
	}
	return findFailure(context.Background(), err)
}
