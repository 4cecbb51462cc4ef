package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/signature"
	"github.com/avapd/avapd/internal/store"
	"github.com/avapd/avapd/runtime/abi"
)

// Engine is what the registry needs of the engine.
type Engine interface {
	RunCommand(ctx context.Context, c *engine.Command, r *engine.Request) (*engine.Answer, error)
	// LoadCommand makes a command ready to run and describes it.
	LoadCommand(ctx context.Context, client string, c *engine.Command) (abi.Manifest, error)
	Compile(ctx context.Context, client string, source *engine.Source) (*engine.Artifact, diag.List, error)
}

// Artifacts gives artifacts by their digests. What it gives is checked.
type Artifacts interface {
	Artifact(ctx context.Context, digest [32]byte) ([]byte, error)
}

// Config is what a registry is made of.
type Config struct {
	// Primary is where changes go. Copy follows it; nil when the primary is on
	// this machine.
	Primary store.Store
	Copy    store.Copy
	// Artifacts is where artifacts come from; nil for the copy, and then the
	// primary.
	Artifacts Artifacts
	Engine    Engine
	// Signer is the key for what the server builds; nil when it does not.
	Signer *signature.PrivateKey
	// Trust are signers that come with the configuration.
	Trust []Signer
	// ArtifactBytes bounds an artifact.
	ArtifactBytes int
	// Announce tells other nodes that there is something new, and Keep puts an
	// artifact where they find it soon. Neither waits.
	Announce func(revision int64)
	Keep     func(module []byte)
	// Compare is how often the registry looks whether it missed something.
	Compare time.Duration
	// KeepUnused is how long artifacts that no version has are kept, and
	// tombstones; zero is for good.
	KeepUnused time.Duration
	Log        *slog.Logger
	Now        func() time.Time
}

const (
	defaultArtifactBytes = 16 << 20
	defaultCompare       = 500 * time.Millisecond
)

