package engine

import (
	"context"
	"crypto/sha256"
	"errors"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/fairqueue"
	"github.com/avapd/avapd/internal/tracing"
	"github.com/avapd/avapd/wasmhost"
)

// key names a compiled script. Compiler, ABI and catalogue are the process's
// own and the same for all entries.
type key struct {
	digest   [sha256.Size]byte
	file     string
	logs     bool
	artifact bool // the digest is an artifact's, not a source's
	foreign  bool // an artifact that anyone may have made
	// trial is set for what is made before the machine code, unless that is made
	// at once.
	trial bool
}

// of is the key of the same script's trial, or machine code.
func (k key) of(trial bool) key {
	k.trial = trial
	return k
}

// entry is a script that is compiled or being compiled.
type entry struct {
	key  key
	done chan struct{} // closed when the rest is known

	module   *wasmhost.Module // nil when the script does not compile
	findings diag.List
	err      error
	took     time.Duration
	// paid is what the runs of a trial have cost.
	paid atomic.Int64
	// uses counts those since the order of the cache was told, and usedBefore is the
	// entry that was first used before; both belong to ready.
	uses       atomic.Int32
	usedBefore *entry

	// The following belong to the cache and are guarded by its lock.
	kept    bool // neither compiling nor evicted
	ended   bool // done is closed
	wanted  int  // who waits for the compile to end; one more if nobody asked for it
	unasked bool
	started bool // no longer waits for a worker
	abandon context.CancelFunc
	bytes   int64
	expires time.Time // zero: never
	ahead   bool      // compiled before anyone asked for it, and nobody is known to have
	changed time.Time // of what is compiled ahead
	listed  bool      // in the cache's list of that
}

const (
	// failureLifetime is how long it is remembered that a script does not
	// compile: long enough to answer a client that insists.
	failureLifetime = 5 * time.Second
	// fetchFailureLifetime is how long it is remembered that an artifact cannot
	// be had, which may be over any moment.
	fetchFailureLifetime = 500 * time.Millisecond

	// A compiled script takes about entryBytes, and bytesPerCode for every
	// byte of its module. Both were measured.
	entryBytes   = 12 << 10
	bytesPerCode = 6
	findingBytes = 512
)

// Why a script was not compiled, other than for its own faults.
var (
	errTooManyCompiles = errors.New("too many scripts wait to be compiled")
	errClientCompiles  = errors.New("too many scripts of this client wait to be compiled")
	errCompileLate     = errors.New("the script waited too long to be compiled")
	errAbandoned       = errors.New("nobody waits for the script any more")
)

// queueTime is how long a script waits for its compile to begin: longer than
// that, its client has other things to do.
const queueTime = 10 * time.Second

// place is where an entry stands among those that are kept. A trial and the
// machine code that takes its place have the same, so that how often the one was
// wanted counts for the other.
type place struct {
	key    key // not a trial's
	failed bool
}

func (e *entry) place() place { return place{e.key.of(false), e.module == nil} }

// cache holds compiled scripts. When they take too much memory, those go that
// are rarely wanted: how often each is, is counted, also for those that were not
// kept, so that scripts that come once do not drive out those that come always.
//
// Every script is compiled once however many ask for it at the same time. A
// compile that has begun goes on to its end even if all who asked are gone; one
// that has not is given up.
type cache struct {
	// maxPending bounds the scripts that wait to be compiled, maxClient those of
	// one client.
	maxPending, maxClient int
	// gate has the compute slots, in which quick work is done.
	gate *fairqueue.Slots
	// workers go round the clients; none has them all.
	workers *fairqueue.Slots
	threads *background
	now     func() time.Time
	running sync.WaitGroup
	// queueTime is queueTime, but for tests.
	queueTime time.Duration
	// compiled is told about every module that was made.
	compiled func(trial bool, took time.Duration)
	// hits and misses count look-ups.
	hits, misses atomic.Int64

	// ready finds what is kept and has a module, without the lock.
	ready ready

	mu      sync.Mutex
	entries map[key]*entry // compiling or kept
	// order decides which entries are kept. It is used under the lock only, and
	// then does its work at once, on the goroutine that calls it.
	order *otter.Cache[place, *entry]
	count int // of what is kept
	bytes int64
	// maxBytes is for what is kept and for what others keep, which is reserved.
	maxBytes, reserved int64
	// ahead was compiled before anyone asked for it, what changed first before the
	// others, and may have so many bytes until somebody does.
	ahead      []*entry
	aheadBytes int64
	pending    int
	// evictions counts what was dropped for others.
	evictions int64
	// byClient counts what is pending.
	byClient map[string]int
}

