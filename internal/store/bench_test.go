package store_test

import (
	"fmt"
	"testing"

	"github.com/avapd/avapd/internal/store"
)

// BenchmarkRead10000 opens a file with 10 000 commands of one version each and
// reads all records: what a node does when it starts.
func BenchmarkRead10000(b *testing.B) {
	path := sqlitePath(b)
	s, err := store.OpenSQLite(b.Context(), path, store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	const commands, each = 10_000, store.MaxBatchPuts / 2
	for n := 0; n < commands; n += each {
		var puts []store.Put
		for i := n; i < n+each; i++ {
			name := fmt.Sprintf("command_%d", i)
			puts = append(puts,
				store.Put{Kind: "command", Name: name, Document: []byte(`{"active":1,"highest":1}`)},
				store.Put{Kind: "version", Name: name + "@1", Document: fmt.Appendf(nil, `{"digest":"%064x","size":24576,"capabilities":["http"],"limits":{"fuel":100000000,"time_ms":5000},"signers":["%016x"],"created":"2026-01-01T00:00:00Z","by":"admin"}`, i, i)})
		}
		if _, err := s.Commit(b.Context(), store.Batch{Puts: puts}); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := store.OpenSQLite(b.Context(), path, store.Options{})
		if err != nil {
			b.Fatal(err)
		}
		var after int64
		records := 0
		for more := true; more; {
			page, err := s.Changes(b.Context(), after, store.MaxPageRecords)
			if err != nil {
				b.Fatal(err)
			}
			records += len(page.Records)
			after, more = page.Records[len(page.Records)-1].Revision, page.More
		}
		if err := s.Close(); err != nil || records != 2*commands {
			b.Fatal(records, err)
		}
	}
}

// BenchmarkCommit is one small change, durable when it returns.
func BenchmarkCommit(b *testing.B) {
	for name, location := range map[string]func(testing.TB) string{"sqlite": sqlitePath, "postgres": postgresURL} {
		b.Run(name, func(b *testing.B) {
			s, err := openAny(b.Context(), location(b))
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			var revision int64
			for b.Loop() {
				if revision, err = s.Commit(b.Context(), store.Batch{Puts: []store.Put{document("a", revision)}}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
