package audit_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/audit"
	"github.com/avapd/avapd/internal/store"
)

// written makes a log of 40 records in blocks of one, with a checkpoint after each
// ten.
func written(t *testing.T) home {
	t.Helper()
	h := newHome(t)
	j, err := store.OpenSQLiteJournal(t.Context(), h.journalPath(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := h.config(j)
	c.Group = true
	l := open(t, c)
	for i := range 40 {
		add(t, l, execution(i))
	}
	closeLog(t, l)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return h
}

// alter changes the file behind the log's back.
func (h home) alter(statements ...string) {
	h.t.Helper()
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: h.journalPath(), OmitHost: true}).String())
	if err != nil {
		h.t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.ExecContext(h.t.Context(), statement); err != nil {
			h.t.Fatal(err)
		}
	}
}

// Whatever is changed, taken away or moved is found, with the first record that
// is concerned.
func TestTampering(t *testing.T) {
	swap := []string{
		`UPDATE avap_blocks SET first = -first WHERE first IN (20, 21)`,
		`UPDATE avap_blocks SET first = CASE first WHEN -20 THEN 21 ELSE 20 END WHERE first < 0`,
	}
	for _, c := range []struct {
		name    string
		alter   []string
		bad     int64
		problem string
	}{
		{"nothing", nil, 0, ""},
		{"a byte of a text", []string{`UPDATE avap_blocks SET records = CAST(replace(CAST(records AS BLOB), CAST('request 16' AS BLOB), CAST('request 61' AS BLOB)) AS BLOB) WHERE first = 17`}, 17, "was changed"},
		{"a hash", []string{`UPDATE avap_blocks SET records = CAST(substr(records, 1, length(records) - 1) || x'00' AS BLOB) WHERE first = 17`}, 17, ""},
		{"a block cut short", []string{`UPDATE avap_blocks SET records = substr(records, 1, length(records) - 7) WHERE first = 17`}, 17, "no block"},
		{"garbage", []string{`UPDATE avap_blocks SET records = x'ffffffffffffffffffff' WHERE first = 17`}, 17, "no block"},
		{"an empty block", []string{`UPDATE avap_blocks SET records = x'' WHERE first = 17`}, 17, "not what it says"},
		{"a record is missing", []string{`DELETE FROM avap_blocks WHERE first = 17`}, 17, "missing"},
		{"the first is missing", []string{`DELETE FROM avap_blocks WHERE first = 1`}, 1, "missing"},
		{"two change places", swap, 20, "not what it says"},
		{"the end is missing", []string{`DELETE FROM avap_blocks WHERE first > 38`}, 39, "missing"},
		{"the end is missing and the chain says so", []string{
			`DELETE FROM avap_blocks WHERE first > 38`,
			`UPDATE avap_chains SET last = 38`,
		}, 39, "checkpoint"},
		{"the end is missing with its checkpoint", []string{
			`DELETE FROM avap_blocks WHERE first > 38`, `DELETE FROM avap_marks WHERE sequence > 38`,
			`UPDATE avap_chains SET last = 38, hash = (SELECT substr(records, length(records) - 31) FROM avap_blocks WHERE first = 38)`,
		}, 39, "kept elsewhere"},
		{"the chain says that it is longer", []string{`UPDATE avap_chains SET last = 50`}, 41, "missing at the end"},
		{"another hash at the end", []string{`UPDATE avap_chains SET hash = zeroblob(32)`}, 40, "said to end"},
		{"times of a block", []string{`UPDATE avap_blocks SET from_time = from_time - 1 WHERE first = 17`}, 17, "not what it says"},
		{"a checkpoint", []string{`UPDATE avap_marks SET document = CAST(replace(document, '"bytes":', '"bytes":1') AS BLOB) WHERE sequence = 20`}, 11, "not signed"},
		{"a checkpoint that is none", []string{`UPDATE avap_marks SET document = x'00' WHERE sequence = 20`}, 11, "damaged"},
		{"a checkpoint in another place", []string{`UPDATE avap_marks SET sequence = 21 WHERE sequence = 20`}, 11, "damaged"},
		{"a cut of somebody else", []string{
			`INSERT INTO avap_marks SELECT chain, sequence, 'cut', CAST(replace(document, '"kind":"checkpoint"', '"kind":"cut"') AS BLOB) FROM avap_marks WHERE sequence = 20`,
			`DELETE FROM avap_blocks WHERE first <= 20`,
		}, 21, "not signed"},
		{"another key", []string{`UPDATE avap_chains SET key = randomblob(32)`}, 1, "public key"},
		{"no key", []string{`UPDATE avap_chains SET key = x''`}, 1, "public key"},
		{"no chain", []string{`DELETE FROM avap_chains`}, 1, "chain is missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := written(t)
			h.alter(c.alter...)
			report, err := audit.VerifyJournal(t.Context(), h.journal(), audit.VerifyOptions{Pinned: h.pinned()})
			if err != nil || len(report.Chains) != 1 {
				t.Fatalf("%+v, %v", report, err)
			}
			got := report.Chains[0]
			if got.FirstBad != c.bad || !strings.Contains(got.Problem, c.problem) || report.OK != (c.bad == 0) {
				t.Errorf("first bad is %d (%s), want %d", got.FirstBad, got.Problem, c.bad)
			}
		})
	}
}

