package audit

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/avapd/avapd/internal/signature"
	"github.com/avapd/avapd/internal/store"
)

// Config is what a log is made of.
type Config struct {
	// Journal is on this machine. Central gets what is in it besides, soon after;
	// nil is none.
	Journal, Central store.Journal
	Key              signature.PrivateKey
	// CheckpointFile gets the last checkpoint besides; empty for none.
	CheckpointFile string
	// Group has Add wait until its record is durable.
	Group bool
	// AtRisk is the time for which records may not be durable. No execution begins
	// while one is older than that.
	AtRisk time.Duration
	// Wait bounds waiting for room and for durability.
	Wait time.Duration
	// Buffer is how many executions and records may be on their way.
	Buffer int
	// A checkpoint is made after so many records, and after so much time in which
	// there were any.
	CheckpointRecords int64
	CheckpointEvery   time.Duration
	// Keep says what is kept.
	Keep Keep
	Log  *slog.Logger
}

// Keep bounds what is kept; zero members bound nothing.
type Keep struct {
	Age   time.Duration
	Bytes int64
}

// What callers tell apart.
var (
	// ErrBusy says that there was no room, or nothing durable, in time.
	ErrBusy = errors.New("the audit log cannot be written at the moment")
	// ErrClosed says that the log has ended.
	ErrClosed = errors.New("the audit log is closed")
)

const (
	// maxBatch is how many records are written at once; as many as half of the room
	// are written without a wait for more.
	maxBatch = 8192
	// groupPeriod is how long a group of records, all of which are waited for, waits
	// to become as large as the one before it. It is a part of the 5 ms within which
	// the commit of a group begins.
	groupPeriod = 2 * time.Millisecond
	// spareBytes is how much memory a batch leaves to another one at most.
	spareBytes = 8 << 20
)

// Log is the audit log of a server. Its methods may be used concurrently.
type Log struct {
	config Config
	node   string
	// period is how long records are collected for one write.
	period time.Duration

	// used counts records that are not durable yet, and places that executions
	// have for theirs. late is set while a record is older than it should get.
	used atomic.Int64
	late atomic.Bool

	mu sync.Mutex
	// pending is what comes next, writing what is being written, nil for nothing.
	pending, writing *batch
	spare            []byte
	// before is how many records the last batch had.
	before int
	closed bool
	// room is closed, and made anew, when some has become free.
	room chan struct{}
	// shipped is how far the central journal has got, news is closed and made anew
	// when that changes.
	shipped int64
	news    chan struct{}
	keep    Keep
	denials denials

	// wake has an item when there is a record, hurry when somebody waits for it.
	wake, hurry chan struct{}
	// looking has an item while somebody looks for an execution.
	looking   chan struct{}
	stop      chan struct{}
	ended     sync.WaitGroup
	lateTimer *time.Timer
	writer    writer
	shipper   *shipper
	stats     stats
}

// batch are records that are written together. They are encoded when they come:
// that keeps nothing of requests alive, and is less to copy.
type batch struct {
	bytes  []byte
	count  int
	kinds  [kindCount]int64
	oldest time.Time
	// done is closed when they are durable, or lost; then first and err are set.
	done  chan struct{}
	first int64
	err   error
}

// Open continues the chain of the key in the journal, and starts what writes it.
// Whoever opens a log must close it.
func Open(ctx context.Context, c Config) (*Log, error) {
	public := c.Key.Public().Key
	l := &Log{
		config: c, node: NodeOf(public), period: c.AtRisk / 2, keep: c.Keep,
		room: make(chan struct{}), news: make(chan struct{}), wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1), looking: make(chan struct{}, 1), stop: make(chan struct{}),
	}
	if c.Group {
		l.period = groupPeriod
	}
	l.pending = &batch{done: make(chan struct{})}
	l.lateTimer = time.AfterFunc(time.Hour, l.setLate)
	l.lateTimer.Stop()
	l.writer = writer{log: l, journal: c.Journal, key: c.Key, done: make(chan struct{})}
	if err := l.writer.resume(ctx); err != nil {
		return nil, fmt.Errorf("open the audit log: %w", err)
	}
	l.ended.Go(l.run)
	if c.Central != nil {
		l.shipper = newShipper(l)
		l.ended.Go(l.shipper.run)
	}
	return l, nil
}

