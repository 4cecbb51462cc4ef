package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/avapd/avapd/internal/store"
)

// JournalBackend is a kind of journal under test.
type JournalBackend struct {
	// New makes a place for a journal that is empty.
	New func(t testing.TB) (location string)
	// Open opens the journal there, also a second time at once.
	Open func(ctx context.Context, location string) (store.Journal, error)
}

// RunJournal runs the suite of journals.
func RunJournal(t *testing.T, b JournalBackend) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, store.Journal)
	}{
		{"heads", testHeads},
		{"gaps", testGaps},
		{"blocks", testBlocks},
		{"marks", testMarks},
		{"cuts", testCuts},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.run(t, openJournal(t, b, b.New(t)))
		})
	}
	t.Run("two writers", func(t *testing.T) { testWriters(t, b) })
}

func openJournal(t *testing.T, b JournalBackend, location string) store.Journal {
	t.Helper()
	j, err := b.Open(t.Context(), location)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

func headAt(last int64) store.Head {
	if last == 0 {
		return store.Head{}
	}
	return store.Head{Last: last, Hash: [32]byte{byte(last), 1}}
}

// blocksFrom are so many blocks of two records, whose times are their numbers.
func blocksFrom(last int64, count int) (blocks []store.Block, end int64) {
	for range count {
		blocks = append(blocks, store.Block{
			First: last + 1, Last: last + 2, FromTime: last + 1, UntilTime: last + 2, Records: fmt.Appendf(nil, "%d", last+1),
		})
		last += 2
	}
	return blocks, last
}

func extension(chain string, from int64, count int, marks ...store.Mark) store.Extension {
	blocks, end := blocksFrom(from, count)
	return store.Extension{Chain: store.Chain{Name: chain, Key: []byte("key of " + chain), Head: headAt(end)}, From: headAt(from), Blocks: blocks, Marks: marks}
}

func extend(t *testing.T, j store.Journal, e store.Extension) {
	t.Helper()
	if err := j.Extend(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

func testHeads(t *testing.T, j store.Journal) {
	extend(t, j, extension("b", 0, 2))
	extend(t, j, extension("a", 0, 1))
	extend(t, j, extension("b", 4, 1))
	extend(t, j, extension("b", 4, 1)) // its answer was lost
	for _, e := range []store.Extension{extension("b", 4, 2), extension("b", 0, 1), extension("c", 4, 1)} {
		if err := j.Extend(t.Context(), e); !errors.Is(err, store.ErrConflict) {
			t.Errorf("an extension of %d: %v", e.From.Last, err)
		}
	}
	got, err := j.Chains(t.Context())
	// A chain that could not be begun may have been noted.
	got = slices.DeleteFunc(got, func(c store.Chain) bool { return c.Last == 0 })
	want := []store.Chain{{Name: "a", Key: []byte("key of a"), Head: headAt(2)}, {Name: "b", Key: []byte("key of b"), Head: headAt(6)}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func testGaps(t *testing.T, j store.Journal) {
	gap, short, wide := extension("a", 0, 3), extension("a", 0, 3), extension("a", 0, 1)
	gap.Blocks = slices.Delete(gap.Blocks, 1, 2)
	short.Blocks = short.Blocks[:2]
	wide.Blocks[0].Records = make([]byte, store.MaxBlockBytes+1)
	for name, e := range map[string]store.Extension{"a gap": gap, "an end too soon": short, "a large block": wide} {
		if err := j.Extend(t.Context(), e); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func testBlocks(t *testing.T, j store.Journal) {
	const count = 40
	extend(t, j, extension("other", 0, 3))
	extend(t, j, extension("a", 0, count))
	all, _ := blocksFrom(0, count)
	for _, c := range []struct {
		name     string
		query    store.BlockQuery
		from, to int // of the blocks
	}{
		{"all", store.BlockQuery{}, 0, count},
		{"after", store.BlockQuery{After: 5}, 2, count},
		{"before", store.BlockQuery{Before: 6}, 0, 3},
		{"from a time", store.BlockQuery{FromTime: 7}, 3, count},
		{"until a time", store.BlockQuery{UntilTime: 7}, 0, 4},
		{"until a time within a block", store.BlockQuery{UntilTime: 8}, 0, 4},
		{"until the first time", store.BlockQuery{UntilTime: 1}, 0, 1},
		{"until the last time", store.BlockQuery{UntilTime: 2 * count}, 0, count},
		{"between", store.BlockQuery{FromTime: 3, UntilTime: 70, After: 20, Before: 71}, 10, 35},
		{"nothing", store.BlockQuery{After: 2 * count}, 0, 0},
	} {
		for _, descending := range []bool{false, true} {
			want := slices.Clone(all[c.from:c.to])
			q := c.query
			q.Chain, q.Descending = "a", descending
			if descending {
				slices.Reverse(want)
			}
			if diff := cmp.Diff(want, allBlocks(t, j, q)); diff != "" && len(want) > 0 {
				t.Errorf("%s, descending %v: %s", c.name, descending, diff)
			}
		}
	}
}

// allBlocks reads page after page.
func allBlocks(t *testing.T, j store.Journal, q store.BlockQuery) (blocks []store.Block) {
	t.Helper()
	for {
		page, err := j.Blocks(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return blocks
		}
		blocks = append(blocks, page...)
		if last := page[len(page)-1]; q.Descending {
			q.Before = last.First
		} else {
			q.After = last.Last
		}
	}
}

func testMarks(t *testing.T, j store.Journal) {
	first := store.Mark{Sequence: 2, Kind: "a", Document: []byte("first")}
	second := store.Mark{Sequence: 4, Kind: "a", Document: []byte("second")}
	third := store.Mark{Sequence: 4, Kind: "b", Document: []byte("third")}
	extend(t, j, extension("a", 0, 1, first))
	extend(t, j, extension("a", 2, 1, third))
	extend(t, j, extension("a", 4, 0, second)) // nothing else
	extend(t, j, extension("b", 0, 1, first))
	for _, c := range []struct {
		name  string
		query store.MarkQuery
		want  []store.Mark
	}{
		{"all", store.MarkQuery{Kind: "a"}, []store.Mark{first, second}},
		{"newest first", store.MarkQuery{Kind: "a", Descending: true}, []store.Mark{second, first}},
		{"another kind", store.MarkQuery{Kind: "b"}, []store.Mark{third}},
		{"after", store.MarkQuery{Kind: "a", After: 2}, []store.Mark{second}},
		{"until", store.MarkQuery{Kind: "a", Until: 3}, []store.Mark{first}},
		{"until, with it", store.MarkQuery{Kind: "a", Until: 4, Descending: true}, []store.Mark{second, first}},
	} {
		c.query.Chain = "a"
		got, err := j.Marks(t.Context(), c.query)
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Error(c.name, diff, err)
		}
	}
}

func testCuts(t *testing.T, j store.Journal) {
	const count = 100
	extend(t, j, extension("b", 0, 2))
	extend(t, j, extension("a", 0, count, store.Mark{Sequence: 10, Kind: "a", Document: []byte("x")}, store.Mark{Sequence: 180, Kind: "a", Document: []byte("y")}))
	calls := 1
	for ; ; calls++ {
		more, err := j.Cut(t.Context(), "a", 181)
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			break
		}
	}
	all, _ := blocksFrom(0, count)
	if diff := cmp.Diff(all[90:], allBlocks(t, j, store.BlockQuery{Chain: "a"})); diff != "" || calls < 2 {
		t.Errorf("%d calls, %s", calls, diff)
	}
	if left := allBlocks(t, j, store.BlockQuery{Chain: "b"}); len(left) != 2 {
		t.Errorf("another chain has %d blocks", len(left))
	}
	if marks, err := j.Marks(t.Context(), store.MarkQuery{Chain: "a", Kind: "a"}); len(marks) != 0 || err != nil {
		t.Error(marks, err)
	}
}

// testWriters has two write the same chain: each extension has one winner.
func testWriters(t *testing.T, b JournalBackend) {
	location := b.New(t)
	const each = 20
	won := make(chan int64)
	for range 2 {
		j := openJournal(t, b, location)
		go func() {
			for n := range int64(each) {
				e := extension("a", 2*n, 1)
				e.Chain.Hash[2] = byte(n) // nobody else's
				e.From.Hash[2] = byte(n - 1)
				if n == 0 {
					e.From = store.Head{}
				}
				err := j.Extend(context.Background(), e)
				if err != nil && !errors.Is(err, store.ErrConflict) {
					t.Error(err)
				}
				won <- n
			}
		}()
	}
	for range 2 * each {
		<-won
	}
	j := openJournal(t, b, location)
	all, _ := blocksFrom(0, each)
	if diff := cmp.Diff(all, allBlocks(t, j, store.BlockQuery{Chain: "a"})); diff != "" {
		t.Error(diff)
	}
}
