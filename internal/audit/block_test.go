package audit

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/store"
)

// blocksOf gives the blocks of records, and the bodies that they were made of.
func blocksOf(records []Record) (blocks []store.Block, bodies [][]byte) {
	var w writer
	b := new(batch)
	for i := range records {
		records[i].settle()
		b.add(&records[i])
	}
	var chain chainWriter
	blocks = w.encode(&chain, b)
	chain = chainWriter{}
	for micros, content := range b.each {
		chain.append(micros, content)
		bodies = append(bodies, bytes.Clone(chain.link[hashBytes:]))
	}
	return blocks, bodies
}

// What is in a block comes back byte by byte, whatever is as in the record before.
func TestPackedBlocks(t *testing.T) {
	var records []Record
	for i := range 40 {
		for n, r := range vectorRecords() {
			r.Time = r.Time.Add(time.Duration(i*n) * time.Millisecond)
			r.Fuel += int64(i)
			r.RequestID = fmt.Sprint("request ", i/2)
			if i%3 == 0 {
				r.Capabilities = nil
			}
			if i%5 == 0 {
				r.Input, r.Count = strings.Repeat("x", 1000*i), 1<<40
			}
			records = append(records, r)
		}
	}
	blocks, bodies := blocksOf(records)
	if len(blocks) < 2 {
		t.Errorf("%d blocks", len(blocks))
	}
	for _, b := range blocks {
		next := b.First - 1
		err := splitBlock(b.Records, func(e entry) bool {
			if !bytes.Equal(e.body, bodies[next]) {
				t.Errorf("record %d is %x, want %x", next+1, e.body, bodies[next])
			}
			next++
			return true
		})
		if err != nil || next != b.Last {
			t.Errorf("%v; a block has records %d to %d, want %d", err, b.First, next, b.Last)
		}
	}
}

// Records that are alike take little room, and no block becomes too large for who
// takes it apart.
func TestPackedBlocksAreSmall(t *testing.T) {
	input := strings.Repeat("x", MaxInputBytes)
	blocks, bodies := blocksOf(alike(100, Record{Time: time.UnixMicro(1), Kind: Execution, Input: input}))
	packed, largest := 0, int64(0)
	for _, b := range blocks {
		packed += len(b.Records)
		largest = max(largest, b.Last-b.First+1)
	}
	if most := int64(blockBodyBytes/len(bodies[0]) + 1); largest > most {
		t.Errorf("a block has %d records of %d bytes, %d at most", largest, len(bodies[0]), most)
	}
	if all := 100 * len(bodies[0]); packed > all/5 {
		t.Errorf("%d bytes for %d", packed, all)
	}
}

func alike(n int, r Record) []Record {
	records := make([]Record, n)
	for i := range records {
		records[i] = r
	}
	return records
}

// BenchmarkPacked is what a record costs to be hashed and packed, how many bytes it
// takes with its hash, and how many its body and its hash have.
func BenchmarkPacked(b *testing.B) {
	records := alike(1000, Record{
		Time: time.UnixMicro(1_767_225_600_000_000), Kind: Execution, Principal: "anonymous", Address: netip.MustParseAddr("127.0.0.1"),
		Action: "execute", Target: "greet", Version: 1, Digest: Digest{1}, Outcome: "ok", Status: 200, Fuel: 1234, MemoryBytes: 1 << 20, InputDigest: Digest{2},
	})
	batch := new(batch)
	for i := range records {
		r := &records[i]
		r.Time = r.Time.Add(time.Duration(30*i) * time.Microsecond)
		binary.NativeEndian.PutUint64(r.ExecutionID[:], uint64(i)*0x9e3779b97f4a7c15)
		r.RequestID, r.DurationUS = fmt.Sprintf("%032x", i), int64(10+i%200)
		r.settle()
		batch.add(r)
	}
	var w writer
	var chain chainWriter
	var packed int
	for b.Loop() {
		chain, packed = chainWriter{link: chain.link}, 0
		for _, block := range w.encode(&chain, batch) {
			packed += len(block.Records)
		}
	}
	count := float64(batch.count)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/count, "ns/record")
	b.ReportMetric(float64(packed)/count, "bytes/record")
	b.ReportMetric(float64(chain.total)/count+hashBytes, "whole-bytes/record")
}

// Bytes that anybody may have written do not end the program, nor take much memory.
func FuzzSplitBlock(f *testing.F) {
	blocks, _ := blocksOf(vectorRecords())
	f.Add(blocks[0].Records)
	f.Add([]byte{})
	f.Add([]byte{packedForm})
	f.Add([]byte{packedForm, 1, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, block []byte) {
		bodies := 0
		_ = splitBlock(block, func(e entry) bool {
			bodies += len(e.body)
			_, _ = decodeBody(e.body)
			return true
		})
		if most := max(blockBodyBytes+store.MaxBlockBytes, len(block)); bodies > most {
			t.Errorf("%d bytes of bodies from %d", bodies, len(block))
		}
	})
}
