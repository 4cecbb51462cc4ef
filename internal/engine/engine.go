package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/avapd/avapd/internal/admit"
	"github.com/avapd/avapd/internal/datasource"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/fairqueue"
	wasmformat "github.com/avapd/avapd/internal/wasm"
	"github.com/avapd/avapd/internal/wasm/validate"
	"github.com/avapd/avapd/runtime/abi"
	"github.com/avapd/avapd/runtime/library"
	"github.com/avapd/avapd/wasmhost"
	"github.com/avapd/avapd/wasmhost/commands"
)

// Config describes an Engine. Every member has a default.
type Config struct {
	// Compiler is this project's unless a test says otherwise.
	Compiler Compiler
	// Limits hold for a request that asks for none, MaxLimits for all; a zero
	// member of MaxLimits is that of Limits.
	Limits, MaxLimits Limits
	SourceBytes       int
	// ComputeSlots is how many executions compute at once, QueueLength how
	// many may wait for their first turn, ClientQueueLength how many of one
	// client, half of them by default.
	ComputeSlots, QueueLength, ClientQueueLength int
	// MaxInstances bounds executions under way, computing or not.
	MaxInstances int
	// MemoryBytes bounds the memory of all executions together, ShadowMemoryBytes
	// that of those which are repeated; by default they are what memory.Share gives
	// beside the Go runtime's limit. ClientMemoryBytes bounds that of one client, half
	// of MemoryBytes by default.
	MemoryBytes, ShadowMemoryBytes, ClientMemoryBytes int64
	// CacheBytes bounds the memory of compiled scripts, roughly.
	CacheBytes int64
	// AheadBytes bounds what of that commands have which were compiled before anyone
	// called them; with 0 they are compiled when they are called.
	AheadBytes int64
	// CompileWorkers is how many scripts are compiled at once.
	CompileWorkers int
	// ShadowRunsPerMillion is the share of executions without effects that are
	// repeated on the interpreter and compared.
	ShadowRunsPerMillion int
	// TrialFuel is what the first runs of a script without effects may use on the
	// interpreter before machine code is made; with 0 that comes first.
	TrialFuel int64
	// Interpreter runs guest code without compiling it to machine code: slow,
	// and a check on the compiler of the runtime.
	Interpreter bool
	// HashSeed gives the dict hash seed of an execution; nil for random ones.
	HashSeed func() uint64
	// Registered gives the commands that are not built in, as an execution finds
	// them at its start; nil when there are none.
	Registered func() Resolver
	// Zone is the time zone of dates that name none; nil for UTC.
	Zone *time.Location
	// Compiled, if it is there, is told how long it took to make a module, for a
	// trial or as machine code.
	Compiled func(trial bool, took time.Duration)
	// Commands says what scripts may reach outside the sandbox.
	Commands commands.Config
	// Library replaces the guest library in tests.
	Library []byte
}

const (
	defaultQueueLength = 1024
	defaultCacheBytes  = 256 << 20
	// childInstances are there for what scripts start beside themselves. They
	// take no memory beyond the limits of the executions they belong to.
	childInstances = 1024
)

func (c *Config) setDefaults() {
	if c.Compiler == nil {
		c.Compiler = scriptCompiler{}
	}
	c.Limits = orElse(c.Limits, DefaultLimits)
	c.MaxLimits = orElse(c.MaxLimits, c.Limits)
	pick(&c.SourceBytes, DefaultSourceBytes)
	pick(&c.ComputeSlots, runtime.GOMAXPROCS(0))
	pick(&c.QueueLength, defaultQueueLength)
	pick(&c.ClientQueueLength, (c.QueueLength+1)/2)
	pick(&c.MaxInstances, c.ComputeSlots+c.QueueLength+childInstances)
	parts := memoryParts(c.MemoryBytes, c.ShadowRunsPerMillion > 0)
	pick(&c.MemoryBytes, parts.Scripts)
	pick(&c.ShadowMemoryBytes, parts.Shadow)
	// One execution must have room.
	most := int64(max(c.Limits.MemoryPages, c.MaxLimits.MemoryPages)) * abi.PageBytes
	pick(&c.ClientMemoryBytes, max(c.MemoryBytes/2, min(most, c.MemoryBytes)))
	pick(&c.CacheBytes, defaultCacheBytes)
	pick(&c.CompileWorkers, runtime.GOMAXPROCS(0))
	if c.Library == nil {
		c.Library = library.Module
	}
	if c.Interpreter {
		c.TrialFuel = 0
	}
}

