package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/avapd/avapd/internal/store"
)

// CutAction is the action of the record that says that old ones are removed, and
// Server who did that.
const (
	CutAction = "audit.cut"
	Server    = "server"
)

// retain lets records go that are older, or more, than what is to be kept: up to
// a checkpoint, once a cut is signed and durable that has its hash.
func (w *writer) retain(ctx context.Context, now time.Time) error {
	c, err := w.cutPoint(ctx, now)
	if err != nil || c.Sequence <= w.cut {
		return err
	}
	if w.log.shipper != nil && c.Sequence > w.log.shippedUntil() {
		return nil // nobody else has them yet
	}
	bytes := c.Bytes
	c = Checkpoint{Kind: cutKind, Node: c.Node, Sequence: c.Sequence, Time: now, Hash: c.Hash, Bytes: bytes}
	c.sign(w.key)
	mark, err := c.mark()
	if err != nil {
		return err
	}
	head := w.chainAt(&w.chain)
	if err := w.journal.Extend(ctx, store.Extension{Chain: head, From: head.Head, Marks: []store.Mark{mark}}); err != nil {
		return fmt.Errorf("cut the audit log: %w", err)
	}
	from := w.cut + 1
	w.cut, w.cutting = c.Sequence, true
	w.log.used.Add(1)
	_, _, err = w.log.put(&Record{Time: now, Kind: Change, Principal: Server, Action: CutAction, Target: fmt.Sprintf("%d-%d", from, c.Sequence), Outcome: "ok"}, false)
	return err
}

// cutPoint finds the checkpoint up to which records are not to be kept.
func (w *writer) cutPoint(ctx context.Context, now time.Time) (c Checkpoint, err error) {
	w.log.mu.Lock()
	keep := w.log.keep
	w.log.mu.Unlock()
	if keep.Age > 0 {
		if c, err = w.olderThan(ctx, now.Add(-keep.Age)); err != nil {
			return Checkpoint{}, err
		}
	}
	if keep.Bytes > 0 && w.chain.total-c.Bytes > keep.Bytes {
		return w.beyond(ctx, max(w.cut, c.Sequence), w.chain.total-keep.Bytes)
	}
	return c, nil
}

// olderThan finds the last checkpoint all of whose records are older.
func (w *writer) olderThan(ctx context.Context, limit time.Time) (Checkpoint, error) {
	blocks, err := w.journal.Blocks(ctx, store.BlockQuery{Chain: w.log.node, UntilTime: limit.UnixMicro(), Descending: true})
	if err != nil {
		return Checkpoint{}, err //nolint:wrapcheck // it says which journal
	}
	for _, b := range blocks {
		if b.UntilTime < limit.UnixMicro() {
			c, _, err := lastMark(ctx, w.journal, w.log.node, checkpointKind, b.Last)
			return c, err
		}
	}
	return Checkpoint{}, nil
}

// beyond finds the first checkpoint behind a record that has so many bytes before
// it.
func (w *writer) beyond(ctx context.Context, after, bytes int64) (Checkpoint, error) {
	low, high := after+1, w.signed
	for low < high {
		middle := low + (high-low)/2
		c, found, err := lastMark(ctx, w.journal, w.log.node, checkpointKind, middle)
		switch {
		case err != nil:
			return Checkpoint{}, err
		case found && c.Bytes >= bytes && c.Sequence >= low:
			high = c.Sequence
		default:
			low = middle + 1
		}
	}
	c, _, err := lastMark(ctx, w.journal, w.log.node, checkpointKind, high)
	return c, err
}

// removeSome removes a part of what was let go: records that come do not wait
// for all of it.
func (w *writer) removeSome() {
	if !w.cutting {
		return
	}
	more, err := w.journal.Cut(context.Background(), w.log.node, w.cut)
	if err != nil {
		w.complain(err)
		return
	}
	w.cutting = more
}
