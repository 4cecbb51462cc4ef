package engine

import (
	"runtime"
	"sync"
	"time"
)

// background runs what cannot be interrupted and takes long, on threads of its
// own that the system gives the CPU after all others. A thread is kept for the
// next piece of work, as its priority cannot be raised again.
//
// Low priority is not enough where others wait: a thread has one of the Go
// scheduler's processors also while the system gives it no CPU. So a thread that
// has worked while others waited rests restFactor times as long: it then has a tenth
// of the time, or somewhat more for what takes long.
type background struct {
	most int
	// crowded tells that others wait.
	crowded func() bool
	work    chan func()
	quit    chan struct{}
	threads sync.WaitGroup

	mu      sync.Mutex
	started int
	closed  bool
}

const restFactor = 9

// longestRest is the most that a thread rests: what worked for longer was slow
// because it got no CPU.
const longestRest = 100 * time.Millisecond

func newBackground(most int, crowded func() bool) *background {
	return &background{most: most, crowded: crowded, work: make(chan func()), quit: make(chan struct{})}
}

// run does f and waits for its end, and has its panic. When all threads are busy
// it waits for one.
func (b *background) run(f func()) {
	done := make(chan any)
	job := func() {
		defer func() { done <- recover() }()
		f()
	}
	select {
	case b.work <- job:
	default:
		if !b.start(job) {
			select {
			case b.work <- job:
			case <-b.quit:
				f()
				return
			}
		}
	}
	if r := <-done; r != nil {
		panic(r)
	}
}

// start begins another thread with a job, unless there are enough.
func (b *background) start(job func()) bool {
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
func (b *background) serve(job func()) {
	runtime.LockOSThread()
	lowerPriority()
	for {
		began := time.Now()
		job()
		if b.crowded() && !b.rest(min(restFactor*time.Since(began), longestRest)) {
			return
		}
		select {
		case job = <-b.work:
		case <-b.quit:
			return
		}
	}
}

// rest waits, and tells whether there will be further work.
func (b *background) rest(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-b.quit:
		return false
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
