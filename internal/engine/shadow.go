package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/maphash"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/runtime/abi"
	"github.com/avapd/avapd/wasmhost"
)

const (
	// shadowQueue is how many executions wait to be repeated at most, shadowInput
	// how much input one of them may have.
	shadowQueue = 16
	shadowInput = 1 << 20
	// An execution that took more than this is not repeated: the interpreter is
	// some sixty times slower.
	shadowFuel  = 50_000_000
	shadowPages = 1024
	// shadowTime is how long a repetition may take, waits for a slot that no
	// client wants apart.
	shadowTime = 30 * time.Second
	// maxQuarantined bounds the artifacts in quarantine. Where there are more it
	// is not the artifacts that are wrong.
	maxQuarantined = 1000
	perMillion     = 1_000_000
)

// otherHost is the other engine that executions are repeated on.
type otherHost interface {
	LoadAgain(m *wasmhost.Module) (*wasmhost.Module, error)
	Run(ctx context.Context, m *wasmhost.Module, in *wasmhost.Input, limits Limits, dst []byte) (wasmhost.Output, diag.Usage, *diag.Failure)
	CancelAll()
	Close() error
}

// Interface guard.
var _ otherHost = (*wasmhost.Host)(nil)

// shadow repeats a share of the executions on the interpreter when they have
// been answered, and compares. An artifact whose executions differ goes into
// quarantine: from then on the interpreter runs it.
//
// Only what depends on nothing but its input is repeated: executions of scripts
// that import no command, start no children and do not log times.
type shadow struct {
	runsPerMillion int
	log            *slog.Logger
	// open makes the other engine when it is needed first.
	open  func() (otherHost, error)
	once  sync.Once
	other otherHost
	jobs  chan *shadowJob
	// pending counts what is in the queue or at work.
	pending sync.WaitGroup
	ended   chan struct{}
	stop    context.CancelFunc

	runs, mismatches, inconclusive, dropped atomic.Int64

	// quarantined mirrors the size of the quarantine, for a look without the lock.
	quarantined atomic.Int64
	mu          sync.RWMutex
	quarantine  map[[sha256.Size]byte]*wasmhost.Module
}

// ShadowStats counts what became of executions that were to be repeated.
type ShadowStats struct {
	// Runs were compared; Mismatches are those that differed, and those whose
	// artifact the interpreter refused. Inconclusive ones came to no comparable
	// end, and Dropped ones were not begun: too large, or too many at once.
	Runs, Mismatches, Inconclusive, Dropped int64
	// Quarantined is how many artifacts run on the interpreter.
	Quarantined int64
}

