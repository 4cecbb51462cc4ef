package audit

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/avapd/avapd/internal/store"
)

// Entry is a record and its place.
type Entry struct {
	Node string `json:"node"`
	Record
	Hash Hash `json:"hash"`
}

// Filter selects records; zero members select all.
type Filter struct {
	// From and Until bound the time, the second one not included.
	From, Until time.Time
	Node        string
	Kind        Kind
	Principal   string
	// Action matches what it names, and what stands below that: command matches
	// command.put. Target may name a version behind an @.
	Action, Target string
	Outcome        string
	RequestID      string
	ExecutionID    ID
}

func (f *Filter) matches(r *Record) bool {
	return (f.Kind == "" || r.Kind == f.Kind) &&
		(f.Principal == "" || r.Principal == f.Principal) &&
		f.matchesAction(r.Action) && f.matchesTarget(r) &&
		(f.Outcome == "" || r.Outcome == f.Outcome) &&
		(f.RequestID == "" || r.RequestID == f.RequestID) &&
		(f.ExecutionID == ID{} || r.ExecutionID == f.ExecutionID) &&
		!r.Time.Before(f.From) && (f.Until.IsZero() || r.Time.Before(f.Until))
}

// isWhole tells whether the filter selects whole chains.
func (f *Filter) isWhole() bool { return *f == Filter{Node: f.Node} }

func (f *Filter) matchesAction(action string) bool {
	rest, ok := strings.CutPrefix(action, f.Action)
	return f.Action == "" || ok && (rest == "" || rest[0] == '.')
}

func (f *Filter) matchesTarget(r *Record) bool {
	rest, ok := strings.CutPrefix(f.Target, r.Target)
	return f.Target == "" || ok && r.Target != "" && (rest == "" || rest == "@"+strconv.Itoa(r.Version))
}

// source is a chain in one of the journals.
type source struct {
	journal store.Journal
	chain   store.Chain
	// cut is the last record that was let go.
	cut int64
}

// sources are the chains: that of this machine, and others from the central
// journal. Where that is away, partial is set.
func (l *Log) sources(ctx context.Context, node string) (list []source, partial bool, err error) {
	own, err := journalSources(ctx, l.config.Journal, node)
	if err != nil {
		return nil, false, err
	}
	if l.config.Central == nil {
		return own, false, nil
	}
	others, err := journalSources(ctx, l.config.Central, node)
	if err != nil {
		return own, true, nil //nolint:nilerr // what is here is told
	}
	for _, s := range others {
		if !slices.ContainsFunc(own, func(o source) bool { return o.chain.Name == s.chain.Name }) {
			own = append(own, s)
		}
	}
	return own, false, nil
}

func journalSources(ctx context.Context, j store.Journal, node string) (list []source, err error) {
	chains, err := j.Chains(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	for _, c := range chains {
		if node != "" && c.Name != node {
			continue
		}
		cut, _, err := lastMark(ctx, j, c.Name, cutKind, 0)
		if err != nil {
			return nil, fmt.Errorf("read the audit log: %w", err)
		}
		list = append(list, source{j, c, cut.Sequence})
	}
	return list, nil
}

// place is where a record stands among those of all nodes.
type place struct {
	time     int64
	node     string
	sequence int64
}

func (e *Entry) place() place { return place{e.Time.UnixMicro(), e.Node, e.Sequence} }

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.time, q.time), cmp.Compare(p.node, q.node), cmp.Compare(p.sequence, q.sequence))
}

func (p place) String() string { return fmt.Sprintf("%d.%s.%d", p.time, p.node, p.sequence) }

// ErrCursor says that a text is no cursor of a page.
var ErrCursor = errors.New("this is no cursor of a page before")

func parsePlace(text string) (p place, err error) {
	if text == "" {
		return place{}, nil
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return place{}, ErrCursor
	}
	time, err1 := strconv.ParseInt(parts[0], 10, 64)
	sequence, err2 := strconv.ParseInt(parts[2], 10, 64)
	if err1 != nil || err2 != nil || time <= 0 || sequence <= 0 {
		return place{}, ErrCursor
	}
	return place{time, parts[1], sequence}, nil
}

// chainReader gives the records of a chain one after the other.
type chainReader struct {
	source
	query   store.BlockQuery
	blocks  []store.Block
	entries []Entry
	ended   bool
}

func newChainReader(s source, f *Filter, from place, descending bool) *chainReader {
	q := store.BlockQuery{Chain: s.chain.Name, After: s.cut, Descending: descending}
	if !f.From.IsZero() {
		q.FromTime = f.From.UnixMicro()
	}
	if !f.Until.IsZero() {
		q.UntilTime = max(f.Until.UnixMicro(), 1)
	}
	switch {
	case from == place{}:
	case descending && (q.UntilTime == 0 || from.time < q.UntilTime):
		q.UntilTime = from.time
	case !descending:
		q.FromTime = max(q.FromTime, from.time)
	}
	return &chainReader{source: s, query: q}
}

// next gives a record without taking it, nil at the end.
func (r *chainReader) next(ctx context.Context) (*Entry, error) {
	for len(r.entries) == 0 {
		if len(r.blocks) == 0 {
			if err := r.fetch(ctx); err != nil || r.ended {
				return nil, err
			}
		}
		if err := r.open(r.blocks[0]); err != nil {
			return nil, err
		}
		r.blocks = r.blocks[1:]
	}
	return &r.entries[0], nil
}

// fetch reads the blocks that come next, if there are any.
func (r *chainReader) fetch(ctx context.Context) (err error) {
	if r.ended {
		return nil
	}
	if r.blocks, err = r.journal.Blocks(ctx, r.query); err != nil {
		return fmt.Errorf("read the audit log: %w", err)
	}
	if r.ended = len(r.blocks) == 0; r.ended {
		return nil
	}
	if last := r.blocks[len(r.blocks)-1]; r.query.Descending {
		r.query.Before = last.First
	} else {
		r.query.After = max(last.Last, r.query.After+1)
	}
	return nil
}

