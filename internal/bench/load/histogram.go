package load

import (
	"maps"
	"math"
	"slices"
	"time"
)

// Histogram is how many times, or which part of them, lie in each of steps of one
// percent, so that those of several loads can be put together.
type Histogram map[int]float64

var stepLog = math.Log(1.01)

func (h Histogram) count(t time.Duration) {
	h[int(math.Round(math.Log(max(1, float64(t)))/stepLog))]++
}

func (h Histogram) total() (sum float64) {
	for _, n := range h {
		sum += n
	}
	return sum
}

// Add puts the times of another one, which weigh one together, to those that are
// there. Whoever waits for each answer asks less often when answers are slow:
// counted by requests, a span in which hardly anything was answered would hide
// among the others.
func (h Histogram) Add(other Histogram) {
	total := other.total()
	for step, n := range other {
		h[step] += n / total
	}
}

// Quantile is a value of the times, half a hundredth off at most; 0 if there are none.
func (h Histogram) Quantile(q float64) time.Duration {
	rank := q * h.total()
	var t time.Duration
	for _, step := range slices.Sorted(maps.Keys(h)) {
		t = time.Duration(math.Exp(float64(step) * stepLog))
		if rank -= h[step]; rank < 0 {
			break
		}
	}
	return t
}