// Engine compiles and runs scripts. It is safe for concurrent use.
type Engine struct {
	config Config
	host   *wasmhost.Host
	bounds atomic.Pointer[bounds]
	gate   *fairqueue.Slots
	cache  *cache
	shadow *shadow // nil when nothing is repeated
	trials trials

	running running
	reach   atomic.Pointer[reach]
	// changing is held while the reach is replaced, or the engine closed.
	changing sync.Mutex
	retiring sync.WaitGroup // reaches that are being closed
}

// New makes an engine.
func New(config Config) (*Engine, error) {
	config.setDefaults()
	gate := fairqueue.New(fairqueue.Limits{
		Slots: config.ComputeSlots, Queued: config.QueueLength, ClientQueued: config.ClientQueueLength,
	})
	kind := wasmhost.EngineCompiler
	if config.Interpreter {
		kind = wasmhost.EngineInterpreter
	}
	reach, err := newReach(config.Commands)
	if err != nil {
		return nil, err
	}
	e := &Engine{config: config, gate: gate, running: running{none: make(chan struct{})}}
	e.reach.Store(reach)
	e.bounds.Store(&bounds{config.Limits, config.MaxLimits, config.SourceBytes})
	settings := wasmhost.Config{
		Library: config.Library, Engine: kind,
		MaxMemoryPages: max(config.MaxLimits.MemoryPages, config.Limits.MemoryPages),
		MaxInstances:   config.MaxInstances, IdleInstances: 2*config.ComputeSlots + 2,
		MemoryBytes: config.MemoryBytes, ClientMemoryBytes: config.ClientMemoryBytes,
		Gate: gate, HashSeed: config.HashSeed, Zone: config.Zone, Commands: e.commandTable(),
		KeepBinaries: config.ShadowRunsPerMillion > 0 && !config.Interpreter,
	}
	host, err := wasmhost.New(settings)
	if err == nil && config.TrialFuel > 0 {
		err = host.PrepareTrials()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("engine: %w", err), reach.set.Close())
	}
	e.host, e.shadow = host, shadowOf(&config, settings)
	e.cache = newCache(gate, config.CacheBytes, config.CompileWorkers, config.QueueLength+config.CompileWorkers, config.ClientQueueLength+config.CompileWorkers)
	e.cache.compiled, e.cache.aheadBytes = config.Compiled, config.AheadBytes
	return e, nil
}

// shadowOf makes what repeats executions on the interpreter, with a part of the
// memory of its own. An engine that is an interpreter has nothing to compare.
func shadowOf(config *Config, settings wasmhost.Config) *shadow {
	if config.Interpreter {
		return nil
	}
	settings.Engine, settings.KeepBinaries, settings.IdleInstances = wasmhost.EngineInterpreter, false, 1
	// The same part of it is a client's.
	share := float64(settings.ClientMemoryBytes) / float64(settings.MemoryBytes)
	settings.MemoryBytes = config.ShadowMemoryBytes
	settings.ClientMemoryBytes = int64(share * float64(settings.MemoryBytes))
	return newShadow(config.ShadowRunsPerMillion, config.Commands.Log, func() (otherHost, error) { return wasmhost.New(settings) })
}

