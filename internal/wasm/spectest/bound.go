package spectest

import (
	"testing"
	"time"
)

// moduleTime is far more than it takes to look at any module of the suite, also
// with the race detector.
const moduleTime = time.Second

// Bounded calls f, and fails the test if that takes long. A loaded machine may be
// to blame for that, but not every time.
func Bounded(t testing.TB, what string, f func()) {
	t.Helper()
	var took time.Duration
	for range 5 {
		began := time.Now()
		f()
		if took = time.Since(began); took < moduleTime {
			return
		}
	}
	t.Errorf("%s takes %s", what, took)
}
