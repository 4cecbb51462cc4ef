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

// calmOccupied is how long turns may follow each other on a thread while nobody
// waits for a compute slot. There may be requests that another thread has read and
// cannot answer: the system lets it wait for its tick, of some milliseconds.
const calmOccupied = time.Millisecond

// yieldAfterTurn is YieldThread for the end of a turn. It does nothing if that was
// done less than maxOccupied ago, or calmOccupied where it is not crowded: most turns
// are much shorter, and a yield may cost the system a change of threads.
func yieldAfterTurn(crowded bool) {
	pause := calmOccupied
	if crowded {
		pause = maxOccupied
	}
	now, last := int64(time.Since(processBegan)), lastYield.Load()
	if now-last > int64(pause) && lastYield.CompareAndSwap(last, now) {
		YieldThread()
	}
}
