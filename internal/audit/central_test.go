package audit_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/audit"
	"github.com/avapd/avapd/internal/store"
)

func change(action string) audit.Record {
	return audit.Record{Time: time.Now(), Kind: audit.Change, Principal: "admin", Action: action}
}

// A change is in the central journal when it is acknowledged, and so is all that
// was before it.
func TestCentral(t *testing.T) {
	testCentral(t, func(t *testing.T) store.Journal { return newHome(t).journal() })
}

func testCentral(t *testing.T, newJournal func(*testing.T) store.Journal) {
	central := newJournal(t)
	nodes := make([]*audit.Log, 2)
	for i := range nodes {
		h := newHome(t)
		c := h.config(h.journal())
		c.Central = central
		nodes[i] = open(t, c)
	}
	for i := range 30 {
		add(t, nodes[i%2], execution(i))
	}
	for i, l := range nodes {
		if err := l.Append(t.Context(), change("command.put")); err != nil {
			t.Fatal(err)
		}
		report := verify(t, central, audit.VerifyOptions{})
		if len(report.Chains) != i+1 {
			t.Errorf("%+v", report)
		}
	}
	// Each node tells the records of all.
	var want []audit.Entry
	for i, l := range nodes {
		got := page(t, l, audit.Filter{}, 100)
		if i == 0 {
			want = got
		}
		if len(got) != 32 || got[0].Hash != want[0].Hash || got[31].Hash != want[31].Hash {
			t.Errorf("%d records", len(got))
		}
	}
	for _, l := range nodes {
		closeLog(t, l)
	}
	report := verify(t, central, audit.VerifyOptions{})
	for _, c := range report.Chains {
		if c.Records != 16 || c.SignedUntil != 16 {
			t.Errorf("%+v", c)
		}
	}
}

