package engine

import (
	"runtime"
	"sync"
	"time"

	"github.com/avapd/avapd/wasmhost"
)

// background runs what cannot be interrupted and takes long, on threads of its
// own that the system gives the CPU after all others. A thread is kept for the
// next piece of work, as its priority cannot be raised again.
//
// Low priority is not enough where others have work to do: a thread has one of the
// Go scheduler's processors also while the system gives it no CPU, and a system that
// looks at its threads every 4 ms leaves a CPU to it for that long. So work is done
// in pieces, as small as it can be interrupted. After each in which others wanted
// the CPU, the thread rests restFactor times as long: it then has a tenth of the time,
// or somewhat more for what takes long.
type background struct {
	most int
	// crowded tells that others have all the CPUs.
	crowded func() bool
	work    chan backgroundJob
	quit    chan struct{}
	threads sync.WaitGroup

	mu      sync.Mutex
	started int
	closed  bool
}

// backgroundJob calls giveWay as often as it can be interrupted.
type backgroundJob func(giveWay func())

const restFactor = 9

// shortPiece is what is too short to rest after.
const shortPiece = 100 * time.Microsecond

// longestRest is the most that a thread rests: what worked for longer was slow
// because it got no CPU.
const longestRest = 100 * time.Millisecond

func newBackground(most int, crowded func() bool) *background {
	return &background{most: most, crowded: crowded, work: make(chan backgroundJob), quit: make(chan struct{})}
}

// run does f and waits for its end, and has its panic. When all threads are busy
// it waits for one.
func (b *background) run(f backgroundJob) {
	done := make(chan any)
	job := func(giveWay func()) {
		defer func() { done <- recover() }()
		f(giveWay)
	}
	select {
	case b.work <- job:
	default:
		if !b.start(job) {
			select {
			case b.work <- job:
			case <-b.quit:
				f(nil)
				return
			}
		}
	}
	if r := <-done; r != nil {
		panic(r)
	}
}

// start begins another thread with a job, unless there are enough.
func (b *background) start(job backgroundJob) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.started == b.most {
		return false
	}
	b.started++
	b.threads.Go(func() { b.serve(job) })
	return true
}

// serve ends with its thread, which nothing else may use.
func (b *background) serve(job backgroundJob) {
	runtime.LockOSThread()
	lowerPriority()
	for {
		current := beginPiece()
		job(func() { current = b.giveWay(current, shortPiece) })
		b.giveWay(current, 0)
		select {
		case job = <-b.work:
		case <-b.quit:
			return
		}
	}
}

// piece is work between two moments at which a thread can leave off.
type piece struct {
	began time.Time
	// used is what the CPUs had done when the piece began.
	used cpuTime
}

// cpuTime is what a thread and the whole process have used of the CPUs.
type cpuTime struct{ thread, process time.Duration }

func beginPiece() piece { return piece{began: time.Now(), used: usedTime()} }

// contended tells that a piece of work had the CPU for less than nine tenths of the
// time that it took, and that other threads of the process used one meanwhile: what
// other processes use is not to be had by resting. Where it is not known what a
// thread uses, nobody had it.
func contended(took time.Duration, before, after cpuTime) bool {
	own, all := after.thread-before.thread, after.process-before.process
	return own > 0 && took-own >= took/10 && all-own >= took/10
}

// giveWay ends a piece of work, unless it was too short, and gives the current one.
func (b *background) giveWay(p piece, short time.Duration) piece {
	took := time.Since(p.began)
	if took < short {
		return p
	}
	if contended(took, p.used, usedTime()) || b.crowded() {
		b.rest(min(restFactor*took, longestRest))
	} else {
		wasmhost.YieldThread()
	}
	return beginPiece()
}

// rest waits, but not for longer than there may be further work.
func (b *background) rest(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.quit:
	}
}

// close ends the threads. What is still to be done runs on the threads of those
// who ask for it.
func (b *background) close() {
	b.mu.Lock()
	b.closed = true
	close(b.quit)
	b.mu.Unlock()
	b.threads.Wait()
}
