// Package machine is what a benchmark needs of the computer: processes that
// stay on their cores, what they use of CPU and memory, and whether somebody
// else was at work meanwhile.
package machine

import (
	"os/exec"
	"runtime"
	"time"
)

// Cores shares the processors out: one half for what makes load, the other for
// what is measured, so that neither takes time from the other. With a single
// processor both are nil, and so is every pin.
func Cores() (generator, subject []int) {
	n := runtime.NumCPU()
	if n < 2 || !canPin {
		return nil, nil
	}
	for core := range n {
		if core < n/2 {
			generator = append(generator, core)
		} else {
			subject = append(subject, core)
		}
	}
	return generator, subject
}

// Start starts a command whose threads all stay on the given cores; with none,
// on all of them.
func Start(cmd *exec.Cmd, cores []int) error {
	ownGroup(cmd)
	if len(cores) == 0 {
		return cmd.Start()
	}
	// A new process has the cores of the thread that makes it. The thread ends
	// with the goroutine, since it is not unlocked.
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		if err := pinThread(cores); err != nil {
			started <- err
			return
		}
		started <- cmd.Start()
	}()
	return <-started
}

// Moment is a look at the machine's clocks.
type Moment struct {
	at time.Time
	// busy is what all processors have worked since the start, stolen what the
	// machine below took from them, own what the watched processes used, those
	// that have ended too.
	busy, stolen, own time.Duration
}

// Look reads the clocks. The processes are those whose work is no disturbance,
// and ended is the work of those among them that are there no more.
func Look(processes []int, ended time.Duration) Moment {
	m := Moment{at: time.Now(), own: ended}
	m.busy, m.stolen = totals()
	for _, pid := range processes {
		m.own += CPU(pid)
	}
	return m
}

// Own is what the watched processes used in a span.
func Own(from, to Moment) time.Duration { return to.own - from.own }

// Disturbance is the share of a span that processors spent on something else
// than the watched processes, as a part of all they could have done.
func Disturbance(from, to Moment) float64 {
	span := to.at.Sub(from.at) * time.Duration(runtime.NumCPU())
	if span <= 0 {
		return 0
	}
	other := (to.busy - from.busy) - Own(from, to) + (to.stolen - from.stolen)
	// The clocks count in ticks, of which each process and processor may be off
	// by one.
	other -= 2 * tick
	return max(0, float64(other)/float64(span))
}
