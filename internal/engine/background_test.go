package engine

import (
	"sync"
	"testing"
)

func TestBackgroundHasSoManyThreads(t *testing.T) {
	b := newBackground(2)
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

func TestBackgroundPassesPanicsOn(t *testing.T) {
	b := newBackground(1)
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
