package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/avapd/avapd/internal/store"
)

const (
	// shipPeriod is how long records are collected for the central journal, and
	// shipPause how long it is left alone after a failure.
	shipPeriod = 250 * time.Millisecond
	shipPause  = time.Second
	// shipTime bounds one pass, and what is left of it at the end.
	shipTime = 30 * time.Second
)

// shipper copies the chain to the central journal, behind what it has.
type shipper struct {
	log         *Log
	from, to    store.Journal
	wake, hurry chan struct{}
	// known is set while head, mark and cut are what the central journal has.
	known      bool
	head       store.Head
	mark, cut  int64
	complained time.Time
}

func newShipper(l *Log) *shipper {
	s := &shipper{log: l, from: l.config.Journal, to: l.config.Central, wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1)}
	signal(s.wake)
	return s
}

// shippedUntil is how far the central journal has got.
func (l *Log) shippedUntil() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shipped
}

func (s *shipper) run() {
	for {
		select {
		case <-s.wake:
			s.rest(shipPeriod)
		case <-s.log.stop:
			<-s.log.writer.done
			s.pass(s.log.writer.last)
			return
		}
		if !s.pass(context.Background()) {
			s.rest(shipPause)
			signal(s.wake)
		}
	}
}

// rest waits, less long if somebody waits for a record.
func (s *shipper) rest(pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.hurry:
	case <-s.log.stop:
	}
}

// pass copies what there is.
func (s *shipper) pass(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, shipTime)
	defer cancel()
	err := s.ship(ctx)
	if err == nil {
		return true
	}
	s.known = false
	s.log.stats.central.Store(false)
	if time.Since(s.complained) >= complaintPause {
		s.complained = time.Now()
		s.log.config.Log.Warn("the central audit log does not get records; it will get them later", "error", err.Error())
	}
	return false
}

func (s *shipper) ship(ctx context.Context) error {
	if !s.known {
		if err := s.look(ctx); err != nil {
			return err
		}
	}
	for {
		blocks, err := s.from.Blocks(ctx, store.BlockQuery{Chain: s.log.node, After: s.head.Last})
		if err != nil {
			return fmt.Errorf("read the audit log: %w", err)
		}
		if err := s.send(ctx, blocks); err != nil {
			return err
		}
		if len(blocks) == 0 {
			return s.sendCut(ctx)
		}
	}
}

// look finds out what the central journal has.
func (s *shipper) look(ctx context.Context) error {
	chain, _, err := findChain(ctx, s.to, s.log.node)
	if err != nil {
		return fmt.Errorf("look at the central audit log: %w", err)
	}
	mark, _, err := lastMark(ctx, s.to, s.log.node, checkpointKind, 0)
	if err != nil {
		return fmt.Errorf("look at the central audit log: %w", err)
	}
	cut, _, err := lastMark(ctx, s.to, s.log.node, cutKind, 0)
	if err != nil {
		return fmt.Errorf("look at the central audit log: %w", err)
	}
	s.head, s.mark, s.cut = chain.Head, mark.Sequence, cut.Sequence
	if s.head.Last == 0 {
		err = s.begin(ctx)
	} else {
		err = s.recognise(ctx)
	}
	s.known = err == nil
	return err
}

// recognise makes sure that the central chain is a part of the one here.
func (s *shipper) recognise(ctx context.Context) error {
	cut, found, err := lastMark(ctx, s.from, s.log.node, cutKind, 0)
	if err != nil {
		return err
	}
	if found && cut.Sequence == s.head.Last && cut.Hash == Hash(s.head.Hash) {
		return nil
	}
	blocks, err := s.from.Blocks(ctx, store.BlockQuery{Chain: s.log.node, After: s.head.Last - 1})
	switch {
	case err != nil:
		return fmt.Errorf("read the audit log: %w", err)
	case len(blocks) == 0 || blocks[0].Last != s.head.Last || !bytes.HasSuffix(blocks[0].Records, s.head.Hash[:]):
		return errForeign
	}
	return nil
}

// begin has the central chain begin where the one on this machine does.
func (s *shipper) begin(ctx context.Context) error {
	cut, found, err := lastMark(ctx, s.from, s.log.node, cutKind, 0)
	if err != nil || !found {
		return err
	}
	mark, err := cut.mark()
	if err != nil {
		return err
	}
	head := store.Head{Last: cut.Sequence, Hash: cut.Hash}
	e := store.Extension{Chain: s.chainAt(head), Marks: []store.Mark{mark}}
	if err := s.to.Extend(ctx, e); err != nil {
		return fmt.Errorf("begin the central audit log: %w", err)
	}
	s.head, s.cut = head, cut.Sequence
	return nil
}

func (s *shipper) chainAt(head store.Head) store.Chain {
	return store.Chain{Name: s.log.node, Key: s.log.config.Key.Public().Key, Head: head}
}

var errForeign = errors.New("the central journal has a chain of this node that is not the one on this machine")

// send copies blocks, and the checkpoints up to their end.
func (s *shipper) send(ctx context.Context, blocks []store.Block) error {
	head := s.head
	if len(blocks) > 0 {
		if blocks[0].First != head.Last+1 {
			return errForeign
		}
		last := blocks[len(blocks)-1]
		if len(last.Records) < hashBytes {
			return errBlock
		}
		head.Last = last.Last
		copy(head.Hash[:], last.Records[len(last.Records)-hashBytes:])
	}
	marks, err := s.from.Marks(ctx, store.MarkQuery{Chain: s.log.node, Kind: checkpointKind, After: s.mark, Until: max(head.Last, 1)})
	if err != nil {
		return fmt.Errorf("read the audit log: %w", err)
	}
	if len(blocks) == 0 && len(marks) == 0 {
		s.log.setShipped(head.Last)
		return nil
	}
	e := store.Extension{Chain: s.chainAt(head), From: s.head, Blocks: blocks, Marks: marks}
	if err := s.to.Extend(ctx, e); err != nil {
		return fmt.Errorf("write the central audit log: %w", err)
	}
	s.head = head
	if n := len(marks); n > 0 {
		s.mark = marks[n-1].Sequence
	}
	s.log.setShipped(head.Last)
	return nil
}

// sendCut has the central journal let go what is let go here.
func (s *shipper) sendCut(ctx context.Context) error {
	cut, found, err := lastMark(ctx, s.from, s.log.node, cutKind, 0)
	if err != nil || !found || cut.Sequence <= s.cut {
		return err
	}
	mark, err := cut.mark()
	if err != nil {
		return err
	}
	if err := s.to.Extend(ctx, store.Extension{Chain: s.chainAt(s.head), From: s.head, Marks: []store.Mark{mark}}); err != nil {
		return fmt.Errorf("cut the central audit log: %w", err)
	}
	for more := true; more; {
		if more, err = s.to.Cut(ctx, s.log.node, cut.Sequence); err != nil {
			return fmt.Errorf("cut the central audit log: %w", err)
		}
	}
	s.cut = cut.Sequence
	return nil
}

func (l *Log) setShipped(last int64) {
	l.stats.central.Store(true)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shipped == last {
		return
	}
	l.shipped = last
	close(l.news)
	l.news = make(chan struct{})
}