func (h home) pinned() []audit.Checkpoint {
	h.t.Helper()
	c, err := audit.ReadCheckpoint(h.config(nil).CheckpointFile)
	if err != nil {
		h.t.Fatal(err)
	}
	return []audit.Checkpoint{c}
}

// Who has the journal and not the key cannot make the rest anew behind a change.
func TestForging(t *testing.T) {
	h := written(t)
	forged := newHome(t).journal()
	audit.Forge(t, h.journal(), forged, 17)
	report, err := audit.VerifyJournal(t.Context(), forged, audit.VerifyOptions{})
	if err != nil || report.OK {
		t.Fatal(report, err)
	}
	if c := report.Chains[0]; c.FirstBad != 11 || !strings.Contains(c.Problem, "11 to 20") {
		t.Errorf("%+v", c)
	}
}

// What was made anew behind an early checkpoint, without the later ones, fits together;
// a checkpoint that was kept elsewhere tells, in the middle of the log as at its end.
func TestForgingWithoutLaterCheckpoints(t *testing.T) {
	h, forger := written(t), newHome(t)
	own := h.journal()
	marks, err := own.Marks(t.Context(), store.MarkQuery{Chain: h.pinned()[0].Node, Kind: "checkpoint", After: 10, Until: 20})
	if err != nil || len(marks) != 1 {
		t.Fatal(marks, err)
	}
	var kept audit.Checkpoint
	if err := json.Unmarshal(marks[0].Document, &kept); err != nil {
		t.Fatal(err)
	}
	forged := forger.journal()
	audit.Forge(t, own, forged, 17)
	for _, j := range []store.Journal{own, forged} {
		h := map[store.Journal]home{own: h, forged: forger}[j]
		h.alter(`DELETE FROM avap_marks WHERE sequence > 10`)
		alone := verify(t, j, audit.VerifyOptions{}).Chains[0]
		if alone.Last != 40 || alone.SignedUntil != 10 || alone.Checkpoints != 1 || alone.SignedAt.IsZero() || !alone.SignedAt.Before(kept.Time) {
			t.Errorf("%+v", alone)
		}
	}
	pinned := audit.VerifyOptions{Pinned: []audit.Checkpoint{kept}}
	if c := verify(t, own, pinned).Chains[0]; c.SignedUntil != 20 || c.Checkpoints != 2 || !c.SignedAt.Equal(kept.Time) {
		t.Errorf("%+v", c)
	}
	var export bytes.Buffer
	if err := audit.ExportJournal(t.Context(), forged, &export, audit.Filter{}); err != nil {
		t.Fatal(err)
	}
	report, err := audit.VerifyJournal(t.Context(), forged, pinned)
	exported, exportedErr := audit.VerifyExport(&export, pinned)
	for _, r := range []audit.Report{report, exported} {
		if c := r.Chains[0]; r.OK || c.FirstBad != 11 || !strings.Contains(c.Problem, "11 to 20") || !strings.Contains(c.Problem, "kept elsewhere") {
			t.Errorf("%+v, %v, %v", c, err, exportedErr)
		}
	}
	kept.Time = kept.Time.Add(time.Hour)
	if report, err := audit.VerifyJournal(t.Context(), own, audit.VerifyOptions{Pinned: []audit.Checkpoint{kept}}); err != nil || report.OK || !strings.Contains(report.Chains[0].Problem, "not signed") {
		t.Errorf("%+v, %v", report, err)
	}
}