// Request is one execution at a time. Its byte slices must not change until Run
// returns; nobody holds on to it after that.
type Request struct {
	// Client is who asks. Turns to compute and to compile go round the clients.
	Client string
	Source string
	// File names the script in messages.
	File string
	// Load finds imported scripts. A request that can import is compiled anew
	// each time: what it imports may have changed.
	Load func(name string) ([]byte, error)
	// Variables and Body are the texts of JSON objects, or empty.
	Variables, Body []byte
	Query, Form     []Pair
	// Path are the parameters in the path of an endpoint.
	Path []Pair
	// Limits are what the request asks for; zero members mean the default.
	// MaxLimits is the most that it may ask for, if that was settled before the
	// engine was adjusted; zero members mean that of the engine.
	Limits, MaxLimits Limits
	// Commands are the registered commands that the script can call; nil for
	// those that the engine's configuration gives.
	Commands Resolver
	// Logs asks for a log of every top-level statement.
	Logs bool
	// EchoVariables asks for the variables in the answer.
	EchoVariables bool
	// Capabilities, unless it is nil, is told what the module that runs was granted.
	Capabilities *[]string
	// Into, unless it is nil, is where the answer goes, with its document in the room
	// that the one before has left there.
	Into *Answer

	endpoint int // counted from 1; 0 executes the script
	// input is what the host gets. It is here because it would be on the heap anyway.
	input wasmhost.Input
}

// Pair is a name and a text of a query string or form.
type Pair = wasmhost.Pair

// Answer is a successful execution.
type Answer struct {
	// Status is 200, or what the script asked for.
	Status int
	// JSON is the whole document; Result, Variables and Logs are the members' values
	// in it. Variables is empty when no echo was asked for.
	JSON, Result, Variables, Logs []byte
	// Script is the SHA-256 of the source in hexadecimal.
	Script string
	Usage  diag.Usage
	// CompileTime is what compiling took; CacheHit tells that it was done
	// before this request.
	CompileTime time.Duration
	CacheHit    bool
}

// Run executes a script. The error is a diag.List for a script that does not
// compile, an *ArtifactError for an artifact that is none, and a *diag.Failure
// for everything else.
func (e *Engine) Run(ctx context.Context, r *Request) (*Answer, error) {
	return e.execute(ctx, r, Limits{}, func() (found, error) { return e.fromSource(ctx, r) })
}

// RunArtifact executes a compiled script; the request's source counts for
// nothing. The artifact must come from this project's compiler, which the
// caller has to make sure of: its metering is what keeps a run within its
// limits.
func (e *Engine) RunArtifact(ctx context.Context, wasm []byte, r *Request) (*Answer, error) {
	k := key{digest: sha256.Sum256(wasm), artifact: true}
	return e.execute(ctx, r, Limits{}, func() (found, error) {
		return e.cache.get(ctx, r.Client, k, func() work {
			wasm := bytes.Clone(wasm)
			return work{compile: func(func()) (*wasmhost.Module, diag.List, error) { return e.load(wasm) }}
		})
	})
}

// RunForeign executes a module that anyone may have made: it is admitted or
// refused, with findings, and metered.
func (e *Engine) RunForeign(ctx context.Context, wasm []byte, r *Request) (*Answer, error) {
	k := key{digest: sha256.Sum256(wasm), artifact: true, foreign: true}
	return e.execute(ctx, r, Limits{}, func() (found, error) {
		return e.cache.get(ctx, r.Client, k, func() work {
			wasm := bytes.Clone(wasm)
			return work{compile: func(func()) (*wasmhost.Module, diag.List, error) { return e.loadForeign(wasm) }}
		})
	})
}

func emptyScript() diag.Diagnostic {
	return diag.New(diag.EmptyScript, diag.Span{}, "Script cannot be empty")
}

func shuttingDown() error {
	return diag.NewFailure(diag.NoCapacity, "no capacity: the server is shutting down")
}

func (e *Engine) checkSize(text string) error {
	if limit := e.bounds.Load().sourceBytes; len(text) > limit {
		return diag.NewFailure(diag.SourceTooLarge, "the script has %d bytes; the limit is %d", len(text), limit)
	}
	return nil
}

// ArtifactError says why an artifact cannot be run at all.
type ArtifactError struct{ Err error }

