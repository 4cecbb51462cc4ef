package wasmhost

import (
	"sync/atomic"
	"time"
)

var (
	processBegan = time.Now()
	// lastYield is when a turn last ended with YieldThread, in nanoseconds since
	// processBegan.
	lastYield atomic.Int64
)

// calmOccupied is how long turns may follow each other while nobody
// waits for a compute slot. There may be requests that another thread has read and
// cannot answer: the system lets it wait for its tick, of some milliseconds.
const calmOccupied = time.Millisecond

// yieldAfterTurn is YieldThread for the end of a turn. Most turns are too short for
// one each: it may cost the system a change of threads.
func yieldAfterTurn(crowded bool) {
	now, last := time.Since(processBegan), lastYield.Load()
	if yieldIsDue(now-time.Duration(last), crowded) && lastYield.CompareAndSwap(last, int64(now)) {
		YieldThread()
	}
}

// yieldIsDue tells whether a turn ends with a yield, so long after the last one in the
// process that did.
func yieldIsDue(since time.Duration, crowded bool) bool {
	if crowded {
		return since > maxOccupied
	}
	return since > calmOccupied
}
