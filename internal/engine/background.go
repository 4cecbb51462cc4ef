package engine

import (
	"runtime"
	"sync"
)

// background runs what cannot be interrupted and takes long, on threads of its
// own that the system gives the CPU after all others. A thread is kept for the
// next piece of work, as its priority cannot be raised again.
type background struct {
	most    int
	work    chan func()
	quit    chan struct{}
	threads sync.WaitGroup

	mu      sync.Mutex
	started int
	closed  bool
}

func newBackground(most int) *background {
	return &background{most: most, work: make(chan func()), quit: make(chan struct{})}
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
		job()
		select {
		case job = <-b.work:
		case <-b.quit:
			return
		}
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
