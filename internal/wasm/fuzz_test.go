package wasm

import (
	"bytes"
	"runtime/metrics"
	"testing"

	"github.com/avapd/avapd/internal/wasm/spectest"
)

// maxSeedBytes keeps the seeds to those that a mutation can still steer.
const maxSeedBytes = 2_000

// FuzzDecode decodes anything: it must not panic, and may allocate in
// proportion to the input only. What is right must come out of the encoder the
// same.
func FuzzDecode(f *testing.F) {
	for _, build := range modules {
		f.Add(build().Encode())
	}
	f.Add([]byte(Header))
	for _, b := range spectest.Binaries(f, maxSeedBytes) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := Decode(data)
		checkAllocation(t, data)
		if err != nil {
			return
		}
		// Bodies may be wrong; the printer must say so, and no more.
		_ = b.WriteText(&bytes.Buffer{})
		encoded := b.Encode()
		again, err := Decode(encoded)
		if err != nil {
			t.Fatalf("encoded again: %v", err)
		}
		if !bytes.Equal(again.Encode(), encoded) {
			t.Error("encoded again, the module differs")
		}
	})
}

// allocatedBytes counts what was allocated since the process began, some tens
// of spans more or less.
func allocatedBytes() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// checkAllocation bounds what decoding allocates. Others of the process may
// allocate meanwhile, so the least of a few attempts counts.
func checkAllocation(t *testing.T, data []byte) {
	t.Helper()
	bound := uint64(1<<20 + 100*len(data))
	var used uint64
	for range 5 {
		before := allocatedBytes()
		_, _ = Decode(data)
		if used = allocatedBytes() - before; used <= bound {
			return
		}
	}
	t.Errorf("%d bytes allocated for %d", used, len(data))
}