func newCache(gate *fairqueue.Slots, maxBytes int64, workers, maxPending, maxClient int) *cache {
	c := &cache{
		gate: gate, maxBytes: max(1, maxBytes), ready: newReady(maxBytes / entryBytes),
		maxPending: maxPending, maxClient: maxClient, now: time.Now, queueTime: queueTime,
		workers: fairqueue.New(fairqueue.Limits{Slots: workers, ClientSlots: max(1, workers-1)}),
		threads: newBackground(workers, func() bool { return gate.Free() == 0 }),
		entries: make(map[key]*entry), byClient: make(map[string]int),
	}
	c.order = otter.Must(&otter.Options[place, *entry]{
		MaximumWeight: uint64(c.maxBytes),
		Weigher:       func(_ place, e *entry) uint32 { return uint32(min(e.bytes, math.MaxUint32)) },
		OnAtomicDeletion: func(gone otter.DeletionEvent[place, *entry]) {
			if gone.WasEvicted() {
				c.evictions++
			}
			c.drop(gone.Value)
		},
		Executor: func(work func()) { work() },
	})
	return c
}

// work makes the module of an entry. It goes on when whoever asked for it may be
// gone.
type work struct {
	// fetch, if there is one, gets what is compiled. It takes none of the workers.
	fetch   func(context.Context) error
	compile compileFunc
	// quick, if there is one, takes no longer than a turn of computing, and is one:
	// whoever asks for the entry does it in a compute slot. Where it makes no module
	// and finds no fault, compile goes on from there.
	quick compileFunc
	// span is of whoever was the first to ask.
	span *tracing.Span
}

// compileFunc makes a module. It calls giveWay, if there is one, as often as it can
// leave off.
type compileFunc func(giveWay func()) (*wasmhost.Module, diag.List, error)

// guarded makes the module, and catches the panics of the gate, the injector and
// the runtime: nobody would on a goroutine of the cache.
func (f compileFunc) guarded(giveWay func()) (m *wasmhost.Module, findings diag.List, err error) {
	defer caught("the loader", &err)
	return f(giveWay)
}

// found is a look-up's answer. The module is retained for the caller, who
// must release it.
type found struct {
	module   *wasmhost.Module
	findings diag.List
	took     time.Duration
	hit      bool
	// trialOf is the key of the machine code, where the module is a trial, and paid
	// what its runs have cost.
	trialOf key
	paid    *atomic.Int64
}

// lookedUp counts a look-up.
func (c *cache) lookedUp(hit bool) {
	if hit {
		c.hits.Add(1)
	} else {
		c.misses.Add(1)
	}
}

// get finds a script or has it compiled; prepare is called before get returns
// if it has to be. Compiling counts for the client.
func (c *cache) get(ctx context.Context, client string, k key, prepare func() work) (found, error) {
	if f, ok := c.hit(k); ok {
		return f, nil
	}
	e, job, err := c.lookUp(client, k, prepare)
	if err != nil {
		return found{}, err
	}
	if job != nil {
		job.span = tracing.From(ctx)
		if err := c.do(ctx, client, e, job); err != nil {
			return found{}, err
		}
	}
	hit := false
	select {
	case <-e.done:
		hit = job == nil
		c.lookedUp(hit)
	default:
		c.lookedUp(false)
		select {
		case <-e.done:
		case <-ctx.Done():
			c.leave(e)
			return found{}, ctx.Err()
		}
	}
	return e.found(hit), e.err
}

