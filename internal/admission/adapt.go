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
	// steepest is the least that is left of the places after one window: what is
	// measured in so little time may be wrong.
	steepest = 0.5
)

// window is what was measured since the number of places was looked at.
type window struct {
	began time.Time
	// waited is how long executions had waited for turns when the window began.
	waited time.Duration
	// count is of executions that ended, and load the sum of those that were under
	// way then.
	count, load int
	peak        int // of places that were taken
}

// measure takes an execution in that ends, and changes the number of places when
// it is time for that.
//
// Executions may wait for Delay, and as long as they compute themselves, which the
// slots do all the time when it matters. By Little's law as many of them may be
// waiting, on average, as end within Delay, and one for each slot. Those that ask a
// database wait for nothing here: they do not stand in line for the slots.
func (g *Gate) measure(now time.Time, slots int, waited time.Duration) {
	if g.limits.Delay <= 0 {
		return
	}
	if g.count == 0 && now.Sub(g.began) > windowMost { // nothing ended for a while
		g.began, g.window.waited, g.peak = now, waited, g.running
	}
	g.count++
	g.load += g.running
	age := now.Sub(g.began)
	if age < windowTime || g.count < windowCount && age < windowMost {
		return
	}
	n := float64(g.count)
	g.adapt(float64(g.load)/n, float64(waited-g.window.waited)/float64(age), float64(slots)+n*float64(g.limits.Delay)/float64(age))
	g.window = window{began: now, waited: waited, peak: g.running}
}

// adapt changes the number of places, after so many were under way, waited for
// their turns, and might have, on average.
func (g *Gate) adapt(running, waiting, allowed float64) {
	switch {
	case waiting > allowed:
		// As many as are under way, but for those who wait too much: they are not
		// waited for, since they go anyway. A single client has half of the places.
		places := (running - waiting + allowed) * min(2, max(1, float64(g.places)/running))
		used := float64(min(g.places, g.peak))
		g.places = min(g.places, max(g.limits.Least, int(max(steepest*used, places))))
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