// A checkpoint that was kept elsewhere tells of a log that begins right behind it, too,
// or was read before up to there: who has the key can sign another one in its place.
func TestForgingWhereTheLogBegins(t *testing.T) {
	h := written(t)
	marks, err := h.journal().Marks(t.Context(), store.MarkQuery{Chain: h.pinned()[0].Node, Kind: "checkpoint", After: 10, Until: 20})
	if err != nil || len(marks) != 1 {
		t.Fatal(marks, err)
	}
	var kept audit.Checkpoint
	if err := json.Unmarshal(marks[0].Document, &kept); err != nil {
		t.Fatal(err)
	}
	cut := kept
	cut.Kind = "cut"
	audit.Sign(&cut, h.key())
	document, err := json.Marshal(cut)
	if err != nil {
		t.Fatal(err)
	}
	h.alter(fmt.Sprintf(`INSERT INTO avap_marks SELECT chain, sequence, 'cut', CAST('%s' AS BLOB) FROM avap_marks WHERE sequence = 20`, document), `DELETE FROM avap_blocks WHERE last <= 20`)
	other, last := kept, h.pinned()[0]
	other.Hash[0]++
	audit.Sign(&other, h.key())
	var export bytes.Buffer
	if err := audit.ExportJournal(t.Context(), h.journal(), &export, audit.Filter{}); err != nil {
		t.Fatal(err)
	}
	for pinned, said := range map[audit.Checkpoint]string{kept: "", other: "kept elsewhere"} {
		o := audit.VerifyOptions{Pinned: []audit.Checkpoint{pinned}}
		report, err := audit.VerifyJournal(t.Context(), h.journal(), o)
		exported, exportedErr := audit.VerifyExport(bytes.NewReader(export.Bytes()), o)
		for _, r := range []audit.Report{report, exported} {
			if err != nil || exportedErr != nil || r.OK != (said == "") || !strings.Contains(r.Chains[0].Problem, said) {
				t.Errorf("%+v, %v, %v", r, err, exportedErr)
			}
		}
	}
	last.Hash[0]++
	audit.Sign(&last, h.key())
	if document, err = json.Marshal(last); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.config(nil).CheckpointFile, document, 0o600); err != nil {
		t.Fatal(err)
	}
	if l := open(t, h.config(h.journal())); !l.Stats().Broken {
		t.Error("a start takes another last record for the one that was kept elsewhere")
	}
}

