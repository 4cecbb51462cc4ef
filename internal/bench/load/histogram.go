package load

import (
	"maps"
	"math"
	"slices"
	"time"
)

// Histogram counts times in steps of a hundredth of themselves, so that the times of
// several loads can be put together.
type Histogram map[int]int

var stepLog = math.Log(1.01)

func (h Histogram) count(t time.Duration) {
	h[int(math.Round(math.Log(max(1, float64(t)))/stepLog))]++
}

// Add puts the times of another one to those that are there.
func (h Histogram) Add(other Histogram) {
	for step, n := range other {
		h[step] += n
	}
}

// Quantile is a value of the times, half a hundredth off at most; 0 if there are none.
func (h Histogram) Quantile(q float64) time.Duration {
	total := 0
	for _, n := range h {
		total += n
	}
	rank := min(total-1, int(q*float64(total)))
	for _, step := range slices.Sorted(maps.Keys(h)) {
		if rank -= h[step]; rank < 0 {
			return time.Duration(math.Exp(float64(step) * stepLog))
		}
	}
	return 0
}