// hit finds a module that is compiled, for a trial the machine code if there is
// that. It takes no lock.
func (c *cache) hit(k key) (found, bool) {
	var e *entry
	if k.trial {
		code := k.of(false)
		e = c.ready.take(&code)
	}
	if e == nil {
		e = c.ready.take(&k)
	}
	if e == nil {
		return found{}, false
	}
	c.lookedUp(true)
	return e.found(true), true
}

// found is the answer to who asked for an entry that is done.
func (e *entry) found(hit bool) found {
	return found{module: e.module, findings: e.findings, took: e.took, hit: hit, paid: &e.paid}
}

// begin has a script compiled that nobody waits for. When there is no room for
// that now, or it fails, a later request will begin it.
func (c *cache) begin(client string, k key, prepare func() work) {
	c.mu.Lock()
	var e *entry
	var job *work
	if c.present(k) == nil {
		if e, job, _ = c.add(client, k, prepare); e != nil {
			e.unasked = true
		}
	}
	c.mu.Unlock()
	switch {
	case job == nil:
	case job.quick == nil:
		c.doBehind(client, e, job, time.Now())
	default:
		c.running.Go(func() {
			waiting, cancel := context.WithTimeoutCause(context.Background(), c.queueTime, errCompileLate)
			defer cancel()
			_ = c.do(waiting, client, e, job) // if its turn does not come, a later request will try
		})
	}
}

// lookUp gives the entry of a key, and for a trial that of the machine code if
// that is there; its module is retained for the caller, now or when it is made. A
// new entry comes with what the caller must have done.
func (c *cache) lookUp(client string, k key, prepare func() work) (*entry, *work, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k.trial {
		if code := c.entries[k.of(false)]; code != nil && code.kept && code.module != nil {
			k = code.key
		}
	}
	e := c.present(k)
	switch {
	case e == nil:
		return c.add(client, k, prepare)
	case e.kept:
		c.use(e)
	default:
		e.wanted++
	}
	return e, nil, nil
}

// present is the entry of a key. A failure that is no longer remembered is forgotten.
func (c *cache) present(k key) *entry {
	e := c.entries[k]
	if e != nil && !e.expires.IsZero() && !c.now().Before(e.expires) {
		c.order.Invalidate(e.place())
		return nil
	}
	return e
}

// add makes an entry, unless too many wait for their compile.
func (c *cache) add(client string, k key, prepare func() work) (*entry, *work, error) {
	if c.pending >= c.maxPending {
		return nil, nil, errTooManyCompiles
	}
	if c.byClient[client] >= c.maxClient {
		return nil, nil, errClientCompiles
	}
	c.pending++
	c.byClient[client]++
	k.file = strings.Clone(k.file)
	job := prepare()
	e := &entry{key: k, done: make(chan struct{}), wanted: 1, abandon: func() {}}
	c.entries[k] = e
	return e, &job, nil
}

// do has an entry made: what is quick by the caller in its turn to compute, the
// rest behind its back. The error is why the turn did not come.
func (c *cache) do(ctx context.Context, client string, e *entry, job *work) error {
	began := time.Now()
	if job.quick != nil {
		made := false
		err := c.gate.Do(ctx, client, func() {
			began = time.Now()
			c.load(e, job.quick, nil, job.span)
			made = e.module != nil || e.err != nil || e.findings.HasErrors()
		})
		if c.gate.Waiting() > 0 {
			wasmhost.YieldThread()
		}
		if made {
			c.finish(client, e, began)
			return nil
		}
		if err != nil && c.giveUp(client, e, err) {
			return err
		}
		c.doBehind(client, e, job, began)
		return err
	}
	c.doBehind(client, e, job, began)
	return nil
}

