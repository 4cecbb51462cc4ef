package memory

// Parts are the shares of the memory of a process. What they leave is spare: for
// stacks, compiled code, and what the system needs.
type Parts struct {
	// Heap is what the Go runtime may hold. No memory of scripts is in it. It is
	// zero, for no bound, where nobody wished one or knows what there is.
	Heap int64
	// Scripts is for the memory of executions, Shadow for that of executions
	// that are repeated.
	Scripts, Shadow int64
}

// Wishes say how large parts are to be. What is zero is left to Share.
type Wishes struct {
	Heap, Scripts int64
	// Shadow asks for a part for repeated executions, a quarter of Scripts.
	Shadow bool
}

// unknownBytes stands for the memory of a machine that does not say how much it
// has. No wish is beyond that.
const unknownBytes = 4 << 30

// Share gives everyone a part of the limit: an eighth is spare and three eighths are
// the heap's unless something else is wished, the rest is for scripts. It reports
// whether that is possible. If it is not, the parts are no larger than was wished,
// or a sixteenth.
func Share(limit int64, w Wishes) (Parts, bool) {
	known := limit > 0
	if !known {
		limit = unknownBytes
	}
	usual, least := limit-limit/8, limit/16
	p := Parts{Heap: w.Heap, Scripts: w.Scripts}
	if w.Scripts > 0 && w.Shadow {
		p.Shadow = w.Scripts / 4
	}
	if w.Heap == 0 && known {
		p.Heap = max(least, min(limit/8*3, usual-p.Scripts-p.Shadow))
	}
	if w.Scripts == 0 {
		heap := p.Heap
		if heap == 0 {
			heap = limit / 8 * 3
		}
		p.Scripts = max(least, usual-heap)
		if w.Shadow {
			p.Shadow = p.Scripts / 5
			p.Scripts -= p.Shadow
		}
	}
	return p, !known || p.Heap <= limit && p.Heap+p.Scripts+p.Shadow <= limit
}
