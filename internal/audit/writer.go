package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/avapd/avapd/internal/signature"
	"github.com/avapd/avapd/internal/store"
)

const (
	tick          = time.Second
	retentionTick = time.Minute
	firstPause    = 20 * time.Millisecond
	longestPause  = time.Second
	// complaintPause is how long nothing is said about a failure that goes on.
	complaintPause = 10 * time.Second
)

// writer is the one goroutine that extends the chain.
type writer struct {
	log     *Log
	journal store.Journal
	key     signature.PrivateKey
	chain   chainWriter
	// signed is the last checkpoint, signedAt when it was made.
	signed   int64
	signedAt time.Time
	// cut is the last record that was let go, cutting whether some are still there.
	cut        int64
	cutting    bool
	retained   time.Time
	complained time.Time
	// bytes are those of blocks, used again and again.
	bytes []byte
	// last is the context of the end.
	last context.Context //nolint:containedctx // set once, before stop is closed
	done chan struct{}
}

// run writes what comes until the log is closed.
func (l *Log) run() {
	w := &l.writer
	defer close(w.done)
	ticks := time.NewTicker(tick)
	defer ticks.Stop()
	for {
		select {
		case <-l.wake:
			l.gather()
			w.flush()
			w.removeSome()
		case <-ticks.C:
			w.maintain()
		case <-l.stop:
			l.summarize()
			w.flush()
			w.checkpoint(w.last)
			return
		}
	}
}

// gather waits for more records, unless those are there already that are waited
// for.
func (l *Log) gather() {
	l.mu.Lock()
	oldest, enough := l.pending.oldest, l.config.Group && l.enough()
	if !enough && l.config.Group {
		quiet(l.hurry) // it was about another number of records
	}
	l.mu.Unlock()
	if enough {
		return
	}
	timer := time.NewTimer(l.period - time.Since(oldest))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.hurry:
	case <-l.stop:
	}
}

// resume finds out where the chain ends.
func (w *writer) resume(ctx context.Context) error {
	if err := w.findHead(ctx); err != nil {
		return err
	}
	cut, found, err := lastMark(ctx, w.journal, w.log.node, cutKind, 0)
	if err != nil {
		return err
	}
	if found {
		w.cut, w.cutting = cut.Sequence, true // what a crash left
	}
	return w.checkTail(ctx)
}

func (w *writer) findHead(ctx context.Context) error {
	chain, found, err := findChain(ctx, w.journal, w.log.node)
	if err != nil {
		return err
	}
	w.chain.last, w.chain.hash = chain.Last, chain.Hash
	if !found || chain.Last == 0 {
		w.chain.hash = genesis(w.key.Public().Key)
	}
	return nil
}

func findChain(ctx context.Context, j store.Journal, node string) (store.Chain, bool, error) {
	chains, err := j.Chains(ctx)
	for _, c := range chains {
		if c.Name == node {
			return c, true, err
		}
	}
	return store.Chain{}, false, err //nolint:wrapcheck // callers say what for
}

// lastMark gives the newest mark of a kind, up to a record if that is not 0.
func lastMark(ctx context.Context, j store.Journal, node, kind string, until int64) (c Checkpoint, found bool, err error) {
	marks, err := j.Marks(ctx, store.MarkQuery{Chain: node, Kind: kind, Until: until, Descending: true})
	if err != nil || len(marks) == 0 {
		return Checkpoint{}, false, err //nolint:wrapcheck // as above
	}
	c, err = parseCheckpoint(marks[0].Document)
	return c, err == nil, err
}