// While the central journal is away, executions go on and changes are refused;
// what it misses, or loses, it gets later.
func TestCentralIsAway(t *testing.T) {
	h := newHome(t)
	central := newFaulty(newHome(t).journal())
	c := h.config(h.journal())
	c.Central, c.Wait = central, 50*time.Millisecond
	l := open(t, c)
	// The wait is short for what waits for the central journal: the disk of this
	// machine may take longer.
	insist := func(do func() error) {
		t.Helper()
		err := do()
		for ; errors.Is(err, audit.ErrBusy); err = do() {
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		r := execution(i)
		insist(func() error { return l.Reserve(t.Context()) })
		if err := l.Add(t.Context(), &r); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Append(t.Context(), change("command.put")); !errors.Is(err, audit.ErrBusy) {
		t.Errorf("a change is told %v", err)
	}
	insist(func() error { return l.Note(t.Context(), change("reload")) })
	<-central.first
	central.comeBack()
	for l.Append(t.Context(), change("command.delete")) != nil {
		continue
	}
	if now := l.Stats(); now.Behind != 0 || !now.Central {
		t.Errorf("%+v", now)
	}
	closeLog(t, l)
	verify(t, central, audit.VerifyOptions{})

	empty := newHome(t).journal() // the database was lost
	c.Central, c.Wait = empty, time.Minute
	l = open(t, c)
	if err := l.Append(t.Context(), change("command.put")); err != nil {
		t.Fatal(err)
	}
	if got := verify(t, empty, audit.VerifyOptions{}).Chains[0]; got.First != 1 || got.Records < 24 {
		t.Errorf("%+v", got)
	}
}

// What a node lets go, the central journal lets go, too; it may also begin there.
func TestCentralRetention(t *testing.T) {
	h := newHome(t)
	first, second := newHome(t).journal(), newHome(t).journal()
	c := h.config(h.journal())
	c.Group, c.Central = true, first
	l := open(t, c)
	for i := range 40 {
		add(t, l, execution(i))
	}
	if err := l.Append(t.Context(), change("command.put")); err != nil {
		t.Fatal(err)
	}
	l.SetKeep(audit.Keep{Bytes: 1000})
	audit.Retain(t, l)
	closeLog(t, l)
	own := verify(t, c.Journal, audit.VerifyOptions{}).Chains[0]
	if got := verify(t, first, audit.VerifyOptions{}).Chains[0]; got != own || own.First == 1 {
		t.Errorf("%+v\n%+v", got, own)
	}
	c.Central = second
	l = open(t, c)
	if err := l.Append(t.Context(), change("command.put")); err != nil {
		t.Fatal(err)
	}
	if got := verify(t, second, audit.VerifyOptions{}).Chains[0]; got.First != own.First {
		t.Errorf("%+v", got)
	}
}

// A chain in the central journal that is not the one here is left alone.
func TestCentralIsForeign(t *testing.T) {
	h, other := newHome(t), newHome(t)
	central := newHome(t).journal()
	c := h.config(h.journal())
	c.Central = central
	l := open(t, c)
	add(t, l, execution(1))
	if err := l.Append(t.Context(), change("command.put")); err != nil {
		t.Fatal(err)
	}
	closeLog(t, l)
	before := verify(t, central, audit.VerifyOptions{})

	c = h.config(other.journal()) // the same key with an empty journal
	c.Central, c.Wait, c.CheckpointFile = central, 50*time.Millisecond, ""
	l = open(t, c)
	if err := l.Append(t.Context(), change("command.put")); !errors.Is(err, audit.ErrBusy) {
		t.Error(err)
	}
	if after := verify(t, central, audit.VerifyOptions{}); after.Chains[0] != before.Chains[0] {
		t.Errorf("%+v\n%+v", before, after)
	}
}

// Denied requests are counted, however many they are.
func TestDenied(t *testing.T) {
	h := newHome(t)
	l := open(t, h.config(h.journal()))
	const count = 1000
	for range count {
		l.Denied(&audit.Record{Time: time.Now(), Kind: audit.Denied, Principal: "anonymous", Status: 401})
	}
	closeLog(t, l)
	var out bytes.Buffer
	if err := audit.ExportJournal(t.Context(), h.journal(), &out, audit.Filter{Kind: audit.Denied}); err != nil {
		t.Fatal(err)
	}
	total, records := audit.Counts(t, out.Bytes())
	if total != count || records > 300 {
		t.Errorf("%d denied requests in %d records, want %d", total, records, count)
	}
	if _, err := audit.VerifyExport(&out, audit.VerifyOptions{}); err == nil {
		t.Error("a part of the log verified")
	}
}

// Pages give each record once, whatever the filter is.
func TestPages(t *testing.T) {
	h := newHome(t)
	l := open(t, h.config(h.journal()))
	began := time.Now()
	for i := range 50 {
		r := execution(i)
		if i%2 == 0 {
			r.Kind, r.Action, r.Target, r.Version = audit.Change, "command.put", "greet", 3
		}
		add(t, l, r)
	}
	note(t, l, audit.Record{Time: time.Now(), Kind: audit.Stop})
	for name, c := range map[string]struct {
		filter audit.Filter
		want   int
	}{
		"all":          {audit.Filter{}, 51},
		"kind":         {audit.Filter{Kind: audit.Execution}, 25},
		"action":       {audit.Filter{Action: "command"}, 25},
		"no action":    {audit.Filter{Action: "comm"}, 0},
		"target":       {audit.Filter{Target: "greet"}, 25},
		"version":      {audit.Filter{Target: "greet@3"}, 25},
		"no version":   {audit.Filter{Target: "greet@4"}, 0},
		"principal":    {audit.Filter{Principal: "anonymous", Outcome: "ok"}, 50},
		"request":      {audit.Filter{RequestID: "request 7"}, 1},
		"execution":    {audit.Filter{ExecutionID: audit.ID{1, 9}}, 1},
		"node":         {audit.Filter{Node: l.Node()}, 51},
		"another node": {audit.Filter{Node: "x"}, 0},
		"from":         {audit.Filter{From: began.Add(-time.Minute), Until: began.Add(time.Hour)}, 51},
		"later":        {audit.Filter{From: began.Add(time.Hour)}, 0},
		"before":       {audit.Filter{Until: began.Add(-time.Hour)}, 0},
	} {
		seen, cursor := map[int64]bool{}, ""
		for {
			p, err := l.Page(context.Background(), c.filter, cursor, 7)
			if err != nil {
				t.Fatal(name, err)
			}
			for i, e := range p.Records {
				if seen[e.Sequence] || i > 0 && e.Sequence >= p.Records[i-1].Sequence {
					t.Errorf("%s: record %d again, or not in order", name, e.Sequence)
				}
				seen[e.Sequence] = true
			}
			if cursor = p.Next; cursor == "" {
				break
			}
		}
		if len(seen) != c.want {
			t.Errorf("%s: %d records, want %d", name, len(seen), c.want)
		}
	}
	for _, cursor := range []string{"x", "1.2", "0.x.1", "1.x.-1", "9.9.9.9"} {
		if _, err := l.Page(t.Context(), audit.Filter{}, cursor, 7); !errors.Is(err, audit.ErrCursor) {
			t.Errorf("%q: %v", cursor, err)
		}
	}
}