func (e *ArtifactError) Error() string { return "artifact: " + e.Err.Error() }

// Unwrap gives the reason.
func (e *ArtifactError) Unwrap() error { return e.Err }

// load makes a module of an artifact.
func (e *Engine) load(wasm []byte) (*wasmhost.Module, diag.List, error) {
	manifest, err := wasmhost.ReadManifest(wasm)
	if err != nil {
		return nil, nil, &ArtifactError{err}
	}
	m, err := e.host.Load(wasm, manifest)
	if err != nil {
		return nil, nil, &ArtifactError{err}
	}
	return m, nil, nil
}

// loadForeign makes a module of an artifact that is not trusted.
func (e *Engine) loadForeign(wasm []byte) (*wasmhost.Module, diag.List, error) {
	b, manifest, err := admit.Module(wasm, validate.Default)
	if finding, ok := errors.AsType[diag.Diagnostic](err); ok {
		return nil, diag.List{finding}, nil
	}
	if err != nil {
		return nil, nil, &ArtifactError{err}
	}
	m, err := e.host.LoadForeign(b, manifest, validate.Default)
	if refused, ok := errors.AsType[*wasmformat.Error](err); ok && refused.Reason == wasmformat.TooLarge {
		return nil, diag.List{diag.New(diag.ModuleLimit, diag.Span{}, "metered: %s", refused.Message)}, nil
	}
	if err != nil {
		return nil, nil, &ArtifactError{err}
	}
	return m, nil, nil
}

func (e *Engine) execute(ctx context.Context, r *Request, ceiling Limits, find func() (found, error)) (*Answer, error) {
	held := e.enter()
	if held == nil {
		return nil, shuttingDown()
	}
	defer e.leave(held)
	limits, failure := e.bounds.Load().resolve(r.Limits, r.MaxLimits)
	if failure != nil {
		return nil, failure
	}
	f, err := find()
	switch {
	case err != nil:
		return nil, findFailure(ctx, err)
	case f.module == nil:
		return nil, f.findings
	}
	defer f.module.Release()
	if r.Capabilities != nil {
		*r.Capabilities = f.module.Manifest.Capabilities
	}
	limits = cut(limits, ceiling)
	if f.module.IsTrial() {
		return e.runTrial(ctx, f, r, limits)
	}
	return orFailure(e.run(ctx, f, r, limits))
}

// orFailure keeps a failure that is nil from becoming an error that is not.
func orFailure(answer *Answer, failure *diag.Failure) (*Answer, error) {
	if failure != nil {
		return nil, failure
	}
	return answer, nil
}

// findFailure words why a script could not be compiled, other than for its
// own faults.
func findFailure(ctx context.Context, err error) error {
	var failure *diag.Failure
	var artifact *ArtifactError
	var fetch *FetchError
	switch {
	case errors.As(err, &fetch):
		return fetch
	case errors.As(err, &failure):
		return failure
	case errors.As(err, &artifact):
		return artifact
	case errors.Is(err, errClientCompiles), errors.Is(err, fairqueue.ErrClientFull):
		failure = diag.NewFailure(diag.TooManyRequests, "too many requests at once: %v", err)
	case errors.Is(err, errTooManyCompiles), errors.Is(err, errCompileLate), errors.Is(err, fairqueue.ErrFull):
		failure = diag.NewFailure(diag.NoCapacity, "no capacity: %v", err)
	case ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx))):
		failure = diag.NewFailure(diag.Cancelled, "cancelled: %v", context.Cause(ctx))
		err = context.Cause(ctx)
	default:
		failure = diag.NewFailure(diag.Internal, "internal error")
	}
	failure.Cause = err
	return failure
}