func newShadow(runsPerMillion int, log *slog.Logger, open func() (otherHost, error)) *shadow {
	if runsPerMillion <= 0 {
		return nil
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &shadow{
		runsPerMillion: runsPerMillion, log: log, open: open, stop: stop,
		jobs: make(chan *shadowJob, shadowQueue), ended: make(chan struct{}),
		quarantine: make(map[[sha256.Size]byte]*wasmhost.Module),
	}
	go s.work(ctx)
	return s
}

// chosen decides whether an execution of a module is to be repeated: that must
// need nothing of the host but fuel.
func (s *shadow) chosen(m *wasmhost.Module) bool {
	if rand.IntN(perMillion) >= s.runsPerMillion { //nolint:gosec // a sample need not be secret
		return false
	}
	for _, field := range m.Manifest.Imports {
		if field != abi.RefuelField {
			return false
		}
	}
	return len(m.Manifest.Tasks) == 0 && !m.Manifest.Logs
}

// instead gives what runs an artifact in quarantine, or nil.
func (s *shadow) instead(m *wasmhost.Module) (otherHost, *wasmhost.Module) {
	if s.quarantined.Load() == 0 {
		return nil, nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if other := s.quarantine[m.Digest]; other != nil {
		return s.other, other
	}
	return nil, nil
}

// shadowJob is an execution to be repeated.
type shadowJob struct {
	module *wasmhost.Module // retained
	input  wasmhost.Input
	limits Limits
	want   shadowEnd
}

// shadowEnd is how an execution ended, without what it said.
type shadowEnd struct {
	Result, Variables, Log uint64 // digests
	Status                 int
	Failure, Position      string
	Fuel                   int64
}

var shadowSeed = maphash.MakeSeed()

func endOf(out *wasmhost.Output, usage diag.Usage, failure *diag.Failure) shadowEnd {
	end := shadowEnd{Fuel: usage.FuelUsed}
	if failure != nil {
		end.Failure = string(failure.Code) + " " + failure.Message
		end.Position = fmt.Sprint(failure.Span, failure.Stack, failure.StackOmitted)
		return end
	}
	digest := func(s wasmhost.Span) uint64 { return maphash.Bytes(shadowSeed, s.Of(out.JSON)) }
	end.Status, end.Result, end.Variables, end.Log = out.Status, digest(out.Result), digest(out.Variables), digest(out.Logs)
	if len(out.Result.Of(out.JSON)) == 0 { // an endpoint's document is all there is
		end.Result = maphash.Bytes(shadowSeed, out.JSON)
	}
	return end
}

// differences names the members in which two ends differ.
func (e shadowEnd) differences(other shadowEnd) []string {
	var names []string
	a, b := reflect.ValueOf(e), reflect.ValueOf(other)
	for i := range a.NumField() {
		if !a.Field(i).Equal(b.Field(i)) {
			names = append(names, strings.ToLower(a.Type().Field(i).Name))
		}
	}
	return names
}

// comparableEnd tells whether a failure depends on the input alone. The depth at
// which native stacks end is the engine's own.
func comparableEnd(failure *diag.Failure) bool {
	if failure == nil {
		return true
	}
	switch failure.Code {
	case diag.Cancelled, diag.DeadlineReached, diag.Overloaded, diag.NoCapacity, diag.TooManyRequests, diag.MemoryBusy, diag.RecursionLimit:
		return false
	}
	return true
}

// repeat has an execution repeated that just ended. It never waits.
func (s *shadow) repeat(m *wasmhost.Module, in *wasmhost.Input, limits Limits, out *wasmhost.Output, usage diag.Usage, failure *diag.Failure) {
	if !comparableEnd(failure) {
		return
	}
	size := len(in.Variables) + len(in.Body)
	for _, pairs := range [][]Pair{in.Path, in.Query, in.Form} {
		for _, p := range pairs {
			size += len(p.Name) + len(p.Value)
		}
	}
	if size > shadowInput || usage.FuelUsed > shadowFuel || usage.MemoryPages > shadowPages || len(s.jobs) == cap(s.jobs) {
		s.dropped.Add(1)
		return
	}
	job := &shadowJob{module: m, limits: limits, want: endOf(out, usage, failure), input: wasmhost.Input{
		Variables: bytes.Clone(in.Variables), Body: bytes.Clone(in.Body),
		Path: clonePairs(in.Path), Query: clonePairs(in.Query), Form: clonePairs(in.Form),
		EchoVariables: in.EchoVariables, Endpoint: in.Endpoint, HashSeed: in.HashSeed, Idle: true,
	}}
	job.limits.Duration = shadowTime
	m.Retain()
	s.pending.Add(1)
	select {
	case s.jobs <- job:
	default:
		s.release(job)
		s.dropped.Add(1)
	}
}

func clonePairs(pairs []Pair) []Pair {
	cloned := slices.Clone(pairs)
	for i, p := range cloned {
		cloned[i] = Pair{Name: strings.Clone(p.Name), Value: strings.Clone(p.Value)}
	}
	return cloned
}

// work repeats executions, one after the other.
func (s *shadow) work(ctx context.Context) {
	defer close(s.ended)
	for {
		select {
		case <-ctx.Done():
			return
		case job := <-s.jobs:
			s.compare(ctx, job)
			s.release(job)
		}
	}
}

func (s *shadow) release(job *shadowJob) {
	job.module.Release()
	s.pending.Done()
}

// ready makes the other engine, if it is not there yet.
func (s *shadow) ready() bool {
	s.once.Do(func() {
		other, err := s.open()
		if err != nil {
			s.log.Error("executions cannot be repeated on the interpreter", "error", err)
			return
		}
		s.other = other
	})
	return s.other != nil
}

// load makes the interpreter's module of a compiled one. A panic there must not
// end the process.
func (s *shadow) load(m *wasmhost.Module) (again *wasmhost.Module, err error) {
	defer caught("the interpreter's loader", &err)
	return s.other.LoadAgain(m) //nolint:wrapcheck // the log line says what it is about
}

func (s *shadow) compare(ctx context.Context, job *shadowJob) {
	if other, _ := s.instead(job.module); other != nil || !s.ready() {
		s.dropped.Add(1)
		return
	}
	m, err := s.load(job.module)
	if err != nil {
		s.mismatch(job, nil, "load: "+err.Error())
		return
	}
	out, usage, failure := s.other.Run(ctx, m, &job.input, job.limits, nil)
	if !comparableEnd(failure) {
		s.inconclusive.Add(1)
		m.Release()
		return
	}
	s.runs.Add(1)
	if names := job.want.differences(endOf(&out, usage, failure)); len(names) > 0 {
		s.mismatch(job, m, strings.Join(names, ", "))
		return
	}
	m.Release()
}

// mismatch tells of an execution that ended differently, or whose artifact the
// interpreter refuses, and puts the artifact into quarantine if there is a
// module to run there.
func (s *shadow) mismatch(job *shadowJob, m *wasmhost.Module, what string) {
	s.mismatches.Add(1)
	quarantined := m != nil && s.detain(job.module.Digest, m)
	input := sha256.New()
	for _, part := range [][]byte{job.input.Variables, job.input.Body, fmt.Append(nil, job.input.Path, job.input.Query, job.input.Form)} {
		input.Write(part)
		input.Write([]byte{0})
	}
	s.log.Error("an execution ended differently on the interpreter; in quarantine, its artifact runs there until the server stops",
		"artifact", hex.EncodeToString(job.module.Digest[:]), "script", job.module.Manifest.SourceSHA256,
		"input", hex.EncodeToString(input.Sum(nil)), "differs", what, "quarantined", quarantined)
}

// detain puts an artifact into quarantine, where m runs in its place, and
// reports whether there was room.
func (s *shadow) detain(digest [sha256.Size]byte, m *wasmhost.Module) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.quarantine) >= maxQuarantined {
		m.Release()
		return false
	}
	s.quarantine[digest] = m
	s.quarantined.Store(int64(len(s.quarantine)))
	return true
}

func (s *shadow) stats() ShadowStats {
	if s == nil {
		return ShadowStats{}
	}
	return ShadowStats{
		Runs: s.runs.Load(), Mismatches: s.mismatches.Load(), Inconclusive: s.inconclusive.Load(),
		Dropped: s.dropped.Load(), Quarantined: s.quarantined.Load(),
	}
}

// cancel ends what the other engine runs.
func (s *shadow) cancel() {
	if s == nil {
		return
	}
	s.stop()
	<-s.ended
	if s.other != nil {
		s.other.CancelAll()
	}
}

// close forgets everything. No execution may be running.
func (s *shadow) close() error {
	if s == nil {
		return nil
	}
	s.cancel()
	for len(s.jobs) > 0 {
		s.release(<-s.jobs)
	}
	if s.other == nil {
		return nil
	}
	for _, m := range s.quarantine {
		m.Release()
	}
	return s.other.Close()
}
