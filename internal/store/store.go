package store

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Record is a JSON document with a name, as it was left by the commit of its
// revision. A deleted record has no document.
type Record struct {
	Kind, Name string
	Revision   int64
	Deleted    bool
	Document   []byte
}

// Put writes one record, if that is still what the writer took it for.
type Put struct {
	Kind, Name string
	// Expect is the revision that the record has now; zero says that there is
	// none, or a tombstone.
	Expect   int64
	Delete   bool // of a record that is there; Document is empty
	Document []byte
}

// Artifact is content under its SHA-256.
type Artifact struct {
	Digest [32]byte
	Bytes  []byte
}

// Batch is what one commit writes. Artifacts that are there already are fine.
type Batch struct {
	Puts      []Put
	Artifacts []Artifact
}

// Summary identifies the state of a store.
type Summary struct {
	// Epoch is the identifier of the history that revisions count in.
	Epoch    string
	Revision int64
	Records  int      // tombstones too
	Digest   [32]byte // of all records, see Digest
}

// Page is a part of what changed.
type Page struct {
	Records []Record
	// Summary is that of the store at the moment the page was read.
	Summary Summary
	// More says that there are further records up to the summary's revision. A
	// reader who has applied all pages up to one without More has what the
	// summary describes; in between it may have a part of a commit.
	More bool
}

// Store holds records and artifacts. Its methods may be used concurrently,
// and return within the deadline of their context, or Options.Timeout where
// that is sooner.
type Store interface {
	// Commit writes all of the batch under one new revision, or nothing. What
	// it acknowledges is durable. A batch without puts has no revision of its
	// own: it returns the store's.
	Commit(ctx context.Context, batch Batch) (revision int64, err error)
	// Changes gives the records whose revision is greater than after, ordered
	// by revision. A page ends with a revision's last record, so that it may
	// be somewhat longer than the limit (zero is DefaultPageRecords). Where
	// documents are large it is shorter.
	Changes(ctx context.Context, after int64, limit int) (Page, error)
	Summary(ctx context.Context) (Summary, error)
	Artifact(ctx context.Context, digest [32]byte) ([]byte, error)
	// Collect takes away what is of no use any more. It answers ErrConflict
	// when the store is not in the state that the garbage was found in.
	Collect(ctx context.Context, garbage Garbage) (Collected, error)
	Close() error
}

// Copy follows another store. Commit answers ErrReadOnly.
type Copy interface {
	Store
	// Apply takes over records of the followed store, in any order; those that
	// are older than what is here are passed over. Afterwards the copy is in
	// the state that the summary describes, or it is as before and the error
	// is ErrDiverged.
	Apply(ctx context.Context, to Summary, records []Record) error
	// Replace is Apply after forgetting all records. Artifacts stay.
	Replace(ctx context.Context, to Summary, records []Record) error
	// KeepArtifact stores an artifact, also over a damaged one.
	KeepArtifact(ctx context.Context, artifact Artifact) error
	// Missing gives those of the digests whose artifacts are not here.
	Missing(ctx context.Context, digests [][32]byte) ([][32]byte, error)
	// Followed tells whether it has ever taken over what a primary store has.
	Followed(ctx context.Context) (bool, error)
}

// What callers tell apart. Errors wrap one of these and their cause.
var (
	// ErrConflict says that a record is not at the expected revision.
	ErrConflict = errors.New("the record was changed meanwhile")
	ErrNotFound = errors.New("there is no such artifact")
	// ErrUnavailable says that the store cannot be reached or does not answer
	// in time. A commit did not happen, unless it is ErrUncertain.
	ErrUnavailable = errors.New("the store is not available")
	// ErrUncertain says that time ran out before the fate of a commit was
	// known. It comes with ErrUnavailable. Whoever repeats the commit gets
	// ErrConflict if it did happen.
	ErrUncertain = errors.New("it is not known whether the commit happened")
	ErrFull      = errors.New("the store has no room left")
	ErrReadOnly  = errors.New("the store is a copy of another and is not written")
	// ErrInvalid says that a batch is malformed or beyond a limit.
	ErrInvalid = errors.New("the batch is not valid")
	// ErrDiverged says that a copy and what it was given do not make up the
	// summary; Replace mends that.
	ErrDiverged = errors.New("the copy is not what it was made from")
	// ErrDamaged says that the file is not what SQLite wrote. It comes with
	// ErrUnavailable.
	ErrDamaged = errors.New("the file is damaged")
	// ErrSchema says that this program and the schema of the database do not
	// go together.
	ErrSchema = errors.New("the database's schema does not fit this program")
)

// The limits of what is stored.
const (
	MaxKindBytes     = 32
	MaxNameBytes     = 256
	MaxDocumentBytes = 256 << 10
	MaxBatchPuts     = 1000
	MaxBatchBytes    = 4 << 20  // of documents
	MaxArtifactBytes = 64 << 20 // of a batch together

	DefaultPageRecords = 1000
	MaxPageRecords     = 10_000

	// A page with so many bytes of documents ends with its commit.
	fullPageBytes = 16 << 20
)

// FileName is what the file of a SQLite store is called in the data directory.
const FileName = "avapd.db"

// Options of both kinds of store. Zero values are defaults.
type Options struct {
	// Timeout bounds each call, besides its context: 30 s.
	Timeout time.Duration
	// Connections that read at the same time (SQLite: 4), or all (PostgreSQL: 8).
	Connections int
	// Copy opens a SQLite store that follows another.
	Copy bool
	// MaxBytes bounds a SQLite file: 64 GiB.
	MaxBytes int64
	// Log gets what is repaired without the caller noticing.
	Log *slog.Logger
}

const (
	defaultTimeout  = 30 * time.Second
	defaultReaders  = 4
	defaultConns    = 8
	defaultMaxBytes = 64 << 30
)

func (o Options) withDefaults(connections int) Options {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Connections <= 0 {
		o.Connections = connections
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

func pageLimit(limit int) int {
	if limit <= 0 {
		return DefaultPageRecords
	}
	return min(limit, MaxPageRecords)
}
