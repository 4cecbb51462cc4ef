package audit

import (
	"sync/atomic"
	"time"
)

// stats count what a log does.
type stats struct {
	records          [kindCount]atomic.Int64 // by place in Kinds
	flushes, flushNS atomic.Int64
	waiting          atomic.Int64
	waits, refused   atomic.Int64
	failures, lost   atomic.Int64
	checkpoints      atomic.Int64
	unrecorded       atomic.Int64
	bytes, written   atomic.Int64
	broken, central  atomic.Bool
}

func (s *stats) wrote(b *batch, took time.Duration) {
	for i := range Kinds {
		s.records[i].Add(b.kinds[i])
	}
	s.flushes.Add(1)
	s.flushNS.Add(int64(took))
}

// Stats is how a log is.
type Stats struct {
	// Records counts those that are durable, by kind.
	Records map[Kind]int64
	// Bytes are those of the bodies of all records of the chain.
	Bytes int64
	// Flushes counts writes, in FlushTime altogether.
	Flushes   int64
	FlushTime time.Duration
	// Checkpoints counts those that were signed.
	Checkpoints int64
	// Waiting counts who waits for room or durability, Waits who had to for room,
	// Refused those of them who waited in vain.
	Waiting, Waits, Refused int64
	// AtRisk counts records that are not durable yet, and places that executions
	// have for theirs.
	AtRisk int64
	// Failures counts writes that failed and were repeated, Lost records that could
	// not be written before the end.
	Failures, Lost int64
	// Unrecorded counts denied requests that stand in a record for several.
	Unrecorded int64
	// Behind counts records that the central journal has not got; HasCentral tells
	// whether there is one, and Central whether it answered the last time.
	Behind              int64
	HasCentral, Central bool
	// Broken is set if the end of the chain was damaged at the start.
	Broken bool
}

// Stats tells how the log is.
func (l *Log) Stats() Stats {
	s := &l.stats
	now := Stats{
		Records: make(map[Kind]int64, len(Kinds)), Bytes: s.bytes.Load(), Flushes: s.flushes.Load(), FlushTime: time.Duration(s.flushNS.Load()),
		Checkpoints: s.checkpoints.Load(), Waiting: s.waiting.Load(), Waits: s.waits.Load(), Refused: s.refused.Load(), AtRisk: l.used.Load(),
		Failures: s.failures.Load(), Lost: s.lost.Load(), Unrecorded: s.unrecorded.Load(), HasCentral: l.shipper != nil, Central: s.central.Load(), Broken: s.broken.Load(),
	}
	for i, kind := range Kinds {
		now.Records[kind] = s.records[i].Load()
	}
	if l.shipper != nil {
		now.Behind = max(0, s.written.Load()-l.shippedUntil())
	}
	return now
}