// Node is the name of the chain, and PublicKey what its checkpoints are verified
// by.
func (l *Log) Node() string { return l.node }

// PublicKey gives the key.
func (l *Log) PublicKey() signature.PublicKey { return l.config.Key.Public() }

// SetKeep changes what is kept.
func (l *Log) SetKeep(k Keep) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keep = k
}

// Reserve makes sure that there is room for the record of an execution that is
// to begin. Add has to follow, and then never waits for room. It waits while
// there is none, and fails with ErrBusy when that takes too long.
func (l *Log) Reserve(ctx context.Context) error {
	if l.tryReserve() {
		return nil
	}
	return l.await(ctx)
}

func (l *Log) tryReserve() bool {
	if l.late.Load() {
		return false
	}
	if l.used.Add(1) <= int64(l.config.Buffer) {
		return true
	}
	l.used.Add(-1)
	return false
}

func (l *Log) await(ctx context.Context) error {
	l.stats.waiting.Add(1)
	defer l.stats.waiting.Add(-1)
	l.stats.waits.Add(1)
	timer := time.NewTimer(l.config.Wait)
	defer timer.Stop()
	for {
		l.mu.Lock()
		room := l.room
		l.mu.Unlock()
		if l.tryReserve() {
			return nil
		}
		select {
		case <-room:
		case <-timer.C:
			l.stats.refused.Add(1)
			return ErrBusy
		case <-l.stop:
			return ErrClosed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Add puts the record of an execution into the place that was reserved for it.
// With Config.Group it waits until the record is durable.
func (l *Log) Add(ctx context.Context, r *Record) error {
	b, _, err := l.put(r, l.config.Group)
	if err != nil || !l.config.Group {
		return err
	}
	return l.durable(ctx, b)
}

// Append writes a record and waits until it is durable: on this machine, and in
// the central journal where there is one.
func (l *Log) Append(ctx context.Context, r Record) error {
	b, i, err := l.append(ctx, &r)
	if err != nil || l.shipper == nil {
		return err
	}
	signal(l.shipper.hurry)
	return l.awaitShipped(ctx, b.first+int64(i))
}

// Note is Append without the central journal.
func (l *Log) Note(ctx context.Context, r Record) error {
	_, _, err := l.append(ctx, &r)
	return err
}

func (l *Log) append(ctx context.Context, r *Record) (b *batch, index int, err error) {
	if err := l.Reserve(ctx); err != nil {
		return nil, 0, err
	}
	if b, index, err = l.put(r, true); err != nil {
		return nil, 0, err
	}
	return b, index, l.durable(ctx, b)
}

// put uses up a reservation.
func (l *Log) put(r *Record, urgent bool) (b *batch, index int, err error) {
	settled := *r
	settled.settle()
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		l.used.Add(-1)
		l.stats.lost.Add(1)
		return nil, 0, ErrClosed
	}
	b, index = l.pending, l.pending.count
	l.place(&settled)
	if l.enough() || urgent && !l.config.Group {
		signal(l.hurry)
	}
	l.mu.Unlock()
	return b, index, nil
}

// place is the part of put that summarize has, too. It needs the lock.
func (l *Log) place(settled *Record) {
	b := l.pending
	if b.add(settled); b.count == 1 {
		b.oldest = time.Now()
		signal(l.wake)
	}
}

// enough tells whether the records that are pending are not to wait for more:
// they are as many as may wait, or all of a group that are to be expected, which
// is as many as in the one before. It needs the lock.
func (l *Log) enough() bool {
	count := l.pending.count
	return count > min(l.config.Buffer/2, maxBatch) || l.config.Group && count >= l.before
}

// headBytes are those of time and length before what add writes of a record.
const headBytes = 8 + 4

// add encodes a settled record.
func (b *batch) add(r *Record) {
	head := len(b.bytes)
	b.bytes = binary.LittleEndian.AppendUint64(b.bytes, uint64(r.Time.UnixMicro()))
	b.bytes = appendContent(append(b.bytes, 0, 0, 0, 0), r)
	binary.LittleEndian.PutUint32(b.bytes[head+8:], uint32(len(b.bytes)-head-headBytes))
	b.count++
	b.kinds[slices.Index(Kinds, r.Kind)]++
}

// each yields the records' times in microseconds, and what add encoded of them.
func (b *batch) each(yield func(micros int64, content []byte) bool) {
	for rest := b.bytes; len(rest) > 0; {
		micros, end := binary.LittleEndian.Uint64(rest), headBytes+binary.LittleEndian.Uint32(rest[8:])
		if !yield(int64(micros), rest[headBytes:end]) {
			return
		}
		rest = rest[end:]
	}
}

// signal leaves an item in a channel that has room for one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// quiet takes the item, if there is one.
func quiet(c chan struct{}) {
	select {
	case <-c:
	default:
	}
}

func (l *Log) durable(ctx context.Context, b *batch) error {
	l.stats.waiting.Add(1)
	defer l.stats.waiting.Add(-1)
	timer := time.NewTimer(l.config.Wait)
	defer timer.Stop()
	select {
	case <-b.done:
		return b.err
	case <-timer.C:
		return ErrBusy
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// settled waits until what has been added is durable. It does not hasten that: who
// asks must not be able to make the writer busy.
func (l *Log) settled(ctx context.Context) error {
	l.mu.Lock()
	waits := []*batch{l.writing, l.pending}
	if l.pending.count == 0 {
		waits = waits[:1]
	}
	l.mu.Unlock()
	for _, b := range waits {
		if b == nil {
			continue
		}
		if err := l.durable(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) awaitShipped(ctx context.Context, sequence int64) error {
	timer := time.NewTimer(l.config.Wait)
	defer timer.Stop()
	for {
		l.mu.Lock()
		news, shipped := l.news, l.shipped
		l.mu.Unlock()
		if shipped >= sequence {
			return nil
		}
		select {
		case <-news:
		case <-timer.C:
			return fmt.Errorf("%w: the central journal has not got the record", ErrBusy)
		case <-l.stop:
			return ErrClosed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// setLate says that a record that is being written is older than it should get.
func (l *Log) setLate() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.late.Store(l.writing != nil)
}

// take gives what is to be written now, if anything is.
func (l *Log) take() *batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.pending
	if b.count == 0 {
		return nil
	}
	l.pending, l.spare = &batch{bytes: l.spare[:0], done: make(chan struct{})}, nil
	l.before = b.count
	quiet(l.hurry) // it was about these
	l.writing = b
	l.lateTimer.Reset(l.config.AtRisk - time.Since(b.oldest))
	return b
}

// release ends a batch.
func (l *Log) release(b *batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if cap(b.bytes) <= spareBytes {
		l.spare = b.bytes
	}
	l.writing = nil
	l.lateTimer.Stop()
	l.late.Store(false)
	l.used.Add(-int64(b.count))
	close(b.done)
	close(l.room)
	l.room = make(chan struct{})
}

// Close writes what is there, with a last checkpoint, and ends. It gives up what
// cannot be written within the context, and says how much that is.
func (l *Log) Close(ctx context.Context) error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	l.writer.last = ctx //nolint:fatcontext // once
	close(l.stop)
	l.ended.Wait()
	l.lateTimer.Stop()
	if n := l.stats.lost.Load(); n > 0 {
		return fmt.Errorf("%d records of the audit log could not be written", n)
	}
	return nil
}