// A log whose blocks have whole records verifies and is exported as others are, and
// goes on.
func TestBlocksOfWholeRecords(t *testing.T) {
	h := written(t)
	packed, whole := h.journal(), newHome(t).journal()
	audit.Forge(t, packed, whole, 0)
	var exports [2]bytes.Buffer
	for i, j := range []store.Journal{packed, whole} {
		verify(t, j, audit.VerifyOptions{Pinned: h.pinned()})
		if err := audit.ExportJournal(t.Context(), j, &exports[i], audit.Filter{}); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(exports[0].Bytes(), exports[1].Bytes()) {
		t.Errorf("the exports differ:\n%s\n%s", &exports[0], &exports[1])
	}
	l := open(t, h.config(whole))
	note(t, l, audit.Record{Time: time.Now(), Kind: audit.Start, Principal: audit.Server})
	if l.Stats().Broken || len(page(t, l, audit.Filter{}, 100)) != 41 {
		t.Errorf("%+v", l.Stats())
	}
	closeLog(t, l)
	if c := verify(t, whole, audit.VerifyOptions{}).Chains[0]; c.Records != 41 || c.SignedUntil != 41 {
		t.Errorf("%+v", c)
	}
}

// An export verifies as the journal does, and what is changed in it is found.
func TestTamperedExport(t *testing.T) {
	h := written(t)
	var out bytes.Buffer
	if err := audit.ExportJournal(t.Context(), h.journal(), &out, audit.Filter{}); err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(strings.TrimSuffix(out.String(), "\n"), "\n")
	lines[len(lines)-1] += "\n"
	const first = 1 + 16 + 1 // the line of record 17, behind those of the chain and of a checkpoint
	if len(lines) != 1+40+4 || !strings.Contains(lines[first], `"sequence":17,`) {
		t.Fatalf("%d lines, %s", len(lines), lines[first])
	}
	replace := func(from, to string) func([]string) []string {
		return func(lines []string) []string {
			changed := strings.Replace(lines[first], from, to, 1)
			if changed == lines[first] {
				t.Errorf("%s is not in %s", from, changed)
			}
			lines[first] = changed
			return lines
		}
	}
	for _, c := range []struct {
		name  string
		alter func([]string) []string
		bad   int64
	}{
		{"nothing", func(l []string) []string { return l }, 0},
		{"a text", replace("request 16", "request 61"), 17},
		{"a number", replace(`"fuel":16`, `"fuel":15`), 17},
		{"a time", replace(`"time":"2`, `"time":"3`), 17},
		{"a number of a sequence", replace(`"sequence":17`, `"sequence":18`), 17},
		{"a member more", replace(`"type":"record"`, `"type":"record","note":"x"`), 17},
		{"a member twice", replace(`"fuel":16`, `"fuel":16,"fuel":16`), 17},
		{"a member less", replace(`,"count":1`, ``), 17},
		{"another node", replace(`"node":"`, `"node":"0`), 17},
		{"no JSON", replace(`"type"`, `type`), 17},
		{"another type", replace(`"type":"record"`, `"type":"chapter"`), 17},
		{"a line less", func(l []string) []string { return slices.Delete(l, first, first+1) }, 17},
		{"a line twice", func(l []string) []string { return slices.Insert(l, first, l[first]) }, 17},
		{"lines change places", func(l []string) []string { l[first], l[first+1] = l[first+1], l[first]; return l }, 17},
		{"a checkpoint too soon", func(l []string) []string { l[11], l[10] = l[10], l[11]; return l }, 10},
		{"the end", func(l []string) []string { return l[:len(l)-3] }, 39},
	} {
		altered := strings.Join(c.alter(slices.Clone(lines)), "")
		report, err := audit.VerifyExport(strings.NewReader(altered), audit.VerifyOptions{Pinned: h.pinned()})
		if err != nil || len(report.Chains) != 1 || report.Chains[0].FirstBad != c.bad || report.OK != (c.bad == 0) {
			t.Errorf("%s: %+v, %v; want %d", c.name, report, err, c.bad)
		}
	}
	if _, err := audit.VerifyExport(strings.NewReader(strings.Join(lines[1:], "")), audit.VerifyOptions{}); err == nil {
		t.Error("an excerpt verified")
	}
}

// Records that are old enough, or too many, go in whole parts, and the rest still
// verifies; without the cut it would not.
func TestRetention(t *testing.T) {
	for _, keep := range []audit.Keep{{Age: time.Hour}, {Bytes: 2000}} {
		t.Run(fmt.Sprintf("%+v", keep), func(t *testing.T) {
			h := newHome(t)
			j := h.journal()
			c := h.config(j)
			c.Group = true
			l := open(t, c)
			for i := range 40 {
				r := execution(i)
				r.Time = r.Time.Add(-2 * time.Hour)
				add(t, l, r)
			}
			for i := range 15 {
				add(t, l, execution(i))
			}
			l.SetKeep(keep)
			audit.Retain(t, l)
			note(t, l, audit.Record{Time: time.Now(), Kind: audit.Stop})
			report := verify(t, j, audit.VerifyOptions{Pinned: h.pinned()}).Chains[0]
			if report.First != 41 && keep.Age > 0 || report.First < 11 || report.First%10 != 1 {
				t.Errorf("%+v", report)
			}
			cuts := page(t, l, audit.Filter{Action: audit.CutAction}, 10)
			if len(cuts) != 1 || cuts[0].Target != fmt.Sprint("1-", report.First-1) {
				t.Errorf("%+v", cuts)
			}
			all := page(t, l, audit.Filter{}, 1000)
			if last := all[len(all)-1]; last.Sequence != report.First {
				t.Errorf("the oldest is %d, want %d", last.Sequence, report.First)
			}
			closeLog(t, l)
			again := open(t, c)
			if again.Stats().Broken {
				t.Error("what is left is taken for damaged")
			}
			closeLog(t, again)
			var out bytes.Buffer
			if err := audit.ExportJournal(t.Context(), j, &out, audit.Filter{}); err != nil {
				t.Fatal(err)
			}
			if exported, err := audit.VerifyExport(&out, audit.VerifyOptions{}); err != nil || !exported.OK || exported.Chains[0].First != report.First {
				t.Errorf("%+v, %v", exported, err)
			}
			h.alter(`DELETE FROM avap_marks WHERE kind = 'cut'`)
			if report, err := audit.VerifyJournal(t.Context(), j, audit.VerifyOptions{}); err != nil || report.OK {
				t.Errorf("%+v, %v", report, err)
			}
		})
	}
}

// Trust says which keys count.
func TestTrustedKeys(t *testing.T) {
	h, other := written(t), newHome(t)
	for key, ok := range map[string]bool{"own": true, "other": false} {
		public := h.key().Public().Key
		if key == "other" {
			public = other.key().Public().Key
		}
		report, err := audit.VerifyJournal(t.Context(), h.journal(), audit.VerifyOptions{Keys: audit.KeysOf(public)})
		if err != nil || report.OK != ok {
			t.Errorf("%s: %+v, %v", key, report, err)
		}
	}
}

// The key is nobody's but its owner's.
func TestKeyIsPrivate(t *testing.T) {
	h := newHome(t)
	first, second := h.key(), h.key()
	if first.String() != second.String() {
		t.Error("the key is another one the second time")
	}
	entries, err := os.ReadDir(h.dir)
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	info, err := entries[0].Info()
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
}

// Verifying tells how far it has got, and how far it has to go.
func TestProgress(t *testing.T) {
	h := newHome(t)
	c := h.config(h.journal())
	c.CheckpointRecords, c.Buffer = 10_000, 1<<16
	l := open(t, c)
	const count = 40_000
	for i := range count {
		add(t, l, execution(i))
	}
	closeLog(t, l)
	var told []int64
	verify(t, c.Journal, audit.VerifyOptions{Progress: func(done, total int64) {
		if total != count {
			t.Errorf("%d of %d", done, total)
		}
		told = append(told, done)
	}})
	if len(told) < 2 || !slices.IsSorted(told) || told[len(told)-1] > count {
		t.Errorf("told %v", told)
	}
}