// fromSource finds or makes the module of a request's source.
func (e *Engine) fromSource(ctx context.Context, r *Request) (found, error) {
	if r.Source == "" {
		return found{findings: diag.List{emptyScript()}}, nil
	}
	if err := e.checkSize(r.Source); err != nil {
		return found{}, err
	}
	if r.Load != nil {
		return e.fromSources(ctx, r)
	}
	text := unsafe.Slice(unsafe.StringData(r.Source), len(r.Source)) // only read
	k := key{digest: sha256.Sum256(text), file: r.File, logs: r.Logs}
	if e.config.TrialFuel > 0 {
		return e.findFirst(ctx, k, r)
	}
	return e.cache.get(ctx, r.Client, k, func() work {
		return work{compile: e.compiling(e.source(r))}
	})
}

// fromSources makes the module of a source that can import others.
func (e *Engine) fromSources(ctx context.Context, r *Request) (f found, err error) {
	source := &Source{File: r.File, Text: r.Source, Logs: r.Logs, Load: r.Load}
	if queued := e.cache.work(ctx, r.Client, func(giveWay func()) { f, err = e.make(source, giveWay) }); queued != nil {
		return found{}, queued
	}
	return f, err
}

// source copies what is to be compiled: that may outlast the request and the
// buffer its text lies in. What goes into quarantine is known by its module, so
// there a manifest must be part of that.
func (e *Engine) source(r *Request) *Source {
	return &Source{File: strings.Clone(r.File), Text: strings.Clone(r.Source), Logs: r.Logs, detached: e.shadow == nil}
}

// make compiles a script that the cache will not hold.
func (e *Engine) make(source *Source, giveWay func()) (f found, err error) {
	began := time.Now()
	f.module, f.findings, err = e.compiling(source).guarded(giveWay)
	f.took = time.Since(began)
	e.cache.made(f.module, f.took)
	return f, err
}

// compiling makes the machine code of a source.
func (e *Engine) compiling(source *Source) compileFunc {
	return func(giveWay func()) (*wasmhost.Module, diag.List, error) {
		artifact, findings, err := guardedCompile(e.config.Compiler, source, giveWay)
		if artifact == nil || err != nil {
			return nil, findings, err
		}
		m, err := e.host.Load(artifact.Wasm, artifact.Manifest)
		return m, findings, err
	}
}

// Check finds what is wrong with a script without running it. It takes its turn
// among the compiles, for the client. The error is a *diag.Failure.
func (e *Engine) Check(ctx context.Context, client string, source *Source) (findings diag.List, err error) {
	if err := e.checkSize(source.Text); err != nil {
		return nil, err
	}
	err = e.cache.work(ctx, client, func(giveWay func()) {
		defer func() {
			if r := recover(); r != nil {
				findings = diag.List{diag.New(diag.Internal, diag.Span{}, "internal error")}
			}
		}()
		source.giveWay = giveWay
		findings = e.config.Compiler.Check(source)
	})
	if err != nil {
		return nil, findFailure(ctx, err)
	}
	return findings, nil
}

// Compile makes an artifact, or says in the findings why there is none. It takes
// its turn among the compiles, for the client.
func (e *Engine) Compile(ctx context.Context, client string, source *Source) (artifact *Artifact, findings diag.List, err error) {
	if err := e.checkSize(source.Text); err != nil {
		return nil, nil, err
	}
	late := e.cache.work(ctx, client, func(giveWay func()) {
		artifact, findings, err = guardedCompile(e.config.Compiler, source, giveWay)
	})
	if late != nil {
		return nil, nil, findFailure(ctx, late)
	}
	return artifact, findings, err
}

func (e *Engine) run(ctx context.Context, f found, r *Request, limits Limits) (*Answer, *diag.Failure) {
	answer := r.Into
	if answer == nil {
		answer = new(Answer)
	}
	r.input = wasmhost.Input{
		Client:    r.Client,
		Variables: r.Variables, Body: r.Body, Path: r.Path, Query: r.Query, Form: r.Form,
		EchoVariables: r.EchoVariables, Endpoint: r.endpoint, Registered: e.registered(f.module, r),
	}
	out, usage, failure := e.runOnHost(ctx, f.module, &r.input, limits, answer.JSON[:0])
	if failure != nil {
		suggest(failure, f.findings)
		return nil, failure
	}
	document := out.JSON
	*answer = Answer{
		Status: out.Status, JSON: document, Result: out.Result.Of(document),
		Variables: out.Variables.Of(document), Logs: out.Logs.Of(document),
		Script: f.module.Manifest.SourceSHA256, Usage: usage, CompileTime: f.took, CacheHit: f.hit,
	}
	return answer, nil
}

