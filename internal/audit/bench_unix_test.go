//go:build unix

package audit_test

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"
)

// BenchmarkPaced is what a record costs the processor, the writer's part
// included, where so many come in a second as a busy server answers.
func BenchmarkPaced(b *testing.B) {
	for _, perSecond := range []int{2_000, 20_000} {
		b.Run(fmt.Sprint(perSecond), func(b *testing.B) {
			h := newHome(b)
			c := h.config(h.journal())
			c.CheckpointRecords, c.Buffer = 10_000, 8192
			l := open(b, c)
			r := execution(1)
			const pause = 2 * time.Millisecond
			ticks := time.NewTicker(pause)
			defer ticks.Stop()
			began := processorTime(b)
			for i := range b.N {
				if i%(perSecond/int(time.Second/pause)) == 0 {
					<-ticks.C
				}
				vary(&r, i)
				if l.Reserve(context.Background()) != nil || l.Add(context.Background(), &r) != nil {
					b.Fatal("refused")
				}
			}
			closeLog(b, l)
			b.ReportMetric(float64(processorTime(b)-began)/float64(b.N), "cpu-ns/record")
		})
	}
}

// processorTime is what the process has used.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