func (c *Config) setDefaults() error {
	if c.Primary == nil || c.Engine == nil {
		return errors.New("a registry needs a store and an engine")
	}
	if c.ArtifactBytes <= 0 {
		c.ArtifactBytes = defaultArtifactBytes
	}
	if c.Compare <= 0 {
		c.Compare = defaultCompare
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Announce == nil {
		c.Announce = func(int64) {}
	}
	if c.Keep == nil {
		c.Keep = func([]byte) {}
	}
	if c.Artifacts == nil {
		c.Artifacts = nearest{c.Copy, c.Primary}
	}
	return nil
}

// nearest asks the copy, if there is one, and then the primary.
type nearest struct {
	copied  store.Copy
	primary store.Store
}

// Artifact implements Artifacts.
func (n nearest) Artifact(ctx context.Context, digest [32]byte) ([]byte, error) {
	if n.copied != nil {
		if b, err := n.copied.Artifact(ctx, digest); err == nil && isDigest(b, digest) {
			return b, nil
		}
	}
	return n.primary.Artifact(ctx, digest) //nolint:wrapcheck // the caller words it
}

// Registry holds the commands. It is safe for concurrent use.
type Registry struct {
	config  Config
	fixed   map[string]*Signer
	current atomic.Pointer[State]
	health  health
	lacks   *lacks
	ahead   ahead
	// contents are the digests without signatures, by those with them, of the
	// artifacts that were read for versions whose records do not have them.
	contents sync.Map
	// used is when keys of clients were used here, a time.Time by name.
	used sync.Map

	mu sync.Mutex
	// next is the refresh that begins next, and flying tells that one is under
	// way or about to be.
	next            *flight
	flying, stopped bool
	// copyStale is set while the copy is not what it should be. It is the
	// refresh's.
	copyStale bool
	// seen, in tests, gets every new State, and worth is worthTombstones but in
	// tests.
	seen  func(*State)
	worth int

	wake    chan struct{}
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
}

// New makes a registry in the state that the copy or, without one, the primary
// store is in.
func New(ctx context.Context, config Config) (*Registry, error) {
	if err := config.setDefaults(); err != nil {
		return nil, err
	}
	r := &Registry{config: config, wake: make(chan struct{}, 1), lacks: newLacks(), worth: worthTombstones}
	r.ahead.wake, r.ahead.pause = make(chan struct{}, 1), aheadPause
	if err := r.setFixed(config.Trust); err != nil {
		return nil, err
	}
	if config.Copy != nil {
		r.beginFromCopy(ctx)
	} else {
		s, _, err := r.readAll(ctx, config.Primary)
		if err != nil {
			return nil, err
		}
		r.current.Store(s)
		r.health.began(false, false, config.Now())
	}
	r.ctx, r.stop = context.WithCancel(context.Background())
	return r, nil
}

// beginFromCopy takes over the state of the copy. One that cannot be used is only a
// copy: the registry begins with nothing, and the primary makes it good.
func (r *Registry) beginFromCopy(ctx context.Context) {
	s, _, err := r.readAll(ctx, r.config.Copy)
	followed := false
	if err == nil {
		followed, err = r.config.Copy.Followed(ctx)
	}
	if err != nil {
		r.config.Log.Error("the offline copy cannot be used", "error", err)
		s, r.copyStale = r.empty(), true
		r.health.copied(err, time.Time{})
	}
	r.current.Store(s)
	r.lacks.add(s.artifacts())
	r.health.began(true, followed, r.config.Now())
}

// setFixed takes over the signers of the configuration.
func (r *Registry) setFixed(signers []Signer) error {
	r.fixed = make(map[string]*Signer, len(signers))
	for _, s := range signers {
		if err := s.complete(); err != nil {
			return err
		}
		for _, other := range r.fixed {
			if other.Name == s.Name || other.KeyID == s.KeyID {
				return fmt.Errorf("the signers %s and %s of the configuration have the same name or key", other.Name, s.Name)
			}
		}
		s.Fixed = true
		r.fixed[s.Name] = &s
	}
	return nil
}

// State is the present one.
func (r *Registry) State() *State { return r.current.Load() }

// Execute runs a version of a command, the active one for the number 0. The
// request's source counts for nothing, its limits are cut to those of the
// command, and the commands that it can call are set.
func (r *Registry) Execute(ctx context.Context, name string, number int, request *engine.Request) (*engine.Answer, error) {
	s := r.State()
	v, p, err := s.resolve(name, number)
	if err != nil {
		return nil, err
	}
	request.Commands = calls{s}
	answer, err := r.config.Engine.RunCommand(ctx, v.loader.command(p), request)
	return answer, loadFailure(name, err)
}

// Unknown is the error for a command that the State does not have.
func (r *Registry) Unknown(name string) error {
	if !r.Settled() {
		return diag.NewFailure(diag.StoreUnavailable, "it is not known yet whether there is a command %s: the primary store has never answered this server", name)
	}
	return diag.NewFailure(diag.NoSuchCommand, "there is no command %s", name)
}

// Settled tells whether anything is known of what is stored.
func (r *Registry) Settled() bool {
	h := r.Health()
	return h.Settled()
}

// Resolver gives the commands as they are now, for a script.
func (r *Registry) Resolver() engine.Resolver { return calls{r.State()} }

// calls are the commands of a State, as scripts call them. Whether they may run
// is asked of the present State: an execution may outlive somebody's trust.
type calls struct{ state *State }

// Resolve implements engine.Resolver.
func (c calls) Resolve(name string) (*engine.Command, error) {
	if _, ok := c.state.Command(name); !ok && c.state.registry.Settled() {
		return nil, nil
	}
	v, p, err := c.state.resolve(name, 0)
	if now := c.state.registry.State(); err == nil && now != c.state {
		p, err = now.permission(v)
	}
	if err != nil {
		return nil, err
	}
	return v.loader.command(p), nil
}
