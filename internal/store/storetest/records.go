package storetest

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/avapd/avapd/internal/store"
)

func testConditions(t *testing.T, b Backend) {
	s := open(t, b)
	steps := []struct {
		put      store.Put
		conflict bool
	}{
		{put("a", 1, `1`), true}, // there is none to change
		{remove("a", 1), true},
		{put("a", 0, `1`), false}, // 1
		{put("a", 0, `2`), true},
		{put("a", 2, `2`), true},
		{put("b", 1, `2`), true},  // another record's revision
		{put("a", 1, `2`), false}, // 2
		{put("a", 1, `3`), true},
		{remove("a", 1), true},
		{remove("a", 2), false}, // 3
		{remove("a", 3), true},  // once is enough
		{put("a", 2, `4`), true},
		{put("a", 0, `4`), false}, // 4, over the tombstone
		{remove("a", 4), false},   // 5
		{put("a", 5, `6`), false}, // 6, over the tombstone by its revision
	}
	var revision int64
	for i, step := range steps {
		got, err := s.Commit(t.Context(), store.Batch{Puts: []store.Put{step.put}})
		switch {
		case step.conflict && !errors.Is(err, store.ErrConflict):
			t.Fatalf("step %d: %v, want a conflict", i, err)
		case !step.conflict && (err != nil || got != revision+1):
			t.Fatalf("step %d: revision %d after %d, %v", i, got, revision, err)
		case !step.conflict:
			revision = got
		}
	}
	want := []store.Record{{Kind: "command", Name: "a", Revision: 6, Document: []byte(`6`)}}
	if diff := cmp.Diff(want, all(t, s, 0)); diff != "" {
		t.Error(diff)
	}
}

func testAllOrNothing(t *testing.T, b Backend) {
	s := open(t, b)
	commit(t, s, put("a", 0, `1`), put("b", 0, `1`))
	before := summary(t, s)
	content := []byte("module")
	_, err := s.Commit(t.Context(), store.Batch{
		Puts:      []store.Put{put("c", 0, `2`), put("a", 1, `2`), put("b", 7, `2`), put("d", 0, `2`)},
		Artifacts: []store.Artifact{artifact(content)},
	})
	if !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("%v, want a conflict that names b", err)
	}
	if after := summary(t, s); after != before {
		t.Errorf("%+v became %+v", before, after)
	}
	if _, err := s.Artifact(t.Context(), sha256.Sum256(content)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the artifact of a refused batch: %v", err)
	}
	if records := all(t, s, 0); len(records) != 2 || records[0].Revision != 1 || records[1].Revision != 1 {
		t.Errorf("records %+v", records)
	}
}

