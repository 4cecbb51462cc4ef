package store

import "context"

// Head is how far a chain of a journal has got: the sequence number of its last
// record, 0 if there is none, and the hash that its writer has for it.
type Head struct {
	Last int64
	Hash [32]byte
}

// Chain is one writer's part of a journal.
type Chain struct {
	Name string
	// Key is what its writer can be recognised by.
	Key []byte
	Head
}

// Block are records that were written together, with the times of the first and
// the last of them in microseconds. Neither goes back within a chain.
type Block struct {
	First, Last         int64
	FromTime, UntilTime int64
	Records             []byte
}

// Mark is a statement about a chain up to a record.
type Mark struct {
	Sequence int64
	Kind     string
	Document []byte
}

// Extension is what is put at the end of a chain at once.
type Extension struct {
	// Chain is the chain as it will be; From is the head that it has now.
	Chain Chain
	From  Head
	// Blocks go on from there without a gap.
	Blocks []Block
	Marks  []Mark
}

// BlockQuery selects blocks of a chain. Zero members select all.
type BlockQuery struct {
	Chain string
	// After and Before are sequence numbers: blocks with a record behind the one,
	// and with one ahead of the other.
	After, Before int64
	// FromTime and UntilTime bound the records' times, both of them included.
	FromTime, UntilTime int64
	// Descending gives the newest first.
	Descending bool
}

// MarkQuery selects marks of a chain and a kind. Zero members select all.
type MarkQuery struct {
	Chain, Kind string
	// After and Until bound the sequence numbers, the second one included.
	After, Until int64
	// Descending gives the newest first.
	Descending bool
}

// How many blocks or marks one query gives at most, and how large a block may be.
const (
	pageBlocks    = 16
	pageMarks     = 256
	MaxBlockBytes = 256 << 10
)

// Journal keeps what is only ever added to: chains of blocks, which it does not
// look into. Its methods may be used concurrently, and are bounded as those of a
// Store are.
type Journal interface {
	// Extend writes all of the extension durably, or nothing. Where the head of
	// the chain is not the expected one it fails with ErrConflict, unless it is the
	// new one already: then the extension was written before.
	Extend(ctx context.Context, e Extension) error
	// Chains gives the chains by name.
	Chains(ctx context.Context) ([]Chain, error)
	// Blocks gives the first of the blocks that are selected, none after the last.
	Blocks(ctx context.Context, q BlockQuery) ([]Block, error)
	// Marks gives the first of the marks that are selected, none after the last.
	Marks(ctx context.Context, q MarkQuery) ([]Mark, error)
	// Cut removes some blocks that end at a record or before it, the oldest first,
	// with the marks before that record, and tells whether there are more.
	Cut(ctx context.Context, chain string, last int64) (more bool, err error)
	Close() error
}

// cutBlocks is how many blocks one call removes: others wait for it.
const cutBlocks = 64

// valid refuses what would leave a gap. A chain that is empty may begin behind
// records that were cut before.
func (e *Extension) valid() bool {
	if len(e.Blocks) == 0 && e.From == (Head{}) {
		return true
	}
	last := e.From.Last
	for _, b := range e.Blocks {
		if b.First != last+1 || b.Last < b.First || len(b.Records) > MaxBlockBytes {
			return false
		}
		last = b.Last
	}
	return last == e.Chain.Last
}