// find gives the record of an execution. A body has the identifier as it is, so
// that blocks without these bytes need not be taken apart. The end of the time is
// looked at here, which saves asking the journal for more where there is none.
func (r *chainReader) find(ctx context.Context, f *Filter) (found Entry, ok bool, err error) {
	r.query.UntilTime = 0
	for seen := int64(0); seen < scanned; {
		if err := r.fetch(ctx); err != nil || r.ended {
			return Entry{}, false, err
		}
		for _, b := range r.blocks {
			if seen += b.Last - b.First + 1; b.FromTime >= f.Until.UnixMicro() {
				return Entry{}, false, nil
			}
			if !bytes.Contains(b.Records, f.ExecutionID[:]) {
				continue
			}
			if err := r.open(b); err != nil {
				return Entry{}, false, err
			}
			if i := slices.IndexFunc(r.entries, func(e Entry) bool { return f.matches(&e.Record) }); i >= 0 {
				return r.entries[i], true, nil
			}
		}
	}
	return Entry{}, false, nil
}

// open takes a block apart.
func (r *chainReader) open(b store.Block) error {
	r.entries = r.entries[:0]
	var damaged error
	err := splitBlock(b.Records, func(e entry) bool {
		record, err := decodeBody(e.body)
		if err != nil {
			damaged = err
			return false
		}
		if record.Sequence > r.cut {
			r.entries = append(r.entries, Entry{r.chain.Name, record, e.hash})
		}
		return true
	})
	if err := errorsFirst(err, damaged); err != nil {
		return fmt.Errorf("%w: behind record %d of node %s; verify it", ErrDamaged, b.First-1, r.chain.Name)
	}
	if r.query.Descending {
		slices.Reverse(r.entries)
	}
	return nil
}

// ErrDamaged says that the log has something that is no record.
var ErrDamaged = errors.New("the audit log is damaged")

// each calls yield with the records that match, in order of time, until it returns
// false. It stops after having looked at so many, if most is not 0, and tells the
// place of the last one.
func each(ctx context.Context, sources []source, f *Filter, from place, descending bool, most int, yield func(*Entry) bool) (at place, more bool, err error) {
	readers := make([]*chainReader, len(sources))
	for i, s := range sources {
		readers[i] = newChainReader(s, f, from, descending)
	}
	sign := 1
	if descending {
		sign = -1
	}
	for seen := 0; ; seen++ {
		best, entry, err := first(ctx, readers, sign)
		if err != nil || best == nil {
			return place{}, false, err
		}
		if most > 0 && seen == most {
			return at, true, nil
		}
		p := entry.place()
		if (from == place{} || p.compare(from)*sign > 0) && f.matches(&entry.Record) && !yield(entry) {
			return p, true, nil
		}
		at = p
		best.entries = best.entries[1:]
	}
}

func first(ctx context.Context, readers []*chainReader, sign int) (best *chainReader, entry *Entry, err error) {
	for _, r := range readers {
		e, err := r.next(ctx)
		if err != nil {
			return nil, nil, err
		}
		if e != nil && (entry == nil || e.place().compare(entry.place())*sign < 0) {
			best, entry = r, e
		}
	}
	return best, entry, nil
}

// scanned is how many records are looked at for one page: what matches few of
// many comes in several.
const scanned = 200_000

// Page is a part of what matches, the newest first.
type Page struct {
	Records []Entry
	// Next is where the next page begins, empty if there is none.
	Next string
	// Partial is set while the central journal is away: records of other nodes are
	// missing.
	Partial bool
}

// Page gives at most so many records, from a cursor on if there is one. A page
// with a next one may have no records.
func (l *Log) Page(ctx context.Context, f Filter, cursor string, limit int) (Page, error) {
	from, err := parsePlace(cursor)
	if err != nil {
		return Page{}, err
	}
	sources, partial, err := l.sources(ctx, f.Node)
	if err != nil {
		return Page{}, err
	}
	page := Page{Records: []Entry{}, Partial: partial}
	at, more, err := each(ctx, sources, &f, from, true, scanned, func(e *Entry) bool {
		if len(page.Records) == limit {
			return false
		}
		page.Records = append(page.Records, *e)
		return true
	})
	if err != nil {
		return Page{}, err
	}
	if more {
		if len(page.Records) == limit { // the one that did not fit comes next
			at = page.Records[limit-1].place()
		}
		page.Next = at.String()
	}
	return page, nil
}

// Find gives the record of an execution, if it is there. The execution began at a
// time and had ended at another one: nothing else is read, since anybody may ask,
// with identifiers that never were. For the same reason only one look at a time
// reads, and others wait for it. A record that is not durable yet is waited for.
func (l *Log) Find(ctx context.Context, id ID, began, ended time.Time) (found Entry, ok bool, err error) {
	unsettled := l.settled(ctx)
	select {
	case l.looking <- struct{}{}:
		defer func() { <-l.looking }()
	case <-ctx.Done():
		return Entry{}, false, fmt.Errorf("wait for others that read the audit log: %w", ctx.Err())
	}
	sources, _, err := l.sources(ctx, "")
	if err != nil {
		return Entry{}, false, err
	}
	f := Filter{ExecutionID: id, Kind: Execution, From: began, Until: ended}
	for _, s := range sources {
		if found, ok, err = newChainReader(s, &f, place{}, false).find(ctx, &f); err != nil || ok {
			return found, ok, err
		}
	}
	return Entry{}, false, unsettled
}
