package engine

import (
	"sync"
	"testing"
	"time"
)

func nobodyWaits() bool { return false }

func TestBackgroundHasSoManyThreads(t *testing.T) {
	b := newBackground(2, nobodyWaits)
	begun, end := make(chan int), make(chan struct{})
	var jobs sync.WaitGroup
	for i := range 3 {
		jobs.Go(func() {
			b.run(func() {
				begun <- i
				<-end
			})
		})
	}
	<-begun
	<-begun
	select {
	case i := <-begun:
		t.Errorf("job %d began on a third thread", i)
	default:
	}
	end <- struct{}{}
	<-begun
	close(end)
	jobs.Wait()
	if b.started != 2 {
		t.Errorf("%d threads for three jobs", b.started)
	}
	b.close()
	ran := false
	b.run(func() { ran = true })
	if !ran {
		t.Error("a job after the end was lost")
	}
}

// A thread that has worked while others waited rests for longer, or until the end.
func TestBackgroundRests(t *testing.T) {
	for _, waiting := range []bool{true, false} {
		b := newBackground(1, func() bool { return waiting })
		var took time.Duration
		var ended time.Time
		b.run(func() {
			began := time.Now()
			for took < time.Millisecond {
				took = time.Since(began)
			}
			ended = time.Now()
		})
		b.run(func() {
			if rested := time.Since(ended); waiting && rested < min(restFactor*took, longestRest) {
				t.Errorf("rested %v after %v", rested, took)
			}
		})
		b.close() // does not wait for a rest
	}
}

func TestBackgroundPassesPanicsOn(t *testing.T) {
	b := newBackground(1, nobodyWaits)
	defer b.close()
	func() {
		defer func() {
			if r := recover(); r != "oops" {
				t.Errorf("panic with %v", r)
			}
		}()
		b.run(func() { panic("oops") })
	}()
	b.run(func() {})
}
