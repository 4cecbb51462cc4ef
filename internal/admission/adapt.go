package admission

import (
	"math"
	"time"
)

const (
	// A window is as long as windowTime at least, and until windowCount executions
	// have ended in it, but not longer than windowMost.
	windowTime  = 100 * time.Millisecond
	windowMost  = time.Second
	windowCount = 10
	// steepest is the least that is left of the places after one window.
	steepest = 0.5
)

// window is what was measured since the number of places was looked at.
type window struct {
	began time.Time
	count int
	// sum is of how long executions waited for their turns, by how long they may.
	sum  float64
	peak int // of places that were taken
}

// measure takes an execution in that has ended, and changes the number of places
// when it is time for that.
//
// Where slots compute and others wait for a turn, all of them go at the same
// pace: the part of its time that an execution waits is that of those who wait. An
// execution that was elsewhere for a while, asking a database for example, did not
// wait then, and is counted as if it had; it is let off with more time, too, since
// its own time is longer.
func (g *Gate) measure(now time.Time, took time.Duration, slots, waiting int) {
	if g.limits.Delay <= 0 {
		return
	}
	if g.count == 0 && now.Sub(g.began) > windowMost { // nothing ended for a while
		g.began, g.peak = now, g.running
	}
	if waiting > 0 {
		waited := float64(took) * float64(waiting) / float64(waiting+slots)
		g.sum += waited / (float64(g.limits.Delay) + float64(took) - waited)
	}
	g.count++
	if age := now.Sub(g.began); age < windowTime || g.count < windowCount && age < windowMost {
		return
	}
	g.adapt(g.sum / float64(g.count))
	g.window = window{began: now, peak: g.running}
}

// adapt changes the number of places. Executions waited so many times as long as
// is aimed at.
func (g *Gate) adapt(ratio float64) {
	switch {
	case ratio > 1:
		used := float64(min(g.places, g.peak))
		g.places = max(g.limits.Least, int(used*max(steepest, 1/ratio)))
	case 2*g.peak >= g.places: // as many as one client can have
		g.places = min(g.limits.Most, g.places+int(math.Sqrt(float64(g.places))))
	}
}

// pace is how fast places come back while somebody waits for one.
type pace struct {
	interval time.Duration
	last     time.Time
	busy     bool
}

// paceWeight is how many intervals the mean is made of.
const paceWeight = 16

func (p *pace) leave(now time.Time, busy bool) {
	if busy && p.busy {
		p.interval += (now.Sub(p.last) - p.interval) / paceWeight
	}
	if !busy {
		p.interval = 0
	}
	p.last, p.busy = now, busy
}
