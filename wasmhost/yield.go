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

// yieldAfterTurn is YieldThread for the end of a turn that other executions wait
// for. It does nothing if that was done less than maxOccupied ago: most turns are
// much shorter, and a yield may cost the system a change of threads. After every
// turn it would halve what a server answers.
func yieldAfterTurn() {
	now, last := int64(time.Since(processBegan)), lastYield.Load()
	if now-last > int64(maxOccupied) && lastYield.CompareAndSwap(last, now) {
		YieldThread()
	}
}