// checkTail reads what is behind the last checkpoint. What is wrong there is
// told and goes on: the chain keeps the proof of it.
func (w *writer) checkTail(ctx context.Context) error {
	v := newChainVerifier(w.log.node, w.key.Public().Key)
	from, found, err := lastMark(ctx, w.journal, w.log.node, checkpointKind, 0)
	if err != nil {
		w.log.stats.broken.Store(true)
		w.log.config.Log.Error("the last checkpoint of the audit log is damaged; verify the log", "error", err.Error())
		return nil
	}
	if found {
		v.continueFrom(from)
		w.signed, w.chain.total = from.Sequence, from.Bytes
	}
	if pinned, err := ReadCheckpoint(w.log.config.CheckpointFile); err == nil {
		v.pin([]Checkpoint{pinned})
	}
	err = eachBlock(ctx, w.journal, store.BlockQuery{Chain: w.log.node, After: v.last}, func(b store.Block) bool {
		v.block(b)
		w.chain.time = max(w.chain.time, b.UntilTime)
		return v.problem == ""
	})
	if err != nil {
		return err
	}
	v.head(store.Head{Last: w.chain.last, Hash: w.chain.hash})
	v.end()
	w.chain.total = max(w.chain.total, v.total)
	w.chain.time = max(w.chain.time, from.Time.UnixMicro())
	if v.problem != "" {
		w.log.stats.broken.Store(true)
		w.log.config.Log.Error("the audit log is damaged; verify it", "sequence", v.bad, "problem", v.problem)
	}
	w.signedAt = time.Now()
	return nil
}

// flush writes what there is, and does not give up before the log ends.
func (w *writer) flush() {
	b := w.log.take()
	if b == nil {
		return
	}
	pause := firstPause
	for {
		began := time.Now()
		err := w.write(b)
		if err == nil {
			w.log.stats.wrote(b, time.Since(began))
			break
		}
		if w.gaveUp() {
			b.err = err
			w.log.stats.lost.Add(int64(b.count))
			break
		}
		w.complain(err)
		if errors.Is(err, store.ErrConflict) {
			w.adopt()
		}
		w.rest(pause)
		pause = min(2*pause, longestPause)
	}
	w.log.release(b)
	if w.log.shipper != nil {
		signal(w.log.shipper.wake)
	}
}

// gaveUp tells whether the time for the end is over.
func (w *writer) gaveUp() bool {
	select {
	case <-w.log.stop:
		return w.last.Err() != nil
	default:
		return false
	}
}

func (w *writer) rest(pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-w.log.stop:
		select {
		case <-timer.C:
		case <-w.last.Done():
		}
	case <-timer.C:
	}
}

func (w *writer) complain(err error) {
	w.log.stats.failures.Add(1)
	if time.Since(w.complained) < complaintPause {
		return
	}
	w.complained = time.Now()
	w.log.config.Log.Error("the audit log cannot be written; executions and changes wait for it", "error", err.Error())
}

// adopt goes on behind what somebody else has written to the same chain, another
// server with the same data directory.
func (w *writer) adopt() {
	if err := w.findHead(context.Background()); err != nil {
		w.complain(err)
	}
}

// write puts a batch at the end of the chain.
func (w *writer) write(b *batch) error {
	next := w.chain
	b.first = next.last + 1
	blocks := w.encode(&next, b)
	e := store.Extension{Chain: w.chainAt(&next), From: headOf(&w.chain), Blocks: blocks}
	// Each start is signed at once: no log of a server is without a checkpoint, and
	// what a crash left unsigned does not stay so.
	due := b.kinds[slices.Index(Kinds, Start)] > 0 || next.last-w.signed >= w.log.config.CheckpointRecords || time.Since(w.signedAt) >= w.log.config.CheckpointEvery
	return w.extend(context.Background(), e, &next, due)
}

