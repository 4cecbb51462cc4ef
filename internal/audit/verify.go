package audit

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/avapd/avapd/internal/store"
)

// ChainReport is what verifying found out about a chain.
type ChainReport struct {
	Node string `json:"node"`
	// Key is the public key in hexadecimal digits.
	Key string `json:"key"`
	// First and Last are the records that are there, as far as the chain is right;
	// those before First were let go by a cut.
	First   int64 `json:"first"`
	Last    int64 `json:"last"`
	Records int64 `json:"records"`
	// Checkpoints counts those that hold; the last of them is at SignedUntil, and was
	// signed at SignedAt. One that was kept elsewhere is as good as one of the log.
	Checkpoints int64     `json:"checkpoints"`
	SignedUntil int64     `json:"signed_until"`
	SignedAt    time.Time `json:"signed_at,omitzero"`
	// FirstBad is the first record that is wrong or missing, 0 if none is; Problem
	// says what is wrong with it.
	FirstBad int64  `json:"first_bad,omitzero"`
	Problem  string `json:"problem,omitzero"`
}

// Report is what verifying found out.
type Report struct {
	OK bool `json:"ok"`
	// Proven is set if each chain is right and has a signed checkpoint that proves
	// its records up to there. Hashes alone prove nothing: whoever changes a record
	// can make them anew.
	Proven bool          `json:"proven"`
	Chains []ChainReport `json:"chains"`
}

// VerifyOptions say what is known besides the log.
type VerifyOptions struct {
	// Keys are the only ones that count, if there are any.
	Keys []ed25519.PublicKey
	// Pinned are checkpoints that were kept elsewhere.
	Pinned []Checkpoint
	// Progress is told now and then how many of about how many records were read.
	Progress func(done, total int64)
}

// chainVerifier follows a chain from its beginning, and remembers the first thing
// that is wrong.
type chainVerifier struct {
	node string
	key  ed25519.PublicKey
	last int64
	hash Hash
	time int64
	// total counts the bytes of bodies.
	total int64

	first, records      int64
	checkpoints, signed int64
	signedAt            time.Time
	pins                []Checkpoint // of this chain, that were kept elsewhere
	bad                 int64
	problem             string
	link                []byte
	seen                func()
}

func newChainVerifier(node string, key ed25519.PublicKey) *chainVerifier {
	v := &chainVerifier{node: node, key: key, hash: genesis(key), first: 1, seen: func() {}}
	if len(key) != ed25519.PublicKeySize || NodeOf(key) != node {
		v.fail(1, "the public key of the chain is not that of node %s", node)
	}
	return v
}

func (v *chainVerifier) fail(sequence int64, format string, args ...any) {
	if v.problem == "" {
		v.bad, v.problem = sequence, fmt.Sprintf(format, args...)
	}
}

// continueFrom begins behind a checkpoint or a cut.
func (v *chainVerifier) continueFrom(c Checkpoint) {
	if !c.holds(v.key) {
		v.fail(c.Sequence+1, "the %s at record %d was not signed by the key of the chain", c.Kind, c.Sequence)
		return
	}
	v.last, v.hash, v.total, v.first = c.Sequence, c.Hash, c.Bytes, c.Sequence+1
	v.signed, v.signedAt = c.Sequence, c.Time
	for i := range v.pins {
		v.compare(&v.pins[i])
	}
}

// pin has the chain checked, from where it is on, against checkpoints that were kept
// elsewhere, of this chain and of others.
func (v *chainVerifier) pin(list []Checkpoint) {
	for _, c := range list {
		switch {
		case c.Node != v.node:
		case c.holds(v.key):
			v.pins = append(v.pins, c)
			v.compare(&c)
		default:
			v.fail(c.Sequence, "the checkpoint at record %d, which was kept elsewhere, was not signed by the key of the chain", c.Sequence)
		}
	}
}

// block checks the records of a block, and what it says of them.
func (v *chainVerifier) block(b store.Block) {
	if v.problem != "" {
		return
	}
	first, from := v.last+1, int64(0)
	err := splitBlock(b.Records, func(e entry) bool {
		v.record(e)
		if from == 0 {
			from = v.time
		}
		return v.problem == ""
	})
	switch {
	case v.problem != "":
	case err != nil:
		v.fail(v.last+1, "%v", err)
	case b.First != first || b.Last != v.last || b.FromTime != from || b.UntilTime != v.time:
		v.fail(first, "a block of records is not what it says: it has records %d to %d", first, v.last)
	}
}