func testInvalid(t *testing.T, b Backend) {
	s := open(t, b)
	before := summary(t, s)
	named := func(kind, name string) store.Put { return store.Put{Kind: kind, Name: name, Document: []byte(`1`)} }
	for name, batch := range map[string]store.Batch{
		"no kind":          {Puts: []store.Put{named("", "a")}},
		"no name":          {Puts: []store.Put{named("command", "")}},
		"long kind":        {Puts: []store.Put{named(strings.Repeat("k", store.MaxKindBytes+1), "a")}},
		"long name":        {Puts: []store.Put{named("command", strings.Repeat("n", store.MaxNameBytes+1))}},
		"NUL":              {Puts: []store.Put{named("command", "a\x00b")}},
		"not UTF-8":        {Puts: []store.Put{named("command", "a\xffb")}},
		"no document":      {Puts: []store.Put{put("a", 0, "")}},
		"not JSON":         {Puts: []store.Put{put("a", 0, "{")}},
		"long document":    {Puts: []store.Put{put("a", 0, `"`+strings.Repeat("x", store.MaxDocumentBytes)+`"`)}},
		"negative":         {Puts: []store.Put{put("a", -1, `1`)}},
		"twice":            {Puts: []store.Put{put("a", 0, `1`), put("b", 0, `1`), put("a", 0, `2`)}},
		"blind delete":     {Puts: []store.Put{remove("a", 0)}},
		"delete and write": {Puts: []store.Put{{Kind: "command", Name: "a", Expect: 1, Delete: true, Document: []byte(`1`)}}},
		"wrong digest":     {Artifacts: []store.Artifact{{Digest: sha256.Sum256([]byte("a")), Bytes: []byte("b")}}},
		"many":             {Puts: slices.Repeat([]store.Put{put("a", 0, `1`)}, store.MaxBatchPuts+1)},
	} {
		if _, err := s.Commit(t.Context(), batch); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after := summary(t, s); after != before {
		t.Errorf("%+v became %+v", before, after)
	}
}

func testPages(t *testing.T, b Backend) {
	s := open(t, b)
	if page, err := s.Changes(t.Context(), 0, 10); err != nil || len(page.Records) != 0 || page.More || page.Summary != summary(t, s) {
		t.Errorf("an empty store: %+v, %v", page, err)
	}
	// Revisions 1 to 9 have as many records each.
	for size := range 9 {
		puts := make([]store.Put, 0, size)
		for i := range size + 1 {
			puts = append(puts, put(fmt.Sprintf("r%d-%d", size+1, i), 0, `{}`))
		}
		commit(t, s, puts...)
	}
	for _, limit := range []int{1, 2, 3, 7, 44, 45, 46, 1000, 0, store.MaxPageRecords + 1} {
		if records := all(t, s, limit); len(records) != 45 {
			t.Errorf("limit %d: %d records", limit, len(records))
		}
	}
	page, err := s.Changes(t.Context(), 2, 4) // the limit falls into revision 4
	if err != nil || len(page.Records) != 7 || !page.More || page.Records[6].Revision != 4 {
		t.Errorf("%d records, more: %v, %v", len(page.Records), page.More, err)
	}
	for _, after := range []int64{9, 10, 1 << 40} {
		if page, err := s.Changes(t.Context(), after, 10); err != nil || len(page.Records) != 0 || page.More || page.Summary.Revision != 9 {
			t.Errorf("after %d: %+v, %v", after, page, err)
		}
	}
	// What is written again moves, and leaves no hole that a reader sees.
	commit(t, s, put("r5-0", 5, `{}`), remove("r2-0", 2))
	for _, limit := range []int{1, 4, 1000} {
		if records := all(t, s, limit); len(records) != 45 {
			t.Errorf("limit %d: %d records", limit, len(records))
		}
	}
}

func testBytes(t *testing.T, b Backend) {
	s := open(t, b)
	documents := []string{
		" { \"a\" : 1.0,\n\t\"a\" : 2 } ", `"\u0000\ud800"`, `"ñ ☃ 💥"`, `1e400`, `{"z":1,"a":2}`, `null`,
	}
	var puts []store.Put
	names := []string{"a", "ñ☃💥", "with ' \" \\ % _ ; --", " ", "A", "\t"}
	for i, document := range documents {
		puts = append(puts, put(names[i], 0, document))
	}
	commit(t, s, puts...)
	found := make(map[string]string)
	for _, record := range all(t, s, 0) {
		found[record.Name] = string(record.Document)
	}
	for i, document := range documents {
		if found[names[i]] != document {
			t.Errorf("%q became %q", document, found[names[i]])
		}
	}
}

// testSummary compares the summary that commits carry forward with one made
// from all records, after each of many random commits.
func testSummary(t *testing.T, b Backend) {
	s := open(t, b)
	epoch := summary(t, s).Epoch
	if epoch == "" || summary(t, open(t, b)).Epoch == epoch {
		t.Errorf("epoch %q is not one store's own", epoch)
	}
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test that can be repeated
	there := make(map[string]store.Record)
	for step := range 120 {
		var puts []store.Put
		for _, i := range random.Perm(12)[:1+random.IntN(4)] {
			name := fmt.Sprintf("n%d", i)
			old := there[name]
			next := put(name, old.Revision, fmt.Sprintf(`{"step":%d}`, step))
			if old.Document != nil && random.IntN(3) == 0 {
				next = remove(name, old.Revision)
			}
			puts = append(puts, next)
		}
		revision := commit(t, s, puts...)
		for _, p := range puts {
			there[p.Name] = store.Record{Kind: p.Kind, Name: p.Name, Revision: revision, Deleted: p.Delete, Document: p.Document}
		}
		var records []store.Record
		for _, record := range there {
			records = append(records, record)
		}
		want := store.Summary{Epoch: epoch, Revision: revision, Records: len(records), Digest: store.Digest(records)}
		if got := summary(t, s); got != want {
			t.Fatalf("step %d: %+v, want %+v", step, got, want)
		}
	}
	all(t, s, 3)
}

func testLimits(t *testing.T, b Backend) {
	s := open(t, b)
	longest := store.Put{
		Kind: strings.Repeat("k", store.MaxKindBytes), Name: strings.Repeat("n", store.MaxNameBytes),
		Document: []byte(`"` + strings.Repeat("x", store.MaxDocumentBytes-2) + `"`),
	}
	commit(t, s, longest)
	puts := make([]store.Put, store.MaxBatchPuts)
	for i := range puts {
		puts[i] = put(fmt.Sprintf("n%04d", i), 0, `{"long":"`+strings.Repeat("y", 1000)+`"}`)
	}
	commit(t, s, puts...)
	if records := all(t, s, 10); len(records) != store.MaxBatchPuts+1 {
		t.Errorf("%d records", len(records))
	}
	half := make([]store.Put, store.MaxBatchBytes/store.MaxDocumentBytes+1)
	for i := range half {
		half[i] = put(fmt.Sprintf("m%d", i), 0, string(longest.Document))
	}
	if _, err := s.Commit(t.Context(), store.Batch{Puts: half}); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("a batch with too many bytes: %v", err)
	}
	commit(t, s, half[1:]...)
}

