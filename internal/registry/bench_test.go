package registry

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/avapd/avapd/internal/store"
)

// manyCommands is what a large installation has.
const manyCommands = 10_000

// manyRecords are those of commands with a version each, all of the same module.
func manyRecords(b *testing.B, module []byte, signer string) []store.Put {
	b.Helper()
	var puts []store.Put
	for i := range manyCommands {
		name := fmt.Sprintf("command_%05d", i)
		v := Version{Command: name, Number: 1, Digest: sha256.Sum256(module), Size: len(module), Signers: []string{signer}}
		c := Command{Name: name, Active: 1, Highest: 1}
		puts = append(puts, store.Put{Kind: kindVersion, Name: versionName(name, 1), Document: documentOf(b, v)}, store.Put{Kind: kindCommand, Name: name, Document: documentOf(b, &c)})
	}
	return puts
}

// newMany makes a store with many commands, and a file for another.
func newMany(b *testing.B, key signer) (*store.SQLite, []byte) {
	b.Helper()
	s := openStore(b, filepath.Join(b.TempDir(), "avapd.db"), store.Options{})
	module := key.module(b, "r = 1\naddResult(r)")
	puts := manyRecords(b, module, key.key.Public().String())
	for len(puts) > 0 {
		n := min(len(puts), store.MaxBatchPuts)
		batch := store.Batch{Puts: puts[:n], Artifacts: []store.Artifact{{Digest: sha256.Sum256(module), Bytes: module}}}
		if _, err := s.Commit(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		puts = puts[n:]
	}
	return s, module
}

// BenchmarkStart is how long a registry with 10,000 commands takes to be ready,
// and what it keeps in memory.
func BenchmarkStart(b *testing.B) {
	key := newSigner(b)
	s, _ := newMany(b, key)
	config := Config{Primary: s, Engine: newEngine(b, nil), Trust: []Signer{key.trust("team")}}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var r *Registry
	for b.Loop() {
		var err error
		if r, err = New(context.Background(), config); err != nil {
			b.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/manyCommands, "bytes/command")
	if r.State().Commands() != manyCommands {
		b.Fatal(r.State().Commands())
	}
}

// BenchmarkChange is what a change costs the State of a registry with one
// command, and with 10,000: a new version, and a new command.
func BenchmarkChange(b *testing.B) {
	key := newSigner(b)
	s, module := newMany(b, key)
	many := newNode(b, Config{Primary: s, Trust: []Signer{key.trust("team")}})
	few := newNode(b, Config{Trust: []Signer{key.trust("team")}})
	few.mustUpload(b, "command_00001", module)
	for name, n := range map[string]*node{"commands=1": few, "commands=10000": many} {
		c, _ := n.State().Command("command_00001")
		for what, id := range map[string]string{"version": c.Name, "command": "command_x"} {
			records := []store.Record{
				{Kind: kindVersion, Name: versionName(id, 2), Revision: 1 << 40, Document: documentOf(b, c.Versions[0])},
				{Kind: kindCommand, Name: id, Revision: 1 << 40, Document: documentOf(b, c)},
			}
			b.Run(what+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := n.with(n.State(), records, n.State().summary); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkResolve is what an execution pays for finding its command.
func BenchmarkResolve(b *testing.B) {
	key := newSigner(b)
	s, _ := newMany(b, key)
	n := newNode(b, Config{Primary: s, Trust: []Signer{key.trust("team")}})
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := n.State().resolve("command_05000", 0); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkActivations looks at 10,000 commands after signers or revocations have
// changed.
func BenchmarkActivations(b *testing.B) {
	key := newSigner(b)
	primary, _ := newMany(b, key)
	n := newNode(b, Config{Primary: primary, Trust: []Signer{key.trust("team")}})
	s := n.State()
	for b.Loop() {
		if len(activations(s, s, s.names)) > 0 {
			b.Fatal("something has changed")
		}
	}
}