// record checks the next record.
func (v *chainVerifier) record(e entry) {
	if v.problem != "" {
		return
	}
	next := v.last + 1
	r, err := decodeBody(e.body)
	switch {
	case err != nil:
		v.fail(next, "record %d: %v", next, err)
	case r.Sequence > next:
		v.fail(next, "record %d is missing: the next one is %d", next, r.Sequence)
	case r.Sequence < next:
		v.fail(r.Sequence, "record %d is there again, behind record %d", r.Sequence, v.last)
	case r.Time.UnixMicro() < v.time:
		v.fail(next, "record %d is older than the one before it", next)
	}
	v.link = append(append(v.link[:0], v.hash[:]...), e.body...)
	hash := Hash(sha256.Sum256(v.link))
	if hash != e.hash {
		v.fail(next, "record %d or its hash was changed, or does not follow the one before it", next)
	}
	if v.problem != "" {
		return
	}
	v.last, v.hash, v.time = next, hash, r.Time.UnixMicro()
	v.total += int64(len(e.body))
	v.records++
	v.seen()
	for i := range v.pins {
		v.compare(&v.pins[i])
	}
}

// compare checks the last record, or what is said of it where the chain begins, against
// a checkpoint that was kept elsewhere, if that is at this record.
func (v *chainVerifier) compare(c *Checkpoint) {
	switch {
	case c.Sequence != v.last:
	case c.Hash == v.hash:
		v.prove(c)
	case v.records == 0:
		v.fail(v.last, "record %d, behind which the log begins, had another hash: the checkpoint there, which was kept elsewhere, does not have that one", v.last)
	default:
		v.fail(v.signed+1, "one of the records %d to %d was changed, and what follows it was made anew: the checkpoint at record %d, which was kept elsewhere, has another hash", v.signed+1, v.last, v.last)
	}
}

// prove takes a checkpoint at the last record over.
func (v *chainVerifier) prove(c *Checkpoint) {
	if v.signed < c.Sequence || v.checkpoints == 0 { // not yet
		v.checkpoints++
	}
	v.signed, v.signedAt = c.Sequence, c.Time
}

// checkpoint checks one that stands behind the last record.
func (v *chainVerifier) checkpoint(c Checkpoint) {
	switch {
	case v.problem != "", c.Sequence < v.first-1: // it is about what was let go
	case !c.holds(v.key):
		v.fail(max(v.signed+1, v.first), "the checkpoint at record %d was not signed by the key of the chain", c.Sequence)
	case c.Sequence > v.last:
		v.fail(v.last+1, "records %d to %d are missing: a checkpoint was signed at record %d", v.last+1, c.Sequence, c.Sequence)
	case c.Sequence < v.last:
		v.fail(c.Sequence, "the checkpoint at record %d stands behind record %d", c.Sequence, v.last)
	case c.Hash != v.hash:
		v.fail(v.signed+1, "one of the records %d to %d was changed, and what follows it was made anew: the checkpoint at record %d has another hash", v.signed+1, v.last, v.last)
	default:
		v.prove(&c)
	}
}

// end finds out whether the chain ends before a checkpoint that was kept elsewhere.
func (v *chainVerifier) end() {
	for _, c := range v.pins {
		if c.Sequence > v.last {
			v.fail(v.last+1, "records %d to %d are missing: the checkpoint that was kept elsewhere is at record %d", v.last+1, c.Sequence, c.Sequence)
		}
	}
}

// head checks where the chain is said to end.
func (v *chainVerifier) head(head store.Head) {
	switch {
	case v.problem != "":
	case head.Last > v.last:
		v.fail(v.last+1, "records %d to %d are missing at the end", v.last+1, head.Last)
	case head.Last < v.last || v.last > 0 && Hash(head.Hash) != v.hash:
		v.fail(v.last, "the chain ends with record %d, and is said to end otherwise", v.last)
	}
}

func (v *chainVerifier) report() ChainReport {
	return ChainReport{
		Node: v.node, Key: fmt.Sprintf("%x", []byte(v.key)), First: v.first, Last: v.last, Records: v.records,
		Checkpoints: v.checkpoints, SignedUntil: v.signed, SignedAt: v.signedAt, FirstBad: v.bad, Problem: v.problem,
	}
}

// eachBlock calls yield with the blocks that are selected until it returns false.
func eachBlock(ctx context.Context, j store.Journal, q store.BlockQuery, yield func(store.Block) bool) error {
	for {
		blocks, err := j.Blocks(ctx, q)
		if err != nil {
			return fmt.Errorf("read the audit log: %w", err)
		}
		if len(blocks) == 0 {
			return nil
		}
		for _, b := range blocks {
			if !yield(b) {
				return nil
			}
		}
		if last := blocks[len(blocks)-1]; q.Descending {
			q.Before = last.First
		} else if last.Last > q.After {
			q.After = last.Last
		} else {
			return nil // what a block says of itself was changed
		}
	}
}