func testArtifacts(t *testing.T, b Backend) {
	s := open(t, b)
	if _, err := s.Artifact(t.Context(), sha256.Sum256([]byte("nowhere"))); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an artifact that is not there: %v", err)
	}
	big := make([]byte, store.MaxArtifactBytes)
	fill(big)
	contents := [][]byte{{}, []byte("module"), []byte("\x00asm\x01\x00\x00\x00"), big[:8<<20]}
	var batch store.Batch
	for _, content := range contents {
		batch.Artifacts = append(batch.Artifacts, artifact(content))
	}
	before := summary(t, s)
	for range 2 { // the second time they are there
		if revision, err := s.Commit(t.Context(), batch); err != nil || revision != before.Revision {
			t.Fatalf("revision %d, %v", revision, err)
		}
	}
	contents = append(contents, big)
	batch = store.Batch{Puts: []store.Put{put("a", 0, `1`)}, Artifacts: []store.Artifact{artifact(big)}}
	if _, err := s.Commit(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	for _, content := range contents {
		got, err := s.Artifact(t.Context(), sha256.Sum256(content))
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes became %d, %v", len(content), len(got), err)
		}
	}
	batch = store.Batch{Artifacts: []store.Artifact{artifact(big), artifact([]byte("x"))}}
	if _, err := s.Commit(t.Context(), batch); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("too many bytes: %v", err)
	}
}

// fill makes bytes that compression does not shrink.
func fill(content []byte) {
	source := rand.NewChaCha8([32]byte{})
	_, _ = source.Read(content) // it never fails
}

func artifact(content []byte) store.Artifact {
	return store.Artifact{Digest: sha256.Sum256(content), Bytes: content}
}

func summary(t *testing.T, s store.Store) store.Summary {
	t.Helper()
	found, err := s.Summary(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func number(document []byte) (n int64) {
	if err := json.Unmarshal(document, &n); err != nil {
		return -1
	}
	return n
}