// extend writes an extension, with a checkpoint at its end if one is due.
func (w *writer) extend(ctx context.Context, e store.Extension, next *chainWriter, due bool) error {
	var c Checkpoint
	if due {
		c = Checkpoint{Kind: checkpointKind, Node: w.log.node, Sequence: next.last, Time: time.Now(), Hash: next.hash, Bytes: next.total}
		c.sign(w.key)
		mark, err := c.mark()
		if err != nil {
			return err
		}
		e.Marks = append(e.Marks, mark)
	}
	if err := w.journal.Extend(ctx, e); err != nil {
		return fmt.Errorf("write the audit log: %w", err)
	}
	w.chain = *next
	w.log.stats.bytes.Store(next.total)
	w.log.stats.written.Store(next.last)
	if due {
		w.signed, w.signedAt = c.Sequence, time.Now()
		w.log.stats.checkpoints.Add(1)
		w.pin(&c)
	}
	return nil
}

// encode writes a batch as blocks.
func (w *writer) encode(next *chainWriter, records *batch) []store.Block {
	w.bytes = w.bytes[:0]
	blocks := make([]store.Block, 0, 1)
	var starts []int
	var p packer
	for micros, content := range records.each {
		if n := len(blocks); n == 0 || len(w.bytes)-starts[n-1] > blockBytes || p.bodies > blockBodyBytes {
			starts = append(starts, len(w.bytes))
			blocks = append(blocks, store.Block{First: next.last + 1})
			w.bytes = p.begin(w.bytes, next.last+1)
		}
		next.append(micros, content)
		w.bytes = p.add(w.bytes, next, content)
		b := &blocks[len(blocks)-1]
		b.Last, b.UntilTime = next.last, next.time
		if b.First == next.last {
			b.FromTime = next.time
		}
	}
	starts = append(starts, len(w.bytes))
	for i := range blocks {
		blocks[i].Records = w.bytes[starts[i]:starts[i+1]]
	}
	return blocks
}

func (w *writer) chainAt(at *chainWriter) store.Chain {
	return store.Chain{Name: w.log.node, Key: w.key.Public().Key, Head: headOf(at)}
}

// headOf is where a chain is, as a journal knows it.
func headOf(c *chainWriter) store.Head {
	if c.last == 0 {
		return store.Head{}
	}
	return store.Head{Last: c.last, Hash: c.hash}
}

// maintain does what is due now and then.
func (w *writer) maintain() {
	w.log.summarize()
	if time.Since(w.signedAt) >= w.log.config.CheckpointEvery {
		w.checkpoint(context.Background())
	}
	if time.Since(w.retained) >= retentionTick {
		w.retained = time.Now()
		if err := w.retain(context.Background(), w.retained); err != nil {
			w.complain(err)
		}
	}
	w.removeSome()
}

// checkpoint signs what has been written since the last one.
func (w *writer) checkpoint(ctx context.Context) {
	if w.chain.last == w.signed {
		return
	}
	next := w.chain
	head := w.chainAt(&next)
	if err := w.extend(ctx, store.Extension{Chain: head, From: head.Head}, &next, true); err != nil {
		w.complain(err)
		return
	}
	if w.log.shipper != nil {
		signal(w.log.shipper.wake)
	}
}

// pin keeps a checkpoint in a file besides: whoever cuts the end off the journal
// with its checkpoints has to find this one, too.
func (w *writer) pin(c *Checkpoint) {
	path := w.log.config.CheckpointFile
	if path == "" {
		return
	}
	document, err := json.Marshal(c)
	var temporary string
	if err == nil {
		temporary, err = writeTemporary(path, append(document, '\n'))
	}
	if err == nil {
		if err = os.Rename(temporary, path); err != nil {
			err = errors.Join(err, os.Remove(temporary))
		}
	}
	if err != nil {
		w.log.config.Log.Warn("the last checkpoint of the audit log could not be kept in a file", "file", filepath.Base(path), "error", err.Error())
	}
}

// ReadCheckpoint reads a checkpoint that was kept in a file.
func ReadCheckpoint(path string) (Checkpoint, error) {
	content, err := os.ReadFile(path) //nolint:gosec // the path is the operator's own
	if err != nil {
		return Checkpoint{}, fmt.Errorf("read a checkpoint: %w", err)
	}
	return parseCheckpoint(content)
}
