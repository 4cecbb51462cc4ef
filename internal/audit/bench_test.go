package audit_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/audit"
)

// BenchmarkAdd is what an execution pays, with what the writer does meanwhile.
func BenchmarkAdd(b *testing.B) {
	for _, group := range []bool{false, true} {
		name := "async"
		if group {
			name = "group"
		}
		b.Run(name, func(b *testing.B) {
			h := newHome(b)
			c := h.config(h.journal())
			c.Group, c.CheckpointRecords, c.Buffer = group, 10_000, 8192
			l := open(b, c)
			r := execution(1)
			b.ReportAllocs()
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				r := r
				for i := 0; pb.Next(); i++ {
					vary(&r, i)
					if l.Reserve(context.Background()) != nil || l.Add(context.Background(), &r) != nil {
						b.Error("refused")
					}
				}
			})
			b.ReportMetric(float64(l.Stats().Flushes), "flushes")
			closeLog(b, l)
		})
	}
}

// vary makes a record another one in what differs between the executions of one
// command.
func vary(r *audit.Record, i int) {
	binary.NativeEndian.PutUint64(r.ExecutionID[:], uint64(i)*0x9e3779b97f4a7c15)
	r.RequestID = requestIDs[i%len(requestIDs)]
	r.DurationUS = int64(10 + i%200)
}

// requestIDs are as those that a server makes.
var requestIDs = func() (ids [251]string) {
	for i := range ids {
		ids[i] = fmt.Sprintf("%032x", uint64(i)*0x9e3779b97f4a7c15)
	}
	return ids
}()

// BenchmarkVerify is what verifying a record costs.
func BenchmarkVerify(b *testing.B) {
	h := newHome(b)
	j := h.journal()
	c := h.config(j)
	c.CheckpointRecords, c.Buffer = 10_000, 8192
	l := open(b, c)
	const count = 100_000
	for i := range count {
		add(b, l, execution(i))
	}
	closeLog(b, l)
	for b.Loop() {
		began := time.Now()
		verify(b, j, audit.VerifyOptions{})
		b.ReportMetric(float64(time.Since(began).Nanoseconds())/count, "ns/record")
	}
}

// An execution allocates nothing for its record.
func TestAllocations(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector, which runs the short tests, allocates")
	}
	h := newHome(t)
	c := h.config(h.journal())
	c.CheckpointRecords, c.Buffer = 1<<40, 1<<20
	l := open(t, c)
	r := execution(1)
	ctx := context.Background()
	once := func() {
		if l.Reserve(ctx) != nil || l.Add(ctx, &r) != nil {
			t.Error("refused")
		}
	}
	for range 10_000 {
		once() // the rings grow
	}
	if got := testing.AllocsPerRun(20_000, once); got > 0.1 {
		t.Errorf("%v allocations for a record", got)
	}
}