// runOnHost runs a module, on the interpreter if it is in quarantine, and has a
// share of the executions repeated there.
func (e *Engine) runOnHost(ctx context.Context, m *wasmhost.Module, in *wasmhost.Input, limits Limits, dst []byte) (wasmhost.Output, diag.Usage, *diag.Failure) {
	if e.shadow == nil || m.IsTrial() {
		return e.host.Run(ctx, m, in, limits, dst)
	}
	if other, instead := e.shadow.instead(m); other != nil {
		return other.Run(ctx, instead, in, limits, dst)
	}
	if !e.shadow.chosen(m) {
		return e.host.Run(ctx, m, in, limits, dst)
	}
	// What depends on the seed must be the same both times.
	in.HashSeed = max(1, rand.Uint64()) //nolint:gosec // the runtime's generator is ChaCha8
	out, usage, failure := e.host.Run(ctx, m, in, limits, dst)
	e.shadow.repeat(m, in, limits, &out, usage, failure)
	return out, usage, failure
}

// suggest adds what the compiler had to suggest for a name that it did not know either, but that is an error only where
// the run reaches it.
func suggest(failure *diag.Failure, findings diag.List) {
	for _, d := range findings {
		if d.Suggestion != "" && d.Message == failure.Message {
			failure.Suggestion = d.Suggestion
			return
		}
	}
}

// Crowd tells how many executions compute at once, and how long all that there were
// have waited for turns to.
func (e *Engine) Crowd() (slots int, waited time.Duration) {
	return e.config.ComputeSlots, e.gate.Waited()
}

// Stats is a look at the engine, for metrics.
type Stats struct {
	Running, Queued int
	Slots           fairqueue.Stats
	// MemoryBytes is what all executions have together, MemoryLimitBytes what
	// they may have.
	MemoryBytes, MemoryLimitBytes int64
	Cache                         CacheStats
	Trials                        TrialStats
	Shadow                        ShadowStats
}

// Stats counts what is going on.
func (e *Engine) Stats() Stats {
	s := Stats{
		Running: e.running.count(), Slots: e.gate.Stats(),
		Cache: e.cache.stats(), Trials: e.trials.stats(), Shadow: e.shadow.stats(),
	}
	s.Queued = s.Slots.Waiting
	s.MemoryBytes, s.MemoryLimitBytes = e.host.Memory()
	return s
}

// DataPool is how the connections to the PostgreSQL database of scripts are. It
// is false when there is none, or nobody has used it since the engine was adjusted.
func (e *Engine) DataPool() (datasource.PoolStats, bool) {
	return e.reach.Load().set.DataPool() // which a set that is closed meanwhile can tell, too
}

// enter counts an execution in and gives what it holds until it leaves; nil when the
// engine is closing.
func (e *Engine) enter() *reach {
	if !e.running.enter() {
		return nil
	}
	return e.holdReach()
}

func (e *Engine) leave(held *reach) {
	e.dropReach(held)
	e.running.leave()
}

// Close lets running executions finish, until ctx ends: then it cancels them.
// It returns when nothing runs any more. Further requests are refused.
func (e *Engine) Close(ctx context.Context) error {
	e.changing.Lock()
	closing := e.running.close()
	e.changing.Unlock()
	if !closing {
		return errors.New("engine: closed twice")
	}
	select {
	case <-e.running.none:
	case <-ctx.Done():
		e.host.CancelAll()
		e.shadow.cancel()
		<-e.running.none
	}
	e.cache.close()
	e.retiring.Wait()
	return errors.Join(e.shadow.close(), e.host.Close(), e.reach.Load().set.Close())
}
