package audit

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"

	"github.com/avapd/avapd/internal/store"
)

// The types of lines of an export.
const (
	chainLine      = "chain"
	recordLine     = "record"
	checkpointLine = "checkpoint"
)

type lineOfChain struct {
	Type string `json:"type"`
	Node string `json:"node"`
	Key  string `json:"key"`
}

type lineOfRecord struct {
	Type string `json:"type"`
	Entry
}

type lineOfCheckpoint struct {
	Type string `json:"type"`
	Checkpoint
}

// exporter writes lines.
type exporter struct{ out *bufio.Writer }

func (e *exporter) line(v any) error {
	if err := json.MarshalWrite(e.out, v); err != nil {
		return fmt.Errorf("write a line: %w", err)
	}
	if err := e.out.WriteByte('\n'); err != nil {
		return fmt.Errorf("write a line: %w", err)
	}
	return nil
}

// Export writes what matches as lines, in bounded memory: whole chains one after
// the other, so that they can be verified, or some records in order of time.
func (l *Log) Export(ctx context.Context, out io.Writer, f Filter) error {
	sources, partial, err := l.sources(ctx, f.Node)
	if err != nil {
		return err
	}
	if partial {
		return fmt.Errorf("%w: the central journal is away, which has the records of other nodes", ErrBusy)
	}
	return export(ctx, sources, out, f)
}

// ExportJournal is Export of a journal that no log is open on.
func ExportJournal(ctx context.Context, j store.Journal, out io.Writer, f Filter) error {
	sources, err := journalSources(ctx, j, f.Node)
	if err != nil {
		return err
	}
	return export(ctx, sources, out, f)
}

func export(ctx context.Context, sources []source, out io.Writer, f Filter) error {
	e := &exporter{bufio.NewWriterSize(out, 64<<10)}
	if f.isWhole() {
		for _, s := range sources {
			if err := e.chain(ctx, s); err != nil {
				return err
			}
		}
	} else if err := e.some(ctx, sources, f); err != nil {
		return err
	}
	if err := e.out.Flush(); err != nil {
		return fmt.Errorf("write the audit log: %w", err)
	}
	return nil
}

func (e *exporter) some(ctx context.Context, sources []source, f Filter) error {
	var failed error
	_, _, err := each(ctx, sources, &f, place{}, false, 0, func(entry *Entry) bool {
		failed = e.line(lineOfRecord{recordLine, *entry})
		return failed == nil
	})
	return errorsFirst(err, failed)
}

// chain writes a chain as far as it had got when its head was read.
func (e *exporter) chain(ctx context.Context, s source) error {
	if err := e.line(lineOfChain{chainLine, s.chain.Name, hex.EncodeToString(s.chain.Key)}); err != nil {
		return err
	}
	if s.cut > 0 {
		cut, _, err := lastMark(ctx, s.journal, s.chain.Name, cutKind, s.cut)
		if err != nil {
			return err
		}
		if err := e.line(lineOfCheckpoint{checkpointLine, cut}); err != nil {
			return err
		}
	}
	r := newChainReader(s, &Filter{}, place{}, false)
	var marks []store.Mark
	query := store.MarkQuery{Chain: s.chain.Name, Kind: checkpointKind, After: s.cut, Until: max(s.chain.Last, 1)}
	for {
		entry, err := r.next(ctx)
		if err != nil || entry == nil || entry.Sequence > s.chain.Last {
			return err
		}
		if err := e.line(lineOfRecord{recordLine, *entry}); err != nil {
			return err
		}
		sequence := entry.Sequence
		r.entries = r.entries[1:]
		if len(marks) == 0 && query.After < query.Until {
			if marks, err = s.journal.Marks(ctx, query); err != nil {
				return fmt.Errorf("read the audit log: %w", err)
			}
			query.After = query.Until
			if n := len(marks); n > 0 {
				query.After = marks[n-1].Sequence
			}
		}
		if len(marks) > 0 && marks[0].Sequence <= sequence {
			c, err := parseCheckpoint(marks[0].Document)
			if err != nil {
				return err
			}
			if err := e.line(lineOfCheckpoint{checkpointLine, c}); err != nil {
				return err
			}
			marks = marks[1:]
		}
	}
}

// maxLineBytes bounds a line of an export: texts may be escaped.
const maxLineBytes = 1 << 20

// VerifyExport reads an export of whole chains.
func VerifyExport(in io.Reader, o VerifyOptions) (Report, error) {
	report := Report{OK: true, Chains: []ChainReport{}}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), maxLineBytes)
	var v *chainVerifier
	var done int64
	for number := 1; lines.Scan(); number++ {
		next, err := verifyLine(v, lines.Bytes())
		if err != nil && v == nil {
			return Report{}, fmt.Errorf("line %d: %w", number, err)
		}
		if err != nil {
			v.fail(v.last+1, "line %d: %v", number, err)
		}
		if next != nil {
			if v != nil {
				report.add(v, o)
			}
			v = next
			v.pin(o.Pinned)
			v.seen = func() {
				if done++; o.Progress != nil && done%progressRecords == 0 {
					o.Progress(done, 0)
				}
			}
		}
	}
	if err := lines.Err(); err != nil {
		return Report{}, fmt.Errorf("read the export: %w", err)
	}
	if v != nil {
		report.add(v, o)
	}
	report.end(o)
	return report, nil
}

// errNotWhole says what cannot be verified.
var errNotWhole = errors.New("this is no export of whole chains, which begins with a line of the type chain; export without filters")

// verifyLine checks a line against the chain so far, or begins the next.
func verifyLine(v *chainVerifier, line []byte) (next *chainVerifier, err error) {
	var kind struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(line, &kind); err != nil {
		return nil, errors.New("the line is no JSON of an export")
	}
	if kind.Type == chainLine {
		var l lineOfChain
		if err := strictly(line, &l); err != nil {
			return nil, err
		}
		key, err := hex.DecodeString(l.Key)
		if err != nil {
			return nil, errors.New("the public key of the chain is damaged")
		}
		return newChainVerifier(l.Node, ed25519.PublicKey(key)), nil
	}
	if v == nil {
		return nil, errNotWhole
	}
	switch kind.Type {
	case recordLine:
		return nil, v.recordLine(line)
	case checkpointLine:
		var l lineOfCheckpoint
		if err := strictly(line, &l); err != nil {
			return nil, err
		}
		if l.Node != v.node {
			return nil, fmt.Errorf("a checkpoint of the node %q stands in the chain of another", clean(l.Node, MaxTextBytes))
		}
		if l.Kind == cutKind && v.records == 0 && v.last == 0 {
			v.continueFrom(l.Checkpoint)
		} else {
			v.checkpoint(l.Checkpoint)
		}
		return nil, nil
	}
	return nil, fmt.Errorf("there are no lines of the type %q", clean(kind.Type, MaxTextBytes))
}

func (v *chainVerifier) recordLine(line []byte) error {
	var l lineOfRecord
	if err := strictly(line, &l); err != nil {
		return err
	}
	settled := l.Record
	settled.settle()
	body := appendBody(nil, &settled)
	if l.Node != v.node || l.Time.Nanosecond()%1000 != 0 || l.Time.UnixMicro() < 0 || l.Sequence < 0 || settled.Count != l.Count {
		return fmt.Errorf("record %d is not as it was exported", v.last+1)
	}
	v.record(entry{body, l.Hash})
	return nil
}

func strictly(line []byte, into any) error {
	if err := json.Unmarshal(line, into, json.RejectUnknownMembers(true)); err != nil {
		return errors.New("the line is not as it was exported")
	}
	return nil
}