// giveUp tells that the turn of whoever would make an entry did not come. Unless
// others wait for the entry, it is the end of it.
func (c *cache) giveUp(client string, e *entry, err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.wanted--; e.wanted > 0 {
		return false
	}
	delete(c.entries, e.key)
	c.uncount(client)
	e.err = err
	e.end()
	return true
}

// doBehind has an entry made on a thread of low priority.
func (c *cache) doBehind(client string, e *entry, job *work, began time.Time) {
	waiting, abandon := context.WithTimeoutCause(context.Background(), c.queueTime, errCompileLate)
	c.mu.Lock()
	e.abandon = abandon
	c.mu.Unlock()
	c.running.Go(func() {
		defer abandon()
		if job.fetch != nil && !c.fetch(tracing.With(waiting, job.span), client, e, job.fetch) {
			return
		}
		if c.start(waiting, client, e) {
			c.threads.run(func(giveWay func()) { c.load(e, job.compile, giveWay, job.span) })
			c.workers.Leave(client)
			c.finish(client, e, began)
		}
	})
}

// leave tells that somebody does not wait for an entry any more. The last one
// gives it up, unless its compile has begun.
func (c *cache) leave(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.ended { // just now
		if e.module != nil {
			e.module.Release()
		}
		return
	}
	if e.wanted--; e.wanted == 0 && !e.started && c.entries[e.key] == e {
		delete(c.entries, e.key)
		e.abandon()
	}
}

// start waits for a worker and tells whether the entry is still wanted then.
func (c *cache) start(waiting context.Context, client string, e *entry) bool {
	err := c.workers.Wait(waiting, fairqueue.NewWaiter(client))
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil && c.entries[e.key] == e {
		e.started = true
		return true
	}
	if err == nil {
		c.workers.Leave(client)
		err = errAbandoned
	}
	if c.entries[e.key] == e {
		delete(c.entries, e.key)
	}
	e.err = err
	c.uncount(client)
	e.end()
	return false
}

// uncount counts a compile out.
func (c *cache) uncount(client string) {
	c.pending--
	if c.byClient[client]--; c.byClient[client] == 0 {
		delete(c.byClient, client)
	}
}

// share gives each of those who wait a reference to the module, so that nobody
// waits in vain for one that is not kept.
func (e *entry) share() {
	if e.unasked {
		e.wanted--
	}
	for range e.wanted {
		e.module.Retain()
	}
}

// end tells those who wait.
func (e *entry) end() {
	e.ended = true
	close(e.done)
}

// use counts a use of an entry that is kept, and retains its module.
func (c *cache) use(e *entry) {
	if e.module != nil {
		e.module.Retain()
	}
	e.ahead = false
	c.order.GetIfPresent(e.place())
}

// tellUses tells the order about the uses that took no lock, before it decides what
// to drop.
func (c *cache) tellUses() {
	c.ready.drain(func(e *entry, times int32) {
		e.ahead = false
		for range min(times, mostUses) {
			c.order.GetIfPresent(e.place())
		}
	})
}

// finish ends the work on an entry, which began at a time.
func (c *cache) finish(client string, e *entry, began time.Time) {
	e.took = time.Since(began)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.uncount(client)
	e.bytes = int64(len(e.findings)) * findingBytes
	if e.module != nil {
		e.share()
		e.bytes += moduleBytes(e.module)
	} else {
		e.bytes += entryBytes
		e.expires = c.now().Add(failureLifetime)
	}
	c.keep(e)
	e.end() // who is told finds it
}

// load makes the module of an entry.
func (c *cache) load(e *entry, compile compileFunc, giveWay func(), span *tracing.Span) {
	began := time.Now()
	span = span.Child("avap.compile", tracing.Internal)
	e.module, e.findings, e.err = compile.guarded(giveWay)
	endCompile(span, e)
	c.made(e.module, time.Since(began))
}

