package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The document shows one run, with every budget, and all pictures.
func TestDocument(t *testing.T) {
	raw, err := os.ReadFile("../../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	if err := checkDocument(string(raw)); err != nil {
		t.Errorf("make bench-document writes it anew: %v", err)
	}
	b := &bench{section: &sectionReport{}}
	for i := range dimensions {
		b.paint(&dimensions[i], make([]curve, len(dimensions[i].columns)))
	}
	for _, p := range b.section.Pictures {
		if !strings.Contains(string(raw), "(performance/"+p.Name+".svg)") {
			t.Errorf("the picture %s is not shown", p.Name)
		}
	}
}

// wholeReport is of a run that measured the same in every section.
func wholeReport() *report {
	r := &report{Machine: "some machine", Commit: "abc", Began: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	for _, section := range sections {
		s := &sectionReport{Name: section.name, Notes: []string{"A note."}, Rounds: 3}
		s.Tables = append(s.Tables, &table{Columns: []string{"a", "b"}, Rows: [][]any{{"x", exactly(2, times)}}})
		r.Sections = append(r.Sections, s)
	}
	for i := range budgets {
		r.Budgets = append(r.Budgets, budgets[i].judge(budgets[i].limit))
	}
	return r
}

// emptyDocument has a place for every part.
func emptyDocument(t *testing.T) (path, text string) {
	t.Helper()
	for _, name := range documentParts() {
		text += "## Before\n<!-- bench " + name + " -->\nold\n<!-- end -->\nafter\n"
	}
	path = filepath.Join(t.TempDir(), "document.md")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, text
}

func TestRenew(t *testing.T) {
	path, text := emptyDocument(t)
	if err := checkDocument(text); err == nil {
		t.Error("parts of no run are taken")
	}
	r := wholeReport()
	if err := r.renew(path); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := string(raw)
	for _, want := range []string{
		"## Before\n<!-- bench machine -->\n<!-- run 2026-01-02T03:04:05Z -->\nsome machine. The run of 2026-01-02T03:04:05Z, at abc.\n<!-- end -->\nafter\n",
		"## Before\n<!-- bench http -->\n<!-- run 2026-01-02T03:04:05Z -->\n" +
			"| a | b |\n| --- | --- |\n| x | 2 × |\n\nA note.\n3 rounds, none disturbed.\n<!-- end -->\nafter\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nis not in\n%s", want, got)
		}
	}
	if err := checkDocument(got); err != nil {
		t.Error(err)
	}
	for name, wrong := range map[string]string{
		"a part of another run": strings.Replace(got, "03:04:05Z -->\n| a", "03:04:06Z -->\n| a", 1),
		"a part of no run":      strings.Replace(got, "<!-- run 2026-01-02T03:04:05Z -->\n| a", "| a", 1),
		"a lost part":           strings.Replace(got, "<!-- bench memory -->", "", 1),
		"a lost budget":         strings.Replace(got, "| "+budgets[3].what, "| another", 1),
	} {
		if err := checkDocument(wrong); wrong == got || err == nil {
			t.Errorf("a document with %s is taken", name)
		}
	}
}

// What is no whole run is not written.
func TestRenewRefuses(t *testing.T) {
	quick, partial, strange := wholeReport(), wholeReport(), wholeReport()
	quick.Quick = true
	partial.Sections = partial.Sections[1:]
	strange.Sections[0].Name = "elsewhere"
	path, text := emptyDocument(t)
	for name, r := range map[string]*report{"quick": quick, "partial": partial, "strange": strange} {
		if err := r.renew(path); err == nil {
			t.Errorf("a %s run is written", name)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != text {
		t.Errorf("the document was changed: %v\n%s", err, got)
	}
}

// A budget has to be met in every run, and the document is of the last.
func TestRuns(t *testing.T) {
	good, bad := wholeReport(), wholeReport()
	bad.Budgets[1] = budgets[1].judge(exactly(2*budgets[1].limit.Value, nanoseconds))
	var o options
	if err := conclude(o, []*report{good, good}); err != nil {
		t.Error(err)
	}
	for _, all := range [][]*report{{good, bad}, {bad, good}} {
		if err := conclude(o, all); err == nil {
			t.Error("a missed budget is taken")
		}
		rows := runsTable(all).texts()
		for i, row := range rows[1:] {
			if want := map[bool]string{true: "pass", false: "MISS"}[i != 1]; row[len(row)-1] != want || len(row) != len(rows[0]) || len(row) != 5 {
				t.Errorf("%d: %q", i, row)
			}
		}
	}
	if got, want := bad.line(), "200 % used of the tightest ("+budgets[1].what+")"; !strings.HasSuffix(got, want) {
		t.Errorf("%q does not end with %q", got, want)
	}
}
