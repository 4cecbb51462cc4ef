package memory

import (
	"math"
	"testing"
)

func TestShare(t *testing.T) {
	const gib = int64(1 << 30)
	for name, c := range map[string]struct {
		limit  int64
		wishes Wishes
		want   Parts
		fits   bool
	}{
		"nothing wished":         {16 * gib, Wishes{}, Parts{Heap: 6 * gib, Scripts: 8 * gib}, true},
		"with a shadow":          {20 * gib, Wishes{Shadow: true}, Parts{Heap: 20 * gib / 8 * 3, Scripts: 8 * gib, Shadow: 2 * gib}, true},
		"small heap":             {16 * gib, Wishes{Heap: gib}, Parts{Heap: gib, Scripts: 13 * gib}, true},
		"large heap":             {16 * gib, Wishes{Heap: 10 * gib}, Parts{Heap: 10 * gib, Scripts: 4 * gib}, true},
		"heap takes the spare":   {16 * gib, Wishes{Heap: 15 * gib}, Parts{Heap: 15 * gib, Scripts: gib}, true},
		"heap takes all":         {16 * gib, Wishes{Heap: 16 * gib}, Parts{Heap: 16 * gib, Scripts: gib}, false},
		"heap without end":       {16 * gib, Wishes{Heap: math.MaxInt64}, Parts{Heap: math.MaxInt64, Scripts: gib}, false},
		"few scripts":            {16 * gib, Wishes{Scripts: gib}, Parts{Heap: 6 * gib, Scripts: gib}, true},
		"many scripts":           {16 * gib, Wishes{Scripts: 12 * gib}, Parts{Heap: 2 * gib, Scripts: 12 * gib}, true},
		"scripts take all":       {16 * gib, Wishes{Scripts: 16 * gib}, Parts{Heap: gib, Scripts: 16 * gib}, false},
		"shadow of many":         {16 * gib, Wishes{Scripts: 12 * gib, Shadow: true}, Parts{Heap: gib, Scripts: 12 * gib, Shadow: 3 * gib}, true},
		"shadow of too many":     {16 * gib, Wishes{Scripts: 13 * gib, Shadow: true}, Parts{Heap: gib, Scripts: 13 * gib, Shadow: 13 * gib / 4}, false},
		"both, without spare":    {16 * gib, Wishes{Heap: 8 * gib, Scripts: 8 * gib}, Parts{Heap: 8 * gib, Scripts: 8 * gib}, true},
		"both, too much":         {16 * gib, Wishes{Heap: 8 * gib, Scripts: 9 * gib}, Parts{Heap: 8 * gib, Scripts: 9 * gib}, false},
		"machine that is silent": {0, Wishes{Heap: 8 * gib, Scripts: 9 * gib}, Parts{Heap: 8 * gib, Scripts: 9 * gib}, true},
		"silent, nothing wished": {0, Wishes{}, Parts{Scripts: unknownBytes / 2}, true},
	} {
		if got, fits := Share(c.limit, c.wishes); got != c.want || fits != c.fits {
			t.Errorf("%s: %+v, %t; want %+v, %t", name, got, fits, c.want, c.fits)
		}
	}
}