// VerifyJournal reads all chains of a journal.
func VerifyJournal(ctx context.Context, j store.Journal, o VerifyOptions) (Report, error) {
	chains, err := j.Chains(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("read the audit log: %w", err)
	}
	var total, done int64
	for _, c := range chains {
		total += c.Last
	}
	report := Report{OK: true, Chains: []ChainReport{}}
	for _, c := range chains {
		v := newChainVerifier(c.Name, c.Key)
		v.pin(o.Pinned)
		v.seen = func() {
			if done++; o.Progress != nil && done%progressRecords == 0 {
				o.Progress(done, total)
			}
		}
		if err := verifyChain(ctx, j, v); err != nil {
			return Report{}, err
		}
		v.head(c.Head)
		total -= v.first - 1
		report.add(v, o)
	}
	report.end(o)
	return report, nil
}

// progressRecords is how often progress is told.
const progressRecords = 1 << 14

func verifyChain(ctx context.Context, j store.Journal, v *chainVerifier) error {
	cut, found, err := lastMark(ctx, j, v.node, cutKind, 0)
	if err != nil {
		return fmt.Errorf("read the audit log: %w", err)
	}
	if found {
		v.continueFrom(cut)
	}
	marks := &markReader{journal: j, query: store.MarkQuery{Chain: v.node, Kind: checkpointKind, After: max(v.last-1, 0)}}
	if err := marks.upTo(ctx, v, v.last); err != nil {
		return err
	}
	var failed error
	err = eachBlock(ctx, j, store.BlockQuery{Chain: v.node, After: v.last}, func(b store.Block) bool {
		v.block(b)
		failed = marks.upTo(ctx, v, v.last)
		return failed == nil && v.problem == ""
	})
	if err != nil || failed != nil {
		return errorsFirst(err, failed)
	}
	return marks.upTo(ctx, v, 1<<62) // those behind the end
}

func errorsFirst(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

// markReader gives checkpoints in the order of their records.
type markReader struct {
	journal store.Journal
	query   store.MarkQuery
	marks   []store.Mark
	ended   bool
}

// upTo has the checkpoints checked that are not behind a record.
func (m *markReader) upTo(ctx context.Context, v *chainVerifier, last int64) error {
	for v.problem == "" {
		if len(m.marks) == 0 && !m.ended {
			marks, err := m.journal.Marks(ctx, m.query)
			if err != nil {
				return fmt.Errorf("read the audit log: %w", err)
			}
			m.marks, m.ended = marks, len(marks) == 0
			if !m.ended {
				m.query.After = marks[len(marks)-1].Sequence
			}
		}
		if len(m.marks) == 0 || m.marks[0].Sequence > last {
			return nil
		}
		c, err := parseCheckpoint(m.marks[0].Document)
		if err != nil || c.Sequence != m.marks[0].Sequence || c.Kind != checkpointKind {
			v.fail(max(v.signed+1, v.first), "the checkpoint at record %d is damaged", m.marks[0].Sequence)
		} else {
			v.checkpoint(c)
		}
		m.marks = m.marks[1:]
	}
	return nil
}

func (r *Report) add(v *chainVerifier, o VerifyOptions) {
	if len(o.Keys) > 0 && !slices.ContainsFunc(o.Keys, func(k ed25519.PublicKey) bool { return v.key.Equal(k) }) {
		v.fail(v.first, "nobody trusts the key of the chain")
	}
	v.end()
	r.OK = r.OK && v.problem == ""
	r.Chains = append(r.Chains, v.report())
}

// end finds chains that should be there, and judges all of them.
func (r *Report) end(o VerifyOptions) {
	missing := func(node string, last int64) {
		if !slices.ContainsFunc(r.Chains, func(c ChainReport) bool { return c.Node == node }) {
			r.OK = false
			r.Chains = append(r.Chains, ChainReport{Node: node, First: 1, FirstBad: 1, Problem: fmt.Sprintf("the chain is missing, which had %d records at least", last)})
		}
	}
	for _, c := range o.Pinned {
		missing(c.Node, c.Sequence)
	}
	r.Proven = r.OK && !slices.ContainsFunc(r.Chains, func(c ChainReport) bool { return c.Records > 0 && c.Checkpoints == 0 })
}