// endCompile says in a span what was made. Faults of a script are no failure of
// compiling it.
func endCompile(span *tracing.Span, e *entry) {
	if span == nil {
		return
	}
	if m := e.module; m != nil {
		tier := tracing.TierCode
		if m.IsTrial() {
			tier = tracing.TierTrial
		}
		span.Text(tracing.Tier, tier)
		span.Text(tracing.ScriptDigest, m.Manifest.SourceSHA256)
	}
	span.FailWith(e.err)
	span.End()
}

// made tells about a module, unless there is none.
func (c *cache) made(m *wasmhost.Module, took time.Duration) {
	if m != nil && c.compiled != nil {
		c.compiled(m.IsTrial(), took)
	}
}

// keep makes an entry one that can be found, unless others are wanted more. The
// machine code of a script takes its trial's place.
func (c *cache) keep(e *entry) {
	e.kept = true
	c.count++
	c.bytes += e.bytes
	if code := c.entries[e.key.of(false)]; e.key.trial && code != nil && code.kept && code.module != nil {
		c.drop(e) // it comes too late
		return
	}
	c.tellUses()
	if !c.makeRoom(e) {
		c.drop(e)
		return
	}
	if e.module != nil {
		c.ready.put(e)
	}
	c.order.Set(e.place(), e)
	c.order.CleanUp()
}

// drop forgets an entry that was kept. Its code lives on while an execution
// holds it.
func (c *cache) drop(e *entry) {
	e.kept = false
	c.unlist(e)
	c.count--
	c.bytes -= e.bytes
	delete(c.entries, e.key)
	if e.module != nil {
		c.ready.remove(e)
		e.module.Release()
	}
}

// fetch gets what an entry is compiled from. That it failed is remembered for a
// moment, unless nobody wanted it any more.
func (c *cache) fetch(waiting context.Context, client string, e *entry, fetch func(context.Context) error) bool {
	waiting, span := tracing.Begin(waiting, "avap.fetch", tracing.Internal)
	err := fetch(waiting)
	span.FailWith(err)
	span.End()
	if err == nil {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.uncount(client)
	e.err, e.bytes = err, entryBytes
	e.expires = c.now().Add(fetchFailureLifetime)
	e.end()
	if c.entries[e.key] == e {
		c.keep(e)
	}
	return false
}

// work runs what the cache will not hold, a compile or a check, on one of the
// workers.
func (c *cache) work(ctx context.Context, client string, do func(giveWay func())) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.queueTime, errCompileLate)
	defer cancel()
	if err := c.workers.Wait(ctx, fairqueue.NewWaiter(client)); err != nil {
		return err //nolint:wrapcheck // a context's cause
	}
	defer c.workers.Leave(client)
	c.threads.run(do)
	return nil
}

// reserve leaves less for what the cache keeps, or more again if bytes is
// negative. More than half of all is not to be had.
func (c *cache) reserve(bytes int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if bytes > 0 && c.reserved+bytes > c.maxBytes/2 {
		return false
	}
	c.reserved += bytes
	c.tellUses()
	c.yieldAhead()
	c.order.SetMaximum(uint64(c.maxBytes - c.reserved))
	return true
}

// moduleBytes is about what a compiled script takes.
func moduleBytes(m *wasmhost.Module) int64 { return artifactBytes(m.CodeBytes) }

// artifactBytes is about what a compiled artifact of a size takes.
func artifactBytes(size int) int64 { return entryBytes + int64(size)*bytesPerCode }

// close waits for compiles under way and forgets everything.
func (c *cache) close() {
	c.running.Wait()
	c.threads.close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tellUses()
	c.order.InvalidateAll()
}

// CacheStats is what the cache holds.
type CacheStats struct {
	Scripts, Pending int
	Bytes            int64
	// Hits and Misses count look-ups, Evictions what was dropped for others.
	Hits, Misses, Evictions int64
}

func (c *cache) stats() CacheStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return CacheStats{
		Scripts: c.count, Pending: c.pending, Bytes: c.bytes,
		Hits: c.hits.Load(), Misses: c.misses.Load(), Evictions: c.evictions,
	}
}
